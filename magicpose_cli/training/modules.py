"""``Modules``: the networks of a model folder, as many as there are yet.

A model folder has diffusers' pipeline layout; a stage loads what the stage before exported and adds its own.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from magicpose_cli.core.errors import InputError, IntegrityError
from magicpose_cli.core.whole_folder import whole_folder
from magicpose_cli.diffusion.checkpoints.components import MODEL_FILES
from magicpose_cli.diffusion.checkpoints.sd15_config import empty_module
from magicpose_cli.diffusion.load import PARTS, load_part, quiet_libraries
from magicpose_cli.diffusion.motion import Denoiser, with_motion
from magicpose_cli.diffusion.pipeline import MagicPosePipeline
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

_PLAIN_SCHEDULER = "PNDMScheduler"  # what Stable Diffusion's own folder names


@dataclass
class Modules:
    """The parts of a model. None: no stage has made it yet. ``folders`` names those that parts were read from."""

    vae: AutoencoderKL | None = None
    unet: UNet2DConditionModel | None = None
    appearance_unet: UNet2DConditionModel | None = None
    pose_controlnet: ControlNetModel | None = None
    text_encoder: CLIPTextModel | None = None
    tokenizer: CLIPTokenizer | None = None
    scheduler: DDIMScheduler | None = None
    motion_adapter: MotionAdapter | None = None
    folders: dict[str, Path] = field(default_factory=dict)
    _with_motion: UNetMotionModel | None = field(default=None, repr=False)
    _empty_prompt: torch.Tensor | None = field(default=None, repr=False)

    def networks(self) -> Iterator[tuple[str, torch.nn.Module]]:
        """Name and network of each part that has weights."""
        for name in PARTS:
            part = getattr(self, name)
            if isinstance(part, torch.nn.Module):
                yield name, part

    @property
    def complete(self) -> bool:
        """True where a pipeline can be made of them; the motion module is not needed for that."""
        return all(getattr(self, name) is not None for name in PARTS if name != "motion_adapter")

    def denoiser(self) -> Denoiser:
        """The UNet, with the temporal layers where there is a motion module: the parameters are theirs, not copies."""
        if self.motion_adapter is None:
            return self.unet
        if self._with_motion is None:
            model = with_motion(self.unet, self.motion_adapter)
            for part in (self.unet, self.motion_adapter):
                for name, tensor in (*part.named_parameters(), *part.named_buffers()):
                    path, _, leaf = name.rpartition(".")
                    setattr(model.get_submodule(path), leaf, tensor)
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
    """Load every part that the model folder holds, as strictly as a pipeline. Raises InputError, IntegrityError.

    Stable Diffusion's own folder in diffusers layout is one, too; its sampler becomes DDIM, with the same noise.
    """
    modules = Modules()
    for name in _parts_of(folder):
        load_into(modules, name, folder / name)
    return modules


def load_into(modules: Modules, name: str, part: Path) -> None:
    """Put the network, tokenizer or scheduler of the folder ``part`` in its place. Raises as ``load_modules`` does."""
    if name == "scheduler" and _config(part / "scheduler_config.json").get("_class_name") == _PLAIN_SCHEDULER:
        loaded = DDIMScheduler.from_config(_config(part / "scheduler_config.json"), clip_sample=False)
    else:
        loaded = load_part(part.parent, part.name, kind=name)
    setattr(modules, name, loaded)
    modules.folders[name] = part


def empty_modules(folder: Path) -> Modules:
    """What ``load_modules`` gives, without weights: the networks lie on the meta device."""
    modules = Modules()
    for name in _parts_of(folder):
        empty_into(modules, name, folder / name)
    return modules


def empty_into(modules: Modules, name: str, part: Path) -> None:
    """``load_into`` without weights."""
    if name in ("tokenizer", "scheduler"):
        load_into(modules, name, part)
        return
    config = {key: value for key, value in _config(part / "config.json").items() if not key.startswith("_")}
    kind = {"pose_controlnet": "controlnet", "appearance_unet": "unet"}.get(name, name)
    try:
        setattr(modules, name, empty_module(kind, config))
    except (TypeError, ValueError, RuntimeError) as error:
        raise IntegrityError(f"{part} cannot be loaded: {error}", "give another folder") from error
    modules.folders[name] = part


def make_pipeline(modules: Modules, settings: dict[str, object]) -> MagicPosePipeline:
    """The networks themselves, not copies, as a pipeline. ``settings`` are default_steps, native_size and so on."""
    return MagicPosePipeline(**{name: getattr(modules, name) for name in PARTS}, **settings)


def save_modules(modules: Modules, folder: Path, settings: dict[str, object], dtype: torch.dtype) -> None:
    """Write a model folder, whole or not at all. A complete one is a ``MagicPosePipeline``.

    ``settings`` as in ``make_pipeline``.
    """
    saved = Modules(**{name: _saved(modules, name, dtype) for name in PARTS})
    with whole_folder(folder, ours=MODEL_FILES, overwrite=True) as fresh, quiet_libraries():
        if saved.complete:
            make_pipeline(saved, settings).save_pretrained(fresh, safe_serialization=True)
        else:
            for name in PARTS:
                if getattr(saved, name) is not None:
                    getattr(saved, name).save_pretrained(fresh / name)
        _forget_where_from(fresh)


def _forget_where_from(folder: Path) -> None:
    """diffusers writes the path a network was loaded from into its config; a model that is passed on has none."""
    for file in folder.glob("*/config.json"):
        config = _config(file)
        if config.pop("_name_or_path", None) is not None:
            file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _saved(modules: Modules, name: str, dtype: torch.dtype) -> object:
    """The part in another number type and on the CPU; a network that is held rounded comes from its folder again."""
    part = getattr(modules, name)
    if not isinstance(part, torch.nn.Module):
        return part
    if part.dtype == torch.bfloat16:
        return load_part(modules.folders[name].parent, modules.folders[name].name, dtype, kind=name)
    tensors = [*part.parameters(), *part.buffers()]
    # Copies of the tensors go ahead, so that the network is not copied on a GPU that is full.
    memo = {id(t): t.detach().to("cpu", dtype if t.is_floating_point() else t.dtype, copy=True) for t in tensors}
    memo |= {id(p): torch.nn.Parameter(memo[id(p)], requires_grad=False) for p in part.parameters()}
    return copy.deepcopy(part, memo)


def _parts_of(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f"the model folder {folder} is not there", "train the stage before, or correct 'start'")
    return [name for name in PARTS if (folder / name).is_dir()]


def _config(file: Path) -> dict[str, object]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise IntegrityError(f"{file} cannot be read: {error}", "download or convert the model again") from error
