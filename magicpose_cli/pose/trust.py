"""Points that a detector gave and that cannot be: taken away, so that they are not drawn."""

import itertools

import numpy as np

from magicpose_cli.core.keypoints import BODY_COUNT, BODY_THRESHOLD, LEFT_WRIST, NECK, NOSE, RIGHT_WRIST, SIDES
from magicpose_cli.pose.detector import PART_SLICES

_LEFT, _RIGHT = PART_SLICES["left_hand"], PART_SLICES["right_hand"]
# By how much a point leaps off and back again within ``_SPIKE_FRAMES``: of the person's size, or of it a second where
# that is more.
_SPIKE, _SPIKE_SPEED = 0.06, 2.5
_SPIKE_FRAMES = 2
_FROM_WRIST = 0.15  # of the person's size: farther off its wrist a hand is another's
# Of the person's size in one frame, or in a second where that is more: a point's own leap.
_LEAP, _LEAP_SPEED = 0.1, 5.0
_BREAK = 0.5  # of the person's size in one frame: nobody moves so fast, the picture was cut


def breaks_of(points: np.ndarray, size: float) -> np.ndarray:
    """(F,) True where a frame does not go on from the one before: the whole body is elsewhere all at once."""
    body = points[:, :BODY_COUNT]
    broken = np.zeros(len(points), bool)
    there = np.flatnonzero((body[..., 2] > 0).any(axis=1))
    for before, after in itertools.pairwise(there.tolist()):
        both = (body[before, :, 2] > 0) & (body[after, :, 2] > 0)
        if both.any():
            step = np.median(np.linalg.norm(body[after, both, :2] - body[before, both, :2], axis=1))
            broken[after] = step > _BREAK * size * min(after - before, 2)
    return broken


def leaps_of(points: np.ndarray, size: float, fps: float) -> np.ndarray:
    """(F, 130) True where a point is elsewhere all at once, farther off than anybody moves an arm."""
    leaps = np.zeros(points.shape[:2], bool)
    steps = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=2)
    there = points[..., 2] > 0
    leaps[1:] = there[1:] & there[:-1] & (steps > max(_LEAP, _LEAP_SPEED / fps) * size)
    return leaps


def without_spikes(points: np.ndarray, size: float, fps: float) -> np.ndarray:
    """(F, 130, 3) points without body points that leap off for a frame or two and come back.

    A pair of joints counts as it lies, whichever is called left. ``size``: the person's, in pixels.
    """
    out = points.copy()
    for joints in ((NOSE,), (NECK,), *SIDES):
        spikes = _spikes(points[:, joints], max(_SPIKE, _SPIKE_SPEED / fps) * size)
        out[np.ix_(spikes, joints)] = 0
        if LEFT_WRIST in joints:
            out[spikes, _LEFT.start : _RIGHT.stop] = 0  # hands are looked for at the wrists
    return out


def without_impossible_hands(points: np.ndarray, size: float) -> np.ndarray:
    """(F, 130, 3) points without the second of two hands found in one place, and without hands far off their wrist."""
    out = points.copy()
    to_wrist = np.stack([_apart(points, _LEFT.start, LEFT_WRIST), _apart(points, _RIGHT.start, RIGHT_WRIST)])
    left, right = points[:, _LEFT], points[:, _RIGHT]
    both = (left[..., 2] > 0).any(axis=1) & (right[..., 2] > 0).any(axis=1)
    spans = np.maximum(np.ptp(left[..., :2], axis=1), np.ptp(right[..., :2], axis=1)).max(axis=1)
    one_place = both & (np.linalg.norm(left[..., :2] - right[..., :2], axis=2).mean(axis=1) < 0.25 * spans)
    for hand, distance, other in ((_LEFT, to_wrist[0], to_wrist[1]), (_RIGHT, to_wrist[1], to_wrist[0])):
        doubled = one_place & (np.nan_to_num(distance, nan=np.inf) > np.nan_to_num(other, nan=np.inf))
        out[doubled | (distance > _FROM_WRIST * size), hand] = 0
    return out


def _apart(points: np.ndarray, hand: int, wrist: int) -> np.ndarray:
    """(F,) pixels from the hand's root to the wrist; NaN where one of them is not known."""
    known = (points[:, hand, 2] > 0) & (points[:, wrist, 2] >= BODY_THRESHOLD)
    return np.where(known, np.linalg.norm(points[:, hand, :2] - points[:, wrist, :2], axis=1), np.nan)


def _spikes(joints: np.ndarray, least_leap: float) -> np.ndarray:
    """(F,) True where joints (F, 1 or 2, 3) are far both from where they were just before and just after.

    Before and after must agree with each other: a quick motion goes on, a wrong point comes back.
    """
    out = np.zeros(len(joints), bool)
    for length in range(1, _SPIKE_FRAMES + 1):
        back = _moved(joints, length + 1)
        for start in range(1, length + 1):
            if not len(back):
                continue
            there, home = _moved(joints, start)[: len(back)], _moved(joints, length + 1 - start)[start:]
            least = np.minimum(there, home)  # NaN, and so never more, where one of the three is not trusted
            out[start : start + len(back)] |= (least > least_leap) & (least > 3 * back)
    return out


def _moved(joints: np.ndarray, frames: int) -> np.ndarray:
    """(F - frames,) mean pixels from each frame to the one ``frames`` later, by the nearer of both readings."""
    before, after = joints[:-frames].astype(np.float64), joints[frames:]
    readings = (after, after[:, ::-1])
    moved = np.min([np.linalg.norm(a[..., :2] - before[..., :2], axis=2).mean(axis=1) for a in readings], axis=0)
    known = (before[..., 2] >= BODY_THRESHOLD).all(axis=1) & (after[..., 2] >= BODY_THRESHOLD).all(axis=1)
    return np.where(known, moved, np.nan)
