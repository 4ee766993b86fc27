"""Which part of the photo becomes the picture: it holds the person and the whole reach of the motion."""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.conditions.draw import Person
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD
from magicpose_cli.core.names import FRAMINGS
from magicpose_cli.core.pose_track import PoseTrack

MAX_ASPECT = 2.0
"""A picture is at most twice as long as wide: networks trained on squares fall apart on strips."""
MAX_GROWTH = 0.5
"""Of the photo's width or height: so far the picture may grow beyond it on each side. What lies beyond is cut."""
SMALL = 0.25
"""A person is small where person and reach need less than this share of the photo's area."""
_TOLERANCE = 0.005  # of the photo's side; motion that leaves the photo by less does not change the picture's shape
_HAIR = 0.75  # from nose to neck: so far hair, fingers and shoes go beyond the points
_MARGIN = 0.12  # of the larger side of all points, where no head is measured
_FEW = 12  # frames; in a shorter clip, which may be poses one by one, each frame counts by itself

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in whole pixels of the photo. It may leave the photo."""


@dataclass(frozen=True)
class Reach:
    """The bounds in pixels of the photo of all points of person and motion, and how far hair and fingers go beyond."""

    left: float
    top: float
    right: float
    bottom: float
    margin: float


def reach_of(
    track: PoseTrack,
    person: Person | None,
    *,
    threshold: float = BODY_THRESHOLD,
    detail_threshold: float = DETAIL_THRESHOLD,
) -> Reach | None:
    """The reach of a fitted ``track`` (in pixels of the photo) and of the ``person`` in the photo.

    Beyond the photo only what the photo shows counts: a driver's legs do not make room for themselves below a portrait,
    and where the photo shows no foot, its lower edge cuts the person off, and nothing is added below. With ``person``
    None all of the driver counts. But in clips of more than a few frames a point counts only as far as two neighbouring
    frames both show it: what one frame alone shows is a stray point. None where there is no point at all.
    """
    shown = shown_joints(person, track, threshold)
    hidden = [joint for joint in range(kp.BODY_COUNT) if joint not in shown]
    moving = [_seen(track.body[:, shown], threshold), _within(_seen(track.body[:, hidden], threshold), track)]
    for points, joint in ((track.right_hand, kp.RIGHT_WRIST), (track.left_hand, kp.LEFT_WRIST), (track.face, kp.NOSE)):
        seen = _seen(points, detail_threshold)
        moving.append(seen if joint in shown else _within(seen, track))
    low, high = _held(np.concatenate(moving, axis=1))
    if person is not None:
        still = [_known(_seen(person.body, threshold))]
        still += [_known(_seen(part, detail_threshold)) for part in (person.left_hand, person.right_hand, person.face)]
        low, high = np.concatenate([low, *still]), np.concatenate([high, *still])
    if not len(low):
        return None
    # Sorted: where all points jump at each frame, no two frames agree.
    (left, top), (right, bottom) = np.sort([low.min(axis=0), high.max(axis=0)], axis=0).tolist()
    if not {kp.RIGHT_ANKLE, kp.LEFT_ANKLE} & set(shown):
        bottom = min(bottom, track.height)
    return Reach(
        left, top, right, bottom, _HAIR * _head(person, threshold) or _MARGIN * max(right - left, bottom - top)
    )


def choose_box(width: int, height: int, reach: Reach | None, framing: str, *, keep_aspect: bool = True) -> Box:
    """The part of a photo of ``width`` × ``height`` pixels that becomes the picture.

    ``photo`` is the whole photo and no more. ``person`` is the reach with its margin, widened within the photo to the
    photo's aspect (``keep_aspect``), or no further than ``MAX_ASPECT`` asks. ``auto`` is the photo, larger where the
    motion leaves it; where the person is ``SMALL`` in it, it is ``person``. Never more than ``MAX_GROWTH`` beyond the
    photo. Without a reach it is the photo. Raises UsageError on an unknown framing.
    """
    if framing not in FRAMINGS:
        raise UsageError(f"unknown framing '{framing}'", f"use {', '.join(FRAMINGS)}")
    photo = 0, 0, width, height
    if reach is None or framing == "photo":
        return photo
    left, right = _span(reach.left, reach.right, reach.margin, width)
    top, bottom = _span(reach.top, reach.bottom, reach.margin, height)
    most = width / height if keep_aspect else MAX_ASPECT
    least = width / height if keep_aspect else 1 / MAX_ASPECT
    near_left, near_right = _widened(left, right, least * (bottom - top), width)
    near_top, near_bottom = _widened(top, bottom, (right - left) / most, height)
    near = _whole(near_left, near_top, near_right, near_bottom)
    if framing == "person" or _area(near) < SMALL * width * height:
        return near
    return _whole(min(left, 0), min(top, 0), max(right, width), max(bottom, height))


def shown_joints(person: Person | None, track: PoseTrack, threshold: float) -> list[int]:
    """The body points that the photo shows."""
    if person is None:
        return list(range(kp.BODY_COUNT))
    x, y, confidence = person.body.T
    there = (confidence >= threshold) & (x >= 0) & (y >= 0) & (x <= track.width) & (y <= track.height)
    return np.flatnonzero(there).tolist()


def _seen(points: np.ndarray, threshold: float) -> np.ndarray:
    """(…, 3) → (…, 2): NaN where they are not trusted."""
    trusted = (points[..., 2] >= threshold) & (points[..., 2] > 0)
    return np.where(trusted[..., None], points[..., :2], np.nan)


def _within(points: np.ndarray, track: PoseTrack) -> np.ndarray:
    """(…, 2) points, NaN where they do not lie in the photo."""
    inside = ((points >= 0) & (points <= (track.width, track.height))).all(axis=-1)
    return np.where(inside[..., None], points, np.nan)


def _held(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points over time (F, K, 2) → lower and upper bounds (n, 2) each, as far as two neighbouring frames both reach."""
    if len(points) < _FEW:
        known = _known(points)
        return known, known
    before, after = points[:-1], points[1:]
    return _known(np.maximum(before, after)), _known(np.minimum(before, after))


def _known(points: np.ndarray) -> np.ndarray:
    """(…, 2) → (n, 2): those that are not NaN."""
    return points[~np.isnan(points).any(axis=-1)]


def _head(person: Person | None, threshold: float) -> float:
    """From nose to neck in pixels; 0 where that is not seen."""
    if person is None or min(person.body[[kp.NOSE, kp.NECK], 2]) < threshold:
        return 0.0
    return float(np.linalg.norm(person.body[kp.NOSE, :2] - person.body[kp.NECK, :2]))


def _span(low: float, high: float, margin: float, side: int) -> tuple[float, float]:
    """One axis of the reach with its margin. The margin alone never leaves the photo, and nothing leaves it far."""
    most = MAX_GROWTH * side
    low = max(low - margin, -most) if low < -_TOLERANCE * side else max(low - margin, 0)
    high = min(high + margin, side + most) if high > (1 + _TOLERANCE) * side else min(high + margin, side)
    return min(low, side - 1), max(high, 1)


def _widened(low: float, high: float, length: float, side: int) -> tuple[float, float]:
    """``low`` … ``high`` made ``length`` long about its middle, by pixels that the photo has."""
    length = max(high - low, min(length, side))
    start = min(max((low + high - length) / 2, 0), side - length) if length <= side else low
    start = max(min(start, low), high - length)
    return start, start + length


def _whole(left: float, top: float, right: float, bottom: float) -> Box:
    return int(np.floor(left)), int(np.floor(top)), int(np.ceil(right)), int(np.ceil(bottom))


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
