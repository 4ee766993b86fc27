"""``BatchPlan``: which batches a process draws, whatever they are drawn from."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Encode = Callable[[torch.Tensor], torch.Tensor]  # pixels (n, 3, S, S) in [-1, 1] → latents


@dataclass(frozen=True)
class BatchPlan:
    """Batches of ``groups`` references from number ``first_step`` on, the same for a seed.

    ``encode`` (None: none) runs where the pictures are made. ``share`` = (index, count) of the training processes.
    """

    groups: int
    seed: int
    first_step: int = 0
    encode: Encode | None = None
    share: tuple[int, int] = (0, 1)
