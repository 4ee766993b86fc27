"""True points of people: as tracks over a clip, and as heatmaps and part affinity fields."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from magicpose_cli.pose.heatmaps import STRIDE
from magicpose_cli.pose.part_affinity import LIMBS

# A standing person of height 1, the neck at (0, 0): x, y of the 18 body points. He faces us: his right is left.
UPRIGHT = [
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
        body = np.tile(np.array(UPRIGHT) * height, (frames, 1, 1))
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


def bumps(points: np.ndarray, width: int, height: int) -> torch.Tensor:
    """(K, 3) x, y, height of each map's bump, in pixels → (K, h, w), as OpenPose is trained: a Gaussian each."""
    rows, columns = np.mgrid[: height // STRIDE, : width // STRIDE] * STRIDE + STRIDE / 2
    away = (columns - points[:, 0, None, None]) ** 2 + (rows - points[:, 1, None, None]) ** 2
    return torch.from_numpy((points[:, 2, None, None] * np.exp(-away / (2 * STRIDE**2))).astype(np.float32))


def body_maps(people: Sequence[np.ndarray], width: int, height: int) -> tuple[torch.Tensor, torch.Tensor]:
    """People (18, 3) in pixels, confidence 0 where missing → fields (38, h, w) and maps (19, h, w).

    Where limbs of two people cross, the field is the mean of both, as in OpenPose's paper.
    """
    maps = np.zeros((19, height // STRIDE, width // STRIDE), np.float32)
    fields = np.zeros((38, height // STRIDE, width // STRIDE), np.float32)
    rows, columns = np.mgrid[: height // STRIDE, : width // STRIDE] * STRIDE + STRIDE / 2
    for person in people:
        maps[:18] = np.maximum(maps[:18], bumps(person, width, height).numpy())
    for limb in LIMBS:
        total, count = np.zeros((2, *rows.shape)), np.zeros(rows.shape)
        for person in people:
            start, end = person[limb.start], person[limb.end]
            if not (start[2] > 0 and end[2] > 0):
                continue
            length = np.hypot(*(end - start)[:2])
            direction = (end - start)[:2] / length
            x, y = columns - start[0], rows - start[1]
            along, across = x * direction[0] + y * direction[1], x * direction[1] - y * direction[0]
            inside = (along >= -STRIDE) & (along <= length + STRIDE) & (np.abs(across) <= STRIDE)
            total += inside * direction[:, None, None]
            count += inside
        fields[limb.channel : limb.channel + 2] = total / np.maximum(count, 1)
    maps[18] = 1 - maps[:18].max(axis=0)
    return torch.from_numpy(fields), torch.from_numpy(maps)


STANDING = np.array([  # x, y of the 18 points in a frame of 100 × 200
    (50, 30), (50, 55), (35, 55), (25, 85), (20, 112), (65, 55), (75, 85), (80, 112), (40, 110), (40, 145), (40, 180),
    (60, 110), (60, 145), (60, 180), (46, 25), (54, 25), (41, 29), (59, 29),
])  # fmt: skip


def standing(
    x: float, y: float, scale: float = 1.0, missing: Sequence[int] = (), confidence: float = 0.9
) -> np.ndarray:
    """A standing person (18, 3), moved to x, y."""
    person = np.concatenate([STANDING * scale + (x, y), np.full((18, 1), confidence)], axis=1)
    person[list(missing)] = 0
    return person


@pytest.fixture(scope="session")
def truth() -> SimpleNamespace:
    """The functions above, for the tests of several files."""
    return SimpleNamespace(bumps=bumps, body_maps=body_maps, standing=standing)
