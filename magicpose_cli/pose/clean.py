"""One person's points as the detector gave them → points to draw: sides mended, gaps filled, jitter gone."""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD
from magicpose_cli.core.seen import without_scraps
from magicpose_cli.pose.detector import PART_SLICES
from magicpose_cli.pose.doubt import LIMBS, doubtful_limbs, without_overlong_bones, without_overlong_fillings
from magicpose_cli.pose.gaps import bridge_gaps
from magicpose_cli.pose.smooth import smooth
from magicpose_cli.pose.swaps import mend_swaps
from magicpose_cli.pose.trust import breaks_of, leaps_of, without_impossible_hands, without_spikes


@dataclass(frozen=True)
class Cleaned:
    """(F, 130, 3) points, and what was done to them: (F,) True in frames where left and right were changed, and for
    each part in frames where points of it were filled in. ``doubtful``: for each limb, (F,) True in frames where it
    could not be as the detector gave it (``pose.doubt``); ``removed``: where such a one was taken away."""

    points: np.ndarray
    swapped: np.ndarray
    filled: dict[str, np.ndarray]
    doubtful: dict[str, np.ndarray]
    removed: dict[str, np.ndarray]


def clean(points: np.ndarray, fps: float) -> Cleaned:
    """Clean one person's (F, 130, 3) points over a clip; frames without the person are zeros and stay so, save in short
    gaps."""
    size = size_of(points)
    breaks = breaks_of(points, size)
    points, swapped = mend_swaps(without_spikes(points, size, fps), size, fps)
    doubtful = doubtful_limbs(points, size, fps, breaks)
    points, removed = without_overlong_bones(points, size, fps, breaks)
    points = without_impossible_hands(points, size)
    parts = without_scraps({part: points[:, of] for part, of in PART_SLICES.items()})
    points = np.concatenate(list(parts.values()), axis=1)
    points, filled = bridge_gaps(points, fps, breaks)
    points = without_overlong_fillings(points, filled)
    filled &= points[..., 2] > 0
    return Cleaned(
        points=smooth(points, fps, breaks[:, None] | leaps_of(points, size, fps)),
        swapped=swapped,
        filled={part: filled[:, of].any(axis=1) for part, of in PART_SLICES.items()},
        doubtful=doubtful,
        removed=removed,
    )


def as_they_are(points: np.ndarray, fps: float) -> Cleaned:
    """The points untouched, with what is doubtful about them."""
    size, nothing = size_of(points), np.zeros(len(points), bool)
    doubtful = doubtful_limbs(points, size, fps, breaks_of(points, size))
    return Cleaned(points, nothing, dict.fromkeys(PART_SLICES, nothing), doubtful, dict.fromkeys(LIMBS, nothing))


def size_of(points: np.ndarray) -> float:
    """The person's size in pixels: the median over the frames of the longer side of the box of all trusted points."""
    sides = []
    for frame in points:
        there = frame[frame[:, 2] >= BODY_THRESHOLD, :2]
        if len(there) > 1:
            sides.append(float(np.ptp(there, axis=0).max()))
    return max(float(np.median(sides)), 1.0) if sides else 1.0


def jitter(before: np.ndarray, after: np.ndarray) -> dict[str, tuple[float, float] | None]:
    """How much the points of each part tremble in two versions of a person, in pixels: before and after cleaning.

    How far a point lies off the middle between itself a frame before and a frame after; the median over points and
    frames that are in both. None where a part is in no three frames in a row.
    """
    out: dict[str, tuple[float, float] | None] = {}
    for part, of in PART_SLICES.items():
        least = BODY_THRESHOLD if part == "body" else DETAIL_THRESHOLD
        there = (before[:, of, 2] >= least) & (after[:, of, 2] >= least)
        known = there[:-2] & there[1:-1] & there[2:]
        off = [_off_the_middle(points[:, of, :2])[known] for points in (before, after)]
        out[part] = (float(np.median(off[0])), float(np.median(off[1]))) if known.any() else None
    return out


def _off_the_middle(path: np.ndarray) -> np.ndarray:
    """(F, n, 2) → (F - 2, n): from the middle between a place's neighbours in time to itself."""
    middle = (path[:-2].astype(np.float64) + path[2:]) / 2
    return np.asarray(np.linalg.norm(path[1:-1] - middle, axis=2))
