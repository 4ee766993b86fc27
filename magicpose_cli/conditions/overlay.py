"""The skeleton over a picture, to be looked at by people."""

from collections.abc import Mapping

import cv2
import numpy as np

from magicpose_cli.conditions.draw import NATIVE_SIZE, Person, draw_pose_map
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD

_NOISE = 12  # of lossy pose videos; brightness of a pixel that counts as black
_DIMMEST = 153  # the brightness of a limb: 60 % of 255
_SHADE = 0.75  # of the picture's brightness: the colours stand out, the person stays visible


def draw_overlay(
    frame: np.ndarray,
    person: Person | None,
    *,
    opacity: float = 0.85,
    shade: float = _SHADE,
    threshold: float = BODY_THRESHOLD,
    detail_threshold: float = DETAIL_THRESHOLD,
) -> np.ndarray:
    """The frame (RGB uint8 HWC), darkened to ``shade``, with the person's keypoints (in its pixels) drawn over it.

    Lines are as wide in proportion as on a 512-pixel pose map, however large the frame. None leaves the frame without
    a skeleton, as dark.
    """
    height, width = frame.shape[:2]
    shaded = cv2.convertScaleAbs(frame, alpha=shade)
    if person is None:
        return shaded
    # Drawn small and enlarged on a large frame, the other way round on a small one.
    ratio = NATIVE_SIZE / min(width, height)
    small_width, small_height = round(width * ratio), round(height * ratio)
    factor = np.array([small_width / width, small_height / height, 1.0])
    pose_map = draw_pose_map(
        *(part * factor for part in (person.body, person.left_hand, person.right_hand, person.face)),
        small_width,
        small_height,
        threshold=threshold,
        detail_threshold=detail_threshold,
    )
    return blend_map(shaded, pose_map, opacity)


def draw_people(frame: np.ndarray, people: Mapping[int, Person]) -> np.ndarray:
    """The frame (RGB uint8 HWC), a little darker, with several people (in its pixels) and the number of each over him.

    A number stands above the person's head, or as near to that as the frame's edge allows.
    """
    out = cv2.convertScaleAbs(frame, alpha=_SHADE)
    height, width = frame.shape[:2]
    for person in people.values():
        out = draw_overlay(out, person, shade=1.0)
    scale = max(0.8, min(width, height) / NATIVE_SIZE * 1.5)
    for number, person in people.items():
        points = np.concatenate([person.body, person.left_hand, person.right_hand, person.face])
        there = points[points[:, 2] > 0, :2]
        if not len(there):
            continue
        (left, top), (right, _) = there.min(axis=0), there.max(axis=0)
        text, thick = str(number), max(1, round(2 * scale))
        (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        x = int(np.clip((left + right - text_width) / 2, 4, max(4, width - text_width - 4)))
        y = int(np.clip(top - text_height / 2, text_height + 4, height - 4))
        for colour, line in (((0, 0, 0), 3 * thick), ((255, 255, 255), thick)):
            cv2.putText(out, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, line, cv2.LINE_AA)
    return out


def blend_map(frame: np.ndarray, pose_map: np.ndarray, opacity: float = 0.85) -> np.ndarray:
    """A drawn pose map over a frame: where the map is black the frame shows through. RGB uint8, the frame's size."""
    height, width = frame.shape[:2]
    if pose_map.shape[:2] != (height, width):
        way = cv2.INTER_AREA if pose_map.shape[0] > height else cv2.INTER_CUBIC
        pose_map = cv2.resize(pose_map, (width, height), interpolation=way)
    brightness = np.maximum(np.maximum(pose_map[..., 0], pose_map[..., 1]), pose_map[..., 2]).astype(np.float32)
    covered = np.clip((brightness - _NOISE) / (_DIMMEST - _NOISE), 0, 1)[..., None]
    # A line's edge is a darker line: its colour is there in the right measure already, the frame is taken away by it.
    lines = pose_map * np.minimum(covered * 4, 1)
    return np.rint(frame * (1 - opacity * covered) + lines * opacity).clip(0, 255).astype(np.uint8)
