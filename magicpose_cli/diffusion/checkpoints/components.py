"""One module's folder in a diffusers layout, filled tensor by tensor and checked against the module itself."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from magicpose_cli.core.errors import DiskFullError, IntegrityError, UsageError
from magicpose_cli.core.progress import Advance, Progress
from magicpose_cli.core.whole_folder import whole_folder
from magicpose_cli.diffusion.load import PARTS

DTYPES = {"float16": torch.float16, "float32": torch.float32, "bfloat16": torch.bfloat16}
_SPARE_BYTES = 64 << 20

# What a folder with one module, and a model folder, may hold: a folder of these alone may be replaced.
MODULE_FILES = re.compile(r"config\.json|(diffusion_pytorch_)?model\.safetensors|\.DS_Store")
_PARTS = "|".join(PARTS)
MODEL_FILES = re.compile(rf"model_index\.json|({_PARTS})(/[^/]+\.(json|txt|safetensors))?|(({_PARTS})/)?\.DS_Store")


@dataclass(frozen=True)
class Source:
    """Where a tensor comes from: its name in the foreign file (for messages) and its values."""

    name: str
    values: torch.Tensor


@dataclass(frozen=True)
class Component:
    """A module to be written: ``sources`` gives each of ``module``'s tensors, by the module's own names.

    ``module`` lives on the meta device: it lends names, shapes and config. ``file_prefix`` is put before each
    name in the file (transformers' published CLIP files say ``text_model.``).
    """

    folder: str
    module: torch.nn.Module
    sources: Mapping[str, Source]
    file_prefix: str = ""

    @property
    def value_count(self) -> int:
        return sum(tensor.numel() for tensor in self.module.state_dict().values())


def check(component: Component) -> None:
    """Each tensor of the module has a source of its shape, and no source is left over; else IntegrityError."""
    wanted = component.module.state_dict()
    for name in component.sources:
        if name not in wanted:
            raise IntegrityError(
                f"'{component.sources[name].name}' has no place in {component.folder}: the module has no '{name}'",
                "the checkpoint is of another size or kind",
            )
    missing = [name for name in wanted if name not in component.sources]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise IntegrityError(
            f"the checkpoint lacks '{missing[0]}'{more} of {component.folder}",
            "the checkpoint is incomplete, or of another kind: get it again",
        )
    for name, source in component.sources.items():
        if not _fits(source.values.shape, wanted[name].shape):
            raise IntegrityError(
                f"'{source.name}' has the shape {list(source.values.shape)}, {component.folder} needs "
                f"{list(wanted[name].shape)}",
                "the checkpoint is of another size or kind",
            )


def write(component: Component, folder: Path, dtype: torch.dtype, advance: Advance) -> None:
    """Write config and safetensors file of a checked component into ``folder``. One component is in memory at most."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    wanted = component.module.state_dict()
    tensors = {}
    for name, source in component.sources.items():
        tensors[component.file_prefix + name] = _cast(source, wanted[name].shape, dtype)
        advance(1, component.folder)
    weights_file = "diffusion_pytorch_model.safetensors"
    if hasattr(component.module, "save_config"):
        component.module.save_config(folder)
    else:  # transformers
        component.module.config.architectures = [type(component.module).__name__]
        component.module.config.save_pretrained(folder)
        weights_file = "model.safetensors"
    save_file(tensors, folder / weights_file, metadata={"format": "pt"})


def fill(component: Component) -> torch.nn.Module:
    """The module of a checked component with its weights, float32 on the CPU."""
    wanted = component.module.state_dict()
    tensors = {
        name: _cast(source, wanted[name].shape, torch.float32).clone() for name, source in component.sources.items()
    }
    component.module.load_state_dict(tensors, assign=True)
    return component.module


def write_alone(component: Component, out: Path, dtype: str, overwrite: bool, progress: Progress) -> Path:
    """Check a component and make it the folder ``out``, which appears whole or not at all."""
    target = to_dtype(dtype)
    check(component)
    size, tensors = component.value_count * target.itemsize, len(component.sources)
    check_space(out, size)
    with (
        whole_folder(out, ours=MODULE_FILES, overwrite=overwrite) as fresh,
        progress.stage("convert", tensors, "tensor") as advance,
    ):
        write(component, fresh, target, advance)
    return out


def check_space(out: Path, bytes_needed: int) -> None:
    """Raise DiskFullError where the disk under ``out`` has no room for so many bytes."""
    there = next(folder for folder in out.absolute().parents if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < bytes_needed + _SPARE_BYTES:
        raise DiskFullError(
            f"{there} has {free / 1e9:.1f} GB free, the converted model needs {bytes_needed / 1e9:.1f} GB",
            "free some space, or give a folder on another disk",
        )


def write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def to_dtype(name: str) -> torch.dtype:
    """The torch type of a name; UsageError for others."""
    if name not in DTYPES:
        raise UsageError(f"unknown dtype '{name}'", f"use one of {', '.join(DTYPES)}")
    return DTYPES[name]


def _fits(found: torch.Size, wanted: torch.Size) -> bool:
    """Equal, or a 1 × 1 convolution where the module has a linear layer."""
    return found == wanted or (len(wanted) == 2 and found == (*wanted, 1, 1))


def _cast(source: Source, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor:
    values = source.values.reshape(shape)
    if not torch.isfinite(values).all():
        raise IntegrityError(f"'{source.name}' holds values that are not finite", "it is broken: get it again")
    cast = values.to(dtype).contiguous()
    if dtype == torch.float16 and not torch.isfinite(cast).all():
        raise IntegrityError(f"'{source.name}' holds values too large for float16", "convert with --dtype float32")
    return cast
