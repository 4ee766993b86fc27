"""Photos and poses that show only part of a body."""

import numpy as np

from magicpose_cli.conditions.retarget import fit_track
from magicpose_cli.core import keypoints as kp

PHOTO = {"width": 600, "height": 900}
KNEES_AND_ANKLES = [9, 10, 12, 13]


def test_a_photo_to_the_waist_gets_no_legs(track, person):
    photo = person(300, 320, 300)
    photo.body[KNEES_AND_ANKLES] = 0
    fitted = fit_track(track(100, 300, 150, 1080, 1920), photo, **PHOTO)
    assert not fitted.track.body[:, KNEES_AND_ANKLES].any()
    assert fitted.track.body[:, [kp.RIGHT_HIP, kp.RIGHT_WRIST], 2].all()
    assert any("does not show the legs" in note for note in fitted.notes)


def test_a_photo_to_the_knees_gets_no_feet(track, person):
    photo = person(250, 320, 200)
    photo.body[[kp.RIGHT_ANKLE, kp.LEFT_ANKLE]] = 0
    fitted = fit_track(track(100, 300, 150, 1080, 1920), photo, **PHOTO)
    assert not fitted.track.body[:, [kp.RIGHT_ANKLE, kp.LEFT_ANKLE]].any()
    assert fitted.track.body[:, kp.RIGHT_KNEE, 2].all()
    assert any("does not show the feet" in note for note in fitted.notes)


def test_a_driver_to_the_waist_leaves_the_photos_legs_standing(track, person):
    driver, photo = track(100, 300, 150, 400, 300), person(200, 310, 180)
    driver.body[:, [8, 11, *KNEES_AND_ANKLES]] = 0
    fitted = fit_track(driver, photo, **PHOTO)
    legs = fitted.track.body[:, KNEES_AND_ANKLES]
    assert np.array_equal(legs[:, [1, 3]], np.repeat(photo.body[None, [10, 13]], len(driver), axis=0))
    sway = [np.ptp(fitted.track.body[:, joint, 0]) for joint in (kp.NECK, kp.RIGHT_HIP, kp.RIGHT_KNEE)]
    assert sway[0] > sway[1] > sway[2] > 0
    assert any("hips and legs: the photo's own are held" in note for note in fitted.notes)


def test_a_talking_head_keeps_the_photos_body(track, person):
    driver, photo = track(100, 300, 150, 400, 300), person(200, 310, 180)
    driver.body[:, 1:14] = 0
    driver.left_hand[:] = driver.right_hand[:] = 0
    driver.body[3, [0, 14, 15, 16, 17]] = 0
    fitted = fit_track(driver, photo, **PHOTO).track
    assert (fitted.left_hand[[0, 5]][..., 2] > 0).all()
    assert np.allclose(np.median(fitted.body[:, kp.NECK, :2], 0), photo.body[kp.NECK, :2], atol=8)
    assert not fitted.body[3].any()  # nobody there: nothing is held


def test_limbs_hidden_for_a_while_are_not_held(track, person):
    driver = track(100, 300, 150, 1080, 1920, frames=20)
    driver.body[:12, [6, 7]] = 0
    fitted = fit_track(driver, person(200, 310, 180), **PHOTO)
    assert not fitted.track.body[:12, [6, 7]].any() and fitted.track.body[12:, [6, 7], 2].all()
    assert not any("held" in note for note in fitted.notes)
