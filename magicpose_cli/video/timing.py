"""Time stamps to a constant rate: pure arithmetic, no files.

The rule: the picture k of the output is the newest source frame that is due by k / fps, where a frame may be late by
half of its own or of an output frame, whichever is shorter. A constant-rate clip comes out frame by frame; a long gap
holds the frame before it; duration, and with it the sound, stays in step.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

from magicpose_cli.core.clip import DEFAULT_RATE
from magicpose_cli.core.messages import sendable

_STANDARD_RATES = tuple(Fraction(n) for n in range(1, 241)) + tuple(
    Fraction(n * 1000, 1001) for n in (15, 24, 30, 48, 60, 120)
)
_Picture = TypeVar("_Picture")


@sendable
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
    last = last_duration * time_base
    if len(gaps) == 0:
        rate = declared if declared and declared > 0 else DEFAULT_RATE
        return Timing(start, max(last if last < 60 else Fraction(0), 1 / rate), rate, False)
    span = int(sorted_stamps[-1] - sorted_stamps[0]) * time_base
    median = float(np.median(gaps))
    usual = gaps[np.abs(gaps - median) <= max(median / 4, 1 if median >= 2 else 0)]  # a tick more or less is rounding
    if len(usual) == 0:  # two kinds of gaps, with the median between them
        usual = gaps[gaps == gaps.min()]
    gap = Fraction(int(usual.sum()), len(usual)) * time_base
    last = last if last > 0 else gap
    # A gap may be off by a tenth, or by a tick of the container's clock at either end, and the rate still be constant.
    slack = max(gap / 10, min(2 * time_base, gap / 2))
    variable = bool((np.abs(gaps - float(gap / time_base)) > float(slack / time_base)).any())
    if variable:
        rate = _nearest_standard(1 / gap, Fraction(1, 200)) or (1 / gap).limit_denominator(1000)
    elif abs(last - gap) <= slack:
        rate = _settle(len(gaps) + 1, span + last, time_base, declared)
    else:
        rate = _settle(len(gaps), span, time_base, declared)
    return Timing(start, span + last, rate, variable)


def _settle(frames: int, duration: Fraction, time_base: Fraction, declared: Fraction | None) -> Fraction:
    """The rate of ``frames`` in ``duration``, taken as a standard one or the declared one where the clock allows it.

    Such a rate may drift from the stamps by less than half a frame over the whole.
    """
    measured = frames / duration
    precision = Fraction(1, 500) + 2 * time_base / duration
    candidates = [_nearest_standard(declared, Fraction(1, 500)) if declared else Fraction(round(measured))]
    candidates += [_nearest_standard(measured, precision), declared]
    for rate in candidates:
        off = abs(measured - rate) if rate else None
        if off is not None and off <= measured * precision and off * duration < Fraction(1, 2):
            return rate
    return measured.limit_denominator(1001)


def _nearest_standard(rate: Fraction, tolerance: Fraction) -> Fraction | None:
    nearest = min(_STANDARD_RATES, key=lambda standard: abs(standard - rate))
    return nearest if abs(nearest - rate) <= tolerance * rate else None


def frames_in(duration: Fraction, fps: Fraction) -> int:
    """How many frames at ``fps`` cover ``duration`` seconds, rounded to the nearest, at least one."""
    return max(1, math.floor(duration * fps + Fraction(1, 2)))


def at_constant_rate(
    timed: Iterable[tuple[Fraction, _Picture]], start: Fraction, fps: Fraction, count: int, source_fps: Fraction
) -> Iterator[_Picture]:
    """Exactly ``count`` pictures at ``fps`` from (time in seconds, picture) pairs in rising order of time.

    ``source_fps`` is their usual rate. Pictures that fall between two output frames are never yielded. Nothing comes
    of an empty input.
    """
    late = 1 / (2 * max(fps, source_fps))
    shown: _Picture | None = None
    position = 0  # the output frame to fill next
    for time, picture in timed:
        due = math.ceil((time - start - late) * fps)
        while shown is not None and position < min(due, count):
            yield shown
            position += 1
        if position >= count:
            return
        shown = picture
    while shown is not None and position < count:
        yield shown
        position += 1
