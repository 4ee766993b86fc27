"""Pictures ↔ the model's canvas: one scale for both axes, and padding that is cut off again."""

import cv2
import numpy as np

from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.framing import Framing

MAX_ASPECT = 2.0
"""A canvas is at most twice as long as wide: networks trained on squares fall apart on strips. Padding fills up."""

Colour = tuple[int, int, int]


def choose_canvas(
    source_width: int, source_height: int, size: int | tuple[int, int], multiple: int = 8
) -> tuple[int, int]:
    """The canvas (width, height) in pixels for a picture; both sides are multiples of ``multiple``.

    A number is the shorter side; the longer one follows the picture's aspect, up to ``MAX_ASPECT``. A pair is taken as
    it is. Raises UsageError where the size does not fit the multiple.
    """
    if isinstance(size, int):
        _check_multiple(size, multiple)
        aspect = min(max(source_width, source_height) / min(source_width, source_height), MAX_ASPECT)
        longer = _to_multiple(size * aspect, multiple)
        return (longer, size) if source_width > source_height else (size, longer)
    for side in size:
        _check_multiple(side, multiple)
    return size


def fit_framing(source_width: int, source_height: int, width: int, height: int, *, mode: str = "pad") -> Framing:
    """The framing of a source picture on a canvas, centred.

    ``pad`` keeps the whole source and pads two sides; ``crop`` fills the canvas and cuts two sides of the source
    (``Framing.crops`` tells, so that the caller can say so).
    """
    if min(source_width, source_height, width, height) < 1:
        raise ValueError(f"sizes must be positive: {source_width}x{source_height} on {width}x{height}")
    if mode not in ("pad", "crop"):
        raise UsageError(f"unknown framing '{mode}'", "use pad or crop")
    ratios = width / source_width, height / source_height
    scale = min(ratios) if mode == "pad" else max(ratios)
    # The scaled picture is moved by whole canvas pixels, so that placing it needs no second resampling.
    free_x = width - max(1, round(source_width * scale))
    free_y = height - max(1, round(source_height * scale))
    left, top = max(0, -free_x // 2) / scale, max(0, -free_y // 2) / scale
    return Framing(
        source_width=source_width,
        source_height=source_height,
        left=left,
        top=top,
        box_width=min(source_width - left, width / scale),
        box_height=min(source_height - top, height / scale),
        scale=scale,
        pad_left=max(0, free_x // 2),
        pad_top=max(0, free_y // 2),
        width=width,
        height=height,
    )


def apply_framing(image: np.ndarray, framing: Framing, background: str | Colour = "edge") -> np.ndarray:
    """The framed picture: RGB uint8 (height, width, 3) of the canvas.

    ``background`` fills the padding. ``edge`` repeats the picture's border outward and blurs it: no hard line and
    no second person for the network to take up, and plain backgrounds simply go on. A colour fills it evenly
    (pose maps: black).
    """
    if image.shape != (framing.source_height, framing.source_width, 3):
        raise ValueError(f"the image is {image.shape}, its framing of {framing.source_width}x{framing.source_height}")
    width = max(1, round(framing.source_width * framing.scale))
    height = max(1, round(framing.source_height * framing.scale))
    scaled = resize(image, width, height)
    offset_x, offset_y = (round(v) for v in framing.offset)
    right, bottom = framing.width - offset_x - width, framing.height - offset_y - height
    part = scaled[max(0, -offset_y) : height + min(0, bottom), max(0, -offset_x) : width + min(0, right)]
    pads = max(0, offset_y), max(0, bottom), max(0, offset_x), max(0, right)
    if not any(pads):
        return np.ascontiguousarray(part)
    if background != "edge":
        return cv2.copyMakeBorder(part, *pads, borderType=cv2.BORDER_CONSTANT, value=background)
    canvas = cv2.copyMakeBorder(part, *pads, borderType=cv2.BORDER_REPLICATE)
    canvas = cv2.GaussianBlur(canvas, (0, 0), sigmaX=max(1.0, max(pads) / 4), borderType=cv2.BORDER_REPLICATE)
    canvas[pads[0] : pads[0] + part.shape[0], pads[2] : pads[2] + part.shape[1]] = part
    return canvas


def unframe(frame: np.ndarray, framing: Framing) -> np.ndarray:
    """A canvas without its padding: what is left has the source's aspect (to the pixel) and is not resampled."""
    if frame.shape[:2] != (framing.height, framing.width):
        raise ValueError(f"the frame is {frame.shape}, the canvas {framing.width}x{framing.height}")
    left, top, right, bottom = framing.content_box
    return np.ascontiguousarray(frame[top:bottom, left:right])


def unframed_size(framing: Framing) -> tuple[int, int]:
    """Width and height in pixels of what ``unframe`` returns."""
    left, top, right, bottom = framing.content_box
    return right - left, bottom - top


def describe(framing: Framing) -> str:
    """One sentence for the user: what was done to the picture's shape; empty where nothing was."""
    if framing.crops:
        lost = 1 - framing.box_width * framing.box_height / (framing.source_width * framing.source_height)
        return f"The reference is cropped to fill {framing.width}x{framing.height}: {lost:.0%} of it is cut off."
    if is_padded(framing):
        return (
            f"The reference is padded to {framing.width}x{framing.height} for the model; the padding is cut off again: "
            "the video is {}x{}.".format(*unframed_size(framing))
        )
    return ""


def is_padded(framing: Framing) -> bool:
    """True where padding is worth a word: more than the pixel by which a whole number of pixels may miss an aspect."""
    width, height = unframed_size(framing)
    return framing.width - width > 1 or framing.height - height > 1


def resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8 → (height, width, 3): by area where it shrinks, bicubic where it grows."""
    if image.shape[:2] == (height, width):
        return image
    shrinks = width <= image.shape[1] and height <= image.shape[0]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def _check_multiple(side: int, multiple: int) -> None:
    if side < 1 or side % multiple:
        raise UsageError(
            f"the size {side} does not fit: a side is a multiple of {multiple} pixels",
            f"use {_to_multiple(side, multiple)}",
        )


def _to_multiple(value: float, multiple: int) -> int:
    return max(multiple, round(value / multiple) * multiple)
