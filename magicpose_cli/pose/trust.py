"""Points that a detector gave and that cannot be: taken away, so that they are not drawn."""

import numpy as np

from magicpose_cli.core.keypoints import BODY_COUNT, HAND_COUNT, LEFT_WRIST, RIGHT_WRIST

TRUSTED = 0.3  # confidence of a body point that is drawn

_LEFT, _RIGHT = slice(BODY_COUNT, BODY_COUNT + HAND_COUNT), slice(BODY_COUNT + HAND_COUNT, BODY_COUNT + 2 * HAND_COUNT)
_SPIKE = 0.12  # of the person's size: by how much a point leaps off and back again within ``_SPIKE_FRAMES``
_SPIKE_FRAMES = 2
_FROM_WRIST = 0.15  # of the person's size: farther off its wrist a hand is another's
_BREAK = 0.5  # of the person's size in one frame: nobody moves so fast, the picture was cut


def breaks_of(points: np.ndarray, size: float) -> np.ndarray:
    """(F,) True where a frame does not go on from the one before: the whole body is elsewhere all at once."""
    body = points[:, :BODY_COUNT]
    broken = np.zeros(len(points), bool)
    seen = np.flatnonzero((body[..., 2] > 0).any(axis=1))
    for before, after in zip(seen[:-1], seen[1:], strict=True):
        both = (body[before, :, 2] > 0) & (body[after, :, 2] > 0)
        if both.any():
            step = np.median(np.linalg.norm(body[after, both, :2] - body[before, both, :2], axis=1))
            broken[after] = step > _BREAK * size * (after - before)
    return broken


def without_impossible(points: np.ndarray, size: float) -> np.ndarray:
    """(F, 130, 3) points without body points that leap off for a frame or two, and without hands that are not hands.

    Those are the second of two hands found in one place, and hands far off their wrist. ``size``: the person's, in
    pixels.
    """
    out = points.copy()
    out[:, :BODY_COUNT][_spikes(points[:, :BODY_COUNT], size)] = 0
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
    known = (points[:, hand, 2] > 0) & (points[:, wrist, 2] >= TRUSTED)
    return np.where(known, np.linalg.norm(points[:, hand, :2] - points[:, wrist, :2], axis=1), np.nan)


def _spikes(body: np.ndarray, size: float) -> np.ndarray:
    """(F, 18) True where a point is far from the line between where it was just before and is just after.

    Before and after must agree with each other: a quick motion goes on, a wrong point comes back.
    """
    out = np.zeros(body.shape[:2], bool)
    seen, place = body[..., 2] >= TRUSTED, body[..., :2].astype(np.float64)
    for length in range(1, _SPIKE_FRAMES + 1):
        last = len(body) - length - 1
        for start in range(1, length + 1):
            if last <= 0:
                continue
            before, here, after = place[:last], place[start : start + last], place[length + 1 :]
            straight = before + (after - before) * (start / (length + 1))
            off = np.linalg.norm(here - straight, axis=2)
            known = seen[:last] & seen[start : start + last] & seen[length + 1 :]
            back = np.linalg.norm(after - before, axis=2)
            leaps = known & (off > _SPIKE * size) & (off > 3 * back)
            out[start : start + last] |= leaps
    return out
