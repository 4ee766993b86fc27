"""Poses from a pose track: a figure's own track gives its motion back."""

from dataclasses import replace

import numpy as np
import pytest

from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.figures.identity import View
from magicpose_cli.figures.motion import make_motion
from magicpose_cli.figures.render import track_of
from magicpose_cli.figures.retarget import poses_from_track
from magicpose_cli.figures.scene import random_identity


def _track(kind: str, seed: int, frames: int = 48) -> PoseTrack:
    person = replace(random_identity(40), view=View())
    return track_of(person, make_motion(seed, frames, 12, kind), 256, 12)


def _error(kind: str, seed: int) -> float:
    """The mean distance of joints, from the hips' middle, as a share of the figure's torso."""
    track = _track(kind, seed)
    person = replace(random_identity(40), view=View())
    again = track_of(person, poses_from_track(track), 256, 12)
    both = []
    for one in (track, again):
        hips = (one.body[:, 8:9, :2] + one.body[:, 11:12, :2]) / 2
        both.append((one.body[:, 1:14, :2] - hips) / np.linalg.norm(one.body[:, 1:2, :2] - hips, axis=2).max())
    return float(np.linalg.norm(both[0] - both[1], axis=2).mean())


@pytest.mark.parametrize("kind, most", [("dance", 0.15), ("talk", 0.12), ("wave", 0.12), ("turn", 0.15), ("walk", 0.2)])
def test_a_figures_own_track_gives_its_motion_back(kind, most):
    assert np.mean([_error(kind, seed) for seed in range(4)]) < most


def test_expressions_come_through():
    poses = make_motion(3, 72, 12, "talk")
    again = poses_from_track(_track("talk", 3, 72))
    for name in ("mouth_open", "eye_open", "brow_raise", "mouth_width"):
        first, second = (np.array([getattr(p, name) for p in motion]) for motion in (poses, again))
        assert np.corrcoef(first, second)[0, 1] > 0.8, name


def test_missing_points_are_filled_and_an_empty_track_is_no_motion():
    track = _track("wave", 1)
    body = track.body.copy()
    body[5:9, 3:5] = 0
    gaps = poses_from_track(replace(track, body=body))
    assert all(np.isfinite(p.to_vector()).all() for p in gaps)
    legless = track.body.copy()
    legless[:, 8:14] = 0
    assert all(np.isfinite(p.to_vector()).all() for p in poses_from_track(replace(track, body=legless)))
    assert poses_from_track(track[:0]) == []
    unseen = PoseTrack.empty(3, 64, 64, track.fps)
    assert len(poses_from_track(unseen)) == 3
