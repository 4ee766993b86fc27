"""Hair, head and face, drawn through the 70 points."""

import numpy as np

from magicpose_cli.figures.body import Head, Skeleton
from magicpose_cli.figures.canvas import Canvas, shade
from magicpose_cli.figures.face import EYE_HEIGHT, FacePoints
from magicpose_cli.figures.identity import Colour, Identity

_WHITE = (250, 250, 248)


def draw_back_hair(canvas: Canvas, skeleton: Skeleton, identity: Identity) -> None:
    """What of the hair is behind the body."""
    head, style = skeleton.head, identity.hair_style
    dark = shade(identity.hair, 0.82)
    if style == "bob":
        down = [(-1.12, -0.3), (-1.3, 0.4), (-1.22, 0.95), (1.22, 0.95), (1.3, 0.4), (1.12, -0.3)]
        _shape(canvas, head, down, dark)
    elif style == "long":
        down = [(-1.1, -0.4), (-1.3, 0.4), (-1.42, 1.4), (-1.3, 2.25), (1.3, 2.25), (1.42, 1.4), (1.3, 0.4),
                (1.1, -0.4)]  # fmt: skip
        _shape(canvas, head, down, dark)
    elif style == "ponytail":
        tail = head.at(1.5, 0.25), head.at(1.6, 1.3)
        canvas.capsule(head.at(0.7, -0.6), tail[0], 0.3 * head.half_width, 0.36 * head.half_width, dark)
        canvas.capsule(*tail, 0.36 * head.half_width, 0.16 * head.half_width, dark)
    elif style == "afro":
        canvas.disc(head.at(0, -0.22), 1.5 * head.half_width, dark)
    elif style == "bun":
        canvas.disc(head.at(0, -1.12), 0.5 * head.half_width, dark)


def draw_head(canvas: Canvas, skeleton: Skeleton, face: FacePoints, identity: Identity) -> None:
    """Head, ears, face and the hair in front of it."""
    head, skin = skeleton.head, identity.skin
    for ear in face.ears:
        canvas.disc(ear, 0.2 * head.half_width, shade(skin, 0.88))
    canvas.convex(np.concatenate([face.points[:17], face.skull]), skin)
    if identity.beard:
        _draw_beard(canvas, face, identity)
    _draw_features(canvas, head, face, identity)
    _draw_front_hair(canvas, head, face, identity)


def _draw_features(canvas: Canvas, head: Head, face: FacePoints, identity: Identity) -> None:
    skin, points, width = identity.skin, face.points, head.half_width
    for cheek in (points[3] * 0.52 + points[31] * 0.48, points[13] * 0.52 + points[35] * 0.48):
        canvas.disc(cheek, 0.17 * width, _mixed(skin, (232, 96, 88), 0.2))
    canvas.line(points[[31, 32, 33, 34, 35]], 0.085 * width, shade(skin, 0.72))
    for eye, pupil in zip(face.eyes, points[68:70], strict=True):
        _draw_eye(canvas, head, eye, complex(pupil), identity)
    brow = shade(identity.hair, 0.75) if identity.hair_style != "bald" else shade(skin, 0.45)
    if sum(brow) > sum(skin) - 60:
        brow = shade(skin, 0.6)
    canvas.lines([points[17:22], points[22:27]], 0.11 * width, brow)
    _draw_mouth(canvas, face, identity, width)
    if identity.glasses:
        for eye in face.eyes:
            ring = eye.mean() + 1.5 * width * EYE_HEIGHT * 1.15 * np.exp(2j * np.pi * np.linspace(0, 1, 15))
            canvas.line(ring, 0.06 * width, (40, 36, 44))
        canvas.line([face.eyes[0][6], face.eyes[1][0]], 0.06 * width, (40, 36, 44))


def _draw_eye(canvas: Canvas, head: Head, eye: np.ndarray, pupil: complex, identity: Identity) -> None:
    """The white, the iris within the lids, and the upper lid's line."""
    width = head.half_width
    height = abs(eye[3] - eye[9])
    lash = (38, 28, 30)
    if height > 0.09 * head.half_height:
        canvas.convex(eye, _WHITE)
        half = min(0.5 * height, 0.155 * width)
        canvas.oval(pupil, 0.135 * width * head.rotation, half, identity.eyes)
        canvas.oval(pupil, 0.075 * width * head.rotation, min(half, 0.085 * width), (18, 14, 18))
    canvas.line(eye[0:7], 0.05 * width, lash)


def _draw_mouth(canvas: Canvas, face: FacePoints, identity: Identity, width: float) -> None:
    outer, inner = face.points[48:60], face.points[60:68]
    lips = _mixed(shade(identity.skin, 0.8), (190, 52, 62), 0.5)
    canvas.polygon(outer, lips)
    if abs(inner[2] - inner[6]) > 0.06 * width:
        canvas.polygon(inner, (96, 26, 34))
        canvas.polygon([*inner[0:5], *(0.6 * inner[3:0:-1] + 0.4 * inner[[5, 6, 7]])], _WHITE)
    else:
        canvas.line([outer[0], *inner[0:5], outer[6]], 0.05 * width, (110, 36, 40))


def _draw_beard(canvas: Canvas, face: FacePoints, identity: Identity) -> None:
    points = face.points
    sides = [*points[2:15], points[54] + 0.1 * (points[13] - points[54]), points[35], points[33], points[31]]
    canvas.polygon([*sides, points[48] + 0.1 * (points[3] - points[48])], shade(identity.hair, 0.9))


def _draw_front_hair(canvas: Canvas, head: Head, face: FacePoints, identity: Identity) -> None:
    style, hair = identity.hair_style, identity.hair
    crown = [(-1.06, 0.0), (-1.1, -0.4), (-0.9, -0.82), (-0.5, -1.06), (0, -1.13), (0.5, -1.06), (0.9, -0.82),
             (1.1, -0.4), (1.06, 0.0)]  # fmt: skip
    if style == "bald":
        return
    if style == "cap":
        sides = [(-1.04, 0.06), (-1.06, -0.4), (1.06, -0.4), (1.04, 0.06), (0.9, -0.3), (-0.9, -0.3)]
        _shape(canvas, head, sides, hair)
        _shape(canvas, head, [*((x * 1.04, y * 1.04) for x, y in crown[1:-1])], identity.cap)
        brim = [(-1.22, -0.34), (-0.9, -0.5), (0, -0.56), (0.9, -0.5), (1.22, -0.34), (0.6, -0.42), (0, -0.44),
                (-0.6, -0.42)]  # fmt: skip
        _shape(canvas, head, [(x, y + 0.04) for x, y in brim], shade(identity.cap, 0.7))
        return
    hairlines = {
        "short": [(0.9, -0.36), (0.6, -0.52), (0, -0.57), (-0.6, -0.52), (-0.9, -0.36)],
        "spiky": [(0.88, -0.38), (0.6, -0.66), (0.4, -0.46), (0.15, -0.68), (-0.1, -0.44), (-0.35, -0.68),
                  (-0.6, -0.46), (-0.88, -0.38)],
        "parted": [(0.92, -0.3), (0.75, -0.5), (0.45, -0.72), (-0.1, -0.52), (-0.7, -0.36), (-0.92, -0.2)],
        "bob": [(0.9, 0.1), (0.88, -0.3), (0.7, -0.42), (0, -0.45), (-0.7, -0.42), (-0.88, -0.3), (-0.9, 0.1)],
        "long": [(0.9, 0.1), (0.82, -0.3), (0.5, -0.55), (0, -0.76), (-0.5, -0.55), (-0.82, -0.3), (-0.9, 0.1)],
        "bun": [(0.92, -0.2), (0.6, -0.58), (0, -0.7), (-0.6, -0.58), (-0.92, -0.2)],
        "ponytail": [(0.92, -0.25), (0.7, -0.44), (0.2, -0.52), (-0.4, -0.66), (-0.75, -0.5), (-0.92, -0.2)],
        "afro": [(0.92, -0.2), (0.6, -0.52), (0, -0.6), (-0.6, -0.52), (-0.92, -0.2)],
    }  # fmt: skip
    if style == "spiky":
        crown = [(-1.06, 0.0), (-1.12, -0.5), (-0.98, -0.72), (-0.86, -1.18), (-0.5, -1.04), (-0.3, -1.36),
                 (0.02, -1.1), (0.36, -1.34), (0.5, -1.04), (0.9, -1.14), (0.98, -0.72), (1.12, -0.5),
                 (1.06, 0.0)]  # fmt: skip
    elif style == "afro":
        crown = [(x * 1.14, y * 1.12) for x, y in crown]
    _shape(canvas, head, [*crown, *hairlines[style]], hair)
    if style in ("bob", "long"):
        low = 0.9 if style == "bob" else 1.35
        for side in (-1, 1):
            strand = [(0.86, -0.4), (1.1, -0.4), (1.24, 0.3), (1.16, low), (0.98, low - 0.1), (0.98, 0.3)]
            _shape(canvas, head, [(side * x, y) for x, y in strand], hair)


def _shape(canvas: Canvas, head: Head, outline: list[tuple[float, float]], colour: Colour) -> None:
    canvas.polygon([head.at(x, y) for x, y in outline], colour)


def _mixed(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue
