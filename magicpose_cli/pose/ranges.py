"""Frame numbers as stretches, and shares and amounts in words."""

from collections.abc import Callable

import numpy as np

Ranges = tuple[tuple[int, int], ...]
"""(first, last) frame numbers, both inclusive, rising."""

_MOST_RANGES = 8


def ranges_of(numbers: np.ndarray) -> Ranges:
    """Rising whole numbers → the stretches (first, last) that they form."""
    numbers = np.asarray(numbers, dtype=int)
    if not len(numbers):
        return ()
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.r_[0, breaks + 1]], numbers[np.r_[breaks, len(numbers) - 1]]
    return tuple((int(first), int(last)) for first, last in zip(firsts, lasts, strict=True))


def ranges_text(ranges: Ranges, seconds: Callable[[int], float] | None = None) -> str:
    """``frames 3, 86-110 and 4 more stretches``.

    With ``seconds``, which says when a frame begins, ``frames 3 (0.12-0.16 s)``: what --start and --end take.
    """
    shown = []
    for first, last in ranges[:_MOST_RANGES]:
        shown.append(str(first) if first == last else f"{first}-{last}")
        if seconds is not None:
            shown[-1] += f" ({seconds(first):.2f}-{seconds(last + 1):.2f} s)"
    left = len(ranges) - len(shown)
    one = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    text = f"{'frame' if one else 'frames'} {', '.join(shown)}"
    return f"{text} and {left} more {'stretch' if left == 1 else 'stretches'}" if left else text


def count_frames(ranges: Ranges) -> int:
    """How many frames lie in the stretches."""
    return sum(last - first + 1 for first, last in ranges)


def percent(share: float) -> str:
    """Rounded, but 100 % and 0 % only where they are exact."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(round(share * 100), 1), 99)}%"


def amount(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"
