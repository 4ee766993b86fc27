from collections.abc import Callable

import numpy as np
import pytest

# A standing person of height 1, the neck at (0, 0): x, y of the 18 body points. He faces us: his right is left.
STANDING = [
    (0, -0.10), (0, 0),
    (-0.11, 0), (-0.15, 0.17), (-0.17, 0.33), (0.11, 0), (0.15, 0.17), (0.17, 0.33),
    (-0.07, 0.33), (-0.08, 0.57), (-0.08, 0.80), (0.07, 0.33), (0.08, 0.57), (0.08, 0.80),
    (-0.02, -0.12), (0.02, -0.12), (-0.05, -0.11), (0.05, -0.11),
]  # fmt: skip


@pytest.fixture(scope="session")
def dance() -> Callable[..., np.ndarray]:
    """Makes the true (F, 130, 3) points of somebody who sways, bends and waves the right hand; confidence 0.9."""

    def make(
        frames: int, fps: float = 25, height: float = 400, start: float = 300, speed: float = 0, wave: float = 3
    ) -> np.ndarray:
        time = np.arange(frames) / fps
        body = np.tile(np.array(STANDING) * height, (frames, 1, 1))
        sway = 0.05 * height * np.sin(2 * np.pi * 0.4 * time)
        body[:, :8, 0] += sway[:, None]  # head, shoulders, arms
        body[:, 14:, 0] += sway[:, None]
        body[:, 4, 0] += 0.12 * height * np.sin(2 * np.pi * wave * time)  # the right wrist, ``wave`` times a second
        body += [start, 150]
        body[:, :, 0] += (speed * time)[:, None]
        chance = np.random.default_rng(1)
        hand, face = chance.normal(0, 0.02, (21, 2)) * height, chance.normal(0, 0.03, (70, 2)) * height
        hand[0] = 0
        parts = [body, body[:, 7:8] + hand, body[:, 4:5] + hand * [-1, 1], body[:, :1] + face]
        points = np.concatenate(parts, axis=1)
        return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], axis=2).astype(np.float32)

    return make
