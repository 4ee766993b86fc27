"""Cloth by seed: tiles of pattern that clothes, walls and floors are cut from."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from magicpose_cli.figures.chance import chance_of

Colour = tuple[int, int, int]  # R, G, B, each 0 to 255

TEXELS = 320
"""Texels to the height of a standing figure: what gives a pattern its size on the body."""

_HEIGHT, _WIDTH = 125, 200  # of a tile: a torso's height, and all the way round it


@dataclass(frozen=True)
class Cloth:
    """A material: its kind, two to four colours (the first is the ground), and the seed of its pattern."""

    kind: str  # of CLOTH_KINDS
    colours: tuple[Colour, ...]
    seed: int = 0

    @property
    def colour(self) -> Colour:
        """The ground colour."""
        return self.colours[0]


@lru_cache(maxsize=64)
def cloth_tile(cloth: Cloth) -> np.ndarray:
    """The material as a picture: float32 (125, 200, 4), RGB and a cover of 255. Shared: do not write into it."""
    chance = chance_of(cloth.seed, 606)
    colours = _KINDS[cloth.kind](chance, np.array(cloth.colours, np.float32)).astype(np.float32)
    tile = cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA)
    tile[..., 3] = 255
    tile.setflags(write=False)
    return tile


@lru_cache(maxsize=128)
def cloth_edge(cloth: Cloth) -> Colour:
    """The dark line round a part of this material: its mean colour, darkened."""
    red, green, blue = (int(0.74 * c) for c in cloth_tile(cloth)[::4, ::4, :3].mean((0, 1)))
    return red, green, blue


def natural_noise(chance: np.random.Generator, height: int, width: int, coarsest: int = 3) -> np.ndarray:
    """Noise whose spectrum falls as that of natural pictures, about 1/f: float32 (height, width), spread about 1."""
    total = np.zeros((height, width), np.float32)
    cells = coarsest
    for octave in range(3):
        grid = chance.standard_normal((cells, max(2, cells * width // height))).astype(np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
        cells *= 2
    return total / np.float32(1.1)


def _mesh(chance: np.random.Generator, angle: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The texels' coordinates in axes turned by an angle, by chance upright, level or slanted."""
    if angle is None:
        angle = float(chance.choice((0, math.pi / 2, chance.uniform(0, math.pi))))
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    x -= _WIDTH / 2
    return x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)


def _wave(place: np.ndarray, period: float, share: float) -> np.ndarray:
    """Soft-edged bands, 0 to 1: ``share`` of each period is 1."""
    phase = np.abs(place / period % 1 - 0.5) * 2
    return np.clip((phase - (1 - share)) * period / 4 + 0.5, 0, 1)


def _mix(ground: np.ndarray, colour: np.ndarray, share: np.ndarray) -> np.ndarray:
    return ground + (colour - ground) * share[..., None]


def _flat(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    return np.broadcast_to(colours[0], (_HEIGHT, _WIDTH, 3)).copy()


def _heather(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    return colours[0] * (1 + 0.1 * natural_noise(chance, _HEIGHT, _WIDTH, 6))[..., None].astype(np.float32)


def _stripes(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    place, _ = _mesh(chance)
    period = float(chance.uniform(14, 35))
    tile = _mix(colours[0], colours[1], _wave(place, period, float(chance.uniform(0.25, 0.6))))
    if len(colours) > 2:
        tile = _mix(tile, colours[2], _wave(place + 0.5 * period, 2 * period, 0.12))
    return tile


def _checks(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    x, y = _mesh(chance, float(chance.choice((0, 0.785))))
    period = float(chance.uniform(18, 38))
    tile = _mix(colours[0], colours[1], 0.55 * _wave(x, period, 0.45))
    tile = _mix(tile, colours[1], 0.55 * _wave(y, period, 0.45))
    if len(colours) > 2:
        tile = _mix(tile, colours[2], 0.8 * np.maximum(_wave(x, period, 0.1), _wave(y, period, 0.1)))
    return tile


def _dots(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    x, y = _mesh(chance, 0.0)
    period = float(chance.uniform(16, 32))
    row = np.floor(y / period)
    far = np.hypot((x / period + 0.5 * (row % 2)) % 1 - 0.5, y / period - row - 0.5)
    radius = float(chance.uniform(0.2, 0.34))
    return _mix(colours[0], colours[1], np.clip((radius - far) * period / 3 + 0.5, 0, 1))


def _zigzag(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    x, y = _mesh(chance, 0.0)
    period = float(chance.uniform(19, 35))
    return _mix(colours[0], colours[1], _wave(y + np.abs(x / period % 1 - 0.5) * period, period, 0.45))


def _camouflage(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    tile = _flat(chance, colours)
    for colour in colours[1:]:
        noise = natural_noise(chance, _HEIGHT, _WIDTH, 6)
        tile = _mix(tile, colour, np.clip((noise - 0.35) * 4 + 0.5, 0, 1))
    return tile


def _natural(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    tile = _flat(chance, colours)
    for colour in colours[1:]:
        tile = _mix(tile, colour, np.clip(0.42 + 0.3 * natural_noise(chance, _HEIGHT, _WIDTH, 4), 0, 1))
    return tile


def _leaves(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Dead leaves: shapes over shapes, sizes by a power law, as things hide each other in natural pictures."""
    tile = np.ascontiguousarray(_flat(chance, colours).astype(np.uint8))
    radii = np.clip(5 / np.sqrt(chance.uniform(0.03, 1, 220)), 0, 22)
    for radius, x, y in zip(radii, chance.uniform(0, _WIDTH, 220), chance.uniform(0, _HEIGHT, 220), strict=True):
        colour = (colours[int(chance.integers(len(colours)))] * chance.uniform(0.85, 1.1)).clip(0, 255)
        if chance.random() < 0.6:
            cv2.circle(tile, (int(x), int(y)), int(radius), colour.tolist(), -1, cv2.LINE_AA)
            continue
        corners = np.exp(1j * np.sort(chance.uniform(0, 2 * math.pi, 4))) * radius * 1.2 + complex(x, y)
        points = np.stack([corners.real, corners.imag], 1).astype(np.int32)
        cv2.fillConvexPoly(tile, points, colour.tolist(), cv2.LINE_AA)
    return tile.astype(np.float32)


def _gradient(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    share = np.clip(np.linspace(0, 1.5, _HEIGHT, dtype=np.float32), 0, 1)[:, None]
    return _mix(colours[0], colours[1], np.broadcast_to(share, (_HEIGHT, _WIDTH)))


def _knit(chance: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    x, y = _mesh(chance, 0.0)
    period = float(chance.uniform(7, 10))
    tile = colours[0] * (1 - 0.16 * _wave(x + 1.3 * np.sin(y / 2.5), period, 0.3))[..., None]
    if chance.random() < 0.6:
        wide, share = float(chance.uniform(38, 56)), float(chance.uniform(0.2, 0.4))
        band = _wave(y + 4 * np.abs(x / period % 1 - 0.5), wide, share)
        tile = _mix(tile, colours[1], 0.85 * band)
    return tile


_KINDS: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "flat": _flat,
    "heather": _heather,
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "zigzag": _zigzag,
    "camouflage": _camouflage,
    "natural": _natural,
    "leaves": _leaves,
    "gradient": _gradient,
    "knit": _knit,
}
CLOTH_KINDS = tuple(_KINDS)
