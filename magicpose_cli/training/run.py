"""``Run``: what changes while a stage trains, and how it is kept so that a later process goes on from there.

The state is one safetensors file: weights, averages and the optimizer's moments of what trains, by number, and a JSON
header that says which run it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
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

    ``whole`` is False while weights, averages and ``step`` do not belong to the same step.
    """

    stage: str
    modules: Modules
    trained: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    average: EMAModel
    team: PartialState
    step: int = 0
    seconds: float = 0.0
    loss: float = float("nan")
    whole: bool = True

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        return list(self.trained.values())


def save_run(run: Run, folder: Path) -> None:
    """Keep the state in ``folder``: the whole file or the one before. Raises DiskFullError, OutputError."""
    tensors = {f"weights.{i}": p.detach() for i, p in enumerate(run.parameters)}
    tensors |= {f"average.{i}": t for i, t in enumerate(run.average.shadow_params)}
    for i, moments in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": value for name, value in moments.items()}
    header = {**_identity(run), "step": run.step, "seconds": run.seconds, "averaged": run.average.optimization_step}
    if run.loss == run.loss:
        header["loss"] = run.loss
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
    moments: dict[int, dict[str, torch.Tensor]] = {}
    with torch.no_grad():
        for i, parameter in enumerate(run.parameters):
            parameter.copy_(tensors[f"weights.{i}"])
            run.average.shadow_params[i].copy_(tensors[f"average.{i}"])
    for key, tensor in tensors.items():
        kind, number, *name = key.split(".")
        if kind == "optimizer":
            moments.setdefault(int(number), {})[name[0]] = tensor
    run.optimizer.load_state_dict({"state": moments, "param_groups": run.optimizer.state_dict()["param_groups"]})
    run.average.optimization_step = header["averaged"]
    run.step, run.seconds, run.loss = header["step"], header["seconds"], header.get("loss", float("nan"))


def _identity(run: Run) -> dict[str, Any]:
    """What must be the same for a resumed run to be the same run. Steps and learning rate may change."""
    return {
        "stage": run.stage,
        "processes": run.team.num_processes,
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
