"""About where the person is, painted from the skeleton: thick limbs, trunk, head and hands."""

from itertools import pairwise

import cv2
import numpy as np

from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD

_ARMS = (
    (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW, kp.RIGHT_WRIST),
    (kp.LEFT_SHOULDER, kp.LEFT_ELBOW, kp.LEFT_WRIST),
)
_LEGS = ((kp.RIGHT_HIP, kp.RIGHT_KNEE, kp.RIGHT_ANKLE), (kp.LEFT_HIP, kp.LEFT_KNEE, kp.LEFT_ANKLE))
_TRUNK = (kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER, kp.RIGHT_HIP, kp.LEFT_HIP)
_HEAD = (kp.NOSE, kp.RIGHT_EYE, kp.LEFT_EYE, kp.RIGHT_EAR, kp.LEFT_EAR)
# Widths in shoulder widths, of clothed people with hair and shoes
_ARM, _LEG, _HAND, _HAIR, _TRUNK_EDGE = 0.4, 0.55, 0.15, 0.4, 0.3
_COLOURED = 32  # the brightest channel of a drawn pixel; JPEG leaves some noise
_MAP_REACH = 16  # a drawn limb is widened by a sixteenth of the canvas


def mask_of_points(
    body: np.ndarray, left_hand: np.ndarray, right_hand: np.ndarray, face: np.ndarray, size: int
) -> np.ndarray:
    """bool (size, size) from one person's (n, 3) points in pixels of that square."""
    canvas = np.zeros((size, size), np.uint8)
    seen = [tuple(map(float, p[:2])) if p[2] >= BODY_THRESHOLD else None for p in body]
    unit = _shoulder_width(seen, size)
    for chains, width in ((_ARMS, _ARM), (_LEGS, _LEG)):
        for chain in chains:
            for a, b in pairwise(chain):
                if seen[a] and seen[b]:
                    cv2.line(canvas, _pixel(seen[a]), _pixel(seen[b]), 1, max(1, round(width * unit)))
    if seen[kp.NECK] and seen[kp.NOSE]:
        cv2.line(canvas, _pixel(seen[kp.NECK]), _pixel(seen[kp.NOSE]), 1, max(1, round(_ARM * unit)))
    _hull(canvas, [seen[n] for n in _TRUNK if seen[n]], _TRUNK_EDGE * unit)
    _hull(canvas, [seen[n] for n in _HEAD if seen[n]] + _there(face), _HAIR * unit)
    for hand in (left_hand, right_hand):
        _hull(canvas, _there(hand), _HAND * unit)
    return canvas.astype(bool)


def mask_of_map(pose_map: np.ndarray) -> np.ndarray:
    """bool (S, S) from a drawn pose map, uint8 (S, S, 3): what is coloured, widened."""
    reach = max(1, len(pose_map) // _MAP_REACH)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(coloured(pose_map).astype(np.uint8), kernel).astype(bool)


def coloured(pose_map: np.ndarray) -> np.ndarray:
    """bool (H, W): where something is drawn."""
    return pose_map.max(axis=2) >= _COLOURED


def _shoulder_width(seen: list[tuple[float, float] | None], size: int) -> float:
    """In pixels. Seen from the side it is short, so lengths that stand in for it have their say."""
    stand_ins = ((kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER, 1.0), (kp.NOSE, kp.NECK, 1.1)) + tuple(
        (kp.NECK, hip, 0.6) for hip in (kp.RIGHT_HIP, kp.LEFT_HIP)
    )
    known = [
        share * float(np.hypot(*np.subtract(seen[a], seen[b]))) for a, b, share in stand_ins if seen[a] and seen[b]
    ]
    return max(known, default=size / 6)


def _there(points: np.ndarray) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y, c in points if c >= DETAIL_THRESHOLD]


def _hull(canvas: np.ndarray, places: list[tuple[float, float]], edge: float) -> None:
    """The filled convex hull of the places, and ``edge`` pixels round it."""
    if places:
        hull = cv2.convexHull(np.array([_pixel(p) for p in places], np.int32))
        cv2.fillConvexPoly(canvas, hull, 1)
        cv2.polylines(canvas, [hull], True, 1, max(1, round(2 * edge)))


def _pixel(place: tuple[float, float]) -> tuple[int, int]:
    # far outside the square OpenCV's fixed-point numbers would overflow
    x, y = (int(min(max(v, -10_000), 10_000)) for v in place)
    return x, y
