"""What is to be trusted of someone's keypoints, over a clip or in a photo, and what it tells of the body."""

from dataclasses import dataclass, replace

import numpy as np

from magicpose_cli.conditions.draw import Person
from magicpose_cli.conditions.head_shape import BODY_POINTS, Heads, read_heads
from magicpose_cli.conditions.proportions import LONG_QUANTILE, SEGMENTS, Proportions, measure
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD

_DETAIL = max(DETAIL_THRESHOLD, 1e-9)
_SHOULDERS = [kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER]
_NARROW = 0.6  # of what the rest of the body lets expect: photos from the front gave 0.73 to 0.92, by the neck alone


@dataclass(frozen=True)
class SeenPerson:
    """One person over F frames, in pixels, NaN where a point is not to be trusted.

    ``joints`` are the body's 18, the hips' middle and the head's. ``heads`` and ``proportions`` are None where no frame
    tells them; ``head_size`` is half a face's width where it is seen largest, or NaN. ``narrow`` is True where
    shoulders were found, and dropped as too narrow to be true.
    """

    joints: np.ndarray  # (F, 20, 2)
    head_points: np.ndarray  # (F, 75, 2): the face's 70 and the body's nose, eyes, ears
    heads: Heads | None
    head_size: float
    proportions: Proportions | None
    narrow: bool = False

    def share(self, joint: int) -> float:
        """The share of the frames that show it."""
        return float(np.isfinite(self.joints[:, joint]).all(axis=1).mean())

    def shows(self, joint: int) -> bool:
        """True where any frame does."""
        return self.share(joint) > 0


def see(body: np.ndarray, left_hand: np.ndarray, right_hand: np.ndarray, face: np.ndarray) -> SeenPerson:
    """Keypoints (F, 18 | 21 | 21 | 70, 3) of x, y, confidence. A hand's own wrist stands in for an unsure one."""
    joints = np.where(body[..., 2:] >= BODY_THRESHOLD, body[..., :2].astype(np.float64), np.nan)
    for hand, wrist in ((right_hand, kp.RIGHT_WRIST), (left_hand, kp.LEFT_WRIST)):
        stands_in = np.isnan(joints[:, wrist, 0]) & (hand[:, 0, 2] >= _DETAIL)
        joints[stands_in, wrist] = hand[stands_in, 0, :2]
    on_face = np.where(face[..., 2:] >= _DETAIL, face[..., :2].astype(np.float64), np.nan)
    points = np.concatenate([on_face, joints[:, list(BODY_POINTS)]], axis=1)
    heads = read_heads(points)
    middle = (joints[:, kp.RIGHT_EAR] + joints[:, kp.LEFT_EAR]) / 2
    size = float("nan")
    if heads is not None:
        middle = np.where(np.isfinite(heads.middle), heads.middle, middle)
        size = float(np.nanquantile(heads.size, LONG_QUANTILE))
    pelvis = (joints[:, kp.RIGHT_HIP] + joints[:, kp.LEFT_HIP]) / 2
    joints = np.concatenate([joints, pelvis[:, None], middle[:, None]], axis=1)
    return SeenPerson(joints, points, heads, size, measure(joints, size))


def see_photo(person: Person) -> SeenPerson:
    """The person in a photo, as a clip of one frame.

    Where no face is seen (from behind, or from the side), detectors guess shoulders under hair, sure of themselves and
    far too narrow. Shoulders that do not go with the rest of the body are then left out, and all that hangs on them.
    """
    seen = see(person.body[None], person.left_hand[None], person.right_hand[None], person.face[None])
    rest = seen.joints.copy()
    rest[:, _SHOULDERS] = np.nan
    proportions = measure(rest)
    if seen.heads is not None or proportions is None:
        return seen
    right, left = seen.joints[0, _SHOULDERS]
    expected = 2 * SEGMENTS["shoulders"].share * proportions.stature
    if not np.linalg.norm(right - left) < _NARROW * expected:  # NaN: not seen
        return seen
    return replace(seen, joints=rest, proportions=proportions, narrow=True)
