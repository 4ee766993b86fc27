"""Fitting on synthetic tracks, where the truth is known."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicpose_cli.conditions.retarget import fit_track, fit_whole
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.errors import NoPersonError, UsageError
from magicpose_cli.core.pose_track import PoseTrack

PHOTO = {"width": 600, "height": 900}
UNSEEN_HAND = np.zeros((21, 3))


def test_same_person_elsewhere_is_found(track, person):
    driver, photo = track(100, 300, 150, 1080, 1920), person(250, 310, 180)
    fitted = fit_track(driver, photo, "auto", **PHOTO)
    assert fitted.scale == pytest.approx(2.5, rel=0.02)
    assert np.abs(np.median(fitted.track.body, axis=0) - photo.body).max() < 0.02 * 2.5 * 380  # 2 % of the height
    assert (fitted.track.width, fitted.track.height, fitted.track.fps) == (600, 900, driver.fps)
    assert "scaled by 2.5" in fitted.notes[0] and len(fitted.notes) == 1


@pytest.mark.parametrize("absent", [slice(0, 60), slice(35, 65)])
def test_the_clip_meets_the_photo_in_a_frame_that_shows_the_driver(track, person, absent):
    """He walks across, and is away at first, or in the middle."""
    driver = track(100, 300, 150, 1080, 1920, frames=100)
    for part in ("body", "left_hand", "right_hand", "face"):
        points = getattr(driver, part)
        points[..., 0] += np.linspace(0, 500, 100)[:, None]
        points[absent] = 0
    away = range(100)[absent]
    for fit in (fit_track, fit_whole):
        assert fit(driver, person(250, 310, 180), **PHOTO).matched not in away


def test_as_a_whole_all_points_follow_scale_and_shift(track, person):
    driver = track(100, 300, 150, 1080, 1920)
    driver.body[2, kp.LEFT_KNEE] = 0
    fitted = fit_whole(driver, person(250, 310, 180), **PHOTO)
    for part in ("body", "left_hand", "right_hand", "face"):
        before, after = getattr(driver, part), getattr(fitted.track, part)
        there = before[..., 2] > 0
        assert np.allclose(after[there][:, :2], before[there][:, :2] * fitted.scale + fitted.shift, atol=0.01)
        assert not after[~there].any()


def test_missing_points_stay_missing_and_confidence_stays(track, person):
    driver = track(100, 300, 150, 1080, 1920)
    driver.body[2, kp.LEFT_KNEE] = 0
    driver.body[:, kp.RIGHT_WRIST, 2] = np.linspace(0.1, 0.9, len(driver))
    driver.face[4] = 0
    fitted = fit_track(driver, person(250, 310, 180), **PHOTO).track
    for part in ("body", "left_hand", "right_hand", "face"):
        assert np.array_equal(getattr(fitted, part)[..., 2], getattr(driver, part)[..., 2])
        assert not getattr(fitted, part)[getattr(driver, part)[..., 2] == 0].any()


def test_each_limb_gets_its_own_length(track, person):
    """The photo's person has short arms: the wrists come nearer to the shoulders, hands smaller, all else stays."""
    photo = person(200, 310, 180)
    for shoulder, elbow, wrist in ((2, 3, 4), (5, 6, 7)):
        photo.body[[elbow, wrist], :2] = photo.body[shoulder, :2] + 0.85 * (
            photo.body[[elbow, wrist], :2] - photo.body[shoulder, :2]
        )
    driver = track(100, 300, 150, 1080, 1920)
    fitted = fit_track(driver, photo, **PHOTO).track

    def length(body: np.ndarray, a: int, b: int) -> float:
        return float(np.median(np.linalg.norm(body[:, a, :2] - body[:, b, :2], axis=1)))

    for a, b in ((2, 3), (3, 4), (6, 7)):
        assert length(fitted.body, a, b) / length(driver.body, a, b) == pytest.approx(2 * 0.85, rel=0.08)
    for a, b in ((1, 2), (8, 9), (12, 13)):
        assert length(fitted.body, a, b) / length(driver.body, a, b) == pytest.approx(2, rel=0.04)
    assert length(fitted.left_hand, 0, 12) / length(driver.left_hand, 0, 12) == pytest.approx(1.7, rel=0.08)


@settings(max_examples=10, deadline=None)
@given(
    st.floats(20, 300),
    st.floats(0.2, 5),
    st.sets(st.integers(0, 17).filter(lambda j: j not in (kp.NECK, kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER)), max_size=13),
)
def test_missing_points_change_little(person, driver_scale, ratio, missing):
    """Any parts may be missing in the photo: the same person is still found."""
    someone = person(driver_scale, 400, 200)
    parts = {n: np.stack([getattr(someone, n)] * 4) for n in ("body", "left_hand", "right_hand", "face")}
    driver = PoseTrack(**parts, width=1000, height=1000, fps=Fraction(25))
    photo = person(driver_scale * ratio, 250, 300)
    photo.body[list(missing)] = 0
    fitted = fit_track(driver, photo, **PHOTO)
    assert fitted.scale == pytest.approx(ratio, rel=0.04)
    assert np.allclose(fitted.track.body[0, kp.NECK, :2], (250, 300), atol=0.12 * driver_scale * ratio)


def test_upper_body_photo_takes_a_full_body_driver_by_the_neck(track, person):
    photo = person(300, 320, 300)
    photo.body[[8, 9, 10, 11, 12, 13]] = 0
    fitted = fit_track(track(100, 300, 150, 1080, 1920), photo, **PHOTO)
    assert fitted.scale == pytest.approx(3, rel=0.03)
    assert np.allclose(np.median(fitted.track.body[:, kp.NECK, :2], 0), (320, 300), atol=3)


def test_face_alone(track, person):
    photo = SimpleNamespace(
        body=np.zeros((18, 3)), left_hand=UNSEEN_HAND, right_hand=UNSEEN_HAND, face=person(200, 300, 200).face
    )
    fitted = fit_track(track(100, 300, 150, 1080, 1920), photo, **PHOTO)
    assert fitted.scale == pytest.approx(2, rel=0.01)
    assert np.allclose(np.median(fitted.track.face[..., :2].mean(1), 0), photo.face[:, :2].mean(0), atol=3)


def test_longer_legs_stand_on_the_same_ground(track, person):
    photo = person(100, 300, 200)
    photo.body[[9, 12], 1] += 18
    photo.body[[10, 13], 1] += 36
    fitted = fit_track(track(80, 300, 150, 500, 700), photo, **PHOTO)
    assert np.allclose(np.median(fitted.track.body[:, kp.RIGHT_ANKLE, 1]), photo.body[kp.RIGHT_ANKLE, 1], atol=1)
    # And the necks meet, too.
    assert abs(np.median(fitted.track.body[:, kp.NECK, 1]) - 200) < 10


def test_crouching_frames_do_not_shrink_the_person(track, person):
    driver = track(100, 300, 150, 1080, 1920, frames=20)
    upper = [*range(9), 11, 14, 15, 16, 17]
    driver.body[:14, upper, 1] += 60  # thighs and shins of 90 pixels each: the knees go out by 67
    driver.body[:14, [9, 12], :2] += (67, 30)
    fitted = fit_track(driver, person(100, 300, 150), **PHOTO)
    assert fitted.scale == pytest.approx(1, rel=0.05)
    assert fitted.track.body[0, kp.NECK, 1] > 195  # and the crouch is kept


def test_wild_points_do_not_upset_it(track, person):
    driver = track(100, 300, 150, 1080, 1920, frames=20)
    driver.body[::7, kp.RIGHT_WRIST, :2] = 1900
    driver.body[3, kp.NECK, :2] = (5, 1900)
    driver.body[:, kp.LEFT_EAR, :2] += 70
    fitted = fit_track(driver, person(200, 310, 180), **PHOTO)
    assert fitted.scale == pytest.approx(2, rel=0.02)


def test_unsure_points_are_not_measured(track, person):
    photo = person(200, 310, 180)
    photo.body[[kp.RIGHT_ANKLE, kp.LEFT_ANKLE]] = (10, 10, 0.1)
    assert fit_track(track(100, 300, 150, 1080, 1920), photo, **PHOTO).scale == pytest.approx(2, rel=0.03)


def test_none_keeps_the_frame(track, person):
    driver = track(100, 300, 150, 1200, 900)
    fitted = fit_track(driver, person(250, 310, 180), "none", **PHOTO)
    assert fitted.scale == 0.5 and fitted.shift == (0, 225) and fitted.notes == ()
    assert np.allclose(fitted.track.body[..., :2], driver.body[..., :2] * 0.5 + (0, 225))
    same = fit_track(driver, None, "none", width=1200, height=900)
    assert np.array_equal(same.track.body, driver.body)


def test_nobody_in_the_photo_is_said(track):
    driver = track(100, 300, 150, 1200, 900)
    hidden = SimpleNamespace(
        body=np.zeros((18, 3)), left_hand=UNSEEN_HAND, right_hand=UNSEEN_HAND, face=np.zeros((70, 3))
    )
    fitted = fit_track(driver, hidden, "auto", **PHOTO)
    assert fitted.scale == 0.5 and "No part of the body" in fitted.notes[0]
    for fit in (fit_track, fit_whole):
        with pytest.raises(NoPersonError, match="no person was found in the reference photo"):
            fit(driver, None, "auto", **PHOTO)


def test_nothing_in_common_is_said(track, person):
    driver = track(100, 300, 150, 1200, 900)
    driver.body[:, 2:] = 0
    driver.face[:] = 0
    photo = person(200, 310, 180)
    photo.body[:2] = 0
    photo.face[:] = 0
    fitted = fit_track(driver, photo, "auto", **PHOTO)
    assert fitted.scale == 0.5 and "No part of the body" in fitted.notes[0]
    empty = PoseTrack.empty(3, 1200, 900, driver.fps)
    assert "No part of the body" in fit_track(empty, person(200, 310, 180), **PHOTO).notes[0]


def test_unknown_mode(track):
    with pytest.raises(UsageError, match="stretch"):
        fit_track(track(100, 300, 150, 1200, 900), None, "stretch", **PHOTO)


def from_behind(photo: SimpleNamespace, width: float) -> SimpleNamespace:
    """No face, nothing below the shoulders, and those as far apart as given, in shares of the truth."""
    photo.face = np.zeros_like(photo.face)
    photo.body[[3, 4, *range(6, 14)]] = 0
    for shoulder in (kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER):
        photo.body[shoulder, :2] = photo.body[kp.NECK, :2] * (1 - width) + photo.body[shoulder, :2] * width
    return photo


def shoulders_of(body: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(body[:, kp.RIGHT_SHOULDER, :2] - body[:, kp.LEFT_SHOULDER, :2], axis=1)))


@pytest.mark.parametrize("width", [0.2, 0.5])
def test_shoulders_guessed_under_hair_are_not_believed(track, person, width):
    driver, photo = track(100, 300, 150, 1080, 1920), from_behind(person(250, 310, 180), width)
    fitted = fit_track(driver, photo, **PHOTO)
    assert fitted.scale == pytest.approx(2.5, rel=0.15)  # a neck is all there is to go by
    assert shoulders_of(fitted.track.body) == pytest.approx(2 * 0.4 * 100 * fitted.scale, rel=0.01)
    [said] = [note for note in fitted.notes if "too narrow to be true" in note]
    assert "from behind or from the side): the driver's own are used" in said
    [said] = [note for note in fit_whole(driver, photo, **PHOTO).notes if "too narrow to be true" in note]
    assert "driver" not in said  # maps have no other shoulders than the driver's


def test_shoulders_seen_without_a_face_are_believed(track, person):
    """So are those of people whose faces are seen, however narrow they are."""
    driver = track(100, 300, 150, 1080, 1920)
    faceless = fit_track(driver, from_behind(person(250, 310, 180), 0.85), **PHOTO)
    narrow = from_behind(person(250, 310, 180), 0.5)
    narrow.face = person(250, 310, 180).face
    turned = fit_track(driver, narrow, **PHOTO)
    assert not any("too narrow" in note for note in (*faceless.notes, *turned.notes))
    assert shoulders_of(faceless.track.body) < 0.97 * 2 * 0.4 * 250
