"""Short gaps in a person's points, filled from both sides.

Body points are taken along the straight way from where they were to where they are again. A hand and a face keep their
own shape, changing evenly, and ride on the wrist or the nose; where that was not known throughout, they stay missing.
"""

import numpy as np

from magicpose_cli.core.keypoints import BODY_COUNT, BODY_THRESHOLD, LEFT_WRIST, NOSE, RIGHT_WRIST
from magicpose_cli.pose.detector import PART_SLICES

LONGEST_GAP = 0.5
"""Seconds; a longer gap stays."""

FILLED_CONFIDENCE = 0.4
"""At most that of a filled point: it is drawn, and known from a point that was seen."""

_RIDERS = (
    (PART_SLICES["left_hand"], LEFT_WRIST),
    (PART_SLICES["right_hand"], RIGHT_WRIST),
    (PART_SLICES["face"], NOSE),
)


def bridge_gaps(points: np.ndarray, fps: float, breaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(F, 130, 3) points with gaps of up to ``LONGEST_GAP`` seconds filled, and which ones were: bool (F, 130).

    ``breaks`` (F,) is True where a frame does not go on from the one before it: no gap is filled across that.
    """
    out, filled = points.copy(), np.zeros(points.shape[:2], bool)
    longest = int(LONGEST_GAP * fps)
    for point in range(BODY_COUNT):
        seen = points[:, point, 2] >= BODY_THRESHOLD
        for before, after in _gaps(seen, longest, breaks):
            out[before + 1 : after, point] = _between(points[before, point], points[after, point], after - before)
            filled[before + 1 : after, point] = True
    for part, carrier in _RIDERS:
        seen = (points[:, part, 2] > 0).any(axis=1)
        for before, after in _gaps(seen, longest, breaks):
            ride = out[before : after + 1, carrier].copy()
            if (ride[:, 2] < BODY_THRESHOLD).any():
                continue  # out of the picture or hidden: it may be anywhere
            ride[:, 2] = 0
            first, last = points[before, part] - ride[0], points[after, part] - ride[-1]
            missing = (points[before, part, 2] == 0) | (points[after, part, 2] == 0)
            inside = np.stack(list(_between(first, last, after - before))) + ride[1:-1, None]
            inside[:, missing] = 0
            out[before + 1 : after, part] = inside
            filled[before + 1 : after, part] = ~missing
    return out, filled


def _gaps(seen: np.ndarray, longest: int, breaks: np.ndarray) -> list[tuple[int, int]]:
    """(last frame before, first frame after) of the gaps to fill."""
    there = np.flatnonzero(seen)
    pairs = zip(there[:-1].tolist(), there[1:].tolist(), strict=True)
    return [(a, b) for a, b in pairs if 1 < b - a <= longest + 1 and not breaks[a + 1 : b + 1].any()]


def _between(first: np.ndarray, last: np.ndarray, steps: int) -> np.ndarray:
    """The ``steps`` - 1 values between two arrays of points, with the lower confidence of both, lowered."""
    share = (np.arange(1, steps) / steps).reshape(-1, *[1] * first.ndim)
    out = (first + (last - first) * share).astype(np.float32)
    out[..., 2] = np.minimum(np.minimum(first[..., 2], last[..., 2]), FILLED_CONFIDENCE)
    return out
