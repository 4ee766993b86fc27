"""One person's points as the detector gave them → points to draw: sides mended, gaps filled, jitter gone."""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.core.keypoints import BODY_THRESHOLD
from magicpose_cli.pose.detector import PART_SLICES
from magicpose_cli.pose.gaps import bridge_gaps
from magicpose_cli.pose.smooth import smooth
from magicpose_cli.pose.swaps import mend_swaps
from magicpose_cli.pose.trust import breaks_of, leaps_of, without_impossible_hands, without_spikes


@dataclass(frozen=True)
class Cleaned:
    """(F, 130, 3) points, and what was done to them: (F,) True in frames where left and right were changed, and for
    each part in frames where points of it were filled in."""

    points: np.ndarray
    swapped: np.ndarray
    filled: dict[str, np.ndarray]


def clean(points: np.ndarray, fps: float) -> Cleaned:
    """Clean one person's (F, 130, 3) points over a clip; frames without the person are zeros and stay so, save in short
    gaps."""
    size = size_of(points)
    breaks = breaks_of(points, size)
    mended, swapped = mend_swaps(without_spikes(points, size, fps), size, fps)
    whole, filled = bridge_gaps(without_impossible_hands(mended, size), fps, breaks)
    return Cleaned(
        points=smooth(whole, fps, breaks[:, None] | leaps_of(whole, size, fps)),
        swapped=swapped,
        filled={part: filled[:, of].any(axis=1) for part, of in PART_SLICES.items()},
    )


def size_of(points: np.ndarray) -> float:
    """The person's size in pixels: the median over the frames of the longer side of the box of all trusted points."""
    sides = []
    for frame in points:
        there = frame[frame[:, 2] >= BODY_THRESHOLD, :2]
        if len(there) > 1:
            sides.append(float(np.ptp(there, axis=0).max()))
    return max(float(np.median(sides)), 1.0) if sides else 1.0


def jitter(points: np.ndarray) -> dict[str, float | None]:
    """How restless each part is: how far a point lies off the middle between itself a frame before and a frame after,
    in thousandths of the person's size; the median over points and frames. None where a part is not seen so long.
    """
    size = size_of(points)
    out: dict[str, float | None] = {}
    for part, of in PART_SLICES.items():
        there = points[:, of, 2] >= (BODY_THRESHOLD if part == "body" else 1e-6)
        path = points[:, of, :2].astype(np.float64)
        known = there[:-2] & there[1:-1] & there[2:]
        off = np.linalg.norm(path[1:-1] - (path[:-2] + path[2:]) / 2, axis=2)[known]
        out[part] = round(float(np.median(off)) / size * 1000, 3) if len(off) else None
    return out
