"""The 70 points of the face, from the head's frame and the expression.

Local units: x in half widths of the head, y in half heights (down), z in half widths, where the person looks.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from magicpose_cli.figures.body import Head
from magicpose_cli.figures.figure_pose import FigurePose
from magicpose_cli.figures.identity import FaceShape

_AROUND = np.linspace(math.pi, 3 * math.pi, 12, endpoint=False)  # from the corner at the picture's left, over the top
_EYE_STEPS = (0, 2, 4, 6, 8, 10)  # which of the 12 outline points are the six of iBUG
_LIP_X = np.array([-1, -0.66, -0.33, 0, 0.33, 0.66, 1])
_LIP_BACK_X = _LIP_X[5:0:-1]
_INNER_X = np.array([-0.85, -0.45, 0, 0.45, 0.85])
_INNER_BACK_X = _INNER_X[3:0:-1]
_JAW = np.linspace(0, math.pi, 17)
_INWARD = np.linspace(0, 1, 5)
_BOW = np.array([0.0, 0.055, 0.075, 0.06, 0.02])
_BRIDGE = np.stack([np.zeros(4), np.linspace(0.04, 0.32, 4)], 1)
_NOSE = np.concatenate([_BRIDGE, [(x, 0.42 - 0.9 * x * x) for x in (-0.15, -0.075, 0, 0.075, 0.15)]])
_NOSE_DEPTH = np.concatenate([np.linspace(-0.02, 0.26, 4), [0.06, 0.1, 0.14, 0.1, 0.06]])
_BACK = np.linspace(0.55 * math.pi, 1.45 * math.pi, 7)  # the lower back of the skull
_TOP = np.exp(1j * np.linspace(0, math.pi, 15))


@dataclass(frozen=True)
class FacePoints:
    """Pixels as complex numbers: the 70 keypoints and the finer outlines that are drawn."""

    points: np.ndarray  # (70,) complex
    drawn: np.ndarray  # (70,) complex: the same, but what is on the far side moved to the head's edge
    near: np.ndarray  # (70,): how far towards the viewer, in half widths; above 0 it is on the side that is seen
    eyes: tuple[np.ndarray, np.ndarray]  # right, left: (12,) complex, the keypoints among them
    eye_middles: tuple[complex, complex]
    eyes_near: tuple[float, float]
    skull: np.ndarray  # the head's outline with the jaw, convex
    ears: tuple[complex, complex]  # right, left
    ears_near: tuple[float, float]


def face_points(head: Head, pose: FigurePose, shape: FaceShape) -> FacePoints:
    """Where brows, eyes, nose, mouth and jaw lie in pixels."""
    cosine = np.cos(_JAW)
    jaw = np.stack([-np.sign(cosine) * np.abs(cosine) ** head.jaw, np.sin(_JAW)], 1)
    jaw[:, 1] += 0.07 * max(0.0, pose.mouth_open) * np.sin(_JAW) ** 4  # the chin drops with the mouth
    brow_x = 0.74 - 0.52 * _INWARD
    brow_y = shape.brow_y - _BOW - 0.13 * pose.brow_raise + 0.2 * pose.brow_frown * (_INWARD - 0.4)
    right_brow = np.stack([-brow_x, brow_y], 1)
    left_brow = np.stack([brow_x, brow_y], 1)[::-1]
    eye_height = shape.eye_height * max(pose.eye_open, 0.03)
    eye_ring = np.stack([shape.eye_width * np.cos(_AROUND), eye_height * np.sin(_AROUND)], 1)
    eye_ring[7:, 1] *= 0.8  # the lower lid is flatter
    right_eye, left_eye = eye_ring + (-shape.eye_x, shape.eye_y), eye_ring + (shape.eye_x, shape.eye_y)
    gaze_y = shape.eye_y + 0.42 * shape.eye_height * min(1.0, pose.eye_open) * pose.gaze_y
    gaze_x = 0.46 * shape.eye_width * pose.gaze_x
    pupils = np.array([(-shape.eye_x + gaze_x, gaze_y), (shape.eye_x + gaze_x, gaze_y)])
    nose = _NOSE * (shape.nose_width, shape.nose_length)

    flat = np.concatenate([jaw, right_brow, left_brow, nose, right_eye, left_eye, _mouth_points(pose, shape), pupils])
    depth = 0.92 * np.sqrt(np.clip(1 - flat[:, 0] ** 2 - (0.65 * flat[:, 1]) ** 2, 0, None))
    depth[:17] = 0.9 * np.sin(_JAW) - 0.08
    depth[27:36] += _NOSE_DEPTH
    angle = np.arctan2(flat[:, 0], depth) + head.yaw
    radius = np.hypot(flat[:, 0], depth)
    angle = np.remainder(angle + math.pi, 2 * math.pi) - math.pi
    pixels = head.round_points(angle, flat[:, 1], radius)
    drawn = head.round_points(np.clip(angle, -math.pi / 2, math.pi / 2), flat[:, 1], radius)
    near = radius * np.cos(angle)

    def keypoints(fine: np.ndarray) -> np.ndarray:
        steps = list(_EYE_STEPS)
        return np.concatenate([fine[:36], fine[36:48][steps], fine[48:60][steps], fine[60:]])

    back = head.round_points(_BACK + head.yaw, np.full(len(_BACK), 0.42), 0.86)
    top = head.centre + (_TOP.real * head.half_width - 1j * _TOP.imag * head.half_height) * head.rotation
    ears = np.array([-1.66, 1.66]) + head.yaw
    places = head.round_points(ears, np.full(2, 0.1), 1.02)
    return FacePoints(
        keypoints(pixels),
        keypoints(drawn),
        keypoints(near),
        (drawn[36:48], drawn[48:60]),
        (complex(pixels[36:48].mean()), complex(pixels[48:60].mean())),
        (float(near[36:48].mean()), float(near[48:60].mean())),
        _hull(np.concatenate([pixels[:17], back, top])),
        (complex(places[0]), complex(places[1])),
        (math.cos(ears[0]), math.cos(ears[1])),
    )


def _mouth_points(pose: FigurePose, shape: FaceShape) -> np.ndarray:
    """The 20 lip points (20, 2), local: outer 12, inner 8."""
    wider = 1 + (0.36 if pose.mouth_width > 0 else 0.5) * pose.mouth_width
    half = shape.mouth_width * wider * (1 - 0.12 * pose.mouth_open)
    lip = 0.058 * (1 - 0.5 * pose.mouth_width)
    opening = max(0.0, pose.mouth_open)

    def row(x: np.ndarray, offset: float) -> np.ndarray:
        rise = 1 - x**2
        y = shape.mouth_y + pose.mouth_smile * (0.06 - 0.21 * x**2) + offset * rise
        return np.stack([half * x, y], 1)

    upper, lower = row(_LIP_X, -lip - 0.08 * opening), row(_LIP_BACK_X, 1.2 * lip + 0.27 * opening)
    inner_upper, inner_lower = row(_INNER_X, -0.075 * opening), row(_INNER_BACK_X, 0.25 * opening)
    return np.concatenate([upper, lower, inner_upper, inner_lower])


def _hull(points: np.ndarray) -> np.ndarray:
    flat = points.astype(np.complex64).view(np.float32).reshape(-1, 1, 2)
    return cv2.convexHull(flat).reshape(-1, 2).astype(np.float64).reshape(-1).view(np.complex128)
