"""Cleaning, held against true motions that were spoilt in known ways."""

import tracemalloc

import numpy as np
import pytest

from magicpose_cli.core.keypoints import BODY_COUNT, BODY_MIRRORED, LEFT_WRIST, RIGHT_WRIST
from magicpose_cli.pose.clean import clean, jitter
from magicpose_cli.pose.detector import PART_SLICES
from magicpose_cli.pose.gaps import FILLED_CONFIDENCE, LONGEST_GAP
from magicpose_cli.pose.smooth import smooth

FPS = 25.0
LEFT_HAND, RIGHT_HAND, FACE = (PART_SLICES[part] for part in ("left_hand", "right_hand", "face"))


def noisy(points: np.ndarray, pixels: float, seed: int = 0) -> np.ndarray:
    out = points.copy()
    out[..., :2] += np.random.default_rng(seed).normal(0, pixels, (*points.shape[:2], 2))
    return out


def error(points: np.ndarray, truth: np.ndarray, which=slice(None)) -> float:
    """Root mean square distance in pixels."""
    return float(np.sqrt(((points - truth)[:, which, :2] ** 2).sum(axis=-1).mean()))


@pytest.mark.parametrize("fps", [10.0, 25.0, 60.0])
@pytest.mark.parametrize("part", PART_SLICES)
def test_noise_goes_and_the_error_against_the_truth_falls(dance, fps, part):
    truth = dance(round(6 * fps), fps=fps, wave=1)
    spoilt = noisy(truth, 3)
    cleaned = clean(spoilt, fps)
    limit = {10.0: 0.95, 25.0: 0.7, 60.0: 0.55}[fps]  # the fewer frames a second, the less is there to average
    assert error(cleaned.points, truth, PART_SLICES[part]) < limit * error(spoilt, truth, PART_SLICES[part])
    before, after = jitter(spoilt, cleaned.points)[part]
    assert after < limit * before
    assert not cleaned.swapped.any() and not any(frames.any() for frames in cleaned.filled.values())


@pytest.mark.parametrize("wave", [2.0, 3.0, 4.0])
def test_a_quick_wave_keeps_its_height_and_its_time(dance, wave):
    truth = dance(150, wave=wave)
    cleaned = clean(noisy(truth, 2), FPS).points
    shown, true = (points[20:-20, RIGHT_WRIST, 0].astype(float) for points in (cleaned, truth))
    assert np.std(shown) == pytest.approx(np.std(true), rel=0.05)
    lags = [np.corrcoef(shown[5:-5], np.roll(true, lag)[5:-5])[0, 1] for lag in range(-3, 4)]
    assert int(np.argmax(lags)) == 3  # no lag


def test_a_still_person_comes_to_rest(dance):
    truth = np.repeat(dance(1), 100, axis=0)
    spoilt = noisy(truth, 3)
    assert error(clean(spoilt, FPS).points, truth) < 0.45 * error(spoilt, truth)


def test_a_true_motion_is_left_as_it_is(dance):
    truth = dance(100)
    cleaned = clean(truth, FPS)
    assert error(cleaned.points, truth) < 1.0  # of a person 400 pixels high
    np.testing.assert_array_equal(cleaned.points[..., 2], truth[..., 2])


def test_swaps_of_the_body_an_arm_and_the_legs_are_mended(dance):
    truth = dance(120, wave=1)
    spoilt = noisy(truth, 2)
    swapped = np.zeros(120, bool)
    for frames, joints in ((range(20, 24), range(18)), (range(50, 75), range(18)), (range(90, 93), (3, 4, 6, 7))):
        for index in frames:
            body = spoilt[index, :BODY_COUNT].copy()
            spoilt[index, list(joints)] = body[[BODY_MIRRORED[joint] for joint in joints]]
            swapped[index] = True
    cleaned = clean(spoilt, FPS)
    np.testing.assert_array_equal(cleaned.swapped, swapped)
    assert error(cleaned.points, truth, PART_SLICES["body"]) < 3


def test_too_few_frames_a_second_are_not_smoothed(dance):
    truth = dance(40, fps=6)
    np.testing.assert_array_equal(clean(truth, 6.0).points, truth)


def test_somebody_who_turns_round_is_not_mirrored(dance):
    truth = dance(100)
    middle = truth[:, 1:2, 0]
    turn = np.cos(np.pi * np.clip((np.arange(100) - 30) / 40, 0, 1))[:, None]  # from the front to the back
    truth[..., 0] = middle + (truth[..., 0] - middle) * turn
    cleaned = clean(noisy(truth, 1), FPS)
    assert not cleaned.swapped.any()
    assert error(cleaned.points, truth) < 3


def test_hands_go_to_the_wrist_that_they_lie_at(dance):
    truth = dance(40, wave=1)
    spoilt = truth.copy()
    spoilt[10:15, PART_SLICES["left_hand"]], spoilt[10:15, PART_SLICES["right_hand"]] = (
        truth[10:15, PART_SLICES["right_hand"]],
        truth[10:15, PART_SLICES["left_hand"]],
    )
    assert error(clean(spoilt, FPS).points, truth) < 1.0


@pytest.mark.parametrize("confidence", [0, 0.1])
@pytest.mark.parametrize("hidden", [LEFT_WRIST, RIGHT_WRIST])
def test_a_hand_stays_at_the_wrist_that_is_seen(dance, hidden, confidence):
    truth = dance(60, wave=1)
    spoilt = truth.copy()
    gone, there = (LEFT_HAND, RIGHT_HAND) if hidden == LEFT_WRIST else (RIGHT_HAND, LEFT_HAND)
    spoilt[:, [hidden, *range(130)[gone]]] = 0
    if confidence:  # a guess: where the other hand begins, which lies a little off its wrist
        truth[:, there, 0] += 8
        spoilt[:, there] = truth[:, there]
        spoilt[:, hidden] = truth[:, there.start]
        spoilt[:, hidden, 2] = confidence
    spoilt[::9, hidden] = truth[::9, hidden]  # now and then
    cleaned = clean(spoilt, FPS).points
    assert not cleaned[:, gone].any()
    assert cleaned[:, there, 2].all() and error(cleaned, truth, there) < 1


@pytest.mark.parametrize("part", [LEFT_HAND, FACE])
def test_scraps_of_a_hand_or_a_face_are_taken_away(dance, part):
    shown = dance(60)
    shown[20:50, part.start + 6 : part.stop] = 0  # 6 points of 21 or 70
    cleaned = clean(shown, FPS).points
    assert not cleaned[20:50, part].any()
    assert cleaned[:20, part].all() and cleaned[50:, part].all()


def test_short_gaps_are_filled_on_the_way_and_long_ones_stay(dance):
    truth = dance(150, wave=1)
    spoilt = noisy(truth, 1)
    longest = int(LONGEST_GAP * FPS)
    spoilt[20 : 20 + longest, PART_SLICES["left_hand"]] = 0
    spoilt[60 : 60 + longest + 1, PART_SLICES["face"]] = 0
    spoilt[100:104] = 0  # nobody
    spoilt[120:125, RIGHT_WRIST, 2] = 0.1  # not trusted
    spoilt[:3, PART_SLICES["right_hand"]] = 0  # nothing before it to fill from
    cleaned = clean(spoilt, FPS)

    def frames(part: str) -> list[int]:
        return np.flatnonzero(cleaned.filled[part]).tolist()

    assert frames("left_hand") == [*range(20, 20 + longest), *range(100, 104)]
    assert frames("face") == [*range(100, 104)]
    assert frames("body") == [*range(100, 104), *range(120, 125)]
    assert frames("right_hand") == [*range(100, 104)]
    assert not cleaned.points[60 : 60 + longest + 1, PART_SLICES["face"]].any()
    assert not cleaned.points[:3, PART_SLICES["right_hand"]].any()
    assert (cleaned.points[100:104, :, 2] == np.float32(FILLED_CONFIDENCE)).all()
    distance = np.linalg.norm((cleaned.points - truth)[20 : 20 + longest, PART_SLICES["left_hand"], :2], axis=2)
    assert distance.max() < 8  # the hand rides on its wrist, which sways by 40 pixels meanwhile
    assert np.linalg.norm((cleaned.points - truth)[100:104, :, :2], axis=2).max() < 12


def test_nothing_is_filled_or_smoothed_across_a_cut(dance):
    shown = noisy(dance(60, wave=1), 1)
    shown[30:] = noisy(dance(60, start=1200, wave=1), 1)[30:]
    shown[28:32] = 0
    cleaned = clean(shown, FPS)
    assert not cleaned.points[28:32].any()
    assert error(cleaned.points[:28], dance(60, wave=1)[:28]) < 2


def test_a_point_that_leaps_off_is_put_back(dance):
    truth = dance(60, wave=1)
    spoilt = truth.copy()
    spoilt[20, LEFT_WRIST, :2] += 150
    spoilt[40:42, [RIGHT_WRIST, LEFT_WRIST], :2] = truth[40:42, [1, 1], :2]  # both collapse onto the neck
    cleaned = clean(spoilt, FPS)
    assert error(cleaned.points, truth, PART_SLICES["body"]) < 1.5
    assert np.flatnonzero(cleaned.filled["body"]).tolist() == [20, 40, 41]


def test_of_two_hands_in_one_place_one_stays_and_a_hand_far_from_its_wrist_none(dance):
    truth = dance(60, wave=1)
    spoilt = truth.copy()
    spoilt[:30, PART_SLICES["left_hand"]] = spoilt[:30, PART_SLICES["right_hand"]]
    spoilt[30:, PART_SLICES["left_hand"], :2] += 200
    cleaned = clean(spoilt, FPS).points
    assert not cleaned[:, PART_SLICES["left_hand"]].any()
    assert cleaned[:, PART_SLICES["right_hand"], 2].all()


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_a_clip_of_few_frames(dance, frames):
    truth = dance(frames)
    assert error(clean(truth, FPS).points, truth) < 1


def test_nobody_stays_nobody():
    nobody = np.zeros((20, 130, 3), np.float32)
    assert not clean(nobody, FPS).points.any()
    assert set(jitter(nobody, nobody).values()) == {None}


def test_jitter_is_in_pixels_and_of_the_same_points_before_and_after(dance):
    truth = np.repeat(dance(1), 50, axis=0)
    spoilt = truth.copy()
    spoilt[::2, :, 0] += 4  # every point 4 pixels off the middle between its neighbours in time
    spoilt[20:, LEFT_HAND] = 0
    restless = truth.copy()
    restless[20::2, LEFT_HAND, 0] += 9  # filled in: not in both
    told = jitter(spoilt, restless)
    assert told["body"] == (4, 0) and told["left_hand"] == (4, 0)


def test_smoothing_holds_little_for_each_frame(dance):
    truth = dance(600)
    tracemalloc.start()
    try:
        smooth(truth, FPS, np.zeros(truth.shape[:2], bool))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / len(truth) < 8 * 1024  # the points themselves: 1.5 KB
