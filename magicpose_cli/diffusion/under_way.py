"""A run between two steps as named tensors and plain data, which can be stored, and back: to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from magicpose_cli.diffusion.denoise import Segment, begin
from magicpose_cli.diffusion.stock import SchedulerMixin

# What the samplers of ``schedulers.SCHEDULERS`` remember from step to step.
_MEMORY = ("model_outputs", "timestep_list", "last_sample", "lower_order_nums", "this_order", "_step_index")


@dataclass(frozen=True)
class UnderWay:
    """Consecutive segments that are begun and not yet given out, from frame ``start`` to ``stop`` - 1.

    ``numbers`` are one dict for each segment, plain data; where they say ``{"tensor": name}`` it is in ``tensors``.
    The tensors are the run's own, and change when it goes on.
    """

    tensors: dict[str, Tensor]
    numbers: list[dict[str, Any]]

    @property
    def start(self) -> int:
        return int(self.numbers[0]["start"])

    @property
    def stop(self) -> int:
        return int(self.numbers[-1]["stop"])

    @property
    def frame_steps(self) -> int:
        """Frames times the steps that they have taken."""
        return sum((n["stop"] - n["start"]) * n["step"] for n in self.numbers)


def pack_segments(held: Sequence[Segment]) -> UnderWay:
    """The segments as they are now. At least one."""
    tensors: dict[str, Tensor] = {}

    def plain(name: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            tensors[name] = value
            return {"tensor": name}
        if isinstance(value, list):
            return [plain(f"{name}.{i}", item) for i, item in enumerate(value)]
        return value

    numbers = []
    for s in held:
        memory = {key: getattr(s.scheduler, key) for key in _MEMORY if hasattr(s.scheduler, key)}
        values = {"latents": s.latents, "prediction": s.prediction, **memory}
        there = {key: plain(f"{s.start}.{key}", value) for key, value in values.items()}
        numbers.append({"start": s.start, "stop": s.stop, "step": s.step, "values": there})
    return UnderWay(tensors, numbers)


def unpack_segments(under_way: UnderWay, scheduler: SchedulerMixin, device: torch.device) -> list[Segment]:
    """The segments that ``pack_segments`` was given. ``scheduler`` is what they began with, its timesteps set."""

    def restored(value: Any) -> Any:
        if isinstance(value, dict):
            return under_way.tensors[value["tensor"]].to(device)
        return [restored(item) for item in value] if isinstance(value, list) else value

    segments = []
    for each in under_way.numbers:
        values = {key: restored(value) for key, value in each["values"].items()}
        segment = begin(each["start"], values.pop("latents"), scheduler)
        segment.prediction, segment.step = values.pop("prediction"), each["step"]
        for key, value in values.items():
            setattr(segment.scheduler, key, value)
        segments.append(segment)
    return segments
