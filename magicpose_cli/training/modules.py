"""``Modules``: the networks of a model folder, as many as there are yet.

A model folder has diffusers' pipeline layout; a stage loads what the stage before exported and adds its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from magicpose_cli.core.errors import InputError
from magicpose_cli.core.whole_folder import whole_folder
from magicpose_cli.diffusion.checkpoints.components import MODEL_FILES
from magicpose_cli.diffusion.load import PARTS, load_part
from magicpose_cli.diffusion.motion import Denoiser, with_motion
from magicpose_cli.diffusion.stock import (
    AutoencoderKL,
    CLIPTextModel,
    CLIPTokenizer,
    ControlNetModel,
    DDIMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
    UNetMotionModel,
)


@dataclass
class Modules:
    """The parts of a model. None: no stage has made it yet."""

    vae: AutoencoderKL | None = None
    unet: UNet2DConditionModel | None = None
    appearance_unet: UNet2DConditionModel | None = None
    pose_controlnet: ControlNetModel | None = None
    text_encoder: CLIPTextModel | None = None
    tokenizer: CLIPTokenizer | None = None
    scheduler: DDIMScheduler | None = None
    motion_adapter: MotionAdapter | None = None
    _with_motion: UNetMotionModel | None = field(default=None, repr=False)
    _empty_prompt: torch.Tensor | None = field(default=None, repr=False)

    def networks(self) -> Iterator[tuple[str, torch.nn.Module]]:
        """Name and network of each part that has weights."""
        for name in PARTS:
            part = getattr(self, name)
            if isinstance(part, torch.nn.Module):
                yield name, part

    def to(self, device: torch.device) -> Modules:
        for _, network in self.networks():
            network.to(device)
        return self

    def denoiser(self) -> Denoiser:
        """The UNet, with the temporal layers where there is a motion module: the parameters are theirs, not copies."""
        if self.motion_adapter is None:
            return self.unet
        if self._with_motion is None:
            model = with_motion(self.unet, self.motion_adapter)
            for part in (self.unet, self.motion_adapter):
                for name, parameter in part.named_parameters():
                    path, _, leaf = name.rpartition(".")
                    setattr(model.get_submodule(path), leaf, parameter)
            self._with_motion = model
        return self._with_motion

    def empty_prompt(self, rows: int) -> torch.Tensor:
        """The text encoder's output for the empty prompt: (rows, tokens, width). It trains in no stage."""
        if self._empty_prompt is None:
            length = self.tokenizer.model_max_length
            ids = self.tokenizer("", padding="max_length", max_length=length, truncation=True, return_tensors="pt")
            with torch.no_grad():
                text = self.text_encoder(ids.input_ids.to(self.text_encoder.device)).last_hidden_state
            self._empty_prompt = text
        return self._empty_prompt.expand(rows, -1, -1)


def load_modules(folder: Path) -> Modules:
    """Load every part that the model folder holds, as strictly as a pipeline. Raises InputError, IntegrityError."""
    if not folder.is_dir():
        raise InputError(f"the model folder {folder} is not there", "train the stage before, or correct 'start'")
    return Modules(**{name: load_part(folder, name) for name in PARTS if (folder / name).is_dir()})


def save_modules(modules: Modules, folder: Path, config: dict[str, object], dtype: torch.dtype) -> None:
    """Write a model folder, whole or not at all. A complete one is a ``MagicPosePipeline``.

    ``config`` holds the pipeline's own settings (default_steps, default_guidance, native_size, …).
    """
    parts = {name: getattr(modules, name) for name in PARTS}
    with whole_folder(folder, ours=MODEL_FILES, overwrite=True) as fresh:
        if all(part is not None for name, part in parts.items() if name != "motion_adapter"):
            from magicpose_cli.diffusion.pipeline import MagicPosePipeline

            pipeline = MagicPosePipeline(**_in_dtype(parts, dtype), **config)
            pipeline.save_pretrained(fresh, safe_serialization=True)
        else:
            for name, part in _in_dtype(parts, dtype).items():
                if part is not None:
                    part.save_pretrained(fresh / name)


def _in_dtype(parts: dict[str, object], dtype: torch.dtype) -> dict[str, object]:
    """Copies of the networks in another number type; the originals train on."""
    out = {}
    for name, part in parts.items():
        if isinstance(part, torch.nn.Module):
            part = copy.deepcopy(part).to(dtype)
        out[name] = part
    return out
