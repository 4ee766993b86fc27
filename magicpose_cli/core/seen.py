"""When a hand or a face counts as seen: one rule for reports, drawing and data sets."""

import numpy as np

from magicpose_cli.core.keypoints import DETAIL_THRESHOLD

LEAST_SHARE = 1 / 3
"""Of a hand's or a face's points. Networks that give all points always are sure of one or two of them where there is
nothing; a profile shows half a face, and a hand at the picture's edge half its fingers."""


def is_seen(points: np.ndarray) -> np.ndarray:
    """(…, n, 3) points of a hand or a face → (…) bool: ``LEAST_SHARE`` of them have ``DETAIL_THRESHOLD`` or more."""
    return np.asarray((points[..., 2] >= DETAIL_THRESHOLD).mean(axis=-1) >= LEAST_SHARE)


def without_scraps(points: np.ndarray) -> np.ndarray:
    """(…, n, 3) points of a hand or a face, all missing where the part is not seen."""
    return np.where(is_seen(points)[..., None, None], points, np.float32(0))
