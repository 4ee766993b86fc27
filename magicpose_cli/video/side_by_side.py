"""Panels of one height side by side, each with its label below: reference | pose | result."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_BACKGROUND = (20, 20, 23)
_TEXT = (228, 228, 232)


def panel_size(sizes: Sequence[tuple[int, int]], height: int) -> tuple[int, int]:
    """(width, height) of the frames that ``side_by_side`` makes of panels with these (width, height) sizes.

    Both are even, as video wants them.
    """
    gap = _gap(height)
    width = sum(_width(size, height) + gap for size in sizes) + gap
    whole = gap + height + _strip(height)
    return width + width % 2, whole + whole % 2


def side_by_side(panels: Sequence[tuple[str, Iterable[np.ndarray] | np.ndarray]], height: int) -> Iterator[np.ndarray]:
    """RGB uint8 frames of all panels, pictures scaled to ``height`` pixels with their aspect kept, in sync.

    A panel is a label and its frames, RGB uint8 (h, w, 3), or one such array, a still, which repeats. Ends with the
    shortest clip; stills alone make one frame. The first frame of each panel sets its width.
    """
    stills = [isinstance(frames, np.ndarray) for _, frames in panels]
    rows = zip(*(repeat(frames) if still else frames for (_, frames), still in zip(panels, stills, strict=True)))  # noqa: B905
    if all(stills):
        rows = islice(rows, 1)
    canvas: np.ndarray | None = None
    for row in rows:
        if canvas is None:
            sizes = [(frame.shape[1], frame.shape[0]) for frame in row]
            canvas = _labelled_canvas([label for label, _ in panels], sizes, height)
            widths = [_width(size, height) for size in sizes]
        picture = canvas.copy()
        left = top = _gap(height)
        for frame, width in zip(row, widths, strict=True):
            picture[top : top + height, left : left + width] = _scaled(frame, width, height)
            left += width + _gap(height)
        yield picture


def _gap(height: int) -> int:
    return max(2, round(height / 64))


def _strip(height: int) -> int:
    """Height of the label strip below the pictures."""
    return max(20, round(height / 14))


def _width(size: tuple[int, int], height: int) -> int:
    return max(1, round(size[0] * height / size[1]))


def _scaled(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    smaller = height < frame.shape[0]
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _labelled_canvas(labels: Sequence[str], sizes: Sequence[tuple[int, int]], height: int) -> np.ndarray:
    image = Image.new("RGB", panel_size(sizes, height), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(11, round(_strip(height) * 0.58)))
    left, middle = _gap(height), _gap(height) + height + _strip(height) / 2
    for label, size in zip(labels, sizes, strict=True):
        width = _width(size, height)
        text = _fitted(" ".join(label.split()), draw, font, width)
        draw.text((left + width / 2, middle), text, fill=_TEXT, font=font, anchor="mm")
        left += width + _gap(height)
    return np.array(image)


def _fitted(label: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The label, or as much of it as fits the width, with an ellipsis."""
    text = label
    while text and draw.textlength(text, font=font) > width:
        text = text.removesuffix("…")[:-1].rstrip() + "…" if len(text.removesuffix("…")) > 1 else ""
    return text
