"""Windows over time: which frames go through the network together, and how overlapping answers blend.

Pure index arithmetic. A window's weights are triangular over its length, and divided by the sum of all windows'
weights at a frame, so they add up to 1 at each frame. Seams fall on other frames at each step.
"""

from collections import defaultdict
from dataclasses import dataclass

_GOLDEN = 0.6180339887498949  # its multiples spread evenly over [0, 1)


@dataclass(frozen=True)
class Window:
    """Frames start … stop - 1, with one weight each."""

    start: int
    stop: int
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return self.stop - self.start


def batches(frame_count: int, rows: int, first: int = 0) -> list[Window]:
    """Frames from ``first`` on that do not see each other, at most ``rows`` at a time: each once, with weight 1."""
    _check(frame_count, rows, 0)
    end = first + frame_count
    ends = [(start, min(start + rows, end)) for start in range(first, end, rows)]
    return [Window(start, stop, (1.0,) * (stop - start)) for start, stop in ends]


def windows(
    frame_count: int, length: int, overlap: int, step: int = 0, *, start: int = 0, stop: int | None = None
) -> list[Window]:
    """Windows of ``length`` frames, neighbours sharing at least ``overlap``, shifted by the number of the ``step``.

    The first starts at frame 0, the last ends at the last frame; none wraps around. A clip no longer than
    ``length`` is one window of weight 1. They depend on the clip and the step alone: given ``start`` and ``stop``, the
    same windows come, but only those that show one of the frames start … stop - 1, and no others are made.
    """
    _check(frame_count, length, overlap)
    if frame_count <= length:
        return batches(frame_count, frame_count)
    stop = frame_count if stop is None else stop
    stride, last = length - overlap, frame_count - length
    first = stride - int((step * _GOLDEN) % 1 * stride)  # 1 … stride
    between = range(first, last, stride)
    # Those that show the frames, and their neighbours, whose weights count too. Outside of ``between``, slices end.
    low = max(0, (start - 2 * length - first) // stride)
    high = max(0, (stop + length - first) // stride + 1)
    starts = [0, *between[low:high], last]
    triangle = [float(min(i + 1, length - i)) for i in range(length)]
    total: dict[int, float] = defaultdict(float)
    for begin in starts:
        for i, weight in enumerate(triangle):
            total[begin + i] += weight
    return [
        Window(begin, begin + length, tuple(w / total[begin + i] for i, w in enumerate(triangle)))
        for begin in starts
        if begin < stop and start < begin + length
    ]


def _check(frame_count: int, length: int, overlap: int) -> None:
    if frame_count < 1 or length < 1 or not 0 <= overlap < length:
        raise ValueError(f"no windows of {length} frames with {overlap} shared over {frame_count} frames")
