"""The skeleton over a picture, to be looked at by people."""

import cv2
import numpy as np

from magicpose_cli.conditions.draw import BODY_THRESHOLD, DETAIL_THRESHOLD, NATIVE_SIZE, Person, draw_pose_map

_NOISE = 12  # of lossy pose videos; brightness of a pixel that counts as black
_DIMMEST = 153  # the brightness of a limb: 60 % of 255
_SHADE = 0.75  # of the picture's brightness: the colours stand out, the person stays visible


def draw_overlay(
    frame: np.ndarray,
    person: Person | None,
    *,
    opacity: float = 0.85,
    threshold: float = BODY_THRESHOLD,
    detail_threshold: float = DETAIL_THRESHOLD,
) -> np.ndarray:
    """The frame (RGB uint8 HWC), a little darker, with the person's keypoints (in its pixels) drawn over it.

    Lines are as wide in proportion as on a 512-pixel pose map, however large the frame. None leaves the frame without
    a skeleton, as dark.
    """
    height, width = frame.shape[:2]
    shaded = cv2.convertScaleAbs(frame, alpha=_SHADE)
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
