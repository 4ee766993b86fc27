"""One picture of what the poses will do to the photo: a look before the long run."""

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from magicpose_cli.conditions.framing import is_padded, resize, unframe
from magicpose_cli.conditions.overlay import blend_map
from magicpose_cli.core.condition_set import ConditionSet

_PAPER, _INK, _FAINT, _MARK = (250, 250, 248), (28, 28, 30), (120, 120, 124), (230, 80, 30)
_GAP = 20
_PANEL_HEIGHT, _STRIP_HEIGHT = 560, 200
_MOST_WIDTH = 1600
_TITLE_SIZE, _LABEL_SIZE = 22, 15
_LINE = 22  # pixels from one line of labels to the next
_LEAST_WIDTH = 760


def draw_preview(
    conditions: ConditionSet,
    photo: np.ndarray,
    *,
    title: str = "",
    notes: Sequence[str] | None = None,
    poses: int = 8,
) -> np.ndarray:
    """The preview picture, RGB uint8 (H, W, 3).

    Above: the reference ``photo`` as read, with the fitted skeleton over it and the frame of the picture, and the
    canvas that the network sees, with the picture's outline in it where it is padded. The skeleton is that of the frame
    in which the poses were matched with the photo; without a fit it is the fullest. Below: a strip of ``poses`` pose
    maps from the whole clip, that frame among them, and the notes (``conditions.notes`` where None).
    """
    count = conditions.frame_count
    matched = conditions.matched
    numbers = np.unique(np.linspace(0, count - 1, max(1, poses)).astype(int))
    if matched is not None:
        numbers[np.argmin(abs(numbers - matched))] = matched
    numbers = numbers.tolist()
    maps = [conditions.pose_maps(n, n + 1)[0] for n in numbers]
    if matched is not None:
        chosen, label = numbers.index(matched), f"Photo, matched on frame {matched}"
    else:
        chosen = int(np.argmax([np.count_nonzero(m.any(axis=2)) for m in maps]))
        label = f"Photo, and the pose of frame {numbers[chosen]}"

    left, top, right, bottom = conditions.framing.beyond
    aspect = (photo.shape[1] + left + right) / (photo.shape[0] + top + bottom)
    across = aspect + 2 * conditions.width / conditions.height  # of all panels together, at height 1
    height = max(1, min(_PANEL_HEIGHT, round((_MOST_WIDTH - 3 * _GAP) / across)))
    size = f"{conditions.width}x{conditions.height}"
    panels = [
        (label, _over_photo(conditions, photo, maps[chosen], height)),
        (f"What the network sees, drawn at {size}", _canvas(conditions, maps[chosen], height)),
    ]
    shown = [unframe(m, conditions.framing) for m in maps]
    width = max(_row_width(panels), _LEAST_WIDTH)
    each = (width - _GAP) / len(shown) - _GAP  # the strip fills the width, in one row
    strip_height = max(1, min(_STRIP_HEIGHT, int(each * shown[0].shape[0] / shown[0].shape[1])))
    strip = [
        (f"{n}: matched" if n == matched else f"frame {n}", _scaled(m, strip_height))
        for n, m in zip(numbers, shown, strict=True)
    ]
    rows = [panels, strip]
    sentences = conditions.notes if notes is None else notes
    lines = [line for note in sentences for line in textwrap.wrap(note, max(20, width // 8))]
    return _page(width, title or f"{count} poses on the reference", rows, lines)


def _over_photo(conditions: ConditionSet, photo: np.ndarray, pose_map: np.ndarray, height: int) -> np.ndarray:
    """The whole photo, the frame of the picture, which may be smaller or leave the photo, and the skeleton in it."""
    framing = conditions.framing
    left, top, right, bottom = framing.beyond
    scale = height / (framing.source_height + top + bottom)
    view = np.full((height, max(1, round((framing.source_width + left + right) * scale)), 3), _PAPER, np.uint8)
    box = _rectangle(view, framing.left + left, framing.top + top, framing.box_width, framing.box_height, scale)
    whole = _rectangle(view, left, top, framing.source_width, framing.source_height, scale)
    for rectangle, picture in ((box, unframe(conditions.reference, framing)), (whole, photo)):
        part = view[rectangle]
        part[:] = resize(picture, part.shape[1], part.shape[0])
    view = (view * 0.75).astype(np.uint8)
    view[box] = blend_map(view[box], unframe(pose_map, framing))
    if box == whole:
        return view
    outlined = Image.fromarray(view)
    rows, columns = box
    corners = (columns.start, rows.start, columns.stop - 1, rows.stop - 1)
    ImageDraw.Draw(outlined).rectangle(corners, outline=_MARK, width=3)
    return np.asarray(outlined)


def _rectangle(
    view: np.ndarray, left: float, top: float, width: float, height: float, scale: float
) -> tuple[slice, slice]:
    """Rows and columns of ``view`` that show a rectangle, at least one of each."""
    x, y = min(round(left * scale), view.shape[1] - 1), min(round(top * scale), view.shape[0] - 1)
    right, bottom = round((left + width) * scale), round((top + height) * scale)
    return slice(y, max(y + 1, min(bottom, view.shape[0]))), slice(x, max(x + 1, min(right, view.shape[1])))


def _canvas(conditions: ConditionSet, pose_map: np.ndarray, height: int) -> np.ndarray:
    """The framed photo beside its pose map, with the picture's outline where there is padding."""
    both = np.concatenate([conditions.reference, pose_map], axis=1)
    picture = Image.fromarray(_scaled(both, height))
    if is_padded(conditions.framing):
        scale = picture.height / conditions.height
        left, top, right, bottom = (v * scale for v in conditions.framing.content_box)
        draw = ImageDraw.Draw(picture)
        for shift in (0, conditions.width * scale):
            draw.rectangle((left + shift, top, right + shift - 1, bottom - 1), outline=_MARK, width=2)
    return np.asarray(picture)


def _scaled(image: np.ndarray, height: int) -> np.ndarray:
    return resize(image, max(1, round(image.shape[1] * height / image.shape[0])), height)


def _row_width(row: Sequence[tuple[str, np.ndarray]]) -> int:
    return _GAP + sum(picture.shape[1] + _GAP for _, picture in row)


def _page(width: int, title: str, rows: Sequence[Sequence[tuple[str, np.ndarray]]], lines: Sequence[str]) -> np.ndarray:
    """Rows of labelled pictures under a title, text lines below."""
    heights = [max(picture.shape[0] for _, picture in row) + _LINE + _GAP for row in rows]
    height = _GAP + 2 * _LINE + sum(heights) + len(lines) * _LINE + (_GAP if lines else 0)
    page = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(page)
    title_font, label_font = ImageFont.load_default(_TITLE_SIZE), ImageFont.load_default(_LABEL_SIZE)
    draw.text((_GAP, _GAP), _drawable(title), fill=_INK, font=title_font)
    y = _GAP + 2 * _LINE
    for row, row_height in zip(rows, heights, strict=True):
        x = _GAP
        for label, picture in row:
            page.paste(Image.fromarray(picture), (x, y + _LINE))
            draw.text((x, y), label, fill=_FAINT, font=label_font)
            x += picture.shape[1] + _GAP
        y += row_height
    for line in lines:
        draw.text((_GAP, y), _drawable(line), fill=_INK, font=label_font)
        y += _LINE
    return np.asarray(page)


def _drawable(text: str) -> str:
    """File names may hold anything; the font may not."""
    return "".join(c if c.isprintable() else "?" for c in text.encode("utf-8", "replace").decode("utf-8"))
