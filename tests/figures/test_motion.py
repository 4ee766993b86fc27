"""Poses and motions: varied, smooth, the same by seed."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from magicpose_cli.figures.figure_pose import FIELD_NAMES, FigurePose
from magicpose_cli.figures.identity import Identity, View
from magicpose_cli.figures.motion import FACING, MOTION_KINDS, make_motion, random_pose
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


def _head_to_toe(seed: int) -> Identity:
    return replace(random_identity(seed), view=View())


def test_most_points_are_in_the_picture():
    seen = [keypoints_of(_head_to_toe(s), random_pose(s, facing=True)) for s in range(200)]
    assert np.mean([k.body[:, 2].mean() for k in seen]) > 0.99
    assert np.mean([np.concatenate([k.left_hand, k.right_hand])[:, 2].mean() for k in seen]) > 0.95


@pytest.mark.parametrize("kind", MOTION_KINDS)
@pytest.mark.parametrize("fps", [12, Fraction(30000, 1001)])
def test_motion_is_smooth(kind, fps):
    for seed in range(5):
        poses = make_motion(seed, 60, fps, kind)
        track = track_of(_head_to_toe(seed), [replace(p, scale=0.6) for p in poses], 128, Fraction(fps))
        joints = track.body[:, 1:14]
        assert (joints[..., 2] == 1).all()
        speed = np.linalg.norm(np.diff(joints[..., :2], axis=0), axis=2) * float(fps) / 128
        assert speed.max() < 1.5  # picture heights a second
        assert speed.max() > 0.03


@pytest.mark.parametrize("kind", MOTION_KINDS)
def test_joints_never_jump(kind):
    """At a high rate a step is small: no angle leaps from one frame to the next."""
    poses = make_motion(5, 400, 200, kind)
    track = track_of(_head_to_toe(5), poses, 128, 200)
    steps = np.linalg.norm(np.diff(track.body[:, 1:14, :2], axis=0), axis=2)
    assert steps.max() < 2.5


def test_all_kinds_of_motion_come_by_seed():
    first = {kind: make_motion(3, 2, 24, kind) for kind in MOTION_KINDS}
    assert make_motion(3, 2, 24) in list(first.values())
    found = {next(k for k in MOTION_KINDS if make_motion(s, 1, 24, k) == make_motion(s, 1)) for s in range(60)}
    assert found == set(MOTION_KINDS)


def test_most_people_face_the_viewer_and_some_turn_their_back():
    turns = np.abs([random_pose(seed).turn for seed in range(600)])
    assert 0.62 < (turns <= FACING).mean() < 0.78
    assert 0.05 < (turns > 2).mean() < 0.16
    facing = [random_pose(seed, facing=True) for seed in range(40)]
    assert max(abs(pose.turn) for pose in facing) <= FACING
    assert all(replace(pose, turn=0) == replace(random_pose(s), turn=0) for s, pose in enumerate(facing))


def test_a_walk_moves_the_legs_in_turn():
    poses = make_motion(2, 48, 24, "walk")
    right, left = (np.array([getattr(p, f"{side}_thigh_forward") for p in poses]) for side in ("right", "left"))
    assert np.corrcoef(right, left)[0, 1] < -0.9


@pytest.mark.parametrize("kind", MOTION_KINDS)
def test_a_longer_motion_begins_as_the_shorter_one(kind):
    assert make_motion(4, 90, 24, kind)[:20] == make_motion(4, 20, 24, kind)
    assert make_motion(4, 0) == []


def test_a_dance_talks_and_blinks():
    open_mouth, closed_eyes = [], []
    for seed in range(10):
        poses = make_motion(seed, 96, 24, "dance")
        open_mouth.append(np.ptp([p.mouth_open for p in poses]))
        closed_eyes.append(min(p.eye_open for p in poses))
    assert np.median(open_mouth) > 0.3
    assert np.median(closed_eyes) < 0.2


def test_rate_changes_the_steps_not_the_dance():
    slow, fast = ([p for k in MOTION_KINDS for p in make_motion(3, n, fps, k)] for n, fps in ((10, 12), (20, 24)))
    for a, b in zip(slow, fast[::2], strict=True):
        np.testing.assert_allclose(a.to_vector(), b.to_vector(), atol=1e-9)
