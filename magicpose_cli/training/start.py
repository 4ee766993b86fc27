"""From a recipe to a run before its first step: the networks, which of them train, the optimizer and the average."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from magicpose_cli.core.errors import DeviceError, InputError, UsageError
from magicpose_cli.core.safe_load import is_pickle
from magicpose_cli.diffusion.checkpoints.animatediff import motion_component
from magicpose_cli.diffusion.checkpoints.components import check, fill
from magicpose_cli.diffusion.checkpoints.controlnet_ldm import controlnet_component
from magicpose_cli.diffusion.gradient_checkpointing import enable_checkpointing
from magicpose_cli.diffusion.load import PARTS, SETTINGS
from magicpose_cli.diffusion.stock import ControlNetModel, EMAModel
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.modules import Modules, empty_into, empty_modules, load_into, load_modules
from magicpose_cli.training.optimizer import make_optimizer
from magicpose_cli.training.run import Run
from magicpose_cli.training.stages.stage import Stage


def make_team(recipe: Recipe, device: str) -> Accelerator:
    """The processes that train together: this one alone, or all that ``accelerate launch`` or ``torchrun`` started."""
    AcceleratorState._reset_state()  # one process may train several recipes, each in its own precision
    precision = "bf16" if recipe.precision == "bfloat16" else "no"
    try:
        return Accelerator(mixed_precision=precision, cpu=device == "cpu")
    except ValueError as error:
        raise DeviceError(f"{recipe.path}: {device} cannot do bfloat16", 'set precision = "float32"') from error


def start_run(recipe: Recipe, stage: Stage, team: Accelerator, device: torch.device) -> Run:
    """Everything on ``device``, as the recipe says. Raises UsageError, InputError, IntegrityError, DeviceError."""
    modules = prepare_modules(recipe, stage)
    trained = choose_trained(recipe, stage, modules)
    for name, network in modules.networks():
        network.to(device)
        if held_dtype(recipe, modules, name) == torch.bfloat16:
            network.bfloat16()
        network.train(_trains(network))
    if recipe.memory.gradient_checkpointing:
        denoiser = modules.denoiser() if modules.unet is not None else None
        for network in (modules.vae, modules.appearance_unet, modules.pose_controlnet, denoiser):
            if network is not None:
                enable_checkpointing(network)
    parameters = list(trained.values())
    average = None
    if recipe.ema:
        average = EMAModel(parameters, decay=recipe.ema, use_ema_warmup=True, power=0.75)
        average.to("cpu" if recipe.memory.average_on_cpu else device)
    return Run(recipe.stage, modules, trained, make_optimizer(parameters, recipe), average, team)


def prepare_modules(recipe: Recipe, stage: Stage, *, empty: bool = False) -> Modules:
    """The networks that the stage works with; ``empty`` ones lie on the meta device: sizes, no weights."""
    for name in recipe.new:
        if name not in (*PARTS, "pipeline"):
            raise UsageError(f"{recipe.path}: there is no [new.{name}]", f"it may be {', '.join(PARTS)} or pipeline")
    for name in recipe.new.get("pipeline", {}):
        if name not in SETTINGS:
            raise UsageError(f"{recipe.path}: [new.pipeline] has no entry '{name}'", f"it takes {', '.join(SETTINGS)}")
    modules = Modules()
    if recipe.start:
        modules = (empty_modules if empty else load_modules)(Path(recipe.start))
    for name, place in recipe.weights.items():
        _take_weights(recipe, modules, name, Path(place), empty)
    missing = [name for name in stage.needs if getattr(modules, name) is None]
    if missing:
        raise UsageError(
            f"{recipe.path}: stage '{stage.name}' needs {', '.join(missing)}",
            "set 'start' to the model folder of the stage before",
        )
    try:
        with torch.device("meta") if empty else nullcontext():
            stage.prepare(modules, recipe)
    except KeyError as error:
        raise UsageError(f"{recipe.path}: the section [new.*] lacks {error}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{recipe.path}: the networks of [new.*] cannot be made: {error}") from error
    return modules


def choose_trained(recipe: Recipe, stage: Stage, modules: Modules) -> dict[str, torch.nn.Parameter]:
    """Name → parameter of all that trains; the others are frozen. Raises UsageError for what cannot or would not."""
    chosen = recipe.trains or stage.default_trains
    trained: dict[str, torch.nn.Parameter] = {}
    for name, network in modules.networks():
        for path, parameter in network.named_parameters():
            trains = f"{name}.{path}.".startswith(tuple(f"{choice}." for choice in chosen))
            parameter.requires_grad_(trains)
            if trains:
                trained[f"{name}.{path}"] = parameter
    for choice in chosen:
        if not any(f"{name}.".startswith(f"{choice}.") for name in trained):
            there = ", ".join(name for name, _ in modules.networks())
            raise UsageError(f"{recipe.path}: 'trains' names {choice}, which is no part here", f"there are {there}")
    _refuse_idle_noise(recipe, stage, trained)
    return trained


def _refuse_idle_noise(recipe: Recipe, stage: Stage, trained: Iterable[str]) -> None:
    """UsageError where steps without conditions would leave nothing that can learn."""
    networks = {name.split(".")[0] for name in trained}
    if stage.sees_latents and recipe.noise.drop and "unet" not in networks:
        raise UsageError(f"{recipe.path}: [noise] drop is for a UNet that trains", "set it to 0, or train the UNet")
    if recipe.noise.drop_appearance and networks <= {"appearance_unet"}:
        raise UsageError(f"{recipe.path}: [noise] drop_appearance leaves nothing that trains", "set it to 0")


def held_dtype(recipe: Recipe, modules: Modules, name: str) -> torch.dtype:
    """The number type of a network while the stage trains: what is frozen may be rounded.

    Not the VAE, whose latents all others learn from, and not what no folder has, since the export needs it unrounded.
    """
    rounded = recipe.precision == "bfloat16" and name != "vae" and name in modules.folders
    return torch.bfloat16 if rounded and not _trains(getattr(modules, name)) else torch.float32


def _trains(network: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in network.parameters())


def _take_weights(recipe: Recipe, modules: Modules, name: str, place: Path, empty: bool) -> None:
    """Put the part ``name`` of [weights] in its place: a folder in diffusers layout, or a safetensors file."""
    if name not in PARTS:
        raise UsageError(f"{recipe.path}: [weights] has no part '{name}'", f"it takes {', '.join(PARTS)}")
    if place.is_dir():
        (empty_into if empty else load_into)(modules, name, place)
        return
    if not place.is_file():
        raise InputError(f"{recipe.path}: [weights] {name} is not there: {place}", "correct the path, or download it")
    if name in ("motion_adapter", "pose_controlnet") and is_pickle(place):
        raise InputError(
            f"{recipe.path}: [weights] {name} is a pickle, a kind of file that can hold programs: {place}",
            "run 'magicpose convert', and name the folder that it writes",
        )
    if name == "motion_adapter":
        component = motion_component(place, name)
    elif name == "pose_controlnet" and modules.unet is not None:
        with torch.device("meta"):
            config = ControlNetModel.from_unet(
                modules.unet, load_weights_from_unet=False, **recipe.new.get(name, {})
            ).config
        known = {key: value for key, value in config.items() if not key.startswith("_")}
        component = controlnet_component(place, name, known)
    else:
        raise UsageError(
            f"{recipe.path}: [weights] {name} is a file, not a folder", "run 'magicpose convert', and name its folder"
        )
    check(component)
    setattr(modules, name, component.module if empty else fill(component))
    modules.folders.pop(name, None)
