"""Which points the figure itself hides: behind the torso or the head, under an arm, on the far side of the head."""

import numpy as np

from magicpose_cli.core import keypoints as kp
from magicpose_cli.figures.body import Limb, Skeleton
from magicpose_cli.figures.face import FacePoints
from magicpose_cli.figures.identity import Identity

_BODY_ARMS = ((kp.RIGHT_ELBOW, kp.RIGHT_WRIST), (kp.LEFT_ELBOW, kp.LEFT_WRIST))
_BODY_LEGS = ((kp.RIGHT_KNEE, kp.RIGHT_ANKLE), (kp.LEFT_KNEE, kp.LEFT_ANKLE))
_EARS = [kp.RIGHT_EAR, kp.LEFT_EAR]
_BODY_HEAD = [kp.NOSE, kp.RIGHT_EYE, kp.LEFT_EYE, *_EARS]


def visible_points(
    skeleton: Skeleton, face: FacePoints, identity: Identity, parts: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """For each part's points (complex pixels) a bool array: True where nothing of the figure lies before them.

    Clothes hide nothing: a knee in trousers is seen.
    """
    seen = {name: np.ones(len(points), bool) for name, points in parts.items()}
    unit, p = skeleton.unit, identity.proportions
    seen["face"] = face.near > 0
    seen["body"][_BODY_HEAD] = [face.near[30] > 0, *(near > 0 for near in (*face.eyes_near, *face.ears_near))]
    seen["body"][_EARS] |= np.array(face.ears_near) > -0.2  # an ear stands off the head
    arms = (skeleton.right_arm, skeleton.left_arm)
    hands = ("right_hand", "left_hand")
    for arm, indices, hand in zip(arms, _BODY_ARMS, hands, strict=True):
        places = list(indices)
        if arm.depth < 0:
            seen["body"][places] &= ~_behind_trunk(parts["body"][places], skeleton, identity)
            seen[hand] &= ~_behind_trunk(parts[hand], skeleton, identity)
            continue
        reach = p.arm_radius * unit
        seen["face"] &= ~_under(parts["face"], arm, reach)
        seen["body"][_BODY_HEAD] &= ~_under(parts["body"][_BODY_HEAD], arm, reach)
    legs = sorted(zip((skeleton.right_leg, skeleton.left_leg), _BODY_LEGS, strict=True), key=lambda leg: leg[0].depth)
    far, near = legs
    places = list(far[1])
    seen["body"][places] &= ~_under(parts["body"][places], near[0], 0.6 * p.leg_radius * unit)
    return seen


def _behind_trunk(points: np.ndarray, skeleton: Skeleton, identity: Identity) -> np.ndarray:
    p, head = identity.proportions, skeleton.head
    wide = np.hypot(np.cos(skeleton.turn), 0.6 * np.sin(skeleton.turn)) * 0.85 * p.shoulders * skeleton.unit
    local = (points - head.centre) / head.rotation
    in_head = (local.real / head.half_width) ** 2 + (local.imag / head.half_height) ** 2 < 1
    return _near(points, skeleton.neck, skeleton.pelvis, wide) | in_head


def _under(points: np.ndarray, limb: Limb, reach: float) -> np.ndarray:
    """Points below the outer half of a limb, its hand or foot with it."""
    return _near(points, limb.middle, limb.tip, reach) | _near(points, limb.tip, limb.end, reach)


def _near(points: np.ndarray, start: complex, end: complex, reach: float) -> np.ndarray:
    along = end - start
    share = np.clip(((points - start) * along.conjugate()).real / (abs(along) ** 2 + 1e-9), 0, 1)
    return np.abs(points - start - share * along) < reach
