"""Head and face, drawn through the 70 points: only what faces the viewer."""

import math
from functools import lru_cache

import numpy as np

from magicpose_cli.figures.body import Head, Skeleton
from magicpose_cli.figures.canvas import Canvas, Frame, shade
from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.face import FacePoints
from magicpose_cli.figures.hair import LONG_STYLES, draw_hair, draw_hanging_hair, draw_hat
from magicpose_cli.figures.identity import Identity
from magicpose_cli.figures.textures import Colour, natural_noise

_WHITE = (250, 250, 248)
_DARK = (38, 28, 30)
_FACING = 0.1  # of ``FacePoints.near``: nearer points are drawn
_ROWS, _COLUMNS = 64, 144  # of a face laid flat: its rows, and all the way round


def hair_behind(skeleton: Skeleton) -> bool:
    """Whether what falls down the back is behind the body, as seen."""
    return abs(skeleton.head.yaw) < 1.6


def draw_head(canvas: Canvas, skeleton: Skeleton, face: FacePoints, identity: Identity) -> None:
    """Head, ears, face, hair and hat."""
    head, skin = skeleton.head, identity.skin
    ears = tuple(zip(face.ears, face.ears_near, strict=True))
    for ear, near in ears:
        if near <= 0.15:
            canvas.oval(ear, 0.17 * head.half_width * head.rotation, 0.2 * head.half_height, shade(skin, 0.86))
    corner = head.at(-1.15, -1.15)
    frame = Frame(corner, head.at(1.15, -1.15) - corner, head.at(-1.15, 1.25) - corner)
    canvas.fabric(face.skull, _face_tile(identity, head), frame, convex=True)
    if identity.beard not in ("", "stubble"):
        _draw_beard(canvas, head, face, identity)
    _draw_nose(canvas, head, face, identity)
    for index in (0, 1):
        if face.near[36 + 6 * index : 42 + 6 * index].mean() > _FACING:
            _draw_eye(canvas, head, face.eyes[index], complex(face.drawn[68 + index]), identity)
    _draw_brows(canvas, head, face, identity)
    if face.near[51] > 0.02:
        _draw_mouth(canvas, face, identity, head.half_width)
    if not hair_behind(skeleton):
        draw_hanging_hair(canvas, head, identity)
    draw_hair(canvas, head, identity)
    for ear, near in ears:
        if near > 0.15 and identity.hair_style not in ("bob", "long", "wavy", "fringe", "afro", "curly"):
            canvas.oval(ear, 0.15 * head.half_width * head.rotation, 0.2 * head.half_height, shade(skin, 0.8))
            canvas.oval(ear, 0.1 * head.half_width * head.rotation, 0.15 * head.half_height, shade(skin, 0.95))
        if near > -0.5 and identity.earrings:
            canvas.disc(ear + 0.26j * head.half_height * head.rotation, 0.085 * head.half_width, (240, 206, 96))
    if identity.glasses:
        _draw_glasses(canvas, head, face, identity)
    draw_hat(canvas, head, identity)


def _draw_eye(canvas: Canvas, head: Head, eye: np.ndarray, pupil: complex, identity: Identity) -> None:
    """The lid, the white, the iris within the lids, and the upper lid's line."""
    width = head.half_width
    local = (eye - eye.mean()) / head.rotation
    height = float(np.ptp(local.imag))
    wide = max(1e-6, float(np.ptp(local.real)) / (0.48 * width))  # narrower as the head turns
    round_eye = np.sin(np.linspace(math.pi, 3 * math.pi, 12, endpoint=False)) * identity.face.eye_height
    socket = local.real + 1j * np.minimum(local.imag, round_eye * head.half_height)
    canvas.convex(eye.mean() + socket * head.rotation, shade(identity.skin, 0.83))
    if height > 0.08 * head.half_height:
        canvas.convex(eye, _WHITE)
        half = min(0.5 * height, 0.155 * width)
        canvas.oval(pupil, 0.145 * width * min(1, wide) * head.rotation, half, identity.eyes)
        canvas.oval(pupil, 0.08 * width * min(1, wide) * head.rotation, min(half, 0.09 * width), (18, 14, 18))
        if half > 0.1 * width:
            canvas.disc(pupil + (0.045 - 0.05j) * width, 0.034 * width, _WHITE)
    canvas.line(eye[0:7], 0.055 * width, _DARK)


def _draw_brows(canvas: Canvas, head: Head, face: FacePoints, identity: Identity) -> None:
    brow = shade(identity.hair, 0.75) if identity.hair_style != "bald" else shade(identity.skin, 0.45)
    if sum(brow) > sum(identity.skin) - 60:
        brow = shade(identity.skin, 0.58)
    seen = [face.drawn[part][face.near[part] > 0.0] for part in (slice(17, 22), slice(22, 27))]
    lines = [line for line in seen if len(line) > 1]
    if lines:
        canvas.lines(lines, 0.115 * head.half_width, brow)


def _draw_nose(canvas: Canvas, head: Head, face: FacePoints, identity: Identity) -> None:
    """A line below, and in profile the ridge that stands out from the face."""
    points, width = face.points, head.half_width
    if face.near[30] < -0.1:
        return
    side = math.sin(head.yaw)
    if abs(side) > 0.35:
        root = points[27] - 0.1 * side * width
        outline = [points[27], points[30], points[33], points[33] - 0.3 * side * width, root]
        canvas.polygon(outline, shade(identity.skin, 0.97))
        canvas.line([points[28], points[29], points[30]], 0.045 * width, shade(identity.skin, 0.8))
    under = face.drawn[31:36][face.near[31:36] > 0.05]
    if len(under) > 1:
        canvas.line(under, 0.08 * width, shade(identity.skin, 0.72))


def _draw_mouth(canvas: Canvas, face: FacePoints, identity: Identity, width: float) -> None:
    outer, inner = face.drawn[48:60], face.drawn[60:68]
    canvas.polygon(outer, _mixed(shade(identity.skin, 0.8), (190, 52, 62), 0.5))
    if abs(inner[2] - inner[6]) > 0.05 * width:
        canvas.polygon(inner, (92, 22, 32))
        teeth = 0.68 * inner[[3, 2, 1]] + 0.32 * inner[[5, 6, 7]]
        canvas.polygon([*inner[0:5], *teeth], _WHITE)
        if abs(inner[2] - inner[6]) > 0.16 * width:
            tongue = 0.66 * inner[[5, 6, 7]] + 0.34 * inner[[3, 2, 1]]
            canvas.polygon([inner[5], inner[6], inner[7], *tongue[::-1]], (168, 62, 70))
    else:
        canvas.line([outer[0], *inner[0:5], outer[6]], 0.05 * width, (104, 34, 38))


def _draw_beard(canvas: Canvas, head: Head, face: FacePoints, identity: Identity) -> None:
    points, colour = face.drawn, shade(identity.hair, 0.9)
    if face.near[8] < _FACING:
        return
    if identity.beard == "full":
        sides = [*points[1:16], points[54] + 0.25 * (points[13] - points[54]), points[35], points[33], points[31]]
        low = points[8] + 0.12 * (points[8] - points[33])
        sides[6:9] = [points[7] + 0.1 * (points[8] - points[33]), low, points[9] + 0.1 * (points[8] - points[33])]
        canvas.polygon([*sides, points[48] + 0.25 * (points[3] - points[48])], colour)
    elif identity.beard == "goatee":
        chin = [points[48], *points[5:12], points[54], points[35], points[33], points[31]]
        middle = points[57]
        canvas.polygon([middle + 0.75 * (point - middle) for point in chin], colour)
    else:
        upper = 0.5 * (points[33] + points[51])
        ends = [points[48] + 0.12 * (points[48] - points[54]), points[54] + 0.12 * (points[54] - points[48])]
        canvas.lines([[ends[0], 0.6 * points[50] + 0.4 * upper, upper], [upper, 0.6 * points[52] + 0.4 * upper,
                     ends[1]]], 0.13 * head.half_width, colour)  # fmt: skip


def _draw_glasses(canvas: Canvas, head: Head, face: FacePoints, identity: Identity) -> None:
    rims = []
    power = {"round": 1.0, "square": 0.45, "sun": 0.6}[identity.glasses]
    around = np.linspace(0, 2 * math.pi, 19)
    cosine, sine = np.cos(around), np.sin(around)
    shape = np.sign(cosine) * np.abs(cosine) ** power + 0.82j * np.sign(sine) * np.abs(sine) ** power
    for index, side in ((0, -1), (1, 1)):
        near = face.near[36 + 6 * index : 42 + 6 * index].mean()
        if near > 0:
            narrow = max(0.2, min(1.0, math.cos(side * 0.5 + head.yaw) / 0.88))
            ring = 0.36 * head.half_width * (shape.real * narrow + 1j * shape.imag) * head.rotation
            middle = (face.drawn[36 + 6 * index] + face.drawn[39 + 6 * index]) / 2
            rims.append(middle + ring)
    if identity.glasses == "sun":
        for rim in rims:
            canvas.polygon(rim, (40, 38, 48))
            canvas.polygon(rim.mean() + 0.35 * (rim - rim.mean()) - 0.1 * (1 + 1j) * head.half_width, (84, 84, 100))
    canvas.lines(rims or [[head.centre, head.centre]][:0], 0.055 * head.half_width, (40, 36, 44))
    if len(rims) == 2:
        canvas.line([face.drawn[39], face.drawn[42]], 0.055 * head.half_width, (40, 36, 44))
    for eye, (ear, near) in zip((36, 45), zip(face.ears, face.ears_near, strict=True), strict=True):
        if near > 0.2 and identity.hair_style not in LONG_STYLES:
            canvas.line([face.drawn[eye], ear - 0.1j * head.half_height], 0.05 * head.half_width, (40, 36, 44))


def _face_tile(identity: Identity, head: Head) -> np.ndarray:
    """The half of the face that is seen, shaded: uint8 (64, 64, 4)."""
    flat = _flat_face(identity.skin, identity.freckles, identity.beard == "stubble", identity.hair)
    x = np.linspace(-1.15, 1.15, 64, dtype=np.float32)
    place = ((np.arcsin(np.clip(x, -1, 1)) - head.yaw) / math.pi + 1) * (_COLUMNS / 2)
    y = np.linspace(-1, 1, _ROWS, dtype=np.float32)[:, None]
    light = identity.light
    side = np.clip(0.9 * x * light.x, -1, 0.25)[None]
    fall = 1 + light.strength * (side + 0.25 - 0.28 * np.clip(y - 0.45, 0, 1) - 0.3 * np.clip(x * x - 0.5, 0, 1)[None])
    lit = flat[:, np.rint(place).astype(int) % _COLUMNS] * fall[..., None].astype(np.float32)
    lit[..., 0] *= 1 + 0.05 * light.warmth
    lit[..., 2] *= 1 - 0.07 * light.warmth
    np.minimum(lit, 255, out=lit)
    lit[..., 3] = 255
    return lit.astype(np.uint8)


@lru_cache(maxsize=32)
def _flat_face(skin: Colour, freckles: float, stubble: bool, hair: Colour) -> np.ndarray:
    """The skin all round the head, laid flat: float32 (64, 144, 4); the face's middle is the middle column."""
    chance = chance_of(*skin, 808)
    tile = np.full((_ROWS, _COLUMNS, 4), 255, np.float32)
    tile[..., :3] = np.array(skin, np.float32) * (1 + 0.012 * natural_noise(chance, _ROWS, _COLUMNS))[..., None]
    y = np.linspace(-1.15, 1.25, _ROWS)[:, None]
    angle = np.linspace(-math.pi, math.pi, _COLUMNS)[None]

    def tint(centre: float, height: float, wide: float, colour: tuple[float, ...], share: float) -> None:
        column, row = (centre / math.pi + 1) * _COLUMNS / 2, (height + 1.15) / 2.4 * _ROWS
        reach = math.ceil(wide * 2 * _ROWS / 2.4) + 1
        rows = slice(max(0, int(row) - reach), int(row) + reach)
        columns = slice(max(0, int(column) - reach), int(column) + reach)
        near = ((angle[:, columns] - centre) / wide) ** 2 + ((y[rows] - height) / wide) ** 2
        spot = (share * np.exp(-near))[..., None].astype(np.float32)
        tile[rows, columns, :3] += (np.array(colour, np.float32) - tile[rows, columns, :3]) * spot

    for side in (-1, 1):
        tint(side * 0.62, 0.42, 0.2, (226, 92, 84), 0.3)
        for _ in range(round(14 * freckles)):
            spot = tuple(0.62 * c for c in skin)
            tint(side * 0.5 + chance.normal(0, 0.22), 0.36 + chance.normal(0, 0.09), 0.035, spot, 0.7)
    if stubble:
        shade_of = np.clip((y - 0.42) * 5, 0, 1) * np.clip((1.35 - np.abs(angle)) * 4, 0, 1) * 0.3
        tile[..., :3] += (np.array(hair, np.float32) - tile[..., :3]) * shade_of[..., None].astype(np.float32)
    return tile


def _mixed(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue
