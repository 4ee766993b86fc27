"""``Canvas``: flat shapes drawn at twice the size with soft edges, and how much of each pixel they cover."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from magicpose_cli.figures.textures import Colour

OVERSAMPLING = 2
_SHIFT = 4
_STEPS = 1 << _SHIFT
_CIRCLE = np.exp(1j * np.linspace(0, 2 * math.pi, 20, endpoint=False))
_HALF = np.exp(1j * np.linspace(-math.pi / 2, math.pi / 2, 9))

Points = Sequence[complex] | np.ndarray


@dataclass(frozen=True)
class Frame:
    """Where a tile lies in the picture, in pixels: its first corner and its two edges."""

    origin: complex
    across: complex  # along the tile's rows: the whole width
    along: complex  # along the tile's columns: the whole height


class Canvas:
    """Shapes in pixels of the final picture, points as complex numbers (see ``body``); ``pixels`` is RGB and cover."""

    def __init__(self, background: np.ndarray) -> None:
        """``background``: (2·size, 2·size, 4) uint8, whose fourth channel is 0; it is copied."""
        self.pixels = background.copy()

    def polygon(self, points: Points, colour: Colour) -> None:
        """A filled outline of any shape."""
        cv2.fillPoly(self.pixels, [_grid(points)], (*colour, 255), cv2.LINE_AA, _SHIFT)

    def convex(self, points: Points, colour: Colour) -> None:
        """A filled convex outline: faster than ``polygon``."""
        cv2.fillConvexPoly(self.pixels, _grid(points), (*colour, 255), cv2.LINE_AA, _SHIFT)

    def line(self, points: Points, width: float, colour: Colour) -> None:
        """An open line through the points, ``width`` pixels thick, round at the ends."""
        self.lines([points], width, colour)

    def lines(self, lines: Sequence[Points], width: float, colour: Colour) -> None:
        """Several open lines of one width and colour."""
        thickness = max(1, round(width * OVERSAMPLING))
        cv2.polylines(self.pixels, [_grid(p) for p in lines], False, (*colour, 255), thickness, cv2.LINE_AA, _SHIFT)

    def disc(self, centre: complex, radius: float, colour: Colour) -> None:
        """A filled circle."""
        middle = _grid([centre])[0]
        reach = round(radius * OVERSAMPLING * _STEPS)
        cv2.circle(self.pixels, (int(middle[0]), int(middle[1])), reach, (*colour, 255), -1, cv2.LINE_AA, _SHIFT)

    def oval(self, centre: complex, half_width: complex, half_height: float, colour: Colour) -> None:
        """A filled ellipse; ``half_width`` is a vector, so it may be turned."""
        unit = half_width / abs(half_width)
        ring = centre + (_CIRCLE.real * abs(half_width) + 1j * _CIRCLE.imag * half_height) * unit
        self.convex(ring, colour)

    def capsule(self, start: complex, end: complex, start_radius: float, end_radius: float, colour: Colour) -> None:
        """A limb: round at both ends, with its own radius at each."""
        self.convex(capsule_outline(start, end, start_radius, end_radius), colour)

    def shows(self, points: Sequence[complex], margin: float) -> bool:
        """Whether anything within ``margin`` pixels of the points' box lies in the picture."""
        size = self.pixels.shape[0] / OVERSAMPLING
        x, y = [point.real for point in points], [point.imag for point in points]
        return max(x) > -margin and min(x) < size + margin and max(y) > -margin and min(y) < size + margin

    def fabric(self, outline: Points, tile: np.ndarray, frame: "Frame", *, convex: bool = False) -> None:
        """A filled outline with a picture in it: ``tile`` (h, w, 4) uint8, laid by ``frame``, mirrored beyond its edge.

        The soft rim is of the tile's mean colour, the rest is copied whole: as fast as a blend is not.
        """
        grid = _grid(outline)
        (left, top), (right, bottom) = grid.min(0) // _STEPS - 1, grid.max(0) // _STEPS + 2
        # Whole pixels of the final picture: the tile is sampled once in each.
        left, top = (max(int(v) // OVERSAMPLING, 0) * OVERSAMPLING for v in (left, top))
        height, width = self.pixels.shape[:2]
        right = min(-(-int(right) // OVERSAMPLING) * OVERSAMPLING, width)
        bottom = min(-(-int(bottom) // OVERSAMPLING) * OVERSAMPLING, height)
        if right <= left or bottom <= top:
            return
        mean = cv2.mean(tile[::4, ::4])
        draw = cv2.fillConvexPoly if convex else cv2.fillPoly
        draw(self.pixels, grid if convex else [grid], mean, cv2.LINE_AA, _SHIFT)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        grid -= np.array((left, top), np.int32) * _STEPS
        draw(mask, grid if convex else [grid], 255, cv2.LINE_AA, _SHIFT)
        inside = cv2.threshold(mask, 254, 255, cv2.THRESH_BINARY)[1]
        across, along = frame.across / tile.shape[1], frame.along / tile.shape[0]
        origin = frame.origin - complex(left, top) / OVERSAMPLING - (0.5 + 0.5j) + 0.5 * (across + along)
        matrix = np.array([[across.real, along.real, origin.real], [across.imag, along.imag, origin.imag]])
        seen = ((right - left) // OVERSAMPLING, (bottom - top) // OVERSAMPLING)
        patch = cv2.warpAffine(tile, matrix, seen, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        patch = cv2.resize(patch, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(patch, inside, self.pixels[top:bottom, left:right])

    def shadow(self, centre: complex, half_width: float, half_height: float, depth: float) -> None:
        """A soft dark oval on what is drawn so far; it covers nothing."""
        middle = centre * OVERSAMPLING
        reach_x, reach_y = half_width * OVERSAMPLING, half_height * OVERSAMPLING
        height, width = self.pixels.shape[:2]
        left, right = (min(width, max(0, round(middle.real + s * reach_x))) for s in (-1, 1))
        top, bottom = (min(height, max(0, round(middle.imag + s * reach_y))) for s in (-1, 1))
        if right - left < 2 or bottom - top < 2:
            return
        x = (np.arange(left, right, dtype=np.float32) + 0.5 - middle.real) / reach_x
        y = (np.arange(top, bottom, dtype=np.float32) + 0.5 - middle.imag) / reach_y
        light = 1 - depth * np.square(np.clip(1 - x[None] ** 2 - y[:, None] ** 2, 0, None))
        ground = self.pixels[top:bottom, left:right]
        np.multiply(ground, light[..., None], out=ground, casting="unsafe")

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture (size, size, 3) uint8 and the share of each pixel that shapes cover, 0 to 255."""
        size = self.pixels.shape[0] // OVERSAMPLING
        small = cv2.resize(self.pixels, (size, size), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_RGBA2RGB), small[..., 3]


def capsule_outline(start: complex, end: complex, start_radius: float, end_radius: float) -> np.ndarray:
    """The outline of a limb that is round at both ends: (18,) complex, convex."""
    along = end - start
    unit = along / abs(along) if abs(along) > 1e-6 else 1j
    outline = np.empty(2 * len(_HALF), np.complex128)
    outline[: len(_HALF)] = end + (end_radius * unit) * _HALF
    outline[len(_HALF) :] = start - (start_radius * unit) * _HALF
    return outline


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor below 1) or lighter (above 1: towards white)."""
    if factor <= 1:
        red, green, blue = (int(c * factor) for c in colour)
    else:
        red, green, blue = (int(c + (255 - c) * (factor - 1)) for c in colour)
    return red, green, blue


def _grid(points: Points) -> np.ndarray:
    """Pixels from the corner → OpenCV's fixed-point places, which count from the middle of the first pixel."""
    flat = np.array(points, np.complex128).view(np.float64)
    flat *= OVERSAMPLING * _STEPS
    flat -= 0.5 * _STEPS
    return np.rint(flat, out=flat).astype(np.int32).reshape(-1, 2)
