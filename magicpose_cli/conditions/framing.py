"""Pictures ↔ the model's canvas: one scale for both axes, and padding that is cut off again."""

import cv2
import numpy as np

from magicpose_cli.conditions.reach import MAX_ASPECT, Box
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.framing import Framing

Colour = tuple[int, int, int]


def choose_canvas(width: int, height: int, size: int | tuple[int, int], multiple: int = 8) -> tuple[int, int]:
    """The canvas (width, height) in pixels for a picture of ``width`` × ``height``.

    A number is the shorter side; the longer one follows the picture's aspect, up to ``MAX_ASPECT``, rounded to the
    nearest multiple of ``multiple``. A pair is taken as it is. Raises UsageError where a side of the size is no
    multiple.
    """
    if isinstance(size, int):
        _check_multiple(size, multiple)
        aspect = min(max(width, height) / min(width, height), MAX_ASPECT)
        longer = _to_multiple(size * aspect, multiple)
        return (longer, size) if width > height else (size, longer)
    for side in size:
        _check_multiple(side, multiple)
    return size


def fit_framing(source_width: int, source_height: int, width: int, height: int, box: Box | None = None) -> Framing:
    """The framing of a source picture on a canvas of ``width`` × ``height``: all of ``box``, centred, two sides padded.

    ``box`` None is the whole source.
    """
    left, top, right, bottom = box or (0, 0, source_width, source_height)
    box_width, box_height = right - left, bottom - top
    if min(source_width, source_height, width, height, box_width, box_height) < 1:
        raise ValueError(f"sizes must be positive: {source_width}x{source_height}, box {box}, on {width}x{height}")
    scale = min(width / box_width, height / box_height)
    return Framing(
        source_width=source_width,
        source_height=source_height,
        left=left,
        top=top,
        box_width=box_width,
        box_height=box_height,
        scale=scale,
        # Whole canvas pixels, so that placing the scaled picture needs no second resampling.
        pad_left=(width - max(1, round(box_width * scale))) // 2,
        pad_top=(height - max(1, round(box_height * scale))) // 2,
        width=width,
        height=height,
    )


def apply_framing(image: np.ndarray, framing: Framing, background: str | Colour = "edge") -> np.ndarray:
    """The framed picture: RGB uint8 (height, width, 3) of the canvas.

    ``background`` fills what is not of the source: the padding, and the box where it leaves the source. ``edge``
    repeats the picture's border outward and blurs it: no hard line and no second person for the network to take up,
    and plain backgrounds simply go on. A colour fills it evenly (pose maps: black).
    """
    if image.shape != (framing.source_height, framing.source_width, 3):
        raise ValueError(f"the image is {image.shape}, its framing of {framing.source_width}x{framing.source_height}")
    left, top = max(0, round(framing.left)), max(0, round(framing.top))
    right = min(framing.source_width, round(framing.left + framing.box_width))
    bottom = min(framing.source_height, round(framing.top + framing.box_height))
    if left >= right or top >= bottom:
        raise ValueError(f"the framing shows nothing of the image: {framing}")
    begin_x, end_x = _placed(left, right, framing.scale, framing.offset[0], framing.width)
    begin_y, end_y = _placed(top, bottom, framing.scale, framing.offset[1], framing.height)
    part = resize(image[top:bottom, left:right], end_x - begin_x, end_y - begin_y)
    pads = begin_y, framing.height - end_y, begin_x, framing.width - end_x
    if not any(pads):
        return np.ascontiguousarray(part)
    if background != "edge":
        return cv2.copyMakeBorder(part, *pads, borderType=cv2.BORDER_CONSTANT, value=background)
    canvas = cv2.copyMakeBorder(part, *pads, borderType=cv2.BORDER_REPLICATE)
    canvas = cv2.GaussianBlur(canvas, (0, 0), sigmaX=max(1.0, max(pads) / 4), borderType=cv2.BORDER_REPLICATE)
    canvas[begin_y:end_y, begin_x:end_x] = part
    return canvas


def _placed(begin: int, end: int, scale: float, offset: float, side: int) -> tuple[int, int]:
    """Where begin … end of the source lie on a side of the canvas, in whole pixels, at least one."""
    start = min(max(0, round(begin * scale + offset)), side - 1)
    return start, min(side, start + max(1, round((end - begin) * scale)))


def unframe(frame: np.ndarray, framing: Framing) -> np.ndarray:
    """A canvas without its padding: what is left has the box's aspect (to the pixel) and is not resampled."""
    if frame.shape[:2] != (framing.height, framing.width):
        raise ValueError(f"the frame is {frame.shape}, the canvas {framing.width}x{framing.height}")
    left, top, right, bottom = framing.content_box
    return np.ascontiguousarray(frame[top:bottom, left:right])


def unframed_size(framing: Framing) -> tuple[int, int]:
    """Width and height in pixels of what ``unframe`` returns."""
    left, top, right, bottom = framing.content_box
    return right - left, bottom - top


def describe(framing: Framing) -> str:
    """One line for the user: what was done to the picture's shape; empty where nothing was."""
    said = []
    if framing.crops:
        said.append(
            f"shows {framing.box_width:.0f}x{framing.box_height:.0f} of the photo's "
            f"{framing.source_width}x{framing.source_height} pixels, round the person and the motion"
        )
    if grown := list_beyond(framing):
        said.append(f"grows by {grown}, where the motion leaves the photo")
    if is_padded(framing):
        said.append(
            f"is padded to {framing.width}x{framing.height} for the model, and the padding cut off again: "
            "what is left is {}x{}".format(*unframed_size(framing))
        )
    return f"Framing: the picture {'; it '.join(said)}." if said else ""


def list_beyond(framing: Framing) -> str:
    """``40 pixels on the left, 12 pixels on the top``: how far the box leaves the source; empty where it does not."""
    sides = zip(("left", "top", "right", "bottom"), framing.beyond, strict=True)
    return ", ".join(f"{pixels:.0f} pixels on the {side}" for side, pixels in sides if pixels)


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
