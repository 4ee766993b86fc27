"""Where a person's hands and face are, and pictures of them for the networks.

Source of the boxes' sizes: OpenPose's hand and face detectors from body points (CMU OpenPose, `HandDetector`,
`FaceDetector`), with the boxes kept square and centred where they reach over the picture's edge.
"""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.core.keypoints import (
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NOSE,
    RIGHT_EAR,
    RIGHT_ELBOW,
    RIGHT_EYE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)

SMALLEST = 20  # pixels; in a smaller box there is nothing to see
_GREY = 128  # beyond the picture's edge: what the networks take for nothing
_ARMS = {
    "left_hand": (LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST),
    "right_hand": (RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_WRIST),
}


@dataclass(frozen=True)
class Square:
    """A square of a picture, in its pixels; it may reach over the edge."""

    left: int
    top: int
    side: int

    @staticmethod
    def around(x: float, y: float, side: float) -> "Square":
        return Square(round(x - side / 2), round(y - side / 2), round(side))


def hand_square(body: np.ndarray, part: str) -> Square | None:
    """Where ``part`` (``left_hand``, ``right_hand``) of a (18, 3) body must be; None where elbow or wrist is missing.

    A third of a forearm beyond the wrist, one and a half forearms wide.
    """
    shoulder, elbow, wrist = body[list(_ARMS[part])]
    if not (elbow[2] > 0 and wrist[2] > 0):
        return None
    reach = np.linalg.norm(wrist[:2] - elbow[:2])
    if shoulder[2] > 0:  # a forearm towards the camera is short; the upper arm then tells the size
        reach = max(reach, 0.9 * np.linalg.norm(elbow[:2] - shoulder[:2]))
    x, y = wrist[:2] + (wrist[:2] - elbow[:2]) / 3
    return _large_enough(Square.around(x, y, 1.5 * reach))


def face_square(body: np.ndarray) -> Square | None:
    """Where the face of a (18, 3) body must be; None where the nose, or all of eyes and ears, are missing.

    Around the nose: six times as wide as an eye is away from it, or three times as an ear.
    """
    if not body[NOSE, 2] > 0:
        return None
    away = np.abs(body[:, :2] - body[NOSE, :2]).max(axis=1)
    sides = [6 * away[eye] for eye in (RIGHT_EYE, LEFT_EYE) if body[eye, 2] > 0]
    sides += [3 * away[ear] for ear in (RIGHT_EAR, LEFT_EAR) if body[ear, 2] > 0]
    return _large_enough(Square.around(*body[NOSE, :2], max(sides))) if sides else None


def _large_enough(square: Square) -> Square | None:
    return square if square.side >= SMALLEST else None


def cut(picture: np.ndarray, square: Square, size: int) -> np.ndarray:
    """The square of an RGB uint8 (height, width, 3) picture, scaled to (size, size, 3), grey beyond the edge."""
    height, width = picture.shape[:2]
    left, top = max(0, square.left), max(0, square.top)
    right, bottom = min(width, square.left + square.side), min(height, square.top + square.side)
    cropped = np.full((square.side, square.side, 3), _GREY, np.uint8)
    if left < right and top < bottom:
        inside = picture[top:bottom, left:right]
        cropped[top - square.top : bottom - square.top, left - square.left : right - square.left] = inside
    return scaled(cropped, size, size)


def scaled(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture at another size: averaged where it shrinks, cubic where it grows."""
    import cv2

    shrinks = width * height < picture.shape[0] * picture.shape[1]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
