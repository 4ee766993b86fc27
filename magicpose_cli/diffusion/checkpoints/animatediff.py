"""An AnimateDiff motion module for SD 1.5 → a diffusers ``MotionAdapter`` folder.

The sizes are read from the file: version 1 knows 24 frames, version 2 has 32 and a module in the middle block,
version 3 has 32 and none. A file that is a ``MotionAdapter``'s already is taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.safe_load import load_tensors
from magicpose_cli.diffusion.checkpoints.components import Component, Source, write_alone
from magicpose_cli.diffusion.checkpoints.sd15_config import MOTION_GROUPS, MOTION_HEADS, empty_module

_TRAINING_PREFIX = "module."  # left by PyTorch's data-parallel wrapper
_POSITIONS = re.compile(r"attention_blocks\.(\d+)\.pos_encoder\.pe$")
_HINT = "give an AnimateDiff motion module for SD 1.5 (mm_sd_v15_v2.ckpt, v3_sd15_mm.ckpt, or a MotionAdapter's file)"


def convert_motion_module(
    checkpoint: Path | str,
    out: Path | str,
    *,
    dtype: str = "float16",
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Path:
    """Write ``out``, a folder that ``MotionAdapter.from_pretrained`` reads, and return it.

    Raises IntegrityError (a tensor with no place or missing, named), OutputError, DiskFullError, InputError.
    """
    component = motion_component(checkpoint, Path(out).name)
    return write_alone(component, Path(out), dtype, overwrite, progress)


def motion_component(checkpoint: Path | str, folder: str) -> Component:
    """The file's tensors against an empty ``MotionAdapter`` of the file's size."""
    tensors = {n.removeprefix(_TRAINING_PREFIX): values for n, values in load_tensors(checkpoint).items()}
    sources: dict[str, Source] = {}
    for name, values in tensors.items():
        ours = motion_key(name)
        first = sources.setdefault(ours, Source(name, values))
        # AnimateDiff repeats a block's positions in each attention; diffusers keeps them once for the block.
        if first.name != name and not torch.equal(first.values, values):
            raise IntegrityError(f"{checkpoint}: '{name}' and '{first.name}' should be equal and are not", _HINT)
    config = motion_config({name: source.values.shape for name, source in sources.items()}, str(checkpoint))
    return Component(folder, empty_module("motion_adapter", config), sources)


def motion_key(name: str) -> str:
    """AnimateDiff's tensor name → ``MotionAdapter``'s. A name in the diffusers layout stays."""
    name = name.replace(".temporal_transformer.", ".")
    name = _POSITIONS.sub("pos_embed.pe", name)
    name = re.sub(r"\.attention_blocks\.(\d+)\.", lambda m: f".attn{int(m[1]) + 1}.", name)
    name = re.sub(r"\.norms\.(\d+)\.", lambda m: f".norm{int(m[1]) + 1}.", name)
    return name.replace(".ff_norm.", ".norm3.")


def is_motion_module(names: Iterable[str]) -> bool:
    """True where the tensors' names are those of a motion module."""
    return any(".motion_modules." in name for name in names)


def motion_config(shapes: Mapping[str, torch.Size], title: str) -> dict[str, Any]:
    """``MotionAdapter``'s constructor arguments, read from its tensors' shapes by diffusers name."""
    widths: list[int] = []
    while (norm := f"down_blocks.{len(widths)}.motion_modules.0.norm.weight") in shapes:
        widths.append(shapes[norm][0])
    positions = [shape for name, shape in shapes.items() if name.endswith("pos_embed.pe")]
    if not widths or not positions or any(len(shape) != 3 for shape in positions):
        raise IntegrityError(f"{title} is no motion module for SD 1.5", _HINT)

    def count(prefix: str) -> int:
        return len({n.removeprefix(prefix).split(".")[0] for n in shapes if n.startswith(prefix)})

    return {
        "block_out_channels": tuple(widths),
        "motion_layers_per_block": count("down_blocks.0.motion_modules."),
        "motion_transformer_layers_per_block": count("down_blocks.0.motion_modules.0.transformer_blocks."),
        "motion_max_seq_length": positions[0][1],
        "use_motion_mid_block": any(name.startswith("mid_block.") for name in shapes),
        "motion_num_attention_heads": MOTION_HEADS,
        "motion_norm_num_groups": MOTION_GROUPS,
    }
