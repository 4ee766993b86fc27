"""Time stamps to a constant rate: pure arithmetic, no files.

The rule: the picture k of the output is the newest source frame whose time is at most half an output frame past
k / fps. A constant-rate clip comes out frame by frame; a late or lost frame holds the one before it; duration,
and with it the sound, stays in step.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

_DEFAULT_RATE = Fraction(25)
_STANDARD_RATES = tuple(Fraction(n) for n in range(1, 241)) + tuple(
    Fraction(n * 1000, 1001) for n in (15, 24, 30, 48, 60, 120)
)
_Picture = TypeVar("_Picture")


@dataclass(frozen=True)
class Timing:
    """When frames are shown: ``start`` in seconds on the file's clock, ``duration`` in seconds, ``fps`` exact."""

    start: Fraction
    duration: Fraction
    fps: Fraction
    variable: bool


def measure(stamps: Iterable[int], last_duration: int, time_base: Fraction, declared: Fraction | None) -> Timing:
    """Rate and span of a stream from its frames' time stamps (any order, in units of ``time_base`` seconds).

    The declared rate counts where the stamps follow it; else the rate is that of the most usual gap, so that a
    clip with a few long pauses keeps its frames. ``last_duration`` is how long the last frame shows (0: unknown).
    """
    sorted_stamps = np.unique(np.fromiter(stamps, dtype=np.int64))
    start = int(sorted_stamps[0]) * time_base
    gaps = np.diff(sorted_stamps)
    if len(gaps) == 0:
        rate = declared if declared and declared > 0 else _DEFAULT_RATE
        shown = last_duration * time_base if 0 < last_duration * time_base < 60 else 1 / rate
        return Timing(start, max(shown, 1 / rate), rate, False)
    span = int(sorted_stamps[-1] - sorted_stamps[0]) * time_base
    usual = gaps[np.abs(gaps - np.median(gaps)) <= np.median(gaps) / 4]
    gap = Fraction(int(usual.sum()), len(usual)) * time_base
    # A gap may be off by a tenth, or by a tick of the container's clock at either end, and the rate still be constant.
    slack = max(gap / 10, 2 * time_base)
    variable = bool((np.abs(gaps - float(gap / time_base)) > float(slack / time_base)).any())
    if not variable:
        rate = _settle(len(gaps) / span, declared, span)
    else:
        rate = _nearest_standard(1 / gap, Fraction(1, 200)) or (1 / gap).limit_denominator(1000)
    last = last_duration * time_base
    return Timing(start, span + (last if last > 0 else gap), rate, variable)


def _settle(measured: Fraction, declared: Fraction | None, span: Fraction) -> Fraction:
    """The declared or else a standard rate, if it drifts from the measured one by less than half a frame at the end."""

    def fits(rate: Fraction) -> bool:
        return abs(measured - rate) * span < Fraction(1, 2)

    standard = _nearest_standard(declared or measured, Fraction(1, 500))
    for rate in (standard, declared):
        if rate and fits(rate):
            return rate
    return measured.limit_denominator(1001)


def _nearest_standard(rate: Fraction, tolerance: Fraction) -> Fraction | None:
    nearest = min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest - rate) <= tolerance * rate else None


def frames_in(duration: Fraction, fps: Fraction) -> int:
    """How many frames at ``fps`` cover ``duration`` seconds, rounded to the nearest, at least one."""
    return max(1, math.floor(duration * fps + Fraction(1, 2)))


def at_constant_rate(
    timed: Iterable[tuple[Fraction, _Picture]], start: Fraction, fps: Fraction, count: int
) -> Iterator[_Picture]:
    """Exactly ``count`` pictures at ``fps`` from (time in seconds, picture) pairs in rising order of time.

    Pictures that fall between two output frames are never yielded. Nothing comes of an empty input.
    """
    shown: _Picture | None = None
    position = 0  # the output frame to fill next
    for time, picture in timed:
        slot = math.floor((time - start) * fps + Fraction(1, 2))
        while shown is not None and position < min(slot, count):
            yield shown
            position += 1
        if position >= count:
            return
        shown = picture
    while shown is not None and position < count:
        yield shown
        position += 1
