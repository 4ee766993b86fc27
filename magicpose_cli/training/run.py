"""``Run``: what changes while a stage trains, and how it is kept so that a later process goes on from there.

The state is one safetensors file: weights, averages and the optimizer's moments of what trains, by number, and a JSON
header that says which run it belongs to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.errors import DiskFullError, IntegrityError, OutputError, UsageError
from magicpose_cli.diffusion.stock import EMAModel
from magicpose_cli.training.modules import Modules
from magicpose_cli.video.output import whole_output

STATE_FILE = "state.safetensors"


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
            run.average.restore(run.parameters)
        for network in trained:
            network.train()


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
    with whole_output(folder / STATE_FILE, overwrite=True) as temporary, told_plainly(folder):
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
                "resume with the recipe and the number of processes that the run began with, or take another --out",
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
    """What must be the same for a resumed run to be the same run. Steps and learning rate may change."""
    return {
        "stage": run.stage,
        "processes": run.team.num_processes,
        "optimizer": type(run.optimizer).__name__,
        "averaging": run.average is not None,
        "networks": {name: list(parameter.shape) for name, parameter in run.trained.items()},
    }


@contextmanager
def told_plainly(folder: Path) -> Iterator[None]:
    """What the disk or safetensors say, in words of ours."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if is_disk_full(error):
            raise DiskFullError(f"the disk is full: the state of the run in {folder} was not kept") from error
        raise OutputError(f"the state of the run in {folder} cannot be kept: {error}") from error
