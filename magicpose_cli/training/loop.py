"""The one training loop that every stage runs in.

A run folder holds ``state.pt`` (everything a resume needs), ``log.csv`` (step, loss, learning rate, seconds),
``pictures/`` and ``model/`` (what the next stage starts from, in float16 with averaged weights).

Several processes (``torchrun`` or ``accelerate launch``) each take their own figures and share one gradient, the mean.
The first of them alone writes.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import reduce

from magicpose_cli.core.errors import DiskFullError, InputError, IntegrityError, OutputError, UsageError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.diffusion.stock import EMAModel
from magicpose_cli.training.config import Recipe, read_recipe
from magicpose_cli.training.data.figures import FigureBatch, figure_loader
from magicpose_cli.training.modules import Modules, load_modules, save_modules
from magicpose_cli.training.pictures import write_grid
from magicpose_cli.training.stages.registry import stage_of
from magicpose_cli.training.stages.stage import Stage

LOG_STEPS = 20


@dataclass(frozen=True)
class TrainingResult:
    """Where a finished run is and how it ended. ``loss`` is the mean over the last logged steps."""

    folder: Path
    model: Path
    steps: int
    loss: float
    seconds: float


@dataclass
class _Run:
    """What changes while a run goes on."""

    modules: Modules
    trained: list[torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    average: EMAModel
    team: PartialState
    step: int = 0
    seconds: float = 0.0


def run_recipe(
    path: Path, folder: Path, *, resume: bool = False, device: str = "cpu", progress: Progress = SILENT
) -> TrainingResult:
    """Train one stage as its recipe says and export it to ``folder/model``.

    ``resume`` goes on from ``folder/state.pt``; without it a folder that holds one is refused. Interrupted runs
    (Ctrl-C included) keep their state. Raises UsageError, InputError, OutputError.
    """
    recipe = read_recipe(path)
    stage = stage_of(recipe.stage)
    state = folder / "state.pt"
    if state.exists() and not resume:
        raise OutputError(f"{folder} already holds a run", "add --resume to go on with it, or choose another --out")
    if resume and not state.exists():
        raise InputError(f"{folder} holds no run to resume", "leave out --resume to start one")
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    team = PartialState(cpu=device == "cpu")
    run = _start(recipe, stage, team, team.device if team.num_processes > 1 else torch.device(device))
    if resume:
        _restore(run, state)
    data = _data(recipe, stage, run)
    shown = _pictures_batch(recipe, stage, run)
    loss = _train(recipe, stage, run, data, shown, folder, progress)
    return TrainingResult(folder, folder / "model", run.step, loss, run.seconds)


def _start(recipe: Recipe, stage: Stage, team: PartialState, device: torch.device) -> _Run:
    modules = load_modules(_start_folder(recipe)) if recipe.start else Modules()
    missing = [name for name in stage.needs if getattr(modules, name) is None]
    if missing:
        raise UsageError(
            f"{recipe.path}: stage '{stage.name}' needs {', '.join(missing)}",
            "set 'start' to the model folder of the stage before",
        )
    try:
        stage.prepare(modules, recipe)
    except KeyError as error:
        raise UsageError(f"{recipe.path}: the section [new.{error.args[0]}] is missing") from error
    modules.to(device)
    chosen = recipe.trains or stage.default_trains
    trained: list[torch.nn.Parameter] = []
    for name, network in modules.networks():
        network.float()
        for path, parameter in network.named_parameters():
            parameter.requires_grad_(f"{name}.{path}.".startswith(tuple(f"{choice}." for choice in chosen)))
        trained += [parameter for parameter in network.parameters() if parameter.requires_grad]
        network.train(any(parameter.requires_grad for parameter in network.parameters()))
    if not trained:
        raise UsageError(f"{recipe.path}: 'trains' names none of the stage's modules: {', '.join(chosen)}")
    options = recipe.optimizer
    optimizer = torch.optim.AdamW(trained, options.learning_rate, weight_decay=options.weight_decay, foreach=True)
    average = EMAModel(trained, decay=recipe.ema, use_ema_warmup=True, power=0.75)
    return _Run(modules, trained, optimizer, average, team)


def _start_folder(recipe: Recipe) -> Path:
    start = Path(recipe.start).expanduser()
    return start if start.is_absolute() else recipe.path.parent / start


def _data(recipe: Recipe, stage: Stage, run: _Run) -> Iterator[FigureBatch]:
    groups = recipe.batch // recipe.data.targets_per_reference
    encode = _encoder(run.modules) if stage.sees_latents else None
    share = (run.team.process_index, run.team.num_processes)
    return figure_loader(recipe.data, groups, recipe.seed, run.step, encode, share)


def _pictures_batch(recipe: Recipe, stage: Stage, run: _Run) -> FigureBatch:
    """A fixed batch of people that training never sees."""
    encode = _encoder(run.modules) if stage.sees_latents else None
    options = replace(recipe.data, workers=0)
    return next(figure_loader(options, 8, recipe.seed + 1000, 0, encode))


def _encoder(modules: Modules) -> Callable[[torch.Tensor], torch.Tensor]:
    vae = modules.vae

    def encode(images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return vae.encode(images.to(vae.device)).latent_dist.mode().cpu()

    return encode


def _train(
    recipe: Recipe,
    stage: Stage,
    run: _Run,
    data: Iterator[FigureBatch],
    shown: FigureBatch,
    folder: Path,
    progress: Progress,
) -> float:
    saved = time.monotonic()
    losses: list[float] = []
    mean = float("nan")
    first = run.team.is_main_process
    if not first:
        progress = SILENT
    with progress.stage(f"training {stage.name}", recipe.steps, "step") as advance:
        advance(run.step)
        try:
            while run.step < recipe.steps:
                began = time.monotonic()
                losses.append(_step(recipe, stage, run, next(data)))
                run.step += 1
                run.seconds += time.monotonic() - began
                advance(1, f"loss {losses[-1]:.4f}")
                if run.step % LOG_STEPS == 0:
                    mean, losses = sum(losses) / len(losses), []
                    if first:
                        _log(folder, run, mean)
                if first and run.step % recipe.picture_steps == 0:
                    _picture(stage, run, shown, folder)
                if first and time.monotonic() - saved > recipe.save_minutes * 60:
                    _save(run, folder)
                    export(recipe, stage, run, shown, folder)
                    saved = time.monotonic()
        finally:
            # Also on Ctrl-C: the state of the last whole step.
            if first:
                _save(run, folder)
    if first:
        export(recipe, stage, run, shown, folder)
        _picture(stage, run, shown, folder)
    run.team.wait_for_everyone()
    return mean if not losses else sum(losses) / len(losses)


def _step(recipe: Recipe, stage: Stage, run: _Run, batch: FigureBatch) -> float:
    team = run.team
    rng = torch.Generator().manual_seed((recipe.seed * 1_000_003 + run.step) * team.num_processes + team.process_index)
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(recipe, run.step)
    with torch.autocast(run.trained[0].device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        loss = stage.loss(run.modules, batch, recipe, rng)
    loss.backward()
    value = _share(run, loss) if team.num_processes > 1 else loss.item()
    if value != value:
        raise IntegrityError(
            f"the loss is not a number at step {run.step}", "resume with a smaller learning_rate in the recipe"
        )
    torch.nn.utils.clip_grad_norm_(run.trained, recipe.optimizer.clip)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    run.average.step(run.trained)
    return value


def _share(run: _Run, loss: torch.Tensor) -> float:
    """Every process goes on with the mean gradient of all; returns the mean loss.

    One message a step: the stages call several networks in one loss, which a wrapper round each would send one by one.
    """
    for parameter in run.trained:
        if parameter.grad is None:  # this process dropped the conditions, another may not have
            parameter.grad = torch.zeros_like(parameter)
    message = torch.cat([p.grad.flatten() for p in run.trained] + [loss.detach().flatten()])
    *gradients, value = reduce(message, "mean").split([p.numel() for p in run.trained] + [1])
    for parameter, gradient in zip(run.trained, gradients, strict=True):
        parameter.grad.copy_(gradient.view_as(parameter))
    return value.item()


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over ``warmup`` steps, constant, linear fall to zero over the last ``decay`` of the run."""
    options = recipe.optimizer
    rise = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    left = (recipe.steps - step) / (options.decay * recipe.steps) if options.decay else 1.0
    return options.learning_rate * min(rise, left, 1.0)


@contextmanager
def _averaged(run: _Run) -> Iterator[None]:
    """The averaged weights in place of the current ones, in evaluation mode."""
    trained = [n for _, n in run.modules.networks() if n.training]
    run.average.store(run.trained)
    run.average.copy_to(run.trained)
    for network in trained:
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        run.average.restore(run.trained)
        for network in trained:
            network.train()


def export(recipe: Recipe, stage: Stage, run: _Run, shown: FigureBatch, folder: Path) -> None:
    """Write ``folder/model`` with the averaged weights."""
    with _averaged(run):
        if stage.finish:
            stage.finish(run.modules, shown)
        save_modules(run.modules, folder / "model", recipe.new.get("pipeline", {}), torch.float16)


def _picture(stage: Stage, run: _Run, shown: FigureBatch, folder: Path) -> None:
    with _averaged(run):
        write_grid(folder / "pictures" / f"{run.step:07d}.png", stage.picture(run.modules, shown))


def _log(folder: Path, run: _Run, loss: float) -> None:
    path = folder / "log.csv"
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", "loss", "learning_rate", "seconds"])
        writer.writerow([run.step, f"{loss:.6f}", f"{run.optimizer.param_groups[0]['lr']:.3e}", f"{run.seconds:.1f}"])


def _save(run: _Run, folder: Path) -> None:
    fresh = folder / f".state.{os.getpid()}.new"
    try:
        torch.save(
            {
                "step": run.step,
                "seconds": run.seconds,
                "weights": [p.detach() for p in run.trained],
                "optimizer": run.optimizer.state_dict(),
                "average": run.average.state_dict(),
            },
            fresh,
        )
        os.replace(fresh, folder / "state.pt")
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise DiskFullError(f"cannot keep the state of the run in {folder}: {error.strerror}") from error


def _restore(run: _Run, path: Path) -> None:
    state = torch.load(path, map_location="cpu", weights_only=True)
    with torch.no_grad():
        for parameter, kept in zip(run.trained, state["weights"], strict=True):
            parameter.copy_(kept)
    run.optimizer.load_state_dict(state["optimizer"])
    run.average.load_state_dict(state["average"])
    run.step, run.seconds = state["step"], state["seconds"]
