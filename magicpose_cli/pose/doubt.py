"""Arms and legs that cannot be as the detector gave them, however sure it is of its points.

A picture only ever shortens a bone, so one that comes out far longer than all others of its kind is wrong; an arm or a
leg turns only so fast; and two arms do not lie in one place while the shoulders are apart. Wrong places that could be
somebody's are not found by this.
"""

import numpy as np

from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.keypoints import BODY_THRESHOLD
from magicpose_cli.pose.detector import PART_SLICES
from magicpose_cli.pose.trust import leaps_of

LIMBS = {
    "left arm": (kp.LEFT_SHOULDER, kp.LEFT_ELBOW, kp.LEFT_WRIST),
    "right arm": (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW, kp.RIGHT_WRIST),
    "left leg": (kp.LEFT_HIP, kp.LEFT_KNEE, kp.LEFT_ANKLE),
    "right leg": (kp.RIGHT_HIP, kp.RIGHT_KNEE, kp.RIGHT_ANKLE),
}
"""Each limb's joints, from the trunk outward."""

_HANDS = {"left arm": PART_SLICES["left_hand"], "right arm": PART_SLICES["right_hand"]}
_PAIRS = (("left arm", "right arm"), ("left leg", "right leg"))

_TOO_LONG = 1.3  # times a bone's full length
_LONG_QUANTILE = 0.9  # of a bone's lengths over the clip, both sides together: its full length
# A bone's full length is at least so much of the trunk's, where the clip shows it foreshortened only: upper arm,
# forearm; thigh, shin. Measured on people in eight clips: 0.46 to 0.64, 0.44 to 0.62; 0.74 to 0.98, 0.65 to 0.97.
_OF_TRUNK = {"arm": (0.55, 0.5), "leg": (0.8, 0.75)}
_SHOULDERS_OF_TRUNK = (
    1.4  # the trunk's length in shoulder widths: it stands in where hips are missing or the trunk bows
)
# By how much of its full length a bone changes in one frame, or in a second where that is more: 700° a second.
_TURN, _TURN_SPEED = 0.5, 12.0
_ONE_PLACE, _SHOULDERS_APART = 0.04, 0.1  # of the person's size


def doubtful_limbs(points: np.ndarray, size: float, fps: float, breaks: np.ndarray) -> dict[str, np.ndarray]:
    """(F, 130, 3) points of one person → for each limb, (F,) True where it cannot be as it is.

    ``size``: the person's, in pixels; ``breaks`` (F,): where a frame does not go on from the one before
    (``trust.breaks_of``). Where a limb is elsewhere all at once the first frame there counts.
    """
    body = points[:, : kp.BODY_COUNT]
    leaps = leaps_of(np.where(body[..., 2:] >= BODY_THRESHOLD, body, 0), size, fps)
    doubtful = {limb: too_long.any(axis=1) for limb, too_long in overlong_bones(points).items()}
    for limb, joints in LIMBS.items():
        lengths, full = _lengths(body, joints), _full_lengths(body, limb)
        turned = np.abs(np.diff(lengths, axis=0)) > max(_TURN, _TURN_SPEED / fps) * full[1:]  # False where NaN
        elsewhere = leaps[:, joints[1:]].any(axis=1)
        elsewhere[1:] |= turned.any(axis=1)
        doubtful[limb] |= elsewhere & ~breaks
    (left, right), apart = _PAIRS[0], _apart(body, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER)
    one_place = apart > _SHOULDERS_APART * size
    for a, b in zip(LIMBS[left][1:], LIMBS[right][1:], strict=True):
        one_place &= _apart(body, a, b) < _ONE_PLACE * size
    doubtful[left] |= one_place
    doubtful[right] |= one_place
    return doubtful


def without_overlong_bones(points: np.ndarray) -> np.ndarray:
    """(F, 130, 3) points without the outer end of a bone that is too long to be one, and without the hand at it."""
    out = points.copy()
    for limb, too_long in overlong_bones(points).items():
        for joint, where in zip(LIMBS[limb][1:], too_long.T, strict=True):
            out[where, joint] = 0
        if limb in _HANDS:
            out[too_long[:, 1], _HANDS[limb]] = 0
    return out


def overlong_bones(points: np.ndarray) -> dict[str, np.ndarray]:
    """For each limb, (F, 2) True where its inner or outer bone is longer in the picture than it can be."""
    body = points[:, : kp.BODY_COUNT]
    return {limb: _lengths(body, joints) > _TOO_LONG * _full_lengths(body, limb) for limb, joints in LIMBS.items()}


def _full_lengths(body: np.ndarray, limb: str) -> np.ndarray:
    """(F, 2) pixels that a limb's two bones have at their longest in each frame; it grows as the person comes nearer.

    Where the trunk is shorter than usual nothing follows from it: trunks bow and turn.
    """
    trunk = _trunk(body)
    usual = float(np.nanmedian(trunk)) if np.isfinite(trunk).any() else 0.0
    trunk = np.fmax(trunk, usual)
    pair = next(pair for pair in _PAIRS if limb in pair)
    lengths = np.concatenate([_lengths(body, LIMBS[each]) for each in pair])
    known = [each[~np.isnan(each)] for each in lengths.T]
    longest = [float(np.quantile(each, _LONG_QUANTILE)) if len(each) else 0.0 for each in known]
    nearer = trunk / usual if usual else np.ones(len(trunk))
    return np.maximum(nearer[:, None] * longest, trunk[:, None] * _OF_TRUNK[limb.split()[1]])


def _trunk(body: np.ndarray) -> np.ndarray:
    """(F,) pixels from the neck to the hips, or what the shoulders' width says where it is more; NaN where unknown."""
    hips = body[:, [kp.RIGHT_HIP, kp.LEFT_HIP]]
    known = (hips[..., 2] >= BODY_THRESHOLD).all(axis=1) & (body[:, kp.NECK, 2] >= BODY_THRESHOLD)
    length = np.linalg.norm(hips[..., :2].mean(axis=1) - body[:, kp.NECK, :2], axis=1)
    across = _SHOULDERS_OF_TRUNK * _apart(body, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER)
    return np.fmax(np.where(known, length, np.nan), across)


def _lengths(body: np.ndarray, joints: tuple[int, int, int]) -> np.ndarray:
    """(F, 2) pixels of a limb's two bones; NaN where an end is not trusted."""
    return np.stack([_apart(body, joints[0], joints[1]), _apart(body, joints[1], joints[2])], axis=1)


def _apart(body: np.ndarray, a: int, b: int) -> np.ndarray:
    """(F,) pixels between two joints; NaN where one is not trusted."""
    known = (body[:, [a, b], 2] >= BODY_THRESHOLD).all(axis=1)
    return np.where(known, np.linalg.norm(body[:, a, :2] - body[:, b, :2], axis=1), np.nan)
