"""Limbs, torso and clothes, drawn through the joints, with cloth that moves and turns with its part."""

import math
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from magicpose_cli.figures.body import RIGHT, Limb, Skeleton
from magicpose_cli.figures.canvas import Canvas, Frame, capsule_outline, shade
from magicpose_cli.figures.identity import Identity, Light, Logo
from magicpose_cli.figures.textures import TEXELS, Cloth, Colour, cloth_edge, cloth_tile

_ROUND = 200  # texels all the way round a torso: the width of a cloth tile
_DEPTH = 0.62  # a torso's thickness as a share of its width


def draw_leg(canvas: Canvas, skeleton: Skeleton, leg: Limb, identity: Identity) -> None:
    """One leg with its shoe; a skirt comes later, over both."""
    unit, p = skeleton.unit, identity.proportions
    if not canvas.shows((leg.root, leg.middle, leg.tip), 0.06 * unit):
        return
    top, knee, ankle = p.leg_radius, 0.74 * p.leg_radius, 0.5 * p.leg_radius
    heel = leg.tip + 0.42 * (leg.tip - leg.middle) / (abs(leg.tip - leg.middle) + 1e-6) * p.foot * unit
    edge = 0.005 * unit
    covered = {"trousers": 2.0, "shorts": 0.72, "skirt": 0.0, "dress": 0.0}[identity.bottom_kind]
    sole, toe = 0.46 * p.foot * unit, 0.36 * p.foot * unit
    canvas.capsule(heel, leg.end, sole + edge, toe + edge, shade(identity.shoes, 0.6))
    canvas.capsule(heel - 0.004j * unit, leg.end - 0.006j * unit, 0.9 * sole, 0.82 * toe, identity.shoes)
    parts = [(leg.middle, leg.tip, knee, ankle, p.shin, 70), (leg.root, leg.middle, top, knee, p.thigh, 0)]
    skin = Cloth("heather", (identity.skin,))
    wide = 1.08 if covered > 1 else 0.92
    cloth = identity.bottom if covered > 1 else skin
    for start, end, first, last, _, _ in parts:
        outline = capsule_outline(start, end, first * unit * wide + edge, last * unit * wide + edge)
        canvas.convex(outline, cloth_edge(cloth))
    for start, end, first, last, length, column in parts:
        cuff = 1.25 if covered > 1 and column else 1.0
        _limb(canvas, start, end, (first * wide, last * wide * cuff), length, cloth, column, unit, identity.light)
    if 0 < covered <= 1:
        hem = leg.root + covered * (leg.middle - leg.root)
        outline = capsule_outline(leg.root, hem, top * 1.03 * unit + edge, top * 1.0 * unit + edge)
        canvas.convex(outline, cloth_edge(identity.bottom))
        sizes = (top * 1.05, top * 1.04)
        _limb(canvas, leg.root, hem, sizes, covered * p.thigh, identity.bottom, 0, unit, identity.light)


def draw_arm(canvas: Canvas, skeleton: Skeleton, arm: Limb, identity: Identity) -> None:
    """One arm with sleeve and hand."""
    unit, p, light = skeleton.unit, identity.proportions, identity.light
    shoulder, elbow, wrist = (share * p.arm_radius for share in (1.0, 0.86, 0.66))
    cloth = identity.jacket or identity.top
    sleeves = 1.0 if identity.jacket else identity.sleeves
    points = skeleton.right_hand if arm.side == RIGHT else skeleton.left_hand
    edge = 0.005 * unit
    _draw_hand(canvas, points, p.hand * unit, wrist * unit, identity.skin)
    column = 110 if arm.side == RIGHT else 150
    if sleeves == 1:
        cuff = arm.middle + 0.94 * (arm.tip - arm.middle)
        parts = [(arm.middle, cuff, elbow * 1.06, wrist * 1.16, p.forearm, column + 20, cloth),
                 (arm.root, arm.middle, shoulder, elbow * 1.06, p.upper_arm, column, cloth)]  # fmt: skip
    else:
        skin = Cloth("heather", (identity.skin,))
        parts = [(arm.middle, arm.tip, elbow * 0.96, wrist, p.forearm, column + 20, skin),
                 (arm.root, arm.middle, shoulder * 0.92, elbow * 0.96, p.upper_arm, column, skin)]  # fmt: skip
        if sleeves:
            hem = arm.root + 0.6 * (arm.middle - arm.root)
            parts.append((arm.root, hem, shoulder, shoulder * 1.1, 0.6 * p.upper_arm, column, cloth))
    rims = (parts[:2], parts[2:]) if sleeves == 0.5 else (parts,)
    for group in rims:
        for start, end, first, last, _, _, stuff in group:
            # No rim where the arm joins the shoulder.
            begin = start + 0.3 * (end - start) if start == arm.root else start
            outline = capsule_outline(begin, end, first * unit + edge, last * unit + edge)
            canvas.convex(outline, cloth_edge(stuff))
        for start, end, first, last, length, place, stuff in group:
            _limb(canvas, start, end, (first, last), length, stuff, place, unit, light)


def draw_torso(canvas: Canvas, skeleton: Skeleton, identity: Identity) -> None:
    """Skirt, top with its pattern, neck and collar: over the legs, under the head."""
    unit, p = skeleton.unit, identity.proportions
    radius = p.arm_radius * unit
    if identity.bottom_kind in ("skirt", "dress"):
        _draw_skirt(canvas, skeleton, identity)
    else:
        hips = (skeleton.right_leg.root, skeleton.left_leg.root)
        _limb(canvas, *hips, (p.leg_radius, p.leg_radius), 2 * p.hips, identity.bottom, 35, unit, Light(strength=0.1))

    strip = _strip(identity.top, identity.jacket, identity.logo)
    half = _half_width(skeleton, p.shoulders + 0.6 * p.arm_radius, _DEPTH)
    down, across = _axes(skeleton)
    origin = skeleton.neck - radius * down - half * across
    frame = Frame(origin, 2 * half * across, down * unit * strip.shape[0] / TEXELS)
    tile = _wrapped(strip, skeleton.turn, round(2 * half / unit * TEXELS), across, identity.light)
    rows = [_torso_row(skeleton, identity, share) for share in (0.0, 0.12, 0.25, 0.4, 0.6, 0.8, 1.0)]
    outline = [a for a, _ in rows] + [b for _, b in reversed(rows)]
    edge = cloth_edge(identity.jacket or identity.top)
    canvas.lines([[a for a, _ in rows[1:]], [b for _, b in rows[1:]]], 0.01 * unit, edge)
    shoulders = capsule_outline(skeleton.right_arm.root, skeleton.left_arm.root, radius, radius)
    canvas.fabric(shoulders, tile, frame, convex=True)
    canvas.fabric(outline, tile, frame)

    chin = skeleton.head.at(0.12 * math.sin(skeleton.head.yaw), 0.75)
    base = skeleton.neck + 0.012 * unit * down
    collar = 1.5 * p.neck_radius * unit
    if math.cos(skeleton.turn) > 0.2:
        low = base + 0.25 * p.neck_radius * unit * down + 0.2 * p.neck_radius * unit * math.sin(skeleton.turn)
        canvas.oval(low, collar * across * 1.0, 0.8 * collar, cloth_edge(identity.jacket or identity.top))
        canvas.oval(low - 0.006j * unit, 0.86 * collar * across, 0.68 * collar, shade(identity.skin, 0.92))
    skin = Cloth("flat", (shade(identity.skin, 0.86),))
    thick = p.neck_radius * (1 + 0.2 * abs(math.sin(skeleton.head.yaw)))
    _limb(canvas, base, chin, (0.95 * thick, thick), p.neck, skin, 0, unit, identity.light)


def _limb(
    canvas: Canvas,
    start: complex,
    end: complex,
    radii: tuple[float, float],
    length: float,
    cloth: Cloth,
    column: int,
    unit: float,
    light: Light,
) -> None:
    """One part in its cloth, cut from the tile at ``column`` and shaded round; radii and length in figure heights."""
    thick = max(radii)
    if not canvas.shows((start, end), thick * unit):
        return
    rows, columns = max(8, round((length + 2 * thick) * TEXELS)), max(6, round(2 * thick * TEXELS))
    tile = cloth_tile(cloth)[:rows, column : column + columns]
    along = end - start
    way = along / abs(along) if abs(along) > 1e-6 else 1j
    across = -1j * way
    shaded = _shaded(tile, _steps(tile.shape[1]), across, light)
    corner = start - thick * unit * (way + across)
    frame = Frame(corner, 2 * thick * unit * across, along + 2 * thick * unit * way)
    canvas.fabric(capsule_outline(start, end, radii[0] * unit, radii[1] * unit), shaded, frame, convex=True)


def _shaded(tile: np.ndarray, x: np.ndarray, across: complex, light: Light) -> np.ndarray:
    """The tile as a round thing: brightest where it faces the light; ``x`` from -1 to 1 across it."""
    sideways = across.real * light.x + across.imag * light.y
    fall = 1 + light.strength * (1.1 * x * sideways + 0.7 * np.sqrt(1 - x * x * 0.98) - 0.45)
    colours = fall[:, None].astype(np.float32) * _tint(light.warmth)
    colours[:, 3] = 1
    return cv2.convertScaleAbs(tile * colours)  # rounds, and holds at 255


@lru_cache(maxsize=256)
def _steps(count: int) -> np.ndarray:
    return np.linspace(-1, 1, count, dtype=np.float32)


@lru_cache(maxsize=32)
def _tint(warmth: float) -> np.ndarray:
    return np.array((1 + 0.07 * warmth, 1, 1 - 0.1 * warmth, 1), np.float32)


def _wrapped(strip: np.ndarray, turn: float, columns: int, across: complex, light: Light) -> np.ndarray:
    """The half of a strip round the body that is seen, shaded: its middle column is the front."""
    columns = max(8, columns)
    x = 0.995 * _steps(columns)
    place = ((np.arcsin(x) - turn) / math.pi + 1) * (_ROUND / 2)
    return _shaded(strip[:, np.rint(place).astype(int) % _ROUND], x, across, light)


def _axes(skeleton: Skeleton) -> tuple[complex, complex]:
    """The unit vectors down and across the torso as seen."""
    down = skeleton.pelvis - skeleton.neck
    down /= abs(down)
    return down, -1j * down


def _half_width(skeleton: Skeleton, width: float, depth: float) -> float:
    """Half of what is seen of a body ``width`` wide and ``depth`` times as thick, in pixels."""
    return skeleton.unit * width * math.hypot(math.cos(skeleton.turn), depth * math.sin(skeleton.turn))


def _torso_row(skeleton: Skeleton, identity: Identity, share: float) -> tuple[complex, complex]:
    """The torso's edges as seen at a share of the way from the shoulder line to below the hips."""
    p = identity.proportions
    middle_low = (skeleton.right_leg.root + skeleton.left_leg.root) / 2
    middle = skeleton.neck + share * (middle_low - skeleton.neck)
    flare = p.hips + 0.75 * p.leg_radius  # the hip joints lie inside the body
    width = p.shoulders * (1 - share) + flare * share
    width *= 1 - (1 - p.waist) * 4 * share * (1 - share)
    depth = min(0.3 + 2.2 * share, 0.62 + 0.33 * share)
    way = _half_width(skeleton, width, depth) * _tilt(skeleton, share)
    return middle - way, middle + way


def _tilt(skeleton: Skeleton, share: float) -> complex:
    """The unit vector to the picture's right across the torso, tilted with the shoulders and, lower, the hips."""
    arms = skeleton.left_arm.root - skeleton.right_arm.root
    legs = skeleton.left_leg.root - skeleton.right_leg.root
    _, across = _axes(skeleton)
    if math.cos(skeleton.turn) < 0:
        arms, legs = -arms, -legs
    strength = abs(math.cos(skeleton.turn))
    way = across * (1.0001 - strength) + strength * (
        (1 - share) * arms / (abs(arms) + 1e-9) + share * legs / (abs(legs) + 1e-9)
    )
    return way / (abs(way) + 1e-9)


def _draw_skirt(canvas: Canvas, skeleton: Skeleton, identity: Identity) -> None:
    p, unit = identity.proportions, skeleton.unit
    hems = [leg.root + 0.8 * (leg.middle - leg.root) for leg in (skeleton.right_leg, skeleton.left_leg)]
    hems.sort(key=lambda point: point.real)
    left, right = hems[0] - 1.5 * p.leg_radius * unit, hems[1] + 1.5 * p.leg_radius * unit
    waist, hips = _torso_row(skeleton, identity, 0.75), _torso_row(skeleton, identity, 1.0)
    low = 0.5 * (left + right) + 0.018j * unit
    quarter = [0.5 * (left + low) + 0.005j * unit, low, 0.5 * (right + low) + 0.005j * unit]
    outline = [waist[0], hips[0] - 0.012 * unit, left, *quarter, right, hips[1] + 0.012 * unit, waist[1]]
    _, across = _axes(skeleton)
    strip = cloth_tile(identity.bottom)
    half = 0.5 * (right - left).real
    down = low - 0.5 * (waist[0] + waist[1])
    tile = _wrapped(strip[:100], skeleton.turn, 80, across, identity.light)
    folds = 1 - 0.07 * np.cos(np.linspace(0, 9 * math.pi, tile.shape[1], dtype=np.float32)) ** 2
    tile[..., :3] = tile[..., :3] * folds[:, None]
    frame = Frame(0.5 * (waist[0] + waist[1]) - half, complex(2 * half), down)
    for leg in (skeleton.right_leg, skeleton.left_leg):
        hem = leg.root + 0.62 * (leg.middle - leg.root)
        thigh = capsule_outline(leg.root, hem, p.leg_radius * unit, 1.25 * p.leg_radius * unit)
        canvas.fabric(thigh, tile, frame, convex=True)
    canvas.fabric(outline, tile, frame)
    canvas.line([left, *quarter, right], 0.01 * unit, cloth_edge(identity.bottom))


def _draw_hand(canvas: Canvas, points: np.ndarray, length: float, wrist: float, skin: Colour) -> None:
    """A palm and five fingers through the 21 points; the darker rim first."""
    fingers = [points[start : start + 4] for start in (5, 9, 13, 17)]
    palm = [points[0], points[5], points[9], points[13], points[17]]
    middle = (points[0] + points[9]) / 2
    rim = 0.04 * length
    for grow, colour in ((rim, shade(skin, 0.68)), (0.0, skin)):
        canvas.capsule(points[0], middle, wrist + grow, 0.2 * length + grow, colour)
        canvas.lines(fingers, 0.12 * length + 2 * grow, colour)
    canvas.polygon(palm, skin)
    # Fingers that lie side by side stay apart.
    clefts = [
        [(a[0] + b[0]) / 2 + 0.15 * (a[1] - a[0]), (a[2] + b[2]) / 2]
        for a, b in pairwise(fingers)
        if abs(a[2] - b[2]) < 0.17 * length
    ]
    if clefts:
        canvas.lines(clefts, 0.03 * length, shade(skin, 0.72))
    for grow, colour in ((rim, shade(skin, 0.68)), (0.0, skin)):
        canvas.line(points[1:5], 0.13 * length + 2 * grow, colour)
    canvas.line(points[[0, 1, 2]], 0.14 * length, skin)


@lru_cache(maxsize=24)
def _strip(top: Cloth, jacket: Cloth | None, logo: Logo | None) -> np.ndarray:
    """All of a top, laid flat: the front's middle is the middle column."""
    strip = cloth_tile(top).copy()
    if logo is not None:
        size = 40
        share = cv2.resize(_logo_mask(logo), (size, size), interpolation=cv2.INTER_AREA)[..., None] / np.float32(255)
        place = strip[20 : 20 + size, (_ROUND - size) // 2 : (_ROUND + size) // 2, :3]
        place += (np.array(logo.colour, np.float32) - place) * share
    if jacket is not None:
        open_half = (6 + 0.11 * np.arange(len(strip)))[:, None]
        away = np.abs(np.arange(_ROUND)[None] - _ROUND / 2) - open_half
        outer = np.clip(away + 0.5, 0, 1)[..., None].astype(np.float32)
        lapel = (1 - 0.3 * (np.abs(away - 1.5) < 1.5))[..., None].astype(np.float32)
        strip[..., :3] += (cloth_tile(jacket)[..., :3] * lapel - strip[..., :3]) * outer
    strip.setflags(write=False)
    return strip


def _logo_mask(logo: Logo) -> np.ndarray:
    """The sign, 255 on 0, (256, 256) uint8."""
    mask = np.zeros((256, 256), np.uint8)
    if logo.kind == "circle":
        cv2.circle(mask, (128, 128), 96, 255, -1)
        cv2.circle(mask, (128, 128), 48, 0 if logo.corners % 2 else 255, -1)
    elif logo.kind == "letter":
        (width, height), _ = cv2.getTextSize(logo.sign, cv2.FONT_HERSHEY_DUPLEX, 7.5, 30)
        cv2.putText(mask, logo.sign, (128 - width // 2, 128 + height // 2), cv2.FONT_HERSHEY_DUPLEX, 7.5, 255, 30)
    else:
        cv2.fillPoly(mask, [_logo_outline(logo)], 255)
    return mask


def _logo_outline(logo: Logo) -> np.ndarray:
    if logo.kind == "heart":
        t = np.linspace(0, 2 * math.pi, 40)
        shape = 16 * np.sin(t) ** 3 - 1j * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        shape /= 17
    elif logo.kind == "bolt":
        shape = np.array([0.15 - 1j, -0.55 + 0.15j, -0.05 + 0.15j, -0.25 + 1j, 0.55 - 0.25j, 0.05 - 0.25j, 0.45 - 1j])
    elif logo.kind == "star":
        t = np.arange(2 * logo.corners) * math.pi / logo.corners
        shape = np.where(np.arange(2 * logo.corners) % 2, 0.45, 1.0) * np.exp(1j * (t - math.pi / 2))
    else:
        shape = np.exp(1j * (np.arange(logo.corners) * 2 * math.pi / logo.corners - math.pi / 2))
    placed = shape * 104 + (128 + 128j)
    return np.stack([placed.real, placed.imag], 1).astype(np.int32)
