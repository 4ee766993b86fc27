"""``Run``: what changes while a stage trains, and how it is kept so that a later process goes on from there.

The state is one safetensors file: weights, averages and the optimizer's moments of what trains, by number, and a JSON
header that says which run it belongs to.
"""

from __future__ import annotations

import json
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.errors import DiskFullError, InputError, IntegrityError, OutputError, UsageError
from magicpose_cli.core.signals import ENDING_SIGNALS
from magicpose_cli.diffusion.stock import EMAModel
from magicpose_cli.training.log import BOARD_FOLDER, LOG_FILE
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.samples import PICTURE_FOLDER, VIDEO_FOLDER
from magicpose_cli.video.output import whole_output

STATE_FILE, MODEL_FOLDER = "state.safetensors", "model"
_OURS = {STATE_FILE, MODEL_FOLDER, LOG_FILE, BOARD_FOLDER, PICTURE_FOLDER, VIDEO_FOLDER}


@dataclass
class Run:
    """One stage under way. ``trained`` maps the names of what trains to the parameters, in a fixed order.

    ``losses`` are those since the last line of the log; ``told`` is the last step that was logged, validated and shown
    as it should be; ``best`` is the lowest validation loss so far, of step ``best_step``, whose weights are model/.
    ``whole`` is False while the parts of the state do not belong to the same step.
    """

    stage: str
    modules: Modules
    trained: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    average: EMAModel | None
    team: Accelerator
    step: int = 0
    told: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    losses: list[float] = field(default_factory=list)
    gradient_norm: float = math.nan
    best: float = math.inf
    best_step: int = 0
    whole: bool = True

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        return list(self.trained.values())

    @property
    def share(self) -> tuple[int, int]:
        """This process's number, and how many there are."""
        return self.team.process_index, self.team.num_processes


_HEADER = ("step", "told", "seconds", "loss", "losses", "gradient_norm", "best", "best_step")


@contextmanager
def averaged(run: Run) -> Iterator[None]:
    """The averaged weights in place of the current ones, in evaluation mode and the recipe's precision."""
    trained = [n for _, n in run.modules.networks() if n.training]
    if run.average is not None:
        run.average.store(run.parameters)
    try:
        if run.average is not None:
            run.average.copy_to(run.parameters)
        for network in trained:
            network.eval()
        with torch.no_grad(), run.team.autocast():
            yield
    finally:
        if run.average is not None:
            with in_one_piece(run):
                run.average.restore(run.parameters)
        for network in trained:
            network.train()


@contextmanager
def in_one_piece(run: Run) -> Iterator[None]:
    """For changes of which a half would be wrong: Ctrl-C waits for their end, an error leaves ``whole`` False.

    Signals reach Python in the main thread alone; elsewhere there is nothing to hold back.
    """
    waiting: list[tuple[int, FrameType | None]] = []
    held = {}
    if threading.current_thread() is threading.main_thread():
        held = {number: signal.signal(number, lambda *told: waiting.append(told)) for number in ENDING_SIGNALS}
    run.whole = False
    try:
        yield
        run.whole = True
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
    for number, frame in waiting:
        if callable(handler := held[number]):
            handler(number, frame)
        elif handler is not signal.SIG_IGN:
            signal.raise_signal(number)


def check_run_folder(folder: Path, *, resume: bool) -> None:
    """Raises OutputError where ``folder`` holds a run or other files, InputError where there is none to resume."""
    there = {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} if folder.is_dir() else set()
    # A run that was killed before it kept a state left its log alone.
    begun = STATE_FILE in there or (there <= _OURS and bool(there & {LOG_FILE, BOARD_FOLDER}))
    if there and not begun:
        raise OutputError(f"{folder} holds other files", "choose another --out")
    if begun and not resume:
        raise OutputError(f"{folder} already holds a run", "add --resume to go on with it, or choose another --out")
    if resume and not begun:
        raise InputError(f"{folder} holds no run to resume", "leave out --resume to start one")


def save_run(run: Run, folder: Path) -> None:
    """Keep the state in ``folder``: the whole file or the one before. Raises DiskFullError, OutputError."""
    tensors = {f"weights.{i}": p.detach() for i, p in enumerate(run.parameters)}
    header = _identity(run) | {name: getattr(run, name) for name in _HEADER}
    if run.average is not None:
        tensors |= {f"average.{i}": t for i, t in enumerate(run.average.shadow_params)}
        header["averaged"] = run.average.optimization_step
    for i, parameter in enumerate(run.parameters):
        for name, value in run.optimizer.state.get(parameter, {}).items():
            # Whole numbers are 8-bit AdamW's step; its tables are one tensor that all moments share.
            kept = value.clone() if isinstance(value, torch.Tensor) and name.startswith("qmap") else value
            tensors[f"optimizer.{i}.{name}"] = torch.as_tensor(kept)
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with whole_output(folder / STATE_FILE, overwrite=True) as temporary, _kept_plainly(folder):
        save_file(contiguous, temporary, {"run": json.dumps(header)})


def restore_run(run: Run, folder: Path) -> None:
    """Go on where ``save_run`` was. Raises IntegrityError on a damaged file, UsageError where it is another run's."""
    path = folder / STATE_FILE
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["run"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path} cannot be read: {error}", "start the stage again in another folder") from error
    for name, mine in _identity(run).items():
        if header.get(name) != mine:
            raise UsageError(
                f"{path} belongs to another run: its {name} differs from the recipe's",
                "resume with the networks, optimizer and number of processes that it began with, or take another --out",
            )
    moments: dict[int, dict[str, torch.Tensor | int]] = {}
    with torch.no_grad():
        for i, parameter in enumerate(run.parameters):
            parameter.copy_(tensors[f"weights.{i}"])
            if run.average is not None:
                run.average.shadow_params[i].copy_(tensors[f"average.{i}"])
    for key, tensor in tensors.items():
        kind, number, *name = key.split(".")
        if kind == "optimizer":
            whole_number = tensor.ndim == 0 and tensor.dtype == torch.int64
            moments.setdefault(int(number), {})[name[0]] = int(tensor) if whole_number else tensor
    run.optimizer.load_state_dict({"state": moments, "param_groups": run.optimizer.state_dict()["param_groups"]})
    if run.average is not None:
        run.average.optimization_step = header["averaged"]
    for name in _HEADER:
        setattr(run, name, header[name])


def _identity(run: Run) -> dict[str, Any]:
    """What the state itself hangs on. The rest of a recipe (steps, learning rate, data, weights of the loss) may change
    at a resume: then the run goes on differently from there.
    """
    return {
        "stage": run.stage,
        "processes": run.team.num_processes,
        "optimizer": type(run.optimizer).__name__,
        "averaging": run.average is not None,
        "networks": {name: list(parameter.shape) for name, parameter in run.trained.items()},
    }


@contextmanager
def _kept_plainly(folder: Path) -> Iterator[None]:
    """What the disk or safetensors say, in words of ours."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if is_disk_full(error):
            raise DiskFullError(f"the disk is full: the state of the run in {folder} was not kept") from error
        raise OutputError(f"the state of the run in {folder} cannot be kept: {error}") from error
