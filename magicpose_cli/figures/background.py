"""What stands behind a figure: a room or a landscape, by seed."""

import colorsys
import math
from functools import lru_cache

import cv2
import numpy as np

from magicpose_cli.figures.canvas import OVERSAMPLING, Canvas, shade
from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.textures import Cloth, Colour, cloth_tile, natural_noise

_QUIET = ("heather", "stripes", "checks", "dots", "zigzag", "natural", "leaves", "camouflage", "flat")


@lru_cache(maxsize=16)
def background(seed: int, size: int) -> np.ndarray:
    """The empty scene, oversampled: (2·size, 2·size, 4) uint8 RGB and a cover of 0. Shared: do not write into it.

    An odd seed's is made for a close-up: nearer, and mostly out of focus.
    """
    chance = chance_of(seed, 202)
    make = (_room, _room, _landscape, _town, _studio)[int(chance.integers(5))]
    whole = make(chance, size).finish()[0]
    if seed % 2:
        side = round(size * chance.uniform(0.6, 0.75))
        left, top = round((size - side) * chance.random()), round((size - side) * chance.uniform(0.1, 0.6))
        whole = cv2.resize(whole[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_LINEAR)
    if chance.random() < (0.65 if seed % 2 else 0.2):
        whole = cv2.GaussianBlur(whole, (0, 0), size * chance.uniform(0.008, 0.02))
    lit = cv2.cvtColor(cv2.multiply(whole, _light_fall(chance, size), dtype=cv2.CV_8U), cv2.COLOR_RGB2RGBA)
    lit[..., 3] = 0
    pixels = cv2.resize(lit, (size * OVERSAMPLING, size * OVERSAMPLING), interpolation=cv2.INTER_NEAREST)
    pixels.setflags(write=False)
    return pixels


def _light_fall(chance: np.random.Generator, size: int) -> np.ndarray:
    """Brightness that drifts over the picture, (size, size, 3): light from one side, soft unevenness."""
    x, y = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16))
    way = chance.uniform(0, 2 * math.pi)
    fall = (
        1 + chance.uniform(0, 0.13) * (x * math.cos(way) + y * math.sin(way)) - chance.uniform(0, 0.1) * (x * x + y * y)
    )
    fall += 0.025 * natural_noise(chance, 16, 16)
    whole = cv2.resize(fall.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return cv2.merge((whole, whole, whole))


def _paper(
    chance: np.random.Generator, canvas: Canvas, top: float, bottom: float, ground: Colour, depth: float
) -> None:
    """A band of the picture in a quiet pattern on its ground colour."""
    others = tuple(shade(ground, float(1 + chance.choice((-1, 1)) * depth * chance.uniform(0.5, 1))) for _ in range(2))
    cloth = Cloth(str(chance.choice(_QUIET)), (ground, *others), int(chance.integers(2**31)))
    whole = canvas.pixels.shape[0]
    first, last = round(top * whole), round(bottom * whole)
    # The tile's height covers as much of the picture's, whatever the band's.
    rows = max(2, round(cloth_tile(cloth).shape[0] * (bottom - top) * chance.uniform(0.7, 1.0)))
    tile = cv2.convertScaleAbs(cloth_tile(cloth)[:rows])
    canvas.pixels[first:last] = cv2.resize(tile, (whole, last - first), interpolation=cv2.INTER_LINEAR)


def _room(chance: np.random.Generator, size: int) -> Canvas:
    hue = float(chance.random())
    wall = _hsv(hue, chance.uniform(0.06, 0.4), chance.uniform(0.5, 0.95))
    floor_hue = 0.08 if chance.random() < 0.5 else float(chance.random())
    floor = _hsv(floor_hue, chance.uniform(0.15, 0.5), chance.uniform(0.35, 0.75))
    horizon = float(chance.uniform(0.74, 0.86))
    canvas = Canvas(_gradient(shade(wall, 1.25), shade(wall, 0.88), size))
    if chance.random() < 0.6:
        _paper(chance, canvas, 0, horizon, wall, 0.16)
    if chance.random() < 0.5:
        _paper(chance, canvas, horizon, 1, floor, 0.25)
    else:
        _box(canvas, size, 0, horizon, 1, 1, floor)
        for plank in range(-6, 7):
            lines = [complex(0.5 + 0.09 * plank, horizon) * size, complex(0.5 + 0.17 * plank, 1) * size]
            canvas.line(lines, 0.004 * size, shade(floor, 0.86))
    _box(canvas, size, 0, horizon - 0.02, 1, horizon, shade(wall, 1.5))
    if chance.random() < 0.3:
        rug = _hsv(chance.random(), 0.45, 0.7)
        canvas.oval(complex(0.5, horizon + 0.11) * size, complex(0.4 * size, 0), 0.07 * size, rug)
        canvas.oval(complex(0.5, horizon + 0.11) * size, complex(0.33 * size, 0), 0.052 * size, shade(rug, 1.3))
    sides = chance.permutation(2)
    things = (_window, _picture, _shelf, _lamp, _plant, _clock, _curtain)
    for side, kind in zip(sides, chance.choice(len(things), 2, replace=False), strict=True):
        if chance.random() < 0.85:
            middle = float(chance.uniform(0.1, 0.22))
            things[kind](chance, canvas, size, middle if side == 0 else 1 - middle, horizon)
    return canvas


def _landscape(chance: np.random.Generator, size: int) -> Canvas:
    hue = float(chance.choice((0.55, 0.58, 0.08, 0.95, 0.7)))
    sky = _hsv(hue, chance.uniform(0.15, 0.5), chance.uniform(0.75, 0.97))
    ground = _hsv(chance.choice((0.12, 0.25, 0.33, 0.38)), chance.uniform(0.25, 0.55), chance.uniform(0.45, 0.8))
    horizon = float(chance.uniform(0.68, 0.82))
    canvas = Canvas(_gradient(sky, shade(sky, 1.5), size))
    if chance.random() < 0.5:
        x = float(chance.choice((chance.uniform(0.1, 0.25), chance.uniform(0.75, 0.9))))
        canvas.disc(complex(x, chance.uniform(0.1, 0.22)) * size, 0.07 * size, (255, 236, 160))
    for _ in range(int(chance.integers(0, 4))):
        x, y, wide = chance.uniform(0, 1), chance.uniform(0.06, 0.35), chance.uniform(0.06, 0.12)
        for step in (-0.7, 0, 0.7):
            puff = complex(x + step * wide, y) * size, complex(wide * size, 0), (0.32 - 0.1 * abs(step)) * wide * size
            canvas.oval(*puff, shade(sky, 1.65))
    if chance.random() < 0.4:
        peaks = np.cumsum(chance.uniform(-1, 1, 9)) * 0.05
        ridge = [complex(k / 8, horizon - 0.22 - peaks[k] + 0.07 * (k % 2)) * size for k in range(9)]
        rock = _hsv(hue, 0.25, chance.uniform(0.5, 0.7))
        canvas.polygon([*ridge, complex(1, horizon) * size, complex(0, horizon) * size], rock)
    for _ in range(int(chance.integers(1, 4))):
        far = shade(ground, float(chance.uniform(1.1, 1.45)))
        x, width = float(chance.uniform(0, 1)), float(chance.uniform(0.25, 0.5))
        canvas.oval(complex(x, horizon + 0.04) * size, complex(width * size, 0), chance.uniform(0.1, 0.25) * size, far)
    _box(canvas, size, 0, horizon, 1, 1, ground)
    if chance.random() < 0.6:
        _paper(chance, canvas, horizon, 1, ground, 0.2)
    for _ in range(int(chance.integers(0, 4))):
        x = float(chance.choice((chance.uniform(0.02, 0.24), chance.uniform(0.76, 0.98))))
        leaves, tall = (
            _hsv(chance.uniform(0.2, 0.42), 0.5, chance.uniform(0.35, 0.65)),
            float(chance.uniform(0.14, 0.26)),
        )
        _box(canvas, size, x - 0.018, horizon - tall, x + 0.018, horizon + 0.03, (120, 84, 56))
        if chance.random() < 0.4:
            for row in range(3):
                y, wide = horizon - tall - 0.07 * row, 0.1 - 0.022 * row
                tip = [complex(x - wide, y + 0.08), complex(x, y - 0.08), complex(x + wide, y + 0.08)]
                canvas.convex([corner * size for corner in tip], shade(leaves, 1 + 0.1 * row))
            continue
        for dx, dy, radius, light in ((0, 0, 0.1, 1), (-0.05, 0.03, 0.07, 0.9), (0.045, -0.03, 0.06, 1.12)):
            canvas.disc(complex(x + dx, horizon - tall - 0.04 + dy) * size, radius * size, shade(leaves, light))
    return canvas


def _town(chance: np.random.Generator, size: int) -> Canvas:
    sky = _hsv(chance.choice((0.55, 0.6, 0.07, 0.9)), chance.uniform(0.12, 0.4), chance.uniform(0.75, 0.96))
    horizon = float(chance.uniform(0.72, 0.84))
    canvas = Canvas(_gradient(sky, shade(sky, 1.5), size))
    x = -0.04
    while x < 1:
        wide, top = float(chance.uniform(0.13, 0.24)), float(chance.uniform(0.12, 0.5))
        wall = _hsv(chance.random(), chance.uniform(0.1, 0.35), chance.uniform(0.5, 0.85))
        _box(canvas, size, x, top, x + wide, horizon, wall)
        pane = shade(wall, float(chance.choice((0.6, 1.6))))
        columns = int(chance.integers(2, 4))
        step = wide / columns
        for row in range(int((horizon - top - 0.04) / 0.1)):
            for column in range(columns):
                left, low = x + step * (column + 0.25), top + 0.035 + 0.1 * row
                _box(canvas, size, left, low, left + 0.5 * step, low + 0.055, pane)
        x += wide + float(chance.choice((0, 0, 0.02)))
    street = _hsv(chance.random(), chance.uniform(0.02, 0.15), chance.uniform(0.4, 0.7))
    _box(canvas, size, 0, horizon, 1, 1, street)
    _box(canvas, size, 0, horizon, 1, horizon + 0.025, shade(street, 1.35))
    return canvas


def _studio(chance: np.random.Generator, size: int) -> Canvas:
    """A cloth or a painted wall from edge to edge, now and then with large plain shapes."""
    ground = _hsv(chance.random(), chance.uniform(0.05, 0.5), chance.uniform(0.45, 0.95))
    canvas = Canvas(_gradient(shade(ground, 1.2), shade(ground, 0.85), size))
    if chance.random() < 0.7:
        _paper(chance, canvas, 0, 1, ground, float(chance.uniform(0.1, 0.3)))
    for _ in range(int(chance.integers(0, 3))):
        middle = complex(chance.uniform(0, 1), chance.uniform(0, 0.7)) * size
        canvas.disc(middle, chance.uniform(0.08, 0.25) * size, shade(ground, float(chance.uniform(0.75, 1.4))))
    return canvas


def _clock(chance: np.random.Generator, canvas: Canvas, size: int, x: float, horizon: float) -> None:
    middle = complex(x, chance.uniform(0.16, 0.3)) * size
    canvas.disc(middle, 0.085 * size, _hsv(chance.random(), 0.5, 0.5))
    canvas.disc(middle, 0.07 * size, (248, 246, 238))
    for length, turn in ((0.055, chance.uniform(0, 6.3)), (0.038, chance.uniform(0, 6.3))):
        canvas.line([middle, middle + length * size * np.exp(1j * turn)], 0.01 * size, (50, 46, 52))


def _curtain(chance: np.random.Generator, canvas: Canvas, size: int, x: float, horizon: float) -> None:
    colour = _hsv(chance.random(), chance.uniform(0.2, 0.55), chance.uniform(0.5, 0.9))
    left = 0.0 if x < 0.5 else 0.76
    for fold in range(6):
        _box(
            canvas,
            size,
            left + 0.04 * fold,
            0,
            left + 0.04 * fold + 0.04,
            horizon,
            shade(colour, 0.9 + 0.2 * (fold % 2)),
        )


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
