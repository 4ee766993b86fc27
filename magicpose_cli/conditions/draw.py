"""Keypoints → the drawn pose map that the OpenPose ControlNet was trained on.

Source of colours, order, widths and dots: OpenPose's rendering as ControlNet v1.1 uses it. Colours are RGB.
"""

import colorsys
import math
from typing import Protocol

import cv2
import numpy as np

from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD, HAND_BONES
from magicpose_cli.core.pose_track import PoseTrack

NATIVE_SIZE = 512
"""The canvas side, in pixels, on which the published widths are meant to be seen."""

LIMBS = (
    (kp.NECK, kp.RIGHT_SHOULDER), (kp.NECK, kp.LEFT_SHOULDER),
    (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW), (kp.RIGHT_ELBOW, kp.RIGHT_WRIST),
    (kp.LEFT_SHOULDER, kp.LEFT_ELBOW), (kp.LEFT_ELBOW, kp.LEFT_WRIST),
    (kp.NECK, kp.RIGHT_HIP), (kp.RIGHT_HIP, kp.RIGHT_KNEE), (kp.RIGHT_KNEE, kp.RIGHT_ANKLE),
    (kp.NECK, kp.LEFT_HIP), (kp.LEFT_HIP, kp.LEFT_KNEE), (kp.LEFT_KNEE, kp.LEFT_ANKLE),
    (kp.NECK, kp.NOSE), (kp.NOSE, kp.RIGHT_EYE), (kp.RIGHT_EYE, kp.RIGHT_EAR),
    (kp.NOSE, kp.LEFT_EYE), (kp.LEFT_EYE, kp.LEFT_EAR),
)  # fmt: skip

# Eighteen hues round the wheel from red, in steps of a third of a primary; joint i and limb i share colour i.
JOINT_COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
LIMB_COLOURS = tuple(tuple(int(c * 0.6) for c in colour) for colour in JOINT_COLOURS[: len(LIMBS)])
HAND_COLOURS = tuple(
    tuple(c * 255 for c in colorsys.hsv_to_rgb(i / len(HAND_BONES), 1, 1)) for i in range(len(HAND_BONES))
)
HAND_DOT_COLOUR = (0, 0, 255)
FACE_COLOUR = (255, 255, 255)

_LIMB_HALF_WIDTH, _HAND_LINE_WIDTH = 4, 2
_JOINT_RADIUS, _HAND_RADIUS, _FACE_RADIUS = 4, 4, 3
_FAR = 30_000.0

Position = tuple[float, float]


class Person(Protocol):
    """One person's keypoints in pixels: (18, 3), (21, 3), (21, 3), (70, 3) arrays of x, y, confidence."""

    @property
    def body(self) -> np.ndarray: ...
    @property
    def left_hand(self) -> np.ndarray: ...
    @property
    def right_hand(self) -> np.ndarray: ...
    @property
    def face(self) -> np.ndarray: ...


def stroke_for(size: int) -> float:
    """The ``stroke`` for a canvas whose shorter side is ``size`` pixels: 1 at the published 512, 1/2, 1/4, … below.

    So a small model sees the published map, only smaller. Powers of two, for speed and so that a canvas a little off
    the size of training is drawn as in training.
    """
    return min(1.0, 2.0 ** round(math.log2(size / NATIVE_SIZE)))


def draw_pose_map(
    body: np.ndarray | None,
    left_hand: np.ndarray | None,
    right_hand: np.ndarray | None,
    face: np.ndarray | None,
    width: int,
    height: int,
    *,
    threshold: float = BODY_THRESHOLD,
    detail_threshold: float = DETAIL_THRESHOLD,
    stroke: float = 1.0,
) -> np.ndarray:
    """One person's pose map: RGB uint8 (height, width, 3), black where nothing is drawn.

    ``body`` (18, 3), hands (21, 3) and ``face`` (70, 3) hold x, y in canvas pixels and confidence; None is a part
    that was not seen. Body points below ``threshold`` and other points below ``detail_threshold`` are left out,
    and with them the lines that end there.

    At ``stroke`` 1 the widths are the published ones (limbs 8 pixels, joints radius 4, hand lines 2, face dots
    radius 3) at any canvas size, as ControlNet draws. At a smaller stroke all of them are so much thinner, below
    a pixel too: the map is drawn on a canvas 1/stroke as large and shrunk by area, so 128² at 0.25 is the 512²
    map, shrunk.
    """
    if not 0 < stroke <= 1:
        raise ValueError(f"stroke must lie in (0, 1], not {stroke}")
    drawn_width, drawn_height = round(width / stroke), round(height / stroke)
    canvas = np.zeros((drawn_height, drawn_width, 3), np.uint8)
    # ControlNet holds points as fractions of the canvas; the same here, so that truncation falls alike.
    fractions, size = np.array([width, height], np.float64), np.array([drawn_width, drawn_height], np.float64)

    def positions(points: np.ndarray | None, least: float) -> list[Position | None]:
        if points is None:
            return []
        confidence = points[:, 2]
        placed = points[:, :2].astype(np.float64) / fractions * size
        # Points so far out that OpenCV's fixed-point numbers would overflow count as missing.
        seen = (confidence > 0) & (confidence >= least) & (np.abs(placed) < _FAR).all(1)
        return [(x, y) if ok else None for (x, y), ok in zip(placed.tolist(), seen.tolist(), strict=True)]

    _draw_body(canvas, positions(body, threshold))
    for hand in (left_hand, right_hand):
        _draw_hand(canvas, _inside(positions(hand, detail_threshold)))
    for point in _inside(positions(face, detail_threshold)):
        if point:
            cv2.circle(canvas, point, _FACE_RADIUS, FACE_COLOUR, -1)
    return _shrink(canvas, width, height)


def draw_person(person: Person, size: int) -> np.ndarray:
    """The pose map of someone in a square of ``size`` pixels, with the stroke that fits: RGB uint8 (size, size, 3)."""
    return draw_pose_map(
        person.body, person.left_hand, person.right_hand, person.face, size, size, stroke=stroke_for(size)
    )


def draw_track(
    track: PoseTrack,
    start: int = 0,
    stop: int | None = None,
    *,
    threshold: float = BODY_THRESHOLD,
    detail_threshold: float = DETAIL_THRESHOLD,
    stroke: float = 1.0,
) -> np.ndarray:
    """The pose maps of frames start … stop - 1 on the track's own frame: uint8 (stop - start, height, width, 3)."""
    part = track[slice(start, stop)]
    maps = np.empty((len(part), track.height, track.width, 3), np.uint8)
    for i in range(len(part)):
        maps[i] = draw_pose_map(
            part.body[i],
            part.left_hand[i],
            part.right_hand[i],
            part.face[i],
            track.width,
            track.height,
            threshold=threshold,
            detail_threshold=detail_threshold,
            stroke=stroke,
        )
    return maps


def _draw_body(canvas: np.ndarray, points: list[Position | None]) -> None:
    """All limbs as filled ellipses, then all joints as discs over them."""
    if not points:
        return
    for (start, end), colour in zip(LIMBS, LIMB_COLOURS, strict=True):
        if (a := points[start]) is None or (b := points[end]) is None:
            continue
        centre = int((a[0] + b[0]) / 2), int((a[1] + b[1]) / 2)
        half_length = int(math.hypot(a[1] - b[1], a[0] - b[0]) / 2)
        angle = int(math.degrees(math.atan2(a[1] - b[1], a[0] - b[0])))
        outline = cv2.ellipse2Poly(centre, (half_length, _LIMB_HALF_WIDTH), angle, 0, 360, 1)
        cv2.fillConvexPoly(canvas, outline, colour)
    for point, colour in zip(points, JOINT_COLOURS, strict=True):
        if point:
            cv2.circle(canvas, (int(point[0]), int(point[1])), _JOINT_RADIUS, colour, -1)


def _draw_hand(canvas: np.ndarray, points: list[tuple[int, int] | None]) -> None:
    if not points:
        return
    for (start, end), colour in zip(HAND_BONES, HAND_COLOURS, strict=True):
        if (a := points[start]) and (b := points[end]):
            cv2.line(canvas, a, b, colour, thickness=_HAND_LINE_WIDTH)
    for point in points:
        if point:
            cv2.circle(canvas, point, _HAND_RADIUS, HAND_DOT_COLOUR, -1)


def _shrink(canvas: np.ndarray, width: int, height: int) -> np.ndarray:
    """To the size asked for, by area: in halves where that goes, four times as fast in OpenCV as all at once."""
    while canvas.shape[1] >= 2 * width and canvas.shape[0] >= 2 * height and not any(n % 2 for n in canvas.shape[:2]):
        canvas = cv2.resize(canvas, (canvas.shape[1] // 2, canvas.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if canvas.shape[:2] != (height, width):
        canvas = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return canvas


def _inside(points: list[Position | None]) -> list[tuple[int, int] | None]:
    """Whole pixels; None also for points on or beyond the left and top edge, which ControlNet takes for missing."""
    return [(int(p[0]), int(p[1])) if p and p[0] >= 1 and p[1] >= 1 else None for p in points]
