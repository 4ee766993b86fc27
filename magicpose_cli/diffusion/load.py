"""A model folder → ``MagicPosePipeline``, strictly: every tensor there, of the right shape, and finite.

A folder may come from anywhere: classes are the ones named here, never those that the folder names.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from magicpose_cli.core.errors import InputError, IntegrityError, MemoryLimitError
from magicpose_cli.core.memory import is_out_of_memory
from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.diffusion.reference_attention import reference_layers
from magicpose_cli.diffusion.schedulers import SCHEDULERS
from magicpose_cli.diffusion.stock import (
    AutoencoderKL,
    CLIPTextModel,
    CLIPTokenizer,
    ControlNetModel,
    MotionAdapter,
    UNet2DConditionModel,
    diffusers_logging,
    transformers_logging,
)

_NETWORKS: dict[str, Any] = {
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModel,
    "unet": UNet2DConditionModel,
    "appearance_unet": UNet2DConditionModel,
    "pose_controlnet": ControlNetModel,
    "motion_adapter": MotionAdapter,
}
_OTHERS = ("tokenizer", "scheduler")
PARTS = (*_NETWORKS, *_OTHERS)  # the folders of a model folder
SETTINGS = ("default_steps", "default_guidance", "native_size", "motion_shares_noise")
# What the libraries take as the name of code to fetch or to import.
_FOREIGN_CODE = {
    *("auto_map", "custom_pipelines", "quantization_config"),
    *("attn_implementation", "_attn_implementation", "_attn_implementation_internal", "experts_implementation"),
}
_MOST_JSON_BYTES = 10_000_000
_AGAIN = "download or convert the model again, or give another folder"


def load_pipeline(
    folder: str | Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> MagicPosePipeline:
    """Load the model folder that ``save_pretrained``, ``convert`` or training wrote.

    Raises InputError where the folder is missing or is no model folder, IntegrityError where a part is missing,
    unreadable, of the wrong shape or not finite, MemoryLimitError where the device is too small.
    """
    folder = Path(folder)
    index = _read_index(folder)
    there = (*read_configs(folder), *_OTHERS)
    parts: dict[str, Any] = {name: load_part(folder, name, dtype) if name in there else None for name in PARTS}
    _check_fit(folder, parts)
    pipeline = MagicPosePipeline(**parts, **{name: index[name] for name in SETTINGS if name in index})
    pipeline.set_progress_bar_config(disable=True)
    try:
        return pipeline.to(device)
    except torch.OutOfMemoryError as error:
        raise MemoryLimitError(
            f"the model in {folder} does not fit on {device}", "use --offload, --dtype float16 or --device cpu"
        ) from error


def read_configs(folder: Path) -> dict[str, dict[str, Any]]:
    """The settings of each network that the model has; nothing is loaded. Raises as ``load_pipeline`` does."""
    has_motion = (_read_index(folder).get("motion_adapter") or [None])[0]
    names = [name for name in _NETWORKS if name != "motion_adapter" or has_motion]
    return {name: _read_config(folder, name) for name in names}


def _read_config(folder: Path, name: str) -> dict[str, Any]:
    """A network's settings; IntegrityError where they, or its weights, are not there."""
    if not (folder / name / "config.json").is_file():
        raise IntegrityError(f"the model in {folder} has no {name}/config.json", _AGAIN)
    if not any((folder / name).glob("*.safetensors")):
        raise IntegrityError(f"the model in {folder} has no weights in {name}/ (*.safetensors)", _AGAIN)
    config = _read_json(folder / name / "config.json")
    for key in _FOREIGN_CODE & config.keys():
        if config[key] not in (None, "eager", "sdpa"):
            raise IntegrityError(f"{folder / name}/config.json asks for other code by '{key}': refused", _AGAIN)
    return config


def load_part(folder: Path, name: str, dtype: torch.dtype = torch.float32, *, kind: str = "") -> Any:
    """One part of a model folder by its name: a network, ``tokenizer`` or ``scheduler``. Raises IntegrityError.

    ``kind`` is one of ``PARTS``, where the part's folder has another name than that.
    """
    kind = kind or name
    if kind == "tokenizer":
        return _load_tokenizer(folder / name)
    if kind == "scheduler":
        return _load_scheduler(folder / name)
    return _load_network(folder, name, _NETWORKS[kind], dtype)


def _read_index(folder: Path) -> dict[str, Any]:
    file = folder / "model_index.json"
    if not folder.is_dir():
        raise InputError(f"the model folder {folder} is not there", "run 'magicpose download', or correct the path")
    if not file.is_file():
        raise InputError(f"{folder} is not a model folder: it has no model_index.json", "give the folder that holds it")
    index = _read_json(file)
    if index.get("_class_name") != MagicPosePipeline.__name__:
        raise InputError(
            f"{folder} holds a {str(index.get('_class_name'))[:80]}, not a {MagicPosePipeline.__name__}",
            "give a MagicPose model folder",
        )
    return index


def _read_json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _MOST_JSON_BYTES:
            raise ValueError(f"it has more than {_MOST_JSON_BYTES / 1e6:.0f} MB")
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(f"{file} cannot be read: {error}", _AGAIN) from error
    if not isinstance(content, dict):
        raise IntegrityError(f"{file} holds no settings", _AGAIN)
    return content


def _load_network(folder: Path, name: str, cls: Any, dtype: torch.dtype) -> torch.nn.Module:
    part = folder / name
    _read_config(folder, name)
    try:
        with quiet_libraries():
            network, report = cls.from_pretrained(
                part, local_files_only=True, use_safetensors=True, torch_dtype=dtype, output_loading_info=True
            )
    except Exception as error:  # each library raises its own, down to bare Exception
        if is_out_of_memory(error):
            raise MemoryLimitError(
                f"there is not enough memory to load {part}", "close other programs, or use a smaller model"
            ) from error
        raise IntegrityError(f"{part} cannot be loaded: {_first_line(error)}", _AGAIN) from error
    for kind, problem in (
        ("missing_keys", "lacks"),
        ("mismatched_keys", "has a wrong shape in"),
        ("unexpected_keys", "does not know"),
    ):
        if keys := sorted(map(str, report[kind])):
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise IntegrityError(f"{part} {problem} {keys[0]}{more}", _AGAIN)
    for key, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise IntegrityError(f"{part} holds a value in {key} that is not finite", _AGAIN)
    return network.eval()


def _load_tokenizer(part: Path) -> CLIPTokenizer:
    if not part.is_dir():
        raise IntegrityError(f"the model in {part.parent} has no {part.name}/", _AGAIN)
    try:
        return CLIPTokenizer.from_pretrained(part, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise IntegrityError(f"{part} cannot be loaded: {_first_line(error)}", _AGAIN) from error


def _load_scheduler(part: Path) -> Any:
    file = part / "scheduler_config.json"
    if not file.is_file():
        raise IntegrityError(f"the model in {part.parent} has no {part.name}/scheduler_config.json", _AGAIN)
    config = _read_json(file)
    classes = {cls.__name__: cls for cls in SCHEDULERS.values()}
    name = str(config.get("_class_name"))
    if name not in classes:
        raise IntegrityError(f"{file} names {name[:80]}, not one of {', '.join(classes)}", _AGAIN)
    try:
        return classes[name].from_config(config)
    except Exception as error:
        raise IntegrityError(f"{file} cannot be used: {_first_line(error)}", _AGAIN) from error


def _check_fit(folder: Path, parts: dict[str, Any]) -> None:
    """Parts of different models load well by themselves, and fail in the middle of the work."""
    unet, appearance, controlnet = parts["unet"], parts["appearance_unet"], parts["pose_controlnet"]
    width = parts["text_encoder"].config.hidden_size
    for name in ("unet", "appearance_unet", "pose_controlnet"):
        if parts[name].config.cross_attention_dim != width:
            raise IntegrityError(f"{folder}: {name} does not fit the text encoder's width of {width}", _AGAIN)
        if parts[name].config.in_channels != parts["vae"].config.latent_channels:
            raise IntegrityError(f"{folder}: {name} does not fit the VAE's latent channels", _AGAIN)
    shapes = [{n: layer.to_k.in_features for n, layer in reference_layers(u).items()} for u in (unet, appearance)]
    if shapes[0] != shapes[1]:
        raise IntegrityError(f"{folder}: unet and appearance_unet differ in their attention layers", _AGAIN)
    if tuple(unet.config.block_out_channels) != tuple(controlnet.config.block_out_channels):
        raise IntegrityError(f"{folder}: pose_controlnet does not fit the unet", _AGAIN)
    halvings = len(controlnet.config.conditioning_embedding_out_channels) - 1
    if halvings != len(parts["vae"].config.block_out_channels) - 1:
        raise IntegrityError(f"{folder}: pose_controlnet's encoder does not end at the VAE's latent size", _AGAIN)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """The libraries' bars and reports stay off the terminal: what they say is in the report, and checked."""
    libraries = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    try:
        for library in libraries:
            library.set_verbosity(library.CRITICAL)
            library.disable_progress_bar()
        yield
    finally:
        for library, (verbosity, bar) in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            if bar:
                library.enable_progress_bar()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
