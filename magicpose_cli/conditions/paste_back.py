"""The generated frames back into the full-size photo, whose rest stays as it is."""

import math
from collections.abc import Callable

import numpy as np

from magicpose_cli.conditions.framing import list_beyond, resize, unframe
from magicpose_cli.conditions.reach import Box
from magicpose_cli.core.framing import Framing

FEATHER = 1 / 10
"""Of the framed box's shorter side: so wide is the seam over which frame and photo are blended."""


def with_room_to_fade(box: Box, width: int, height: int) -> Box:
    """``box`` grown within the photo, so that what it was lies wholly on the new side of the seam."""
    left, top, right, bottom = box
    grow = math.ceil(FEATHER / (1 - 2 * FEATHER) * min(right - left, bottom - top))
    return (
        min(left, max(0, left - grow)),
        min(top, max(0, top - grow)),
        max(right, min(width, right + grow)),
        max(bottom, min(height, bottom + grow)),
    )


def patch_of(framing: Framing) -> tuple[int, int, int, int]:
    """The part of the photo that the frame replaces: left, top, right, bottom in whole pixels."""
    left, top = round(framing.left), round(framing.top)
    right, bottom = left + round(framing.box_width), top + round(framing.box_height)
    return max(0, left), max(0, top), min(framing.source_width, right), min(framing.source_height, bottom)


def paste_back(photo: np.ndarray, framing: Framing) -> Callable[[np.ndarray], np.ndarray]:
    """A function that lays a frame of the canvas into ``photo`` (RGB uint8, the framing's source), and gives the whole.

    Outside the framed box the photo's pixels stay exactly as they are. Inside, along those sides of the box that lie
    within the photo, the frame fades in over ``FEATHER``, slowly at both ends of it, where an eye would find an edge.
    What the frame shows beyond the photo is cut off.
    """
    left, top = round(framing.left), round(framing.top)
    width, height = round(framing.box_width), round(framing.box_height)
    x, y, right, bottom = patch_of(framing)
    seam = _seam(framing)
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
    """Weights (length,) of the frame along one axis: rising as a squared sine from the ends that have a seam."""
    places = np.arange(length, dtype=np.float32) + 0.5
    start = places / seam if at_start else np.ones(length, np.float32)
    end = places[::-1] / seam if at_end else np.ones(length, np.float32)
    return np.sin(np.pi / 2 * np.minimum(np.minimum(start, end), 1)) ** 2


def _seam(framing: Framing) -> float:
    """Its width in pixels of the photo."""
    return max(1.0, FEATHER * min(round(framing.box_width), round(framing.box_height)))


def describe_paste(framing: Framing) -> str:
    """One line for the user, in place of ``framing.describe``: what of the photo is made anew, and what is cut off."""
    left, top, right, bottom = patch_of(framing)
    whole = f"{framing.source_width}x{framing.source_height} pixels"
    if (left, top, right, bottom) == (0, 0, framing.source_width, framing.source_height):
        said = f"Framing: all of the photo's {whole} are made anew."
    else:
        said = (
            f"Framing: {right - left}x{bottom - top} of the photo's {whole}, from {left} across and {top} down, "
            f"are made anew and laid back, blended over {_seam(framing):.0f} pixels; all else stays as it is."
        )
    if beyond := list_beyond(framing):
        said += (
            f" Where the motion leaves the photo, {beyond} with the margin for hair and fingers are cut off; without "
            "--paste-back the picture grows."
        )
    return said
