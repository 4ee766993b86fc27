"""The one training loop that every stage runs in.

A run folder holds ``state.safetensors`` (everything a resume needs), ``log.csv`` (step, loss, learning rate, seconds),
``pictures/`` and ``model/`` (what the next stage starts from, in float16 with averaged weights).

Several processes (``torchrun`` or ``accelerate launch``) each take their own figures and share one gradient, the mean.
The first of them alone writes.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from accelerate import PartialState

from magicpose_cli.core.errors import InputError, IntegrityError, OutputError, UsageError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.diffusion.stock import AutoencoderKL, EMAModel
from magicpose_cli.training.config import Recipe, read_recipe
from magicpose_cli.training.data.figures import FigureBatch
from magicpose_cli.training.data.open_data import holds_validation, open_data
from magicpose_cli.training.modules import Modules, load_modules, save_modules
from magicpose_cli.training.pictures import write_grid
from magicpose_cli.training.run import STATE_FILE, Run, restore_run, save_run
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


def run_recipe(
    path: Path, folder: Path, *, resume: bool = False, device: str = "cpu", progress: Progress = SILENT
) -> TrainingResult:
    """Train one stage as its recipe says and export it to ``folder/model``.

    ``resume`` goes on from ``folder/state.safetensors``; without it a folder that holds anything is refused.
    Interrupted runs (Ctrl-C included) keep their state. Raises UsageError, InputError, OutputError, IntegrityError.
    """
    recipe = read_recipe(path)
    stage = stage_of(recipe.stage)
    kept = (folder / STATE_FILE).exists()
    if kept and not resume:
        raise OutputError(f"{folder} already holds a run", "add --resume to go on with it, or choose another --out")
    if resume and not kept:
        raise InputError(f"{folder} holds no run to resume", "leave out --resume to start one")
    if not kept and folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} holds other files", "choose another --out")
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    team = PartialState(cpu=device == "cpu")
    run = _start(recipe, stage, team, team.device if team.num_processes > 1 else torch.device(device))
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        restore_run(run, folder)
        if team.is_main_process:
            _shorten_log(folder, run.step)
    data = _data(recipe, stage, run)
    shown = _pictures_batch(recipe, stage, run)
    _train(recipe, stage, run, data, shown, folder, progress)
    return TrainingResult(folder, folder / "model", run.step, run.loss, run.seconds)


def _start(recipe: Recipe, stage: Stage, team: PartialState, device: torch.device) -> Run:
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
        raise UsageError(f"{recipe.path}: the section [new.*] lacks {error}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{recipe.path}: the networks of [new.*] cannot be made: {error}") from error
    modules.to(device)
    chosen = recipe.trains or stage.default_trains
    trained: dict[str, torch.nn.Parameter] = {}
    for name, network in modules.networks():
        network.float()
        for path, parameter in network.named_parameters():
            trains = f"{name}.{path}.".startswith(tuple(f"{choice}." for choice in chosen))
            parameter.requires_grad_(trains)
            if trains:
                trained[f"{name}.{path}"] = parameter
        network.train(any(parameter.requires_grad for parameter in network.parameters()))
    if not trained:
        raise UsageError(f"{recipe.path}: 'trains' names none of the stage's modules: {', '.join(chosen)}")
    options, parameters = recipe.optimizer, list(trained.values())
    optimizer = torch.optim.AdamW(parameters, options.learning_rate, weight_decay=options.weight_decay, foreach=True)
    average = EMAModel(parameters, decay=recipe.ema, use_ema_warmup=True, power=0.75)
    return Run(recipe.stage, modules, trained, optimizer, average, team)


def _start_folder(recipe: Recipe) -> Path:
    start = Path(recipe.start).expanduser()
    return start if start.is_absolute() else recipe.path.parent / start


def _data(recipe: Recipe, stage: Stage, run: Run) -> Iterator[FigureBatch]:
    groups = recipe.batch // recipe.data.targets_per_reference
    share = (run.team.process_index, run.team.num_processes)
    encode = _encoder(run.modules) if stage.sees_latents else None
    if encode is None or run.modules.vae.device.type == "cpu":
        return open_data(recipe.data, groups, recipe.seed, run.step, encode, share, reduction=_reduction(run))
    # A worker is another process, which cannot use this one's GPU: there the pictures are encoded as they arrive.
    batches = open_data(recipe.data, groups, recipe.seed, run.step, None, share, reduction=_reduction(run))
    return (replace(batch, images=encode(batch.images.flatten(0, 1)).unflatten(0, (groups, -1))) for batch in batches)


def _pictures_batch(recipe: Recipe, stage: Stage, run: Run) -> FigureBatch:
    """A fixed batch of people that training never sees, where the data holds some back."""
    encode = _encoder(run.modules) if stage.sees_latents else None
    split = "validation" if holds_validation(recipe.data) else "train"
    options = replace(recipe.data, workers=0)
    return next(open_data(options, 8, recipe.seed, 0, encode, split=split, reduction=_reduction(run)))


def _reduction(run: Run) -> int:
    """How many pixels a latent is wide."""
    return 2 ** (len(run.modules.vae.config.block_out_channels) - 1)


def _encoder(modules: Modules) -> partial[torch.Tensor]:
    return partial(_encode, deepcopy(modules.vae).requires_grad_(False).eval())


def _encode(vae: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return vae.encode(images.to(vae.device)).latent_dist.mode().cpu()


def _train(
    recipe: Recipe,
    stage: Stage,
    run: Run,
    data: Iterator[FigureBatch],
    shown: FigureBatch,
    folder: Path,
    progress: Progress,
) -> None:
    saved = time.monotonic()
    losses: list[float] = []
    first = run.team.is_main_process
    with (progress if first else SILENT).stage(
        f"training {stage.name}", recipe.steps, "step", done=run.step
    ) as advance:
        try:
            while run.step < recipe.steps:
                began = time.monotonic()
                losses.append(_step(recipe, stage, run, next(data)))
                run.seconds += time.monotonic() - began
                advance(1, f"loss {losses[-1]:.4f}")
                if run.step % LOG_STEPS == 0 or run.step == recipe.steps:
                    run.loss, losses = sum(losses) / len(losses), []
                    if first:
                        _log(folder, run)
                if first and run.step % recipe.picture_steps == 0:
                    _picture(stage, run, shown, folder)
                if first and time.monotonic() - saved > recipe.save_minutes * 60:
                    save_run(run, folder)
                    export(recipe, stage, run, shown, folder)
                    saved = time.monotonic()
        finally:
            # Also on Ctrl-C; in the middle of an update the state kept before stays.
            if first and run.whole:
                save_run(run, folder)
    if first:
        export(recipe, stage, run, shown, folder)
        _picture(stage, run, shown, folder)
    run.team.wait_for_everyone()


def _step(recipe: Recipe, stage: Stage, run: Run, batch: FigureBatch) -> float:
    team = run.team
    rng = torch.Generator().manual_seed((recipe.seed * 1_000_003 + run.step) * team.num_processes + team.process_index)
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(recipe, run.step)
    with torch.autocast(run.parameters[0].device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        loss = stage.loss(run.modules, batch, recipe, rng)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    value = share_gradients(run.parameters, loss, team.num_processes)
    if value != value:
        raise IntegrityError(
            f"the loss is not a number at step {run.step}", "resume with a smaller learning_rate in the recipe"
        )
    torch.nn.utils.clip_grad_norm_(run.parameters, recipe.optimizer.clip)
    run.whole = False
    run.optimizer.step()
    run.average.step(run.parameters)
    run.step += 1
    run.whole = True
    return value


def share_gradients(parameters: list[torch.nn.Parameter], loss: torch.Tensor, processes: int) -> float:
    """Put the mean gradient of all processes into each one's parameters; returns their mean loss.

    By hand, because a stage calls several networks in one loss, with banks between them that a wrapper of each
    network would not see.
    """
    value = loss.detach().clone()
    if processes > 1:
        for parameter in parameters:
            if parameter.grad is None:  # this process dropped the conditions, another may not have
                parameter.grad = torch.zeros_like(parameter)
        for tensor in (*(parameter.grad for parameter in parameters), value):
            torch.distributed.all_reduce(tensor)
            tensor /= processes
    return value.item()


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over ``warmup`` steps, constant, linear fall to zero over the last ``decay`` of the run."""
    options = recipe.optimizer
    rise = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    left = (recipe.steps - step) / (options.decay * recipe.steps) if options.decay else 1.0
    return options.learning_rate * min(rise, left, 1.0)


@contextmanager
def _averaged(run: Run) -> Iterator[None]:
    """The averaged weights in place of the current ones, in evaluation mode."""
    trained = [n for _, n in run.modules.networks() if n.training]
    run.average.store(run.parameters)
    run.average.copy_to(run.parameters)
    for network in trained:
        network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        run.average.restore(run.parameters)
        for network in trained:
            network.train()


def export(recipe: Recipe, stage: Stage, run: Run, shown: FigureBatch, folder: Path) -> None:
    """Write ``folder/model`` with the averaged weights."""
    with _averaged(run):
        if stage.finish:
            stage.finish(run.modules, shown)
        save_modules(run.modules, folder / "model", recipe.new.get("pipeline", {}), torch.float16)


def _picture(stage: Stage, run: Run, shown: FigureBatch, folder: Path) -> None:
    with _averaged(run):
        write_grid(folder / "pictures" / f"{run.step:07d}.png", stage.picture(run.modules, shown))


def _log(folder: Path, run: Run) -> None:
    path = folder / "log.csv"
    fresh = not path.exists()
    rate = run.optimizer.param_groups[0]["lr"]
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["step", "loss", "learning_rate", "seconds"])
        writer.writerow([run.step, f"{run.loss:.6f}", f"{rate:.3e}", f"{run.seconds:.1f}"])


def _shorten_log(folder: Path, step: int) -> None:
    """Drop what was logged after the state was kept: it comes again."""
    path = folder / "log.csv"
    if path.exists():
        head, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [row for row in rows if int(row.split(",")[0]) <= step]
        path.write_text("".join([head, *kept]), encoding="utf-8")
