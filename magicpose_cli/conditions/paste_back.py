"""The generated frames back into the full-size photo, whose rest stays as it is."""

from collections.abc import Callable

import numpy as np

from magicpose_cli.conditions.framing import resize, unframe
from magicpose_cli.core.framing import Framing

FEATHER = 1 / 16
"""Of the framed box's shorter side: so wide is the seam over which frame and photo are blended."""


def paste_back(photo: np.ndarray, framing: Framing) -> Callable[[np.ndarray], np.ndarray]:
    """A function that lays a frame of the canvas into ``photo`` (RGB uint8, the framing's source), and gives the whole.

    Outside the framed box the photo's pixels stay exactly as they are. Inside, along those sides of the box that lie
    within the photo, the frame fades in evenly over ``FEATHER``. What the frame shows beyond the photo is cut off.
    """
    left, top = round(framing.left), round(framing.top)
    width, height = round(framing.box_width), round(framing.box_height)
    x, y = max(0, left), max(0, top)
    right, bottom = min(framing.source_width, left + width), min(framing.source_height, top + height)
    seam = max(1.0, FEATHER * min(width, height))
    across = _fade(right - x, seam, x > 0, right < framing.source_width)
    down = _fade(bottom - y, seam, y > 0, bottom < framing.source_height)
    share = (down[:, None] * across)[..., None]  # (h, w, 1)
    behind = photo[y:bottom, x:right] * (1 - share)

    def paste(frame: np.ndarray) -> np.ndarray:
        shown = resize(unframe(frame, framing), width, height)[y - top : bottom - top, x - left : right - left]
        whole = photo.copy()
        whole[y:bottom, x:right] = np.rint(behind + shown * share)
        return whole

    return paste


def _fade(length: int, seam: float, at_start: bool, at_end: bool) -> np.ndarray:
    """Weights (length,) of the frame along one axis: rising from the ends that have a seam."""
    places = np.arange(length, dtype=np.float32) + 0.5
    start = places / seam if at_start else np.ones(length, np.float32)
    end = places[::-1] / seam if at_end else np.ones(length, np.float32)
    return np.minimum(np.minimum(start, end), 1)
