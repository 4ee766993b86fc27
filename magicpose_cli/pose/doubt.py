"""Arms and legs that cannot be as the detector gave them, however sure it is of its points.

Far from a camera a picture only shortens a bone, so one that comes out far longer than all others of its kind is
doubtful; but within some 1.5 m an arm held out to the camera looks longer too, so it counts as wrong only where it
leapt there. An arm or a leg turns only so fast; and two arms do not lie in one place while the shoulders are apart.
Wrong places that could be somebody's are not found by this.
"""

import numpy as np

from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.keypoints import BODY_THRESHOLD
from magicpose_cli.pose.detector import PART_SLICES
from magicpose_cli.pose.ranges import ranges_of
from magicpose_cli.pose.trust import leaps_of

ARMS = {
    "left arm": (kp.LEFT_SHOULDER, kp.LEFT_ELBOW, kp.LEFT_WRIST),
    "right arm": (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW, kp.RIGHT_WRIST),
}
LEGS = {
    "left leg": (kp.LEFT_HIP, kp.LEFT_KNEE, kp.LEFT_ANKLE),
    "right leg": (kp.RIGHT_HIP, kp.RIGHT_KNEE, kp.RIGHT_ANKLE),
}
LIMBS = ARMS | LEGS
"""Each limb's joints, from the trunk outward."""

_HANDS = {"left arm": PART_SLICES["left_hand"], "right arm": PART_SLICES["right_hand"]}

_TOO_LONG = 1.3  # times a bone's full length
_LONG_QUANTILE = 0.9  # of a bone's lengths over the clip, both sides together: its full length
# A bone's full length is at least so much of the trunk's, where the clip shows it foreshortened only: upper arm,
# forearm; thigh, shin. Measured on people in eight clips: 0.46 to 0.64, 0.44 to 0.62; 0.74 to 0.98, 0.65 to 0.97.
_ARM_OF_TRUNK, _LEG_OF_TRUNK = (0.55, 0.5), (0.8, 0.75)
# The trunk's length in shoulder widths: it stands in where hips are missing or the trunk bows.
_SHOULDERS_OF_TRUNK = 1.4
# By how much of its full length a bone changes in one frame, or in a second where that is more: 700° a second.
_TURN, _TURN_SPEED = 0.5, 12.0
_ONE_PLACE, _SHOULDERS_APART = 0.04, 0.1  # of the person's size


def doubtful_limbs(points: np.ndarray, size: float, fps: float, breaks: np.ndarray) -> dict[str, np.ndarray]:
    """(F, 130, 3) points of one person → for each limb, (F,) True where it cannot be as it is.

    ``size``: the person's, in pixels; ``breaks`` (F,): where a frame does not go on from the one before
    (``trust.breaks_of``). Where a limb is elsewhere all at once the first frame there counts.
    """
    body = points[:, : kp.BODY_COUNT]
    leaps = _leaps(body, size, fps)
    doubtful = {limb: too_long.any(axis=1) for limb, too_long in overlong_bones(points).items()}
    for limb, joints in LIMBS.items():
        elsewhere = leaps[:, joints[1:]].any(axis=1) | _turns(body, limb, fps).any(axis=1)
        doubtful[limb] |= elsewhere & ~breaks
    one_place = _apart(body, kp.LEFT_SHOULDER, kp.RIGHT_SHOULDER) > _SHOULDERS_APART * size
    for left, right in ((kp.LEFT_ELBOW, kp.RIGHT_ELBOW), (kp.LEFT_WRIST, kp.RIGHT_WRIST)):
        one_place &= _apart(body, left, right) < _ONE_PLACE * size
    for arm in ARMS:
        doubtful[arm] |= one_place
    return doubtful


def without_overlong_bones(
    points: np.ndarray, size: float, fps: float, breaks: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(F, 130, 3) points without those that a bone leapt to and became too long; and (F,) where, for each limb.

    For as long as the bone is too long, the end that leapt farther goes: an inner end alone, an outer end with all that
    hangs on it, the hand too. A bone that grew too long in a motion that can be is left: near a camera a hand held out
    to it looks so.
    """
    out, where = points.copy(), {}
    body = points[:, : kp.BODY_COUNT]
    leaps, steps = _leaps(body, size, fps), np.zeros(body.shape[:2])
    steps[1:] = np.linalg.norm(np.diff(body[..., :2], axis=0), axis=2)
    for limb, too_long in overlong_bones(points).items():
        joints, turns = LIMBS[limb], _turns(body, limb, fps)
        taken = np.zeros(len(points), bool)
        for bone in (0, 1):
            inner, outer = joints[bone], joints[bone + 1]
            sudden = (leaps[:, inner] | leaps[:, outer] | turns[:, bone]) & ~breaks
            for first, last in ranges_of(np.flatnonzero(too_long[:, bone])):
                at = np.flatnonzero(sudden[first : last + 2]) + first  # there, or back again
                if not len(at):
                    continue
                frames = slice(first, last + 1)
                taken[frames] = True
                if steps[at, inner].sum() > steps[at, outer].sum():
                    out[frames, inner] = 0
                else:
                    out[frames, list(joints[bone + 1 :])] = 0
                    if limb in _HANDS:
                        out[frames, _HANDS[limb]] = 0
        where[limb] = taken
    return out, where


def without_overlong_fillings(points: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """(F, 130, 3) points without the ``filled`` (F, 130) ends of bones that came out too long by them.

    The way straight from before to after need not be where the joint was. The hand goes with its wrist.
    """
    out = points.copy()
    for limb, too_long in overlong_bones(points).items():
        for bone, frames in enumerate(too_long.T):
            for joint in LIMBS[limb][bone : bone + 2]:
                out[frames & filled[:, joint], joint] = 0
        if limb in _HANDS:
            out[too_long[:, 1] & filled[:, LIMBS[limb][2]], _HANDS[limb]] = 0
    return out


def overlong_bones(points: np.ndarray) -> dict[str, np.ndarray]:
    """For each limb, (F, 2) True where its inner or outer bone is longer in the picture than it can be."""
    body = points[:, : kp.BODY_COUNT]
    return {limb: _lengths(body, joints) > _TOO_LONG * _full_lengths(body, limb) for limb, joints in LIMBS.items()}


def _leaps(body: np.ndarray, size: float, fps: float) -> np.ndarray:
    """(F, 18) True where a trusted point of the body leapt there from the frame before (``trust.leaps_of``)."""
    return leaps_of(np.where(body[..., 2:] >= BODY_THRESHOLD, body, 0), size, fps)


def _turns(body: np.ndarray, limb: str, fps: float) -> np.ndarray:
    """(F, 2) True where a limb's inner or outer bone turned faster to there than anybody turns it."""
    turns = np.zeros((len(body), 2), bool)
    change = np.abs(np.diff(_lengths(body, LIMBS[limb]), axis=0))  # NaN, and so never more, where one is not trusted
    turns[1:] = change > max(_TURN, _TURN_SPEED / fps) * _full_lengths(body, limb)[1:]
    return turns


def _full_lengths(body: np.ndarray, limb: str) -> np.ndarray:
    """(F, 2) pixels that a limb's two bones have at their longest in each frame; it grows as the person comes nearer.

    Where the trunk is shorter than usual nothing follows from it: trunks bow and turn.
    """
    trunk = _trunk(body)
    usual = float(np.nanmedian(trunk)) if np.isfinite(trunk).any() else 0.0
    trunk = np.fmax(trunk, usual)
    both, least = (ARMS, _ARM_OF_TRUNK) if limb in ARMS else (LEGS, _LEG_OF_TRUNK)
    lengths = np.concatenate([_lengths(body, joints) for joints in both.values()])
    known = [each[~np.isnan(each)] for each in lengths.T]
    longest = [float(np.quantile(each, _LONG_QUANTILE)) if len(each) else 0.0 for each in known]
    nearer = trunk / usual if usual else np.ones(len(trunk))
    return np.maximum(nearer[:, None] * longest, trunk[:, None] * least)


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
