"""The one training loop that every stage runs in.

A run folder holds ``state.safetensors`` (everything a resume needs), ``log.csv``, ``tensorboard/``, ``pictures/``,
``videos/`` and ``model/`` (what the next stage starts from: the averaged weights with the lowest validation loss so
far, in float16).

Several processes (``accelerate launch`` or ``torchrun``) each take their own people and share one gradient, the mean.
The first of them alone writes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.training.batches import held_out_batches, shown_batch, shown_clip, training_batches
from magicpose_cli.training.config import Recipe, read_recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.log import Board, LogRow, append_row, shorten_log
from magicpose_cli.training.memory import MemoryEstimate, estimate_memory, tell_what_takes_less, warn_of_a_small_gpu
from magicpose_cli.training.modules import save_modules
from magicpose_cli.training.optimizer import learning_rate
from magicpose_cli.training.run import (
    MODEL_FOLDER,
    STATE_FILE,
    Run,
    averaged,
    check_run_folder,
    in_one_piece,
    restore_run,
    save_run,
)
from magicpose_cli.training.samples import SAMPLE_FPS, write_grid, write_sample_video
from magicpose_cli.training.stages.registry import stage_of
from magicpose_cli.training.stages.stage import Stage
from magicpose_cli.training.start import make_team, start_run
from magicpose_cli.training.validation import validate

LOG_STEPS = 20


@dataclass(frozen=True)
class TrainingResult:
    """Where a finished run is and how it ended.

    ``loss`` is the mean over the last logged steps; ``validation`` the loss of what lies in ``model``, the weights of
    step ``best_step`` (infinite and 0 where the recipe does not validate).
    """

    folder: Path
    model: Path
    steps: int
    loss: float
    validation: float
    best_step: int
    seconds: float


@dataclass(frozen=True)
class Shown:
    """What pictures are made of, the same throughout a run. ``clip`` None: no sample video."""

    batch: GroupBatch
    clip: GroupBatch | None


def plan_recipe(path: Path) -> tuple[Recipe, MemoryEstimate]:
    """What the recipe says, and the memory that it takes; nothing is loaded. Raises as ``run_recipe`` does."""
    recipe = read_recipe(path)
    return recipe, estimate_memory(recipe, stage_of(recipe.stage))


def run_recipe(
    path: Path, folder: Path, *, resume: bool = False, device: str = "cpu", progress: Progress = SILENT
) -> TrainingResult:
    """Train one stage as its recipe says and export it to ``folder/model``.

    ``resume`` goes on from ``folder/state.safetensors``; without it a folder that holds anything is refused.
    Interrupted runs (Ctrl-C included) keep their state. Raises UsageError, InputError, OutputError, IntegrityError,
    DeviceError.
    """
    check_run_folder(folder, resume=resume)
    recipe, estimate = plan_recipe(path)
    stage = stage_of(recipe.stage)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    team = make_team(recipe, device)
    if not team.is_main_process:
        progress = SILENT
    place = team.device if team.num_processes > 1 else torch.device(device)
    progress.note(estimate.sentences()[0])
    warn_of_a_small_gpu(estimate, place, progress)
    torch.manual_seed(recipe.seed)
    run = start_run(recipe, stage, team, place)
    if (folder / STATE_FILE).exists():  # not so where the run was killed before it kept anything: it starts again
        restore_run(run, folder)
        progress.note(f"going on from step {run.step}")
    team.wait_for_everyone()  # all have looked at the folder: now the first may write
    if team.is_main_process:
        folder.mkdir(parents=True, exist_ok=True)
        shorten_log(folder, run.told)
    with tell_what_takes_less():
        _train(recipe, stage, run, folder, progress)
    return TrainingResult(folder, folder / MODEL_FOLDER, run.step, run.loss, run.best, run.best_step, run.seconds)


def _train(recipe: Recipe, stage: Stage, run: Run, folder: Path, progress: Progress) -> None:
    first, latents = run.team.is_main_process, stage.sees_latents
    batches = training_batches(recipe, run.modules, run.step * recipe.accumulation, run.share, latents=latents)
    held_out = held_out_batches(recipe, run.modules, run.share, latents=latents) if recipe.validate_steps else []
    shown = _shown(recipe, run, progress, latents=latents)
    board = Board(folder, run.told, progress) if first else None
    saved = time.monotonic()
    training = progress.stage(f"training {stage.name}", recipe.steps, "step", done=run.step)
    with closing(batches), training as advance:
        try:
            while run.told < recipe.steps:
                if run.step == run.told:  # not so where the process ended between a step and its entry in the log
                    began = time.monotonic()
                    _step(recipe, stage, run, batches)
                    run.seconds += time.monotonic() - began
                    advance(1, f"loss {run.losses[-1]:.4f}")
                _tell(recipe, stage, run, held_out, shown, folder, board)
                if first and time.monotonic() - saved > recipe.save_minutes * 60:
                    save_run(run, folder)
                    if not recipe.validate_steps:
                        export(recipe, stage, run, shown, folder)
                    saved = time.monotonic()
        finally:
            # Also on Ctrl-C; after an error in the middle of an update the state kept before stays.
            if first and run.whole:
                save_run(run, folder)
                if run.told < recipe.steps:
                    progress.note(f"step {run.step} is kept; --resume goes on from there")
            if board is not None:
                board.close()
    if first and not (recipe.validate_steps and (folder / MODEL_FOLDER).is_dir()):
        export(recipe, stage, run, shown, folder)
    run.team.wait_for_everyone()


def _shown(recipe: Recipe, run: Run, progress: Progress, *, latents: bool) -> Shown:
    batch, clip = shown_batch(recipe, run.modules, latents=latents), None
    if recipe.video_frames and run.modules.complete:
        try:
            clip = shown_clip(recipe, SAMPLE_FPS)
        except UsageError as error:
            progress.note(f"no sample video: {error.message}")
    return Shown(batch, clip)


def _step(recipe: Recipe, stage: Stage, run: Run, batches: Iterator[GroupBatch]) -> None:
    """One update of the weights, from ``accumulation`` batches in each process."""
    index, processes = run.share
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(recipe, run.step)
    total = torch.zeros((), device=run.parameters[0].device)
    for number in range(run.step * recipe.accumulation, (run.step + 1) * recipe.accumulation):
        rng = torch.Generator().manual_seed((recipe.seed * 1_000_003 + number) * processes + index)
        batch = next(batches)  # may encode pictures: not in rounded numbers
        with run.team.autocast():
            loss = stage.loss(run.modules, batch, recipe, rng) / recipe.accumulation
        run.team.backward(loss)
        total += loss.detach()
    value = share_gradients(run.parameters, total, run.team)
    norm = float(run.team.clip_grad_norm_(run.parameters, recipe.optimizer.clip))
    if not math.isfinite(value + norm):
        raise IntegrityError(
            f"the loss or its gradient is not a number at step {run.step}",
            "resume with a smaller learning_rate in the recipe",
        )
    with in_one_piece(run):
        run.optimizer.step()
        run.optimizer.zero_grad(set_to_none=True)
        if run.average is not None:
            place = run.average.shadow_params[0].device
            run.average.step([parameter.to(place) for parameter in run.parameters])
        run.step += 1
        run.losses.append(value)
        run.gradient_norm = norm


def share_gradients(parameters: list[torch.nn.Parameter], loss: torch.Tensor, team: Accelerator) -> float:
    """Put the mean gradient of all processes into each one's parameters; returns their mean loss.

    By hand, because a stage calls several networks in one loss, with banks between them that a wrapper of each
    network would not see.
    """
    if team.num_processes > 1:
        for parameter in parameters:
            if parameter.grad is None:  # this process dropped the conditions, another may not have
                parameter.grad = torch.zeros_like(parameter)
        for handle in [torch.distributed.all_reduce(parameter.grad, async_op=True) for parameter in parameters]:
            handle.wait()
        for parameter in parameters:
            parameter.grad /= team.num_processes
    return team.reduce(loss, "mean").item()


def _tell(
    recipe: Recipe,
    stage: Stage,
    run: Run,
    held_out: list[GroupBatch],
    shown: Shown,
    folder: Path,
    board: Board | None,
) -> None:
    """Validate, show and log the step just done, where they are due; the first process (with a ``board``) writes."""
    last = run.step == recipe.steps
    validates = recipe.validate_steps and (last or run.step % recipe.validate_steps == 0)
    validation = math.nan
    if validates:
        with averaged(run):
            validation = validate(stage, run, recipe, held_out)
        if validation < run.best:
            if board is not None:
                export(recipe, stage, run, shown, folder)
            run.best, run.best_step = validation, run.step
    if board is not None and (last or run.step % recipe.picture_steps == 0):
        with averaged(run):
            board.picture(run.step, write_grid(folder, run.step, stage.picture(run.modules, shown.batch)))
            if shown.clip is not None:
                write_sample_video(folder, run.step, run.modules, recipe, shown.clip)
    loss = run.loss
    logs = last or validates or run.step % LOG_STEPS == 0
    if logs:
        loss = sum(run.losses) / len(run.losses)
        rate = run.optimizer.param_groups[0]["lr"]
        row = LogRow(run.step, loss, validation, rate, run.gradient_norm, run.seconds)
        if board is not None:
            append_row(folder, row)
            board.row(row)
    with in_one_piece(run):
        run.loss, run.losses, run.told = loss, [] if logs else run.losses, run.step


def export(recipe: Recipe, stage: Stage, run: Run, shown: Shown, folder: Path) -> None:
    """Write ``folder/model`` with the averaged weights."""
    with averaged(run):
        if stage.finish:
            stage.finish(run.modules, shown.batch)
        save_modules(run.modules, folder / MODEL_FOLDER, recipe.new.get("pipeline", {}), torch.float16)
