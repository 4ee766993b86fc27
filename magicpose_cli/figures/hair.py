"""Hair and hats: shapes round the head, so that they are right from every side.

A hair style is a line round the head down to which hair grows, given over the angle from the face's middle. What is
seen of it is the line's half that faces the viewer, and the head's outline above.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from magicpose_cli.figures.body import Head
from magicpose_cli.figures.canvas import Canvas, Frame, capsule_outline, shade
from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.identity import Identity, Light
from magicpose_cli.figures.textures import Cloth, Colour, cloth_tile, natural_noise

_SIDES = np.array([0, 25, 45, 62, 80, 100, 125, 180.0])  # degrees from the face's middle where a hairline is given
_ACROSS = np.linspace(-math.pi / 2, math.pi / 2, 25)  # from the viewer's left edge of the head to the right one


@dataclass(frozen=True)
class HairStyle:
    """The hairline's height at ``_SIDES`` (half heights of the head, down), and what grows out of it."""

    line: tuple[float, ...]
    volume: float = 0.1  # how far the hair stands off the head, in half widths
    parting: float = 0.0  # how much lower the line is on the person's right, higher on the left
    jags: float = 0.0  # depth of the line's teeth
    bumps: float = 0.0  # height of the outline's waves
    spikes: float = 0.0
    hang: float = 0.0  # how far down the back it falls, 0 for not at all
    tail: str = ""  # ponytail, bun, top, pigtails


STYLES = {
    "short": HairStyle((-0.56, -0.54, -0.46, -0.3, 0.0, 0.0, 0.35, 0.45)),
    "crop": HairStyle((-0.62, -0.6, -0.52, -0.42, -0.1, -0.02, 0.3, 0.4), 0.035),
    "spiky": HairStyle((-0.56, -0.56, -0.5, -0.34, -0.05, 0.0, 0.3, 0.4), 0.08, jags=0.14, spikes=0.2),
    "parted": HairStyle((-0.56, -0.52, -0.44, -0.28, 0.05, 0.05, 0.35, 0.45), 0.13, parting=0.2),
    "swept": HairStyle((-0.6, -0.58, -0.5, -0.32, 0.0, 0.02, 0.35, 0.45), 0.2, parting=-0.22, bumps=0.03),
    "curly": HairStyle((-0.48, -0.46, -0.4, -0.2, 0.15, 0.2, 0.5, 0.6), 0.24, bumps=0.08, jags=0.06),
    "afro": HairStyle((-0.58, -0.55, -0.46, -0.25, 0.05, 0.2, 0.5, 0.55), 0.46, bumps=0.03),
    "mohawk": HairStyle((-0.74, -0.84, -0.9, -0.92, -0.92, -0.92, -0.85, 0.3), 0.04, spikes=0.34),
    "balding": HairStyle((-1.4, -1.3, -1.1, -0.6, -0.1, 0.0, 0.3, 0.4), 0.06),
    "bald": HairStyle((-2.0,) * 8, 0.0),
    "bob": HairStyle((-0.42, -0.42, -0.38, -0.2, 0.85, 0.95, 0.95, 0.95), 0.17, hang=1.0),
    "bowl": HairStyle((-0.26, -0.26, -0.24, -0.18, 0.1, 0.2, 0.35, 0.4), 0.16),
    "long": HairStyle((-0.7, -0.56, -0.42, -0.2, 1.2, 1.5, 1.5, 1.5), 0.15, hang=2.3),
    "wavy": HairStyle((-0.6, -0.5, -0.4, -0.15, 1.1, 1.3, 1.4, 1.4), 0.24, parting=0.12, bumps=0.07, hang=1.8),
    "fringe": HairStyle((-0.28, -0.28, -0.26, -0.16, 1.2, 1.4, 1.4, 1.4), 0.14, jags=0.04, hang=1.9),
    "ponytail": HairStyle((-0.6, -0.56, -0.46, -0.3, 0.0, 0.0, 0.25, 0.35), 0.09, tail="ponytail"),
    "bun": HairStyle((-0.64, -0.58, -0.48, -0.3, 0.0, 0.0, 0.25, 0.35), 0.08, tail="bun"),
    "topknot": HairStyle((-0.62, -0.56, -0.46, -0.3, -0.04, 0.0, 0.25, 0.35), 0.08, tail="top"),
    "pigtails": HairStyle((-0.46, -0.48, -0.44, -0.3, 0.0, 0.05, 0.3, 0.4), 0.1, tail="pigtails"),
}
HAIR_STYLES = tuple(STYLES)
LONG_STYLES = ("bob", "long", "wavy", "fringe", "ponytail", "bun", "topknot", "pigtails", "curly", "afro", "bowl")


def draw_hanging_hair(canvas: Canvas, head: Head, identity: Identity) -> None:
    """What falls down the back, and tails: behind the head from the front, over the back from behind."""
    style = STYLES[identity.hair_style]
    tile = _shaded(identity, head, 0.86 if abs(head.yaw) < 1.6 else 1.0)
    if style.hang:
        reach = 1.06 + style.volume
        edges = [_reach(head.yaw, side) * reach for side in (-1, 1)]
        rows = np.linspace(-0.3, style.hang, 9)
        flare = 1 + 0.07 * rows + style.bumps * np.cos(5 * rows)
        flare[-1] *= 0.86
        flare[-2] *= 0.97
        outline = np.concatenate([
            head.round_points(np.array(-math.pi / 2), rows, -edges[0] * flare),
            head.round_points(np.array(math.pi / 2), rows[::-1], edges[1] * flare[::-1]),
        ])  # fmt: skip
        canvas.fabric(outline, tile, _frame(head, style.hang + 0.3))
    back = math.sin(head.yaw + math.pi)
    if style.tail == "ponytail":
        root, knee, tip = head.at(1.05 * back, -0.5), head.at(1.5 * back + 0.1, 0.2), head.at(1.45 * back + 0.2, 1.25)
        width = head.half_width
        for a, b, start, end in ((root, knee, 0.3, 0.4), (knee, tip, 0.4, 0.12)):
            _lock(canvas, a, b, start * width, end * width, tile)
    elif style.tail == "bun":
        _lock(canvas, head.at(1.1 * back, -0.62), head.at(1.12 * back, -0.6), *(0.5 * head.half_width,) * 2, tile)
    elif style.tail == "top":
        _lock(canvas, head.at(0, -1.22), head.at(0.03, -1.2), *(0.44 * head.half_width,) * 2, tile)
    elif style.tail == "pigtails":
        for side in (-1, 1):
            x = math.sin(side * 1.9 + head.yaw)
            root, tip = head.at(1.2 * x, 0.05), head.at(1.5 * x, 1.0)
            _lock(canvas, root, tip, 0.3 * head.half_width, 0.12 * head.half_width, tile)


def draw_hair(canvas: Canvas, head: Head, identity: Identity) -> None:
    """What lies on the head, over the skin."""
    style = STYLES[identity.hair_style]
    if identity.hair_style != "bald":
        canvas.fabric(_cap(head, style, identity.hat), _shaded(identity, head, 1.0), _frame(head, 1.2))


def draw_hat(canvas: Canvas, head: Head, identity: Identity) -> None:
    """The hat, over the hair."""
    if not identity.hat:
        return
    cloth, colour = identity.hat_cloth, identity.hat_cloth.colour
    off = 1.08 + 0.5 * min(0.2, STYLES[identity.hair_style].volume)
    if identity.hat == "brim":
        # A disc seen a little from above: its far half is behind the crown, its near half before the brow.
        around = np.linspace(0, 2 * math.pi, 24, endpoint=False)
        ring = 1.75 * np.sin(around) * head.half_width + 1j * (-0.5 + 0.16 * np.cos(around)) * head.half_height
        canvas.polygon(head.centre + ring * head.rotation, shade(colour, 0.8))
    low = -0.3 if identity.hat == "beanie" else -0.42
    line = np.full(len(_ACROSS), low) + 0.08 * np.cos(_ACROSS)
    rise = {"beanie": 1.28, "cap": 1.16, "brim": 1.35}[identity.hat]
    dome = _dome(head, off, rise, low, 0.0 if identity.hat != "brim" else 0.35)
    edge = head.round_points(_ACROSS[::-1], line, off)
    canvas.fabric(np.concatenate([dome, edge]), _lit(cloth, head, identity.light), _frame(head, 1.2))
    if identity.hat in ("beanie", "brim"):
        upper = head.round_points(_ACROSS, line - 0.24, off * (1.03 if identity.hat == "beanie" else 0.99))
        band = np.concatenate([upper, head.round_points(_ACROSS[::-1], line, off * 1.02)])
        canvas.polygon(band, shade(colour, 0.78 if identity.hat == "beanie" else 0.5))
    elif identity.hat == "cap":
        around = np.linspace(-1.05, 1.05, 13)
        seen = np.clip(around + head.yaw, -math.pi / 2, math.pi / 2)
        if math.cos(head.yaw) > -0.3:
            stands_out = 1 + 0.62 * np.sqrt(np.cos(around * 1.49).clip(0))
            rim = head.round_points(around + head.yaw, -0.36 + 0.12 * np.cos(around + head.yaw), stands_out * off)
            canvas.polygon(np.concatenate([head.round_points(seen, np.full(13, low + 0.06), off), rim[::-1]]),
                           shade(colour, 0.72))  # fmt: skip


def _cap(head: Head, style: HairStyle, hat: str) -> np.ndarray:
    """The outline of the hair on the head as it is seen."""
    degrees = np.degrees(_ACROSS - head.yaw)
    folded = np.abs(np.remainder(degrees + 180, 360) - 180)
    line = np.interp(folded, _SIDES, style.line)
    line += style.parting * np.sin(np.radians(degrees)) * (folded < 75) * -1
    line += style.jags * np.cos(np.radians(degrees) * 11)
    below = np.clip(line, 0, None)
    reach = np.where(line > 0, 1 - (0 if style.hang else 0.3) * below**2, np.sqrt(np.clip(1 - line**2, 0, 1)))
    reach = np.where(np.abs(_ACROSS) > 1.5, np.maximum(reach, 0.2), np.maximum(reach, 0.55)) + 0.8 * style.volume
    edge = head.round_points(_ACROSS, line, reach)
    left, right = (line[0], reach[0]), (line[-1], reach[-1])
    low = 0.0 if hat else 1.0
    over = np.linspace(0, math.pi, 27)
    wave = 1 + style.volume + low * (style.bumps * np.cos(over * 12) + style.spikes * _teeth(over))
    top = -np.cos(over) * wave * head.half_width - 1j * np.sin(over) * wave * head.half_height
    keep = slice(None)
    if left[0] < -0.25 or right[0] < -0.25:  # hair that ends above the temples: the outline starts there
        height = -np.sin(over) * wave
        keep = height <= np.where(over < math.pi / 2, left[0], right[0]) + 0.02
    return np.concatenate([head.centre + top[keep] * head.rotation, edge[::-1]])


def _teeth(over: np.ndarray) -> np.ndarray:
    return np.where(np.arange(len(over)) % 3 == 1, 1.0, 0.0) * np.clip(np.sin(over), 0, 1) ** 0.5


def _dome(head: Head, width: float, height: float, low: float, square: float) -> np.ndarray:
    over = np.linspace(0, math.pi, 17)
    power = 1 - 0.6 * square
    x = -np.sign(np.cos(over)) * np.abs(np.cos(over)) ** power * width
    y = low - np.sin(over) ** power * (height + low)
    return head.centre + (x * head.half_width + 1j * y * head.half_height) * head.rotation


def _reach(yaw: float, side: int) -> float:
    """How far to one side the back hair reaches, which grows from 75° on each side round the back: -1 to 1."""
    start, end = 1.3 + yaw, 2 * math.pi - 1.3 + yaw
    extreme = side * math.pi / 2
    turns = math.ceil((start - extreme) / (2 * math.pi))
    if extreme + 2 * math.pi * turns <= end:
        return float(side)
    return (max if side > 0 else min)(math.sin(start), math.sin(end))


def _lock(canvas: Canvas, start: complex, end: complex, first: float, last: float, tile: np.ndarray) -> None:
    canvas.fabric(
        capsule_outline(start, end, first, last),
        tile,
        Frame(start - max(first, last) * (1 + 1j), complex(2 * max(first, last)), 1j * (abs(end - start) + 2 * first)),
        convex=True,
    )


def _frame(head: Head, low: float) -> Frame:
    """From above the head down to ``low``, as wide as the hair."""
    corner = head.at(-1.5, -1.5)
    return Frame(corner, head.at(1.5, -1.5) - corner, head.at(-1.5, low) - corner)


def _shaded(identity: Identity, head: Head, light: float) -> np.ndarray:
    return _lit_tile(_strands(identity.hair), head, identity.light, light)


def _lit(cloth: Cloth, head: Head, light: Light) -> np.ndarray:
    return _lit_tile(cloth_tile(cloth)[:96, :96], head, light, 1.0)


def _lit_tile(tile: np.ndarray, head: Head, light: Light, factor: float) -> np.ndarray:
    """The tile turned with the head and shaded round."""
    x = np.linspace(-1, 1, tile.shape[1], dtype=np.float32)
    shift = round(head.yaw * tile.shape[1] / 3)
    fall = factor * (1 + light.strength * (0.9 * x * light.x - 0.35 * x * x + 0.1))
    lit = np.roll(tile, shift, axis=1) * fall[None, :, None]
    lit[..., 3] = 255
    return np.clip(lit, 0, 255).astype(np.uint8)


@lru_cache(maxsize=32)
def _strands(colour: Colour) -> np.ndarray:
    """Strands down a tile, with a shine across its upper third: float32 (64, 96, 4)."""
    chance = chance_of(*colour, 707)
    strands = cv2.resize(natural_noise(chance, 24, 96, 8), (96, 128), interpolation=cv2.INTER_CUBIC)[:64]
    rows = np.linspace(0, 1, 64, dtype=np.float32)[:, None]
    shine = np.exp(-(((rows - 0.33) / 0.09) ** 2))
    tile = np.full((64, 96, 4), 255, np.float32)
    tile[..., :3] = np.array(colour, np.float32) * (1.0 + 0.07 * strands - 0.12 * rows)[..., None]
    tile[..., :3] += (26 + 10 * strands[..., None]) * shine[..., None]
    return tile.clip(0, 255)
