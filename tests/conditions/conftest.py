"""Synthetic people for the tests of this room."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from magicpose_cli.conditions.head_shape import MEAN_FACE
from magicpose_cli.core.pose_track import PoseTrack

# A standing person in units of the neck-hip length, neck at (0, 0), y downward; the person's right is on the left.
STANDING = np.array(
    [
        (0.0, -0.5), (0.0, 0.0),
        (-0.4, 0.0), (-0.5, 0.55), (-0.55, 1.05),
        (0.4, 0.0), (0.5, 0.55), (0.55, 1.05),
        (-0.2, 1.0), (-0.25, 1.9), (-0.25, 2.8),
        (0.2, 1.0), (0.25, 1.9), (0.25, 2.8),
        (-0.08, -0.58), (0.08, -0.58), (-0.18, -0.52), (0.18, -0.52),
    ]
)  # fmt: skip


def points_at(shape: np.ndarray, scale: float, x: float, y: float) -> np.ndarray:
    """Unit points → float32 (n, 3) in pixels with confidence 1."""
    return np.concatenate([shape * scale + (x, y), np.ones((len(shape), 1))], axis=1).astype(np.float32)


def hand_at(x: float, y: float, scale: float) -> np.ndarray:
    fingers = [(0.0, 0.0)]
    for finger in range(5):
        fingers += [((finger - 2) * 0.25 * (1 + joint / 3), 0.5 + 0.25 * joint) for joint in range(4)]
    return points_at(np.array(fingers), scale, x, y)


def face_at(x: float, y: float, half_width: float) -> np.ndarray:
    """A middling face from the front, the middle between the ears at (x, y)."""
    return points_at(MEAN_FACE[:70, :2], half_width, x, y)


@pytest.fixture(scope="session")
def person():
    """person(scale, x, y): keypoints of the standing person, neck at (x, y), all parts."""

    def make(scale: float, x: float, y: float) -> SimpleNamespace:
        body = points_at(STANDING, scale, x, y)
        return SimpleNamespace(
            body=body,
            left_hand=hand_at(*body[7, :2], scale / 4),
            right_hand=hand_at(*body[4, :2], scale / 4),
            face=face_at(*body[[16, 17], :2].mean(0), 0.18 * scale),
        )

    return make


@pytest.fixture(scope="session")
def track(person):
    """track(scale, x, y, width, height, frames): the person swaying to both sides."""

    def make(scale: float, x: float, y: float, width: int, height: int, frames: int = 9) -> PoseTrack:
        sway = np.sin(np.linspace(0, 2 * np.pi, frames)) * 0.1 * scale
        people = [person(scale, x + s, y) for s in sway]
        parts = {n: np.stack([getattr(p, n) for p in people]) for n in ("body", "left_hand", "right_hand", "face")}
        return PoseTrack(**parts, width=width, height=height, fps=Fraction(24))

    return make
