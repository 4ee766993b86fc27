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
from magicpose_cli.figures.hair import draw_hanging_hair
from magicpose_cli.figures.head import draw_head, hair_behind
from magicpose_cli.figures.identity import Identity
from magicpose_cli.figures.visibility import visible_points


@dataclass(frozen=True)
class Keypoints:
    """One figure's points, float32 x, y (pixels from the top left corner) and confidence, as a good detector gives
    them: 1, or all three 0 where the point lies outside the picture, or on a head's far side (the whole face once it
    is turned away, then nose and eyes; an ear alone). Limbs that the figure itself hides stay.

    ``…_seen`` (bool, one a point) is False where the point is missing or the figure itself hides it.
    """

    body: np.ndarray  # (18, 3)
    left_hand: np.ndarray  # (21, 3)
    right_hand: np.ndarray  # (21, 3)
    face: np.ndarray  # (70, 3)
    body_seen: np.ndarray  # (18,)
    left_hand_seen: np.ndarray  # (21,)
    right_hand_seen: np.ndarray  # (21,)
    face_seen: np.ndarray  # (70,)


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
    skeleton = place(identity.proportions, pose, size, identity.view)
    face = face_points(skeleton.head, pose, identity.face)
    canvas = Canvas(background(identity.background, size))
    _draw(canvas, skeleton, face, identity)
    image, cover = canvas.finish()
    return Rendered(image, cover >= 128, _keypoints(skeleton, face, identity, size))


def keypoints_of(identity: Identity, pose: FigurePose, size: int = 128) -> Keypoints:
    """The keypoints that ``render`` gives, without the picture."""
    skeleton = place(identity.proportions, pose, size, identity.view)
    return _keypoints(skeleton, face_points(skeleton.head, pose, identity.face), identity, size)


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
    arms = sorted((skeleton.right_arm, skeleton.left_arm), key=lambda limb: limb.depth)
    legs = sorted((skeleton.right_leg, skeleton.left_leg), key=lambda limb: limb.depth)
    if not identity.view.close_up:
        toes = [leg.tip.real for leg in legs]
        reach = 0.09 * skeleton.unit + 0.5 * abs(toes[0] - toes[1])
        middle = complex(sum(toes) / 2 + 0.03 * skeleton.unit * -identity.light.x, skeleton.ground)
        canvas.shadow(middle, reach, 0.035 * skeleton.unit, 0.45)
    if hair_behind(skeleton):
        draw_hanging_hair(canvas, skeleton.head, identity)
    for arm in arms:
        if arm.depth < 0:
            draw_arm(canvas, skeleton, arm, identity)
    for leg in legs:
        draw_leg(canvas, skeleton, leg, identity)
    draw_torso(canvas, skeleton, identity)
    draw_head(canvas, skeleton, face, identity)
    for arm in arms:
        if arm.depth >= 0:
            draw_arm(canvas, skeleton, arm, identity)


def _keypoints(skeleton: Skeleton, face: FacePoints, identity: Identity, size: int) -> Keypoints:
    right_arm, left_arm, right_leg, left_leg = (
        (limb.root, limb.middle, limb.tip)
        for limb in (skeleton.right_arm, skeleton.left_arm, skeleton.right_leg, skeleton.left_leg)
    )
    eyes = (face.eye_middles[0], face.eye_middles[1])
    neck = (right_arm[0] + left_arm[0]) / 2
    body = (face.points[30], neck, *right_arm, *left_arm, *right_leg, *left_leg, *eyes, *face.ears)
    parts = {
        "body": np.array(body, np.complex128),
        "left_hand": skeleton.left_hand,
        "right_hand": skeleton.right_hand,
        "face": face.points,
    }
    found = {name: np.ones(len(points), bool) for name, points in parts.items()}
    found["face"][:] = face.near[30] > -0.1
    found["body"][[0, 14, 15]] = [face.near[30] > -0.1, *(near > -0.25 for near in face.eyes_near)]
    found["body"][[16, 17]] = [near > -0.62 for near in face.ears_near]
    listed = {name: _listed(points, found[name], size) for name, points in parts.items()}
    seen = visible_points(skeleton, face, identity, parts)
    flags = {f"{name}_seen": seen[name] & (listed[name][:, 2] > 0) for name in parts}
    return Keypoints(**listed, **flags)


def _listed(points: np.ndarray, found: np.ndarray, size: int) -> np.ndarray:
    listed = np.ones((len(points), 3), np.float32)
    listed[:, :2] = np.ascontiguousarray(points, np.complex128).view(np.float64).reshape(-1, 2)
    listed[((listed[:, :2] < 0) | (listed[:, :2] >= size)).any(axis=1) | ~found] = 0
    return listed
