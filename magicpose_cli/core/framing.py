"""``Framing``: one crop + scale + pad from an image to the model's canvas, and its inverse."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Framing:
    """The map from a source image (pixels) to a canvas of ``width`` × ``height`` pixels.

    The box (left, top, box_width, box_height) in pixels of the source may be a part of it, and may leave it. It is
    scaled by one factor for both axes (nothing is squeezed) and placed at (pad_left, pad_top) of the canvas.
    ``x_canvas = (x_source - left) * scale + pad_left``. Coordinates are of pixel corners: 0 is the image's edge.
    """

    source_width: int
    source_height: int
    left: float
    top: float
    box_width: float
    box_height: float
    scale: float
    pad_left: float
    pad_top: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.scale <= 0 or min(self.box_width, self.box_height, self.width, self.height) <= 0:
            raise ValueError(f"a framing needs a positive scale and sizes: {self}")

    @property
    def offset(self) -> tuple[float, float]:
        """Canvas position of the source's corner (0, 0): ``x_canvas = x_source * scale + offset``."""
        return self.pad_left - self.left * self.scale, self.pad_top - self.top * self.scale

    @property
    def beyond(self) -> tuple[float, float, float, float]:
        """How far the box leaves the source to the left, top, right and bottom, in pixels; 0 where it does not."""
        right, bottom = self.left + self.box_width, self.top + self.box_height
        sides = -self.left, -self.top, right - self.source_width, bottom - self.source_height
        left, top, right, bottom = (max(0.0, side) for side in sides)
        return left, top, right, bottom

    @property
    def crops(self) -> bool:
        """True where part of the source lies outside the box."""
        left, top, right, bottom = self.beyond
        inside_width, inside_height = self.box_width - left - right, self.box_height - top - bottom
        return inside_width < self.source_width - 1e-6 or inside_height < self.source_height - 1e-6

    @property
    def pads(self) -> bool:
        """True where part of the canvas lies outside the scaled box."""
        return self.box_width * self.scale < self.width - 0.5 or self.box_height * self.scale < self.height - 0.5

    def to_canvas(self, points: np.ndarray) -> np.ndarray:
        """(…, 2) source pixels → canvas pixels."""
        canvas: np.ndarray = np.asarray(points) * self.scale + np.asarray(self.offset)
        return canvas

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """(…, 2) canvas pixels → source pixels: the inverse of ``to_canvas``."""
        source: np.ndarray = (np.asarray(points) - np.asarray(self.offset)) / self.scale
        return source

    @property
    def content_box(self) -> tuple[int, int, int, int]:
        """The part of the canvas that shows the box: left, top, right, bottom in whole canvas pixels."""
        left, top = round(self.pad_left), round(self.pad_top)
        right = min(self.width, left + max(1, round(self.box_width * self.scale)))
        bottom = min(self.height, top + max(1, round(self.box_height * self.scale)))
        return left, top, right, bottom
