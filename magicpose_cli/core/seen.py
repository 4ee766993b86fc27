"""When a part of a person counts as seen: one rule for reports, data sets, and what the network is shown.

The drawing of pose maps itself draws all that it is given.
"""

from collections.abc import Mapping

import numpy as np

from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD

LEAST_SHARE = 1 / 3
"""Of a hand's or a face's points. Networks that give all points always are sure of one or two of them where there is
nothing; a profile shows half a face, and a hand at the picture's edge half its fingers."""


def is_seen(points: np.ndarray) -> np.ndarray:
    """(…, n, 3) points of a hand or a face → (…) bool: ``LEAST_SHARE`` of them have ``DETAIL_THRESHOLD`` or more."""
    return np.asarray((points[..., 2] >= DETAIL_THRESHOLD).mean(axis=-1) >= LEAST_SHARE)


def seen_parts(parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each part's (…, n, 3) points by its name → (…) bool; of a body one point of ``BODY_THRESHOLD`` is enough."""
    return {
        name: (points[..., 2] >= BODY_THRESHOLD).any(axis=-1) if name == "body" else is_seen(points)
        for name, points in parts.items()
    }


def without_scraps(parts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each part's (…, n, 3) points by its name, those of a hand or a face all missing where it is not seen."""
    return {
        name: points if name == "body" else np.where(is_seen(points)[..., None, None], points, np.float32(0))
        for name, points in parts.items()
    }
