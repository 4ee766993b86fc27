"""What is to be trusted of someone's keypoints, over a clip or in a photo, and what it tells of the body."""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.conditions.draw import Person
from magicpose_cli.conditions.head_shape import BODY_POINTS, Heads, read_heads
from magicpose_cli.conditions.proportions import LONG_QUANTILE, Proportions, measure
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD

_DETAIL = max(DETAIL_THRESHOLD, 1e-9)


@dataclass(frozen=True)
class SeenPerson:
    """One person over F frames, in pixels, NaN where a point is not to be trusted.

    ``joints`` are the body's 18, the hips' middle and the head's. ``heads`` and ``proportions`` are None where no frame
    tells them; ``head_size`` is half a face's width where it is seen largest, or NaN.
    """

    joints: np.ndarray  # (F, 20, 2)
    head_points: np.ndarray  # (F, 75, 2): the face's 70 and the body's nose, eyes, ears
    heads: Heads | None
    head_size: float
    proportions: Proportions | None

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
    """The person in a photo, as a clip of one frame."""
    return see(person.body[None], person.left_hand[None], person.right_hand[None], person.face[None])
