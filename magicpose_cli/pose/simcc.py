"""Points of one person by a SimCC network: the crop it sees, and its output read.

Source: SimCC (Li et al., 2022, arXiv 2107.03332): each point's x and y are two classifications over bins, here two
bins a pixel; RTMPose (Jiang et al., 2023, arXiv 2303.07399) for the crop: the box a quarter larger, in the network's
shape.
"""

from dataclasses import dataclass

import numpy as np

BINS = 2  # a pixel of the crop
_LARGER = 1.25
_MEAN, _DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, RGB


@dataclass(frozen=True)
class Region:
    """The part of a picture that a crop shows, in its pixels; it may reach over the edge."""

    left: float
    top: float
    width: float
    height: float


def region_round(box: np.ndarray, width: int, height: int) -> Region:
    """The region of the shape ``width`` × ``height`` round a box (left, top, right, bottom)."""
    middle, sides = (box[:2] + box[2:4]) / 2, (box[2:4] - box[:2]) * _LARGER
    wide = max(sides[0], sides[1] * width / height)
    high = wide * height / width
    return Region(float(middle[0] - wide / 2), float(middle[1] - high / 2), float(wide), float(high))


def crop(picture: np.ndarray, region: Region, width: int, height: int) -> np.ndarray:
    """The region of an RGB uint8 picture as (3, height, width) float32, normalised; black beyond the edge."""
    import cv2

    scale = width / region.width
    # A pixel's middle is at its index plus a half, on both sides.
    shift = (-region.left * scale + scale / 2 - 0.5, -region.top * scale + scale / 2 - 0.5)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    pixels = cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.ascontiguousarray(((pixels - np.array(_MEAN)) / _DEVIATION).transpose(2, 0, 1), dtype=np.float32)


def find_points(simcc_x: np.ndarray, simcc_y: np.ndarray, region: Region) -> np.ndarray:
    """(points, bins of x), (points, bins of y) → (points, 3) x, y in the picture's pixels, score in [0, 1].

    A score is the lower of the two maxima; where it is not above 0 the point is missing. Between bins the place is
    the top of the parabola through the highest and its neighbours: a bin is a pixel or more of a large person. The
    first bin is the middle of the crop's first pixel.
    """
    (x, sure_x), (y, sure_y) = _tops(simcc_x), _tops(simcc_y)
    score = np.minimum(np.minimum(sure_x, sure_y), 1)
    points = np.stack(
        [
            region.left + (x + BINS / 2) / simcc_x.shape[1] * region.width,
            region.top + (y + BINS / 2) / simcc_y.shape[1] * region.height,
            score,
        ],
        axis=1,
    ).astype(np.float32)
    return np.where(score[:, None] > 0, points, np.float32(0))


def _tops(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place (in bins) and height of each row's maximum."""
    rows, highest = np.arange(len(values)), values.argmax(axis=1)
    before = values[rows, (highest - 1).clip(min=0)]
    after = values[rows, (highest + 1).clip(max=values.shape[1] - 1)]
    top = values[rows, highest]
    bend = (2 * top - before - after).clip(min=1e-9)
    return highest + ((after - before) / (2 * bend)).clip(-0.5, 0.5), top
