"""The 70 points of the face, from the head's frame and the expression.

Local units: x in half widths of the head, y in half heights (down), z in half widths towards the viewer.
"""

import math
from dataclasses import dataclass

import numpy as np

from magicpose_cli.figures.body import Head
from magicpose_cli.figures.figure_pose import FigurePose

EYE_X, EYE_Y, EYE_WIDTH, EYE_HEIGHT = 0.43, 0.09, 0.235, 0.2
_AROUND = np.linspace(math.pi, 3 * math.pi, 12, endpoint=False)  # from the corner at the picture's left, over the top
_EYE_STEPS = (0, 2, 4, 6, 8, 10)  # which of the 12 outline points are the six of iBUG
_LIP_X = np.array([-1, -0.66, -0.33, 0, 0.33, 0.66, 1])
_LIP_BACK_X = _LIP_X[5:0:-1]
_INNER_X = np.array([-0.85, -0.45, 0, 0.45, 0.85])
_INNER_BACK_X = _INNER_X[3:0:-1]
_JAW = np.linspace(0, math.pi, 17)
_OVER = np.linspace(0, math.pi, 15)[1:-1]
_SKULL = np.stack([np.cos(_OVER), -np.sin(_OVER)], 1)
_INWARD = np.linspace(0, 1, 5)
_BOW = np.array([0.0, 0.055, 0.075, 0.06, 0.02])
_BRIDGE = np.stack([np.zeros(4), np.linspace(0.04, 0.3, 4)], 1)
_NOSE = np.concatenate([_BRIDGE, [(x, 0.4 - 0.9 * x * x) for x in (-0.15, -0.075, 0, 0.075, 0.15)]])
_NOSE_DEPTH = np.concatenate([np.linspace(0, 0.2, 4), [0.06, 0.1, 0.14, 0.1, 0.06]])


@dataclass(frozen=True)
class FacePoints:
    """Pixels as complex numbers: the 70 keypoints and the finer outlines that are drawn."""

    points: np.ndarray  # (70,) complex
    eyes: tuple[np.ndarray, np.ndarray]  # right, left: (12,) complex, the keypoints among them
    skull: np.ndarray  # the head's outline above the jaw, from the left ear over the top to the right ear
    ears: tuple[complex, complex]  # right, left


def face_points(head: Head, pose: FigurePose) -> FacePoints:
    """Where brows, eyes, nose, mouth and jaw lie in pixels."""
    cosine = np.cos(_JAW)
    jaw = np.stack([-np.sign(cosine) * np.abs(cosine) ** head.jaw, np.sin(_JAW)], 1)
    brow_x = 0.72 - 0.5 * _INWARD
    brow_y = -0.25 - _BOW - 0.1 * pose.brow_raise + 0.12 * pose.brow_frown * (_INWARD - 0.35)
    right_brow = np.stack([-brow_x, brow_y], 1)
    left_brow = np.stack([brow_x, brow_y], 1)[::-1]
    eye_ring = np.stack([EYE_WIDTH * np.cos(_AROUND), EYE_HEIGHT * max(pose.eye_open, 0.03) * np.sin(_AROUND)], 1)
    right_eye, left_eye = eye_ring + (-EYE_X, EYE_Y), eye_ring + (EYE_X, EYE_Y)
    gaze = (0.42 * EYE_WIDTH * pose.gaze_x, 0.4 * EYE_HEIGHT * min(1.0, pose.eye_open) * pose.gaze_y)
    pupils = np.array([(-EYE_X + gaze[0], EYE_Y + gaze[1]), (EYE_X + gaze[0], EYE_Y + gaze[1])])

    flat = np.concatenate([jaw, right_brow, left_brow, _NOSE, right_eye, left_eye, _mouth(pose), pupils])
    depth = 0.75 * np.sqrt(np.clip(1 - flat[:, 0] ** 2 - (0.7 * flat[:, 1]) ** 2, 0, None))
    depth[:17] = 0
    depth[27:36] += _NOSE_DEPTH
    pixels = _turned(head, flat, depth, pose)
    eyes = pixels[36:48], pixels[48:60]
    keypoints = np.concatenate([pixels[:36], eyes[0][list(_EYE_STEPS)], eyes[1][list(_EYE_STEPS)], pixels[60:]])
    skull = _turned(head, _SKULL, np.zeros(len(_SKULL)), pose)
    ears = _turned(head, np.array([(-1.02, 0.1), (1.02, 0.1)]), np.array([-0.1, -0.1]), pose)
    return FacePoints(keypoints, eyes, skull, (complex(ears[0]), complex(ears[1])))


def _mouth(pose: FigurePose) -> np.ndarray:
    """The 20 lip points, local: outer 12, inner 8."""
    half = 0.3 * (1 + 0.38 * pose.mouth_width) * (1 - 0.12 * pose.mouth_open)
    lip = 0.055 * (1 - 0.4 * pose.mouth_width)
    opening = max(0.0, pose.mouth_open)

    def row(x: np.ndarray, offset: float) -> np.ndarray:
        rise = 1 - x**2
        y = 0.62 + pose.mouth_smile * (0.05 - 0.17 * x**2) + offset * rise
        return np.stack([half * x, y], 1)

    upper, lower = row(_LIP_X, -lip - 0.07 * opening), row(_LIP_BACK_X, 1.2 * lip + 0.25 * opening)
    inner_upper, inner_lower = row(_INNER_X, -0.065 * opening), row(_INNER_BACK_X, 0.23 * opening)
    return np.concatenate([upper, lower, inner_upper, inner_lower])


def _turned(head: Head, flat: np.ndarray, depth: np.ndarray, pose: FigurePose) -> np.ndarray:
    """Local points turned sideways and nodded, seen from the front, as pixels."""
    x, y = flat[:, 0], flat[:, 1]
    turned_x = x * math.cos(pose.head_turn) + depth * math.sin(pose.head_turn)
    turned_y = y + depth * math.sin(pose.head_nod) * 0.8
    return head.centre + (turned_x * head.half_width + 1j * turned_y * head.half_height) * head.rotation
