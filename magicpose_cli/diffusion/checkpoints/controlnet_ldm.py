"""A ControlNet checkpoint for SD 1.5 (LDM layout, or diffusers' own) → a ``ControlNetModel`` folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.safe_load import load_tensors
from magicpose_cli.diffusion.checkpoints.components import Component, Source, write_alone
from magicpose_cli.diffusion.checkpoints.ldm_keys import controlnet_key_map
from magicpose_cli.diffusion.checkpoints.sd15_config import CONTROLNET, empty_module

_PREFIXES = ("control_model.", "pose_control_model.", "")


def convert_controlnet(
    checkpoint: Path | str,
    out: Path | str,
    *,
    dtype: str = "float16",
    overwrite: bool = False,
    config: Mapping[str, Any] = CONTROLNET,
    progress: Progress = SILENT,
) -> Path:
    """Write ``out``, a folder that ``ControlNetModel.from_pretrained`` reads, and return it.

    Raises IntegrityError (a tensor with no place or missing, named), OutputError, DiskFullError, InputError.
    """
    component = controlnet_component(checkpoint, Path(out).name, config)
    return write_alone(component, Path(out), dtype, overwrite, progress)


def controlnet_component(checkpoint: Path | str, folder: str, config: Mapping[str, Any]) -> Component:
    """The file's tensors against an empty ControlNet; IntegrityError names one that has no place."""
    tensors = load_tensors(checkpoint)
    names = controlnet_key_map(config)
    if "controlnet_mid_block.weight" in tensors:
        names = {ours: ours for ours in names.values()}
    prefix = next((p for p in _PREFIXES if p + next(iter(names)) in tensors), "")
    sources = {}
    for name, values in tensors.items():
        ours = names.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if ours is None:
            raise IntegrityError(
                f"{checkpoint}: the tensor '{name[:200]}' has no place in a ControlNet for SD 1.5",
                "give a ControlNet v1.1 file for SD 1.5, such as control_v11p_sd15_openpose.pth",
            )
        sources[ours] = Source(name, values)
    return Component(folder, empty_module("controlnet", config), sources)
