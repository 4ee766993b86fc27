"""Drawn pose maps read back: is this one, are red and blue swapped, where are the joints.

The hues of the OpenPose colours are spaced evenly round the wheel, so swapping red and blue gives the same set of
colours again. What tells is which colour a limb has between which joints.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from magicpose_cli.conditions.draw import HAND_DOT_COLOUR, JOINT_COLOURS, LIMB_COLOURS, LIMBS
from magicpose_cli.core.keypoints import BODY_COUNT

_BLACK = 48  # the brightest channel of a pixel that counts as background; lossy video leaves some noise
_JOINT_TOLERANCE = 42  # half of the distance between two neighbouring joint colours
_LIMB_TOLERANCE = 60
_FEWEST_LIMBS = 2
_MOST_PLACES = 60  # candidates looked at for one joint: two hands full of blue dots, and the knee of that colour

_PALETTE = np.array(JOINT_COLOURS, np.int16)
_LIMB_PALETTE = np.array(LIMB_COLOURS, np.int16)


def looks_like_pose_map(frame: np.ndarray) -> bool:
    """True for a drawn OpenPose map, red and blue swapped or not: mostly black, with limbs in their colours.

    ``frame`` is uint8 (H, W, 3). An all-black frame is not one.
    """
    if not _mostly_black(frame):
        return False
    return max(_limb_count(frame), _limb_count(frame[..., ::-1])) >= _FEWEST_LIMBS


def looks_like_pose_maps(frames: Iterable[np.ndarray]) -> bool:
    """True where most of the frames that show anything look like pose maps; all-black frames say nothing."""
    votes = [looks_like_pose_map(frame) for frame in frames if not is_black(frame)]
    return sum(votes) * 2 > len(votes)


def is_black(frame: np.ndarray) -> bool:
    """True for a frame that shows nothing, but for the noise of lossy video."""
    return bool(frame.max() < _BLACK)


def colours_swapped(frames: Iterable[np.ndarray]) -> bool:
    """True where the frames (RGB, as read) are pose maps whose red and blue were swapped when they were written."""
    kept = [frame for frame in frames if _mostly_black(frame)]
    right = sum(_limb_count(frame) for frame in kept)
    swapped = sum(_limb_count(frame[..., ::-1]) for frame in kept)
    if right == swapped == 0:
        # No body: hands alone have blue dots.
        right, swapped = (sum(_dot_pixels(f) for f in kept), sum(_dot_pixels(f[..., ::-1]) for f in kept))
    return swapped > 2 * right


def find_joints(pose_map: np.ndarray) -> np.ndarray:
    """The body's joints in a drawn map: float32 (18, 3) of x, y in pixels and confidence 1, or 0 where not found.

    Joints are found by colour; where a colour occurs more than once (the left knee has the blue of the hands' dots),
    the place counts whose limbs lead to it. Good to about a pixel: enough to fit a body, not to redraw it.
    """
    return _joints_and_limbs(pose_map)[0]


def _limb_count(frame: np.ndarray) -> int:
    return _joints_and_limbs(frame)[1]


def _joints_and_limbs(frame: np.ndarray) -> tuple[np.ndarray, int]:
    """The joints as ``find_joints`` gives them, and how many limbs of the right colour lie between them."""
    places = _places(frame)
    support = [np.zeros(len(found)) for found in places]  # how much limb leads to each place
    shares = []
    for (a, b), colour in zip(LIMBS, _LIMB_PALETTE, strict=True):
        share = _limb_shares(frame, places[a], places[b], colour)  # (places of a, places of b)
        shares.append(share)
        if share.size:
            np.maximum(support[a], share.max(axis=1), out=support[a])
            np.maximum(support[b], share.max(axis=0), out=support[b])
    joints = np.zeros((BODY_COUNT, 3), np.float32)
    best = [int(np.argmax(s)) if len(s) and s.max() > 0.5 else None for s in support]
    for joint, place in enumerate(best):
        if place is not None:
            joints[joint] = *places[joint][place], 1
    limbs = sum(
        best[a] is not None and best[b] is not None and share[best[a], best[b]] > 0.5
        for (a, b), share in zip(LIMBS, shares, strict=True)
    )
    return joints, int(limbs)


def _places(frame: np.ndarray) -> list[np.ndarray]:
    """For each joint the places (n, 2) in pixels where a spot of its colour is, largest first."""
    # Joints have one channel near 255 and one near 0; limbs are drawn at 60 % of 255.
    darkest = np.minimum(np.minimum(frame[..., 0], frame[..., 1]), frame[..., 2])
    rows, columns = np.nonzero((_brightness(frame) > 190) & (darkest <= _JOINT_TOLERANCE))
    pixels = frame[rows, columns].astype(np.int16)
    places = []
    for colour in _PALETTE:
        near = np.abs(pixels - colour).max(axis=1) <= _JOINT_TOLERANCE
        if not near.any():
            places.append(np.zeros((0, 2)))
            continue
        top, left = rows[near].min(), columns[near].min()
        mask = np.zeros((rows[near].max() - top + 1, columns[near].max() - left + 1), np.uint8)
        mask[rows[near] - top, columns[near] - left] = 1
        places.append(_spots(mask) + (left + 0.5, top + 0.5))
    return places


def _spots(mask: np.ndarray) -> np.ndarray:
    """The centres (n, 2) of a mask's connected parts, largest first: the middle of the thickest place of each.

    A hand's line of nearly a joint's colour may hang on the joint's disc; it is thin, so it does not pull.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 3)[1:-1, 1:-1]
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = 1 + np.argsort(-areas, kind="stable")[: min(_MOST_PLACES, max(1, int((areas > 3).sum())))]
    spots = []
    for label in largest.tolist():
        x, y, width, height = (int(n) for n in stats[label, :4])
        box = np.s_[y : y + height, x : x + width]
        inner = np.where(labels[box] == label, depth[box], 0)
        rows, columns = np.nonzero(inner >= 0.75 * inner.max())
        spots.append((x + columns.mean(), y + rows.mean()))
    return np.array(spots)


def _limb_shares(frame: np.ndarray, starts: np.ndarray, ends: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(n, m): the share of the way from each start to each end, its joints' discs left out, in the limb's colour."""
    along = np.linspace(0.25, 0.75, 9)[:, None]  # (9, 1)
    points = starts[:, None, None] * (1 - along) + ends[None, :, None] * along  # (n, m, 9, 2)
    x, y = points[..., 0].astype(np.intp), points[..., 1].astype(np.intp)
    pixels = frame[y, x].astype(np.int16)  # (n, m, 9, 3)
    return (np.abs(pixels - colour).max(axis=-1) <= _LIMB_TOLERANCE).mean(axis=-1)


def _mostly_black(frame: np.ndarray) -> bool:
    return bool((_brightness(frame) < _BLACK).mean() >= 0.5)


def _brightness(frame: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(frame[..., 0], frame[..., 1]), frame[..., 2])  # ten times as fast as max(axis=2)


def _dot_pixels(frame: np.ndarray) -> int:
    return int((np.abs(frame.astype(np.int16) - HAND_DOT_COLOUR).max(axis=2) <= _JOINT_TOLERANCE).sum())
