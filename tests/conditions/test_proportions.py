"""Bone lengths from joints whose bones may point out of the picture."""

import numpy as np
import pytest

from magicpose_cli.conditions.proportions import HEAD, PELVIS, measure
from magicpose_cli.core import keypoints as kp

ARMS = ((kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW, kp.RIGHT_WRIST), (kp.LEFT_SHOULDER, kp.LEFT_ELBOW, kp.LEFT_WRIST))


@pytest.fixture
def joints(person) -> np.ndarray:
    """The standing person's 20 joints; a torso is 100 pixels, an upper arm 56, a forearm 50."""
    body = person(100, 300, 150).body[:, :2].astype(np.float64)
    pelvis = (body[kp.RIGHT_HIP] + body[kp.LEFT_HIP]) / 2
    return np.concatenate([body, [pelvis], [(body[kp.RIGHT_EAR] + body[kp.LEFT_EAR]) / 2]])


def shorten(joints: np.ndarray, share: float, sides: int = 2) -> np.ndarray:
    """Forearms that point out of the picture."""
    joints = joints.copy()
    for _, elbow, wrist in ARMS[:sides]:
        joints[wrist] = joints[elbow] + share * (joints[wrist] - joints[elbow])
    return joints


def test_what_lies_in_the_picture_is_measured(joints):
    lengths = measure(joints[None]).lengths
    assert lengths["torso"] == pytest.approx(100, rel=0.02)
    assert lengths["thighs"] == pytest.approx(90, rel=0.03)
    assert lengths["shoulders"] == pytest.approx(40, rel=0.06)


def test_the_longer_of_two_arms_tells(joints):
    whole = measure(joints[None]).lengths["forearms"]
    assert measure(shorten(joints, 0.5, sides=1)[None]).lengths["forearms"] == pytest.approx(whole, rel=0.06)


def test_arms_towards_the_viewer_are_no_short_arms(joints):
    lengths = measure(shorten(joints, 0.4)[None]).lengths
    assert lengths["forearms"] > 40  # 20 are seen, 50 are true
    assert lengths["upper arms"] == pytest.approx(56, rel=0.08)


def test_over_a_clip_the_longest_counts(joints):
    clip = np.stack([shorten(joints, share) for share in np.abs(np.cos(np.linspace(0, 3, 60)))])
    assert measure(clip).lengths["forearms"] == pytest.approx(50, rel=0.04)


def test_size_does_not_matter_and_ratios_compare_like_with_like(joints):
    small, large = measure(joints[None]), measure(joints[None] * 7)
    assert large.stature == pytest.approx(7 * small.stature, rel=1e-6)
    assert list(small.ratios(large).values()) == pytest.approx([7] * 8)
    legless = joints.copy()
    legless[[PELVIS, *range(8, 14)]] = np.nan
    assert small.height_ratio(measure(legless[None] * 3)) == pytest.approx(3, rel=0.03)


def test_nothing_seen_is_nothing_measured(joints):
    assert measure(np.full((4, 20, 2), np.nan)) is None
    alone = np.full((1, 20, 2), np.nan)
    alone[0, HEAD] = (5, 5)
    assert measure(alone) is None
    assert measure(alone, 30.0).lengths == {}
