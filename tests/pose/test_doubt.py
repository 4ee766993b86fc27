import numpy as np
import pytest

from magicpose_cli.core import keypoints as kp
from magicpose_cli.pose.clean import clean, size_of
from magicpose_cli.pose.detector import PART_SLICES
from magicpose_cli.pose.doubt import (
    LIMBS,
    doubtful_limbs,
    overlong_bones,
    without_overlong_bones,
    without_overlong_fillings,
)

FPS = 25.0


def doubts(points: np.ndarray, fps: float = FPS, breaks: np.ndarray | None = None) -> dict[str, list[int]]:
    """The frames in which each limb is doubtful; limbs without doubt are left out."""
    found = doubtful_limbs(points, size_of(points), fps, np.zeros(len(points), bool) if breaks is None else breaks)
    return {limb: np.flatnonzero(frames).tolist() for limb, frames in found.items() if frames.any()}


def mended(points: np.ndarray) -> tuple[np.ndarray, dict[str, list[int]]]:
    """The points without overlong bones, and the frames in which each limb lost some."""
    out, where = without_overlong_bones(points, size_of(points), FPS, np.zeros(len(points), bool))
    return out, {limb: np.flatnonzero(frames).tolist() for limb, frames in where.items() if frames.any()}


def turned_to_us(points: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The arms, at each frame foreshortened to a share (F,) of their length."""
    out = points.copy()
    for limb in ("left arm", "right arm"):
        joints = LIMBS[limb]
        steps = np.diff(points[:, joints, :2], axis=1) * share[:, None, None]
        out[:, joints[1:], :2] = points[:, joints[:1], :2] + np.cumsum(steps, axis=1)
    return out


@pytest.mark.parametrize("fps", [8.0, 25.0, 60.0])
def test_a_true_motion_is_not_doubted(dance, fps):
    assert doubts(dance(round(4 * fps), fps=fps, wave=1), fps) == {}


def test_a_foreshortened_arm_is_stretched_for_once(dance):
    """Short in nearly all frames: how long it may be then follows from the trunk."""
    share = np.full(100, 0.3)
    share[60:66] = 0.3, 0.6, 0.9, 0.9, 0.6, 0.3
    assert doubts(turned_to_us(dance(100, wave=0), share)) == {}


def test_somebody_who_comes_near_or_bows_is_not_doubted(dance):
    truth = dance(100, wave=0)
    nearer = truth.copy()
    nearer[..., :2] *= np.linspace(1, 3, 100)[:, None, None]
    assert doubts(nearer) == {}
    bowing = truth.copy()
    bowing[40:60, :8, 1] += 100  # the neck and the arms: a trunk of 132 pixels comes out 32 long
    assert not any(frames.any() for frames in overlong_bones(bowing).values())


def test_a_forearm_that_is_too_long_is_doubted_and_its_end_taken_away(dance):
    truth = dance(60, wave=0)
    elbow, wrist = truth[30, kp.LEFT_ELBOW, :2], truth[30, kp.LEFT_WRIST, :2]
    spoilt = truth.copy()
    spoilt[30:33, kp.LEFT_WRIST, :2] += 0.6 * (wrist - elbow)
    assert doubts(spoilt)["left arm"][:3] == [30, 31, 32] and "right arm" not in doubts(spoilt)
    out, where = mended(spoilt)
    assert where == {"left arm": [30, 31, 32]}
    assert not out[30:33, kp.LEFT_WRIST].any() and not out[30:33, PART_SLICES["left_hand"]].any()
    changed = (out != spoilt).any(axis=2)
    assert np.flatnonzero(changed.any(axis=1)).tolist() == [30, 31, 32]
    whole = clean(spoilt, FPS)
    assert np.linalg.norm(whole.points[30:33, kp.LEFT_WRIST, :2] - truth[30:33, kp.LEFT_WRIST, :2], axis=1).max() < 4
    assert np.flatnonzero(whole.doubtful["left arm"])[:3].tolist() == [30, 31, 32]


def test_a_hand_held_out_to_a_near_camera_is_doubted_and_left(dance):
    """It grows to twice its length and back within a second, as at 0.7 m."""
    truth = dance(300, wave=0)
    share = np.ones(300)
    share[25:50] += np.sin(np.linspace(0, np.pi, 25)) ** 2
    shown = turned_to_us(truth, share)
    assert len(doubts(shown)["left arm"]) > 5
    out, where = mended(shown)
    assert where == {} and np.array_equal(out, shown)
    cleaned = clean(shown, FPS).points[:, [kp.LEFT_WRIST, kp.RIGHT_WRIST]]
    assert np.linalg.norm((cleaned - shown[:, [kp.LEFT_WRIST, kp.RIGHT_WRIST]])[..., :2], axis=2).max() < 6


def test_what_hangs_on_a_wrong_elbow_goes_with_it_and_a_wrong_shoulder_alone(dance):
    truth = dance(60, wave=0)
    elbow = truth.copy()
    elbow[30:33, kp.LEFT_ELBOW, :2] += 150, -150
    out, where = mended(elbow)
    assert where == {"left arm": [30, 31, 32]}
    assert not out[30:33, [kp.LEFT_ELBOW, kp.LEFT_WRIST]].any() and not out[30:33, PART_SLICES["left_hand"]].any()
    assert out[30:33, kp.LEFT_SHOULDER].all()
    hip = truth.copy()
    hip[30:33, kp.LEFT_HIP, 1] -= 100
    out, where = mended(hip)
    assert where == {"left leg": [30, 31, 32]}
    assert not out[30:33, kp.LEFT_HIP].any() and out[30:33, [kp.LEFT_KNEE, kp.LEFT_ANKLE]].all()
    for spoilt in (elbow, hip):
        assert np.linalg.norm((clean(spoilt, FPS).points - truth)[..., :2], axis=2).max() < 8


def test_a_filled_point_that_makes_a_bone_too_long_is_taken_away(dance):
    points, filled = dance(60, wave=0), np.zeros((60, 130), bool)
    points[30:33, kp.LEFT_WRIST, 1] += 100
    assert np.array_equal(without_overlong_fillings(points, filled), points)
    filled[31, kp.LEFT_WRIST] = True
    out = without_overlong_fillings(points, filled)
    changed = (out != points).any(axis=2)
    assert np.flatnonzero(changed.any(axis=1)).tolist() == [31]
    assert not out[31, kp.LEFT_WRIST].any() and not out[31, PART_SLICES["left_hand"]].any()


def test_an_arm_that_is_elsewhere_all_at_once_is_doubted_unless_the_picture_was_cut(dance):
    truth = dance(60, wave=0)
    spoilt = truth.copy()
    spoilt[25:, [kp.RIGHT_ELBOW, kp.RIGHT_WRIST], 1] -= 120  # the arm is up, of a person 400 pixels high
    assert doubts(spoilt) == {"right arm": [25]}
    assert doubts(spoilt, breaks=np.arange(60) == 25) == {}
    unsure = spoilt.copy()
    unsure[25:, [kp.RIGHT_ELBOW, kp.RIGHT_WRIST], 2] = 0.1  # not drawn
    assert doubts(unsure) == {}


def test_a_bone_that_turns_too_fast_is_doubted(dance):
    truth = dance(60, wave=0)
    spoilt = truth.copy()
    spoilt[25:, kp.RIGHT_WRIST, :2] = truth[25:, kp.RIGHT_ELBOW, :2] + 2  # 64 pixels long, then 3
    assert doubts(spoilt) == {"right arm": [25]}


def test_both_arms_in_one_place_are_doubted_and_legs_side_by_side_are_not(dance):
    truth = dance(60, wave=0)
    spoilt = truth.copy()
    spoilt[:, LIMBS["left arm"][1:]] = spoilt[:, LIMBS["right arm"][1:]]
    spoilt[:, LIMBS["left leg"][1:]] = spoilt[:, LIMBS["right leg"][1:]]
    found = doubts(spoilt)
    assert found["left arm"] == found["right arm"] == list(range(60))
    assert "left leg" not in found and "right leg" not in found


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames_and_nobody(dance, frames):
    assert doubts(dance(frames)) == {}
    assert doubts(np.zeros((frames, 130, 3), np.float32)) == {}
