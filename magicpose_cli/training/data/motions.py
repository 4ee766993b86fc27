"""Motions of real drivers for figures: pose folders of ``magicpose extract``, retargeted once a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import median

import numpy as np

from magicpose_cli.core.errors import InputError
from magicpose_cli.figures.figure_pose import FigurePose
from magicpose_cli.figures.retarget import poses_from_track
from magicpose_cli.pose.openpose_json import read_poses

_SWAY = 0.2  # of the picture's width: how far a figure leaves its place


@dataclass(frozen=True)
class Motion:
    """What a driver does, a pose a frame, at ``fps`` frames a second."""

    poses: tuple[FigurePose, ...]
    fps: float

    def choose(self, count: int, clip_fps: int, rng: np.random.Generator) -> list[FigurePose]:
        """``count`` poses: any, or with ``clip_fps`` consecutive ones at that rate; the last one is held at the end."""
        if not clip_fps:
            chosen = rng.integers(len(self.poses), size=count)
        else:
            steps = (np.arange(count) * self.fps / clip_fps).round().astype(int)
            chosen = rng.integers(max(1, len(self.poses) - steps[-1])) + steps
        return [self.poses[min(int(n), len(self.poses) - 1)] for n in chosen]


@lru_cache(maxsize=4)
def read_motions(folders: tuple[str, ...]) -> Sequence[Motion]:
    """The motions of pose folders (or pose files). Raises InputError where one cannot be read or shows nobody."""
    motions = []
    for folder in folders:
        track = read_poses(Path(folder)).track
        if not (track.body[..., 2] > 0).any():
            raise InputError(f"{folder} shows no person, so that no figure can move as in it")
        motions.append(Motion(tuple(_in_own_place(poses_from_track(track))), float(track.fps)))
    return motions


def _in_own_place(poses: list[FigurePose]) -> list[FigurePose]:
    """The motion about a figure's own place and size, whatever the driver's camera: the figure has its own."""
    place, scale = median(pose.root_x for pose in poses), median(pose.scale for pose in poses)
    return [
        replace(
            pose,
            root_x=min(_SWAY, max(-_SWAY, (pose.root_x - place) / scale)),
            scale=min(1.1, max(0.85, pose.scale / scale)),
        )
        for pose in poses
    ]
