"""``GroupBatch``: what every stage trains on, of figures or of real videos; made by processes ahead of need."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from dataclasses import dataclass
from types import TracebackType

import torch
from torch.utils.data import DataLoader, IterableDataset

from magicpose_cli.core.signals import ENDING_SIGNALS

MASK_CELL = 8  # pixels of a side: one number of ``GroupBatch.person``


_GRACE = 60  # seconds in which the one that trains ends its step and keeps its state


@dataclass(frozen=True)
class GroupBatch:
    """R groups of 1 + K pictures.

    ``images`` float (R, 1 + K, C, H, W): pixels in [-1, 1], or latents where an encoder was given.
    ``pose_maps`` uint8 (R, 1 + K, S, S, 3); ``person`` float (R, 1 + K, S/8, S/8): the person's share of a cell.
    """

    images: torch.Tensor
    pose_maps: torch.Tensor
    person: torch.Tensor


def as_pixels(images: torch.Tensor) -> torch.Tensor:
    """uint8 of any shape → float in [-1, 1]."""
    return images.float() / 127.5 - 1


def _end_with_the_parent(index: int) -> None:
    """Signals often reach the whole process group; a worker ends when the one that trains does, and says nothing.

    SIGTERM takes effect after a while all the same: multiprocessing ends by it, and waits for, workers left over.
    """
    sys.excepthook = _but_for_a_parent_that_left
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.signal(signal.SIGTERM, lambda *told: signal.alarm(_GRACE))


def _but_for_a_parent_that_left(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """multiprocessing's thread that hands batches over reports a broken connection here."""
    if not issubclass(kind, ConnectionError):
        sys.__excepthook__(kind, error, trace)


def batch_loader(groups: IterableDataset) -> Generator[GroupBatch]:
    """Batches from the first step on, without end, made by ``groups.options.workers`` processes ahead of need.

    They end when the generator is closed.
    """
    workers = groups.options.workers
    loader = DataLoader(
        groups,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        worker_init_fn=_end_with_the_parent,
    )
    yield from loader
