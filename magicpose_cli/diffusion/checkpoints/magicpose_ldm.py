"""A released MagicPose checkpoint, one LDM-style state dict, → a model folder in the diffusers layout.

The file's networks by their prefix: the denoiser, the appearance model (a UNet without its output layers), the pose
ControlNet, the VAE and CLIP's text model. Every tensor is mapped one to one or known to be unused; anything else is
an error that names it. Checkpoints of the first training stage, and plain SD 1.5 ones, lack networks: the pose
ControlNet then comes from a file of its own, and the appearance model starts as a copy of the denoiser, as published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from magicpose_cli.core.errors import InputError, IntegrityError
from magicpose_cli.core.messages import sendable
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.safe_load import load_tensors
from magicpose_cli.core.whole_folder import whole_folder
from magicpose_cli.diffusion.checkpoints.animatediff import motion_component
from magicpose_cli.diffusion.checkpoints.components import (
    MODEL_FILES,
    Component,
    Source,
    check,
    check_space,
    to_dtype,
    write,
    write_json,
)
from magicpose_cli.diffusion.checkpoints.controlnet_ldm import controlnet_component
from magicpose_cli.diffusion.checkpoints.ldm_keys import controlnet_key_map, unet_key_map, vae_key_map
from magicpose_cli.diffusion.checkpoints.sd15_config import TOKENIZER_LENGTH, ModelConfigs, empty_module

__all__ = ["Converted", "controlnet_key_map", "convert_magicpose", "known_unused", "unet_key_map", "vae_key_map"]

DENOISER, VAE = "model.diffusion_model.", "first_stage_model."
APPEARANCE, POSE, STAGE_ONE = "appearance_control_model.", "pose_control_model.", "control_model."
TEXT = "cond_stage_model.transformer.text_model."

# Buffers that follow from the schedule's betas, or belong to training. Dropped.
_SCHEDULE = frozenset({
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod",
    "posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
    "lvlb_weights", "logvar", "scale_factor", "model_ema.decay", "model_ema.num_updates",
})  # fmt: skip
_POSITIONS = TEXT + "embeddings.position_ids"
# The appearance model was built with a ControlNet's image encoder that it never calls.
_UNUSED_ENCODER = frozenset(f"input_hint_block.{i}.{part}" for i in range(0, 15, 2) for part in ("weight", "bias"))


@sendable
@dataclass(frozen=True)
class Converted:
    """What was written: ``kind`` is ``magicpose``, ``controlnet`` or ``motion``; ``notes`` are for the user."""

    kind: str
    folder: Path
    notes: tuple[str, ...] = ()


def known_unused(name: str) -> bool:
    """True for a tensor of a full checkpoint that no module needs."""
    if name in _SCHEDULE or name == _POSITIONS:
        return True
    return any(name.startswith(p) and name.removeprefix(p) in _UNUSED_ENCODER for p in (APPEARANCE, STAGE_ONE))


def convert_magicpose(
    checkpoint: Path | str | Mapping[str, torch.Tensor],
    out: Path | str,
    *,
    tokenizer: Path | str,
    controlnet: Path | str | None = None,
    motion_module: Path | str | None = None,
    dtype: str = "float16",
    overwrite: bool = False,
    configs: ModelConfigs | None = None,
    progress: Progress = SILENT,
) -> Converted:
    """Write the model folder ``out``, which ``MagicPosePipeline.from_pretrained`` reads.

    ``checkpoint`` is a file, or its tensors by name. ``tokenizer`` is a folder with CLIP's ``vocab.json`` and
    ``merges.txt``. ``controlnet`` is a ControlNet file that replaces the checkpoint's pose ControlNet, or stands in
    where it has none; ``motion_module`` an AnimateDiff file that becomes the folder's ``motion_adapter``.
    ``configs`` gives the sizes (default: SD 1.5). The folder appears whole or not at all.

    Raises IntegrityError (damaged, incomplete, or a tensor with no place, named), OutputError, DiskFullError,
    InputError, UsageError.
    """
    from magicpose_cli.diffusion.schedulers import published_scheduler

    out, target, configs = Path(out), to_dtype(dtype), configs or ModelConfigs()
    tensors = dict(checkpoint) if isinstance(checkpoint, Mapping) else load_tensors(checkpoint)
    title = "the checkpoint" if isinstance(checkpoint, Mapping) else str(checkpoint)
    tokenizer_files = _tokenizer_files(Path(tokenizer))
    notes: list[str] = []

    components = _checkpoint_components(tensors, configs, title, bool(controlnet), notes)
    if controlnet is not None:
        components.append(controlnet_component(controlnet, "pose_controlnet", configs.controlnet))
    if motion_module is not None:
        components.append(motion_component(motion_module, "motion_adapter"))
    for component in components:
        check(component)

    size = sum(component.value_count for component in components) * target.itemsize
    total = sum(len(component.sources) for component in components)
    check_space(out, size)
    with (
        whole_folder(out, ours=MODEL_FILES, overwrite=overwrite) as folder,
        progress.stage("convert", total, "tensor") as advance,
    ):
        for component in components:
            write(component, folder / component.folder, target, advance)
        _write_tokenizer(folder / "tokenizer", *tokenizer_files)
        published_scheduler().save_pretrained(folder / "scheduler")
        _write_index(folder, components, configs)
    return Converted("magicpose", out, tuple(notes))


def _checkpoint_components(
    tensors: Mapping[str, torch.Tensor], configs: ModelConfigs, title: str, own_controlnet: bool, notes: list[str]
) -> list[Component]:
    """The networks inside the file, each with its sources; every tensor is spoken for."""
    unet_names = unet_key_map(configs.unet)
    controlnet_names = controlnet_key_map(configs.controlnet)
    text = empty_module("text_encoder", configs.text_encoder)
    inside = text.state_dict()
    # transformers dropped the level "text_model" from the module's own names at 5.x; the files keep it
    level = "text_model." if any(name.startswith("text_model.") for name in inside) else ""
    text_names = {name.removeprefix(level): name for name in inside}

    appearance, pose = APPEARANCE, POSE
    if STAGE_ONE + "zero_convs.0.0.weight" in tensors:
        pose = STAGE_ONE
    elif any(name.startswith(STAGE_ONE) for name in tensors):
        appearance = STAGE_ONE

    found = {
        "unet": _sources(tensors, DENOISER, unet_names),
        "appearance_unet": _sources(tensors, appearance, unet_names),
        "pose_controlnet": _sources(tensors, pose, controlnet_names),
        "vae": _sources(tensors, VAE, vae_key_map(configs.vae)),
        "text_encoder": _sources(tensors, TEXT, text_names),
    }
    used = {source.name for sources in found.values() for source in sources.values()}
    for name in tensors:
        if name not in used and not known_unused(name):
            raise IntegrityError(
                f"{title}: the tensor '{name[:200]}' has no place in MagicPose",
                "give the released checkpoint (model_state-*.th), or one of SD 1.5's architecture",
            )

    unet = empty_module("unet", configs.unet)
    if not found["appearance_unet"]:
        found["appearance_unet"] = found["unet"]
        notes.append("the appearance model starts as a copy of the denoiser: it has to be trained")
    elif not any(name.startswith("conv_out") for name in found["appearance_unet"]):
        # Its output is thrown away, so it was trained without these layers; the stock class wants them.
        for name in ("conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight", "conv_out.bias"):
            found["appearance_unet"][name] = Source(name, torch.zeros(unet.state_dict()[name].shape))
    if own_controlnet:
        if found["pose_controlnet"]:
            notes.append("the checkpoint's own pose ControlNet was left out for the one given")
        del found["pose_controlnet"]
    elif not found["pose_controlnet"]:
        raise IntegrityError(f"{title} has no pose ControlNet", "add one: --controlnet control_v11p_sd15_openpose.pth")
    modules = {
        "unet": unet,
        "appearance_unet": unet,
        "pose_controlnet": empty_module("controlnet", configs.controlnet),
        "vae": empty_module("vae", configs.vae),
        "text_encoder": text,
    }
    return [
        Component(name, modules[name], sources, "text_model." if name == "text_encoder" and not level else "")
        for name, sources in found.items()
    ]


def _sources(tensors: Mapping[str, torch.Tensor], prefix: str, names: Mapping[str, str]) -> dict[str, Source]:
    return {
        ours: Source(prefix + theirs, tensors[prefix + theirs])
        for theirs, ours in names.items()
        if prefix + theirs in tensors
    }


def _tokenizer_files(folder: Path) -> tuple[Path, Path]:
    files = folder / "vocab.json", folder / "merges.txt"
    for file in files:
        if not file.is_file():
            raise InputError(
                f"the tokenizer folder {folder} has no {file.name}",
                "give a folder with CLIP's vocab.json and merges.txt (SD 1.5's tokenizer folder)",
            )
    return files


def _write_tokenizer(folder: Path, vocab: Path, merges: Path) -> None:
    """Our own tokenizer config around CLIP's vocabulary: nothing else of the given folder is read."""
    from magicpose_cli.diffusion.stock import CLIPTokenizer

    try:
        tokenizer = CLIPTokenizer(vocab=str(vocab), merges=str(merges), model_max_length=TOKENIZER_LENGTH)
    except Exception as error:  # the tokenizers library raises bare Exception for a broken vocabulary
        raise IntegrityError(f"{vocab.parent} holds no CLIP vocabulary: {error}", "get the two files again") from error
    tokenizer.save_pretrained(folder)


def _write_index(folder: Path, components: list[Component], configs: ModelConfigs) -> None:
    import diffusers

    index: dict[str, object] = {"_class_name": "MagicPosePipeline", "_diffusers_version": diffusers.__version__}
    index.update(configs.pipeline)
    index["motion_adapter"] = [None, None]
    for component in components:
        library = type(component.module).__module__.split(".")[0]
        index[component.folder] = [library, type(component.module).__name__]
    index["tokenizer"] = ["transformers", "CLIPTokenizer"]
    index["scheduler"] = ["diffusers", "DDIMScheduler"]
    write_json(folder / "model_index.json", index)
