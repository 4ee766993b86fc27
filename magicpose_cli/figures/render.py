"""Pictures of figures, with the person's mask and the exact keypoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.figures.background import background
from magicpose_cli.figures.body import Skeleton, place
from magicpose_cli.figures.canvas import Canvas
from magicpose_cli.figures.dress import draw_arm, draw_leg, draw_torso
from magicpose_cli.figures.face import FacePoints, face_points
from magicpose_cli.figures.figure_pose import FigurePose
from magicpose_cli.figures.head import draw_back_hair, draw_head
from magicpose_cli.figures.identity import Identity


@dataclass(frozen=True)
class Keypoints:
    """One figure's points, float32 x, y (pixels from the top left corner) and confidence: 1, or all three 0 where
    the point lies outside the picture. Points hidden by the figure itself stay.
    """

    body: np.ndarray  # (18, 3)
    left_hand: np.ndarray  # (21, 3)
    right_hand: np.ndarray  # (21, 3)
    face: np.ndarray  # (70, 3)


@dataclass(frozen=True)
class Rendered:
    """``image`` (size, size, 3) uint8 RGB; ``person_mask`` (size, size) bool, True where the person covers at
    least half of the pixel; ``keypoints`` in pixels of the image.
    """

    image: np.ndarray
    person_mask: np.ndarray
    keypoints: Keypoints


def render(identity: Identity, pose: FigurePose, size: int = 128) -> Rendered:
    """The person in this pose before the person's background, as a square of ``size`` pixels."""
    skeleton = place(identity.proportions, pose, size)
    face = face_points(skeleton.head, pose)
    canvas = Canvas(background(identity.background, size))
    _draw(canvas, skeleton, face, identity)
    image, cover = canvas.finish()
    return Rendered(image, cover >= 128, _keypoints(skeleton, face, size))


def keypoints_of(identity: Identity, pose: FigurePose, size: int = 128) -> Keypoints:
    """The keypoints that ``render`` gives, without the picture."""
    skeleton = place(identity.proportions, pose, size)
    return _keypoints(skeleton, face_points(skeleton.head, pose), size)


def track_of(identity: Identity, poses: Sequence[FigurePose], size: int, fps: Fraction | int) -> PoseTrack:
    """The pose track of a figure that takes these poses, one a frame, in a square of ``size`` pixels."""
    points = [keypoints_of(identity, pose, size) for pose in poses]
    if not points:
        return PoseTrack.empty(0, size, size, Fraction(fps))
    names = ("body", "left_hand", "right_hand", "face")
    arrays = {name: np.stack([getattr(p, name) for p in points]) for name in names}
    return PoseTrack(**arrays, width=size, height=size, fps=Fraction(fps))


def _draw(canvas: Canvas, skeleton: Skeleton, face: FacePoints, identity: Identity) -> None:
    """From back to front."""
    arms = (skeleton.right_arm, skeleton.left_arm)
    legs = (skeleton.right_leg, skeleton.left_leg)
    draw_back_hair(canvas, skeleton, identity)
    for arm in arms:
        if not arm.in_front:
            draw_arm(canvas, skeleton, arm, identity)
    for leg in legs if skeleton.left_leg_front else legs[::-1]:
        draw_leg(canvas, skeleton, leg, identity)
    draw_torso(canvas, skeleton, identity)
    draw_head(canvas, skeleton, face, identity)
    for arm in arms:
        if arm.in_front:
            draw_arm(canvas, skeleton, arm, identity)


def _keypoints(skeleton: Skeleton, face: FacePoints, size: int) -> Keypoints:
    right_arm, left_arm, right_leg, left_leg = (
        (limb.root, limb.middle, limb.tip)
        for limb in (skeleton.right_arm, skeleton.left_arm, skeleton.right_leg, skeleton.left_leg)
    )
    eyes = (face.eyes[0].mean(), face.eyes[1].mean())
    neck = (right_arm[0] + left_arm[0]) / 2
    body = (face.points[30], neck, *right_arm, *left_arm, *right_leg, *left_leg, *eyes, *face.ears)
    return Keypoints(
        body=_listed(body, size),
        left_hand=_listed(skeleton.left_hand, size),
        right_hand=_listed(skeleton.right_hand, size),
        face=_listed(face.points, size),
    )


def _listed(points: Sequence[complex] | np.ndarray, size: int) -> np.ndarray:
    listed = np.ones((len(points), 3), np.float32)
    listed[:, :2] = np.array(points, np.complex128).view(np.float64).reshape(-1, 2)
    listed[((listed[:, :2] < 0) | (listed[:, :2] >= size)).any(axis=1)] = 0
    return listed
