"""Poses and dances: varied, smooth, the same by seed."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from magicpose_cli.figures.figure_pose import FIELD_NAMES, FigurePose
from magicpose_cli.figures.motion import make_motion, random_pose
from magicpose_cli.figures.render import keypoints_of, track_of
from magicpose_cli.figures.scene import random_identity


def test_a_vector_holds_the_whole_pose():
    pose = random_pose(2)
    assert FigurePose.from_vector(pose.to_vector()) == pose
    assert pose.to_vector().shape == (len(FIELD_NAMES),)


def test_poses_are_well_apart():
    person = random_identity(0)
    poses = [keypoints_of(person, replace(random_pose(s), scale=0.7)).body for s in range(60)]
    for i, a in enumerate(poses):
        for b in poses[:i]:
            assert np.linalg.norm(a[:, :2] - b[:, :2], axis=1).max() > 3


def test_most_points_are_in_the_picture():
    seen = [keypoints_of(random_identity(s), random_pose(s)) for s in range(200)]
    assert np.mean([k.body[:, 2].mean() for k in seen]) > 0.99
    assert np.mean([np.concatenate([k.left_hand, k.right_hand])[:, 2].mean() for k in seen]) > 0.95


@pytest.mark.parametrize("fps", [12, 24, Fraction(30000, 1001)])
def test_motion_is_smooth(fps):
    for seed in range(6):
        poses = make_motion(seed, 60, fps)
        track = track_of(random_identity(seed), [replace(p, scale=0.6) for p in poses], 128, Fraction(fps))
        assert (track.body[..., 2] == 1).all()
        speed = np.linalg.norm(np.diff(track.body[..., :2], axis=0), axis=2) * float(fps) / 128
        assert speed.max() < 1.5  # picture heights a second
        assert speed.max() > 0.1


def test_a_longer_dance_begins_as_the_shorter_one():
    assert make_motion(4, 90)[:20] == make_motion(4, 20)
    assert make_motion(4, 0) == []


def test_a_dance_talks_and_blinks():
    open_mouth, closed_eyes = [], []
    for seed in range(10):
        poses = make_motion(seed, 96, 24)
        open_mouth.append(np.ptp([p.mouth_open for p in poses]))
        closed_eyes.append(min(p.eye_open for p in poses))
    assert np.median(open_mouth) > 0.3
    assert np.median(closed_eyes) < 0.2


def test_rate_changes_the_steps_not_the_dance():
    slow, fast = make_motion(3, 10, 12), make_motion(3, 20, 24)
    for a, b in zip(slow, fast[::2], strict=True):
        np.testing.assert_allclose(a.to_vector(), b.to_vector(), atol=1e-9)
