"""The log of a run: ``log.csv`` always, TensorBoard where it is installed."""

from __future__ import annotations

import csv
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from magicpose_cli.core.progress import Progress

LOG_FILE, BOARD_FOLDER = "log.csv", "tensorboard"


@dataclass(frozen=True)
class LogRow:
    """``loss`` is the mean since the row before, ``validation`` of held-out batches (nan: not measured at this step).

    ``gradient_norm`` is before clipping; ``seconds`` are of training since the run began.
    """

    step: int
    loss: float
    validation: float
    learning_rate: float
    gradient_norm: float
    seconds: float


_HEAD = [each.name for each in fields(LogRow)]


def append_row(folder: Path, row: LogRow) -> None:
    path = folder / LOG_FILE
    fresh = not path.exists()
    shown = {"learning_rate": f"{row.learning_rate:.3e}", "seconds": f"{row.seconds:.1f}"}
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(_HEAD)
        values = {name: "" if math.isnan(value) else f"{value:.6f}" for name, value in asdict(row).items()}
        writer.writerow((values | {"step": str(row.step)} | shown).values())


def shorten_log(folder: Path, step: int) -> None:
    """Drop what was logged after the state was kept: it comes again."""
    path = folder / LOG_FILE
    if path.exists():
        rows = path.read_bytes().decode().splitlines(keepends=True)[1:]
        kept = [row for row in rows if row.endswith("\n") and int(row.split(",")[0]) <= step]
        path.write_bytes("".join([",".join(_HEAD) + "\r\n", *kept]).encode())


class Board:
    """TensorBoard's view of the run, from ``step`` on. Without the package it says so once, and does nothing."""

    def __init__(self, folder: Path, step: int, progress: Progress) -> None:
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            progress.note("no TensorBoard logs, only log.csv: pip install 'magicpose-cli[train]' to have them")
            return
        self._writer = SummaryWriter(str(folder / BOARD_FOLDER), purge_step=step + 1)

    def row(self, row: LogRow) -> None:
        if self._writer is not None:
            for name in ("loss", "validation", "learning_rate", "gradient_norm"):
                if not math.isnan(value := getattr(row, name)):
                    self._writer.add_scalar(name, value, row.step)
            self._writer.add_scalar("seconds_a_step", row.seconds / row.step, row.step)
            self._writer.flush()

    def picture(self, step: int, sheet: torch.Tensor) -> None:
        """``sheet`` is uint8 (H, W, 3)."""
        if self._writer is not None:
            self._writer.add_image("pictures", sheet, step, dataformats="HWC")
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
