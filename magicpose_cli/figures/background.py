"""What stands behind a figure: a room or a landscape, by seed."""

import colorsys
from functools import lru_cache

import numpy as np

from magicpose_cli.figures.canvas import OVERSAMPLING, Canvas, shade
from magicpose_cli.figures.textures import Colour


@lru_cache(maxsize=16)
def background(seed: int, size: int) -> np.ndarray:
    """The empty scene, oversampled: (2·size, 2·size, 4) uint8 RGB and a cover of 0. Shared: do not write into it."""
    chance = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, 202))))
    canvas = (_landscape if chance.random() < 0.4 else _room)(chance, size)
    canvas.pixels[..., 3] = 0
    canvas.pixels.setflags(write=False)
    return canvas.pixels


def _room(chance: np.random.Generator, size: int) -> Canvas:
    hue = float(chance.random())
    wall = _hsv(hue, chance.uniform(0.1, 0.42), chance.uniform(0.62, 0.95))
    floor_hue = 0.08 if chance.random() < 0.5 else float(chance.random())
    floor = _hsv(floor_hue, chance.uniform(0.2, 0.5), chance.uniform(0.4, 0.75))
    horizon = float(chance.uniform(0.74, 0.86))
    canvas = Canvas(_gradient(shade(wall, 1.25), shade(wall, 0.88), size))
    _box(canvas, size, 0, horizon, 1, 1, floor)
    _box(canvas, size, 0, horizon - 0.02, 1, horizon, shade(wall, 1.5))
    sides = chance.permutation(2)
    things = (_window, _picture, _shelf, _lamp, _plant)
    for side, kind in zip(sides, chance.choice(len(things), 2, replace=False), strict=True):
        if chance.random() < 0.85:
            middle = float(chance.uniform(0.1, 0.22))
            things[kind](chance, canvas, size, middle if side == 0 else 1 - middle, horizon)
    return canvas


def _landscape(chance: np.random.Generator, size: int) -> Canvas:
    hue = float(chance.choice((0.55, 0.58, 0.08, 0.95, 0.7)))
    sky = _hsv(hue, chance.uniform(0.15, 0.5), chance.uniform(0.8, 0.97))
    ground = _hsv(chance.choice((0.12, 0.25, 0.33, 0.38)), chance.uniform(0.25, 0.55), chance.uniform(0.5, 0.8))
    horizon = float(chance.uniform(0.68, 0.82))
    canvas = Canvas(_gradient(sky, shade(sky, 1.5), size))
    if chance.random() < 0.7:
        x = float(chance.choice((chance.uniform(0.1, 0.25), chance.uniform(0.75, 0.9))))
        canvas.disc(complex(x, chance.uniform(0.1, 0.22)) * size, 0.07 * size, (255, 236, 160))
    for _ in range(int(chance.integers(1, 4))):
        far = shade(ground, float(chance.uniform(1.1, 1.45)))
        x, width = float(chance.uniform(0, 1)), float(chance.uniform(0.25, 0.5))
        canvas.oval(complex(x, horizon + 0.04) * size, complex(width * size, 0), chance.uniform(0.1, 0.25) * size, far)
    _box(canvas, size, 0, horizon, 1, 1, ground)
    if chance.random() < 0.6:
        x = float(chance.choice((chance.uniform(0.06, 0.2), chance.uniform(0.8, 0.94))))
        leaves = _hsv(chance.uniform(0.22, 0.42), 0.5, chance.uniform(0.4, 0.65))
        _box(canvas, size, x - 0.018, horizon - 0.18, x + 0.018, horizon + 0.03, (120, 84, 56))
        canvas.disc(complex(x, horizon - 0.22) * size, 0.11 * size, leaves)
    return canvas


def _window(chance: np.random.Generator, canvas: Canvas, size: int, x: float, horizon: float) -> None:
    pane = _hsv(0.55, chance.uniform(0.15, 0.4), 0.95)
    _box(canvas, size, x - 0.12, 0.12, x + 0.12, 0.46, (246, 244, 238))
    _box(canvas, size, x - 0.1, 0.14, x + 0.1, 0.44, pane)
    _box(canvas, size, x - 0.008, 0.14, x + 0.008, 0.44, (246, 244, 238))
    _box(canvas, size, x - 0.1, 0.282, x + 0.1, 0.298, (246, 244, 238))


def _picture(chance: np.random.Generator, canvas: Canvas, size: int, x: float, horizon: float) -> None:
    y = float(chance.uniform(0.2, 0.36))
    _box(canvas, size, x - 0.1, y - 0.09, x + 0.1, y + 0.09, (96, 72, 54))
    _box(canvas, size, x - 0.08, y - 0.07, x + 0.08, y + 0.07, _hsv(chance.random(), 0.5, 0.8))
    canvas.disc(complex(x, y) * size, 0.04 * size, _hsv(chance.random(), 0.6, 0.9))


def _shelf(chance: np.random.Generator, canvas: Canvas, size: int, x: float, horizon: float) -> None:
    y = float(chance.uniform(0.32, 0.5))
    for step in range(5):
        left = x - 0.11 + 0.044 * step
        _box(canvas, size, left, y - chance.uniform(0.08, 0.14), left + 0.04, y, _hsv(chance.random(), 0.5, 0.8))
    _box(canvas, size, x - 0.13, y, x + 0.13, y + 0.02, (110, 80, 58))


def _lamp(chance: np.random.Generator, canvas: Canvas, size: int, x: float, horizon: float) -> None:
    _box(canvas, size, x - 0.008, 0.4, x + 0.008, horizon + 0.05, (74, 70, 74))
    _box(canvas, size, x - 0.05, horizon + 0.045, x + 0.05, horizon + 0.06, (74, 70, 74))
    outline = [complex(x + dx, y) * size for dx, y in ((-0.05, 0.3), (0.05, 0.3), (0.09, 0.43), (-0.09, 0.43))]
    canvas.convex(outline, _hsv(chance.uniform(0.05, 0.16), chance.uniform(0.3, 0.6), 0.96))


def _plant(chance: np.random.Generator, canvas: Canvas, size: int, x: float, horizon: float) -> None:
    leaf = _hsv(chance.uniform(0.25, 0.42), chance.uniform(0.4, 0.7), chance.uniform(0.4, 0.7))
    foot = complex(x, horizon - 0.06) * size
    for turn in (-0.7, -0.25, 0.25, 0.7):
        tip = foot + size * 0.24 * np.exp(1j * (turn - np.pi / 2))
        canvas.capsule(foot, tip, 0.012 * size, 0.035 * size, leaf)
    pot = _hsv(chance.random(), 0.45, 0.7)
    outline = [(x - 0.07, -0.08), (x + 0.07, -0.08), (x + 0.05, 0.06), (x - 0.05, 0.06)]
    canvas.convex([complex(px, horizon + dy) * size for px, dy in outline], pot)


def _box(canvas: Canvas, size: int, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
    corners = (complex(left, top), complex(right, top), complex(right, bottom), complex(left, bottom))
    canvas.convex([corner * size for corner in corners], colour)


def _gradient(top: Colour, bottom: Colour, size: int) -> np.ndarray:
    rows = np.linspace(0, 1, size * OVERSAMPLING)[:, None]
    column = np.rint(np.array((*top, 0)) * (1 - rows) + np.array((*bottom, 0)) * rows).astype(np.uint8)
    whole = np.repeat(column.view(np.uint32), size * OVERSAMPLING, axis=1)  # one pixel is one number: faster
    return whole.view(np.uint8).reshape(len(whole), -1, 4)


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(float(hue), float(saturation), float(value)))
    return red, green, blue
