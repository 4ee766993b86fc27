"""A square of a video for training: the same one for reference and targets, with the person inside."""

import math

import numpy as np

from magicpose_cli.core.framing import Framing

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels

_MARGIN = 0.1  # of the person's longer side: keypoints end at the ankles and the brow


def square_framing(box: Box, width: int, height: int, size: int, rng: np.random.Generator) -> Framing:
    """The framing of a ``width`` × ``height`` picture on ``size`` × ``size`` pixels in which ``box`` shows whole.

    As large as the picture's shorter side where the person fits in that, else as large as the person, padded. Along
    the longer side it lies by chance, as far as the person leaves it free.
    """
    left, top, right, bottom = _widened(box, width, height)
    side = max(min(width, height), right - left, bottom - top)
    scale = size / side
    offset_x = _offset(round(width * scale), size, left * scale, right * scale, rng)
    offset_y = _offset(round(height * scale), size, top * scale, bottom * scale, rng)
    crop_left, crop_top = max(0, -offset_x) / scale, max(0, -offset_y) / scale
    return Framing(
        source_width=width,
        source_height=height,
        left=crop_left,
        top=crop_top,
        box_width=min(width - crop_left, (size - max(0, offset_x)) / scale),
        box_height=min(height - crop_top, (size - max(0, offset_y)) / scale),
        scale=scale,
        pad_left=max(0, offset_x),
        pad_top=max(0, offset_y),
        width=size,
        height=size,
    )


def box_of(places: np.ndarray, width: int, height: int) -> Box:
    """The box round (n, 2) points, within the picture; all of it where there is no point."""
    if not len(places):
        return 0, 0, width, height
    (left, top), (right, bottom) = places.min(axis=0), places.max(axis=0)
    return max(0, float(left)), max(0, float(top)), min(width, float(right)), min(height, float(bottom))


def _widened(box: Box, width: int, height: int) -> Box:
    left, top, right, bottom = box
    margin = _MARGIN * max(right - left, bottom - top)
    return max(0, left - margin), max(0, top - margin), min(width, right + margin), min(height, bottom + margin)


def _offset(length: int, size: int, near: float, far: float, rng: np.random.Generator) -> int:
    """Where a picture of ``length`` begins on ``size`` pixels so that near … far is on them."""
    free = size - length
    if free >= 0:
        return free // 2
    low, high = max(free, math.ceil(-near)), min(0, math.floor(size - far))
    if low > high:  # a person just as long as the square, after rounding
        return max(free, min(0, round((size - near - far) / 2)))
    return int(rng.integers(low, high + 1))
