"""``Clip``: frames decoded lazily, with exact timing and where their sound is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from magicpose_cli.core.messages import sendable

DEFAULT_RATE = Fraction(25)  # frames a second, where nothing says it


@sendable
@dataclass(frozen=True)
class SoundSource:
    """A stretch of a file's sound: from ``start`` seconds (on the file's own clock) for ``duration`` seconds."""

    path: Path
    start: Fraction
    duration: Fraction


@dataclass(frozen=True)
class Clip:
    """A video as the rest of magicpose sees it: upright, square pixels, constant rate.

    ``frames()`` starts a fresh pass and yields RGB uint8 (height, width, 3) arrays one by one; nothing is kept.
    ``sound`` is None for a silent clip. ``notes`` are sentences for the user (what was converted on the way);
    ``partial`` says what is missing where only the good part of a damaged file was taken.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    frames: Callable[[], Iterator[np.ndarray]]
    sound: SoundSource | None = None
    notes: tuple[str, ...] = ()
    partial: str = ""

    @property
    def duration(self) -> Fraction:
        """Seconds."""
        return self.frame_count / self.fps
