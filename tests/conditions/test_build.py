"""Condition sets from tracks and from drawn maps, and the pictures made of them."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicpose_cli.conditions.build import build_condition_set
from magicpose_cli.conditions.draw import draw_pose_map, draw_track
from magicpose_cli.conditions.framing import unframe
from magicpose_cli.conditions.map_reading import find_joints
from magicpose_cli.conditions.overlay import blend_map, draw_overlay
from magicpose_cli.conditions.pose_maps import PoseMapSource, pose_maps_from_clip
from magicpose_cli.conditions.preview import draw_preview
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.clip import Clip
from magicpose_cli.core.pose_track import PoseTrack


def photo_of(width: int, height: int) -> np.ndarray:
    across = np.linspace(0, 255, width, dtype=np.uint8)
    return np.broadcast_to(across[None, :, None], (height, width, 3)).copy()


def source_of(maps: np.ndarray) -> PoseMapSource:
    frames = lambda: iter(maps)  # noqa: E731
    return pose_maps_from_clip(Clip(Path("p.mp4"), maps.shape[2], maps.shape[1], Fraction(24), len(maps), frames))


def test_identity_draws_the_track_itself(track):
    driver = track(90, 128, 80, 256, 384)
    conditions = build_condition_set(photo_of(256, 384), track=driver, size=(256, 384), fit="none", stroke=1.0)
    assert conditions.frame_count == len(driver) and conditions.notes == ()
    assert np.array_equal(conditions.pose_maps(2, 5), draw_track(driver, 2, 5))
    assert np.array_equal(conditions.reference, photo_of(256, 384))


def test_the_same_moves_for_photo_and_poses(track, person):
    """A driver of another size ends on the person in the photo, on a padded canvas as well."""
    photo = photo_of(300, 600)
    there = person(120, 140, 150)
    conditions = build_condition_set(
        photo, track=track(90, 700, 180, 1280, 720), reference_pose=there, size=(512, 512), framing="photo", stroke=1.0
    )
    joints = find_joints(conditions.pose_maps(0, 1)[0])
    expected = conditions.framing.to_canvas(there.body[:, :2])
    assert np.abs(joints[kp.RIGHT_HIP, :2] - expected[kp.RIGHT_HIP]).max() < 3
    assert any("padded" in note for note in conditions.notes) and any("fitted" in note for note in conditions.notes)


def test_small_canvases_get_thin_strokes(track):
    driver = track(35, 64, 30, 128, 192)
    conditions = build_condition_set(photo_of(128, 192), track=driver, size=(128, 192), fit="none")
    assert np.array_equal(conditions.pose_maps(0, 2), draw_track(driver, 0, 2, stroke=0.25))


def test_drawn_maps_of_the_canvas_size_stay_as_they_are(track):
    maps = draw_track(track(90, 128, 80, 256, 384))
    conditions = build_condition_set(photo_of(256, 384), pose_maps=source_of(maps), size=(256, 384), fit="none")
    assert np.array_equal(conditions.pose_maps(0, len(maps)), maps)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.3, 2.5), st.integers(-150, 250), st.integers(-150, 250))
def test_drawn_maps_are_moved_where_points_would_be(person, scale, x, y):
    """The joints of moved maps lie where the fit puts the joints; what leaves the canvas is simply gone."""
    someone = person(90, 128, 80)
    maps = draw_pose_map(someone.body, None, None, None, 256, 384)[None]
    there = person(90 * scale, 128 + x, 80 + y)
    conditions = build_condition_set(
        photo_of(320, 480), pose_maps=source_of(maps), reference_pose=there, size=(320, 480), framing="photo"
    )
    moved = conditions.pose_maps(0, 1)[0]
    assert moved.shape == (480, 320, 3)
    joints = find_joints(moved)
    inside = (there.body[:, :2] > 12).all(axis=1) & (there.body[:, :2] < (308, 468)).all(axis=1)
    seen = inside & (joints[:, 2] > 0) & (np.arange(18) < 14)  # enlarged, the colours of eyes and ears run together
    assert np.abs(joints[seen, :2] - there.body[seen, :2]).max(initial=0) < 2 + 3 * scale


def test_fitted_maps_meet_the_person(track, person):
    maps = draw_track(track(90, 128, 80, 256, 384, frames=30))
    there = person(60, 300, 200)
    conditions = build_condition_set(
        photo_of(512, 512), pose_maps=source_of(maps), reference_pose=there, size=(512, 512), framing="photo"
    )
    joints = np.stack([find_joints(m) for m in conditions.pose_maps(0, 30)])
    middle = np.median(joints[:, kp.NECK, :2], axis=0)
    assert np.abs(middle - there.body[kp.NECK, :2]).max() < 5


def test_the_frame_that_meets_the_photo_is_named(person):
    """The photo's person raises an arm as the driver does in frame 17 alone; of maps only some are read."""
    standing, raised = person(90, 128, 120), person(60, 300, 200)
    for one in (raised, frame_17 := person(90, 128, 120)):
        one.body[[3, 4], 1] = 2 * one.body[2, 1] - one.body[[3, 4], 1]
    bodies = np.stack([frame_17.body if n == 17 else standing.body for n in range(200)])
    clip = PoseTrack.empty(200, 256, 384, Fraction(25))
    clip = replace(clip, body=bodies)
    for poses in ({"track": clip}, {"pose_maps": source_of(draw_track(clip))}):
        conditions = build_condition_set(photo_of(512, 512), reference_pose=raised, size=(512, 512), **poses)
        assert conditions.matched == 17
        assert any("matched on frame 17," in note for note in conditions.notes)
        apart = build_condition_set(photo_of(512, 512), size=(512, 512), fit="none", **poses)
        assert apart.matched is None and not any("matched" in note for note in apart.notes)


def test_leaving_the_picture_is_said(track, person):
    driver = track(90, 128, 80, 256, 384)
    driver.body[:, kp.RIGHT_ANKLE, 1] += 150
    conditions = build_condition_set(
        photo_of(256, 256), track=driver, reference_pose=person(60, 128, 60), size=256, framing="photo", fit="none"
    )
    assert any("In 9 of 9 frames" in note and "right ankle" in note for note in conditions.notes)


def test_hands_that_are_too_sparse_to_be_drawn_are_told(track):
    driver = track(90, 128, 80, 256, 384)
    driver.left_hand[2:5, 6:] = 0
    driver.face[:3] = 0  # not there at all: nothing is taken away
    conditions = build_condition_set(photo_of(256, 384), track=driver, size=(256, 384), fit="none", stroke=1.0)
    [said] = conditions.notes
    assert said.endswith(f"the left hand in 3 of {len(driver)} frames.")
    driver.left_hand[2:5] = 0
    assert np.array_equal(conditions.pose_maps(0, 5), draw_track(driver, 0, 5))


def test_what_the_photo_cuts_off_too_is_not_counted(track, person):
    """A portrait to the waist: legs are left out, hips lie below its lower edge; a hand beside it is told."""
    portrait = person(150, 128, 120)
    portrait.body[[4, 7, *range(8, 14)]] = 0
    driver = track(90, 128, 80, 256, 384)
    photo = {"reference": photo_of(256, 260), "reference_pose": portrait, "size": 256, "framing": "photo"}
    assert not any("leaves the picture" in note for note in build_condition_set(track=driver, **photo).notes)
    driver.body[3:5, kp.RIGHT_WRIST] = driver.body[3:5, kp.RIGHT_ELBOW] - (80, 20, 0)
    told = [note for note in build_condition_set(track=driver, **photo).notes if "leaves the picture" in note]
    assert told == ["In 2 of 9 frames part of the body leaves the picture: most often right wrist."]


def test_pasted_back_what_lies_beyond_the_photo_is_cut_and_said(track, person):
    wide = track(100, 120, 80, 240, 400)
    wide.body[4, kp.RIGHT_WRIST, 0] = -30
    there = {"reference": photo_of(240, 400), "track": wide, "reference_pose": person(100, 120, 80), "size": 256}
    grown, pasted = (build_condition_set(**there, fit="none", paste_back=paste) for paste in (False, True))
    for conditions, cut in ((grown, False), (pasted, True)):
        assert conditions.framing.beyond[0] > 30
        assert any("are cut off" in note for note in conditions.notes) is cut
        assert any("In 1 of 9 frames part of the body leaves the picture" in n for n in conditions.notes) is cut
    assert "are made anew" in pasted.notes[0] and "grows by" not in pasted.notes[0]


def test_the_picture_grows_where_the_motion_leaves_the_photo(track, person):
    """Shared with the photo frame: the scale of the person, and where the photo's own pixels are."""
    photo, there = photo_of(240, 400), person(100, 120, 80)
    wide = track(100, 120, 80, 240, 400)
    wide.body[4, kp.RIGHT_WRIST, 0] = -30  # once, far to the left
    conditions = build_condition_set(photo, track=wide, reference_pose=there, size=256, fit="none", stroke=1.0)
    framing = conditions.framing
    assert framing.beyond[0] > 30 and framing.beyond[1:] == (0, 0, 0) and not framing.crops
    assert any("grows by" in note and "left" in note for note in conditions.notes)
    assert not any("leaves the picture" in note for note in conditions.notes)
    joints = find_joints(conditions.pose_maps(4, 5)[0])
    expected = framing.to_canvas(wide.body[4, :, :2])
    assert np.abs(joints[kp.RIGHT_WRIST, :2] - expected[kp.RIGHT_WRIST]).max() < 3
    left, _, right, _ = framing.content_box
    start = round(framing.to_canvas(np.array((0.0, 0.0)))[0])
    ramp = conditions.reference[200, start:right, 0].astype(int)
    assert start > left and np.abs(ramp - np.linspace(0, 255, len(ramp))).max() < 3


def test_all_missing_is_black(person):
    nobody = PoseTrack.empty(4, 640, 480, Fraction(30))
    conditions = build_condition_set(photo_of(64, 96), track=nobody, reference_pose=person(20, 30, 20), size=(64, 96))
    assert not conditions.pose_maps(0, 4).any()
    assert any("No part of the body" in note for note in conditions.notes)


def test_one_kind_of_poses(track):
    with pytest.raises(ValueError, match="either"):
        build_condition_set(photo_of(64, 64), size=64)


def test_preview_shows_photo_and_strip(track, person):
    photo = photo_of(300, 400)
    conditions = build_condition_set(
        photo, track=track(90, 128, 80, 256, 384, frames=40), reference_pose=person(80, 150, 80), size=128
    )
    page = draw_preview(conditions, photo, title="me.png \x1b[31m with\n\udc80 poses/")
    assert page.dtype == np.uint8 and page.ndim == 3 and 700 < page.shape[1] <= 1700 and 500 < page.shape[0] < 1700
    assert len(np.unique(page.reshape(-1, 3), axis=0)) > 100
    one = build_condition_set(photo, track=track(90, 128, 80, 256, 384, frames=1), size=(128, 168), fit="none")
    assert draw_preview(one, photo).shape[2] == 3


@pytest.mark.parametrize("size", [(2000, 100), (100, 2000), (16, 16)])
def test_preview_of_odd_shapes(track, size):
    photo = photo_of(*size)
    conditions = build_condition_set(photo, track=track(90, 128, 80, 256, 384), size=(128, 64), fit="none")
    page = draw_preview(conditions, photo)
    assert page.shape[1] < 2500 and page.shape[0] < 3000


@pytest.mark.parametrize("size", [(128, 96), (700, 1100)])
def test_overlay(person, size):
    width, height = size
    frame = np.full((height, width, 3), 200, np.uint8)
    someone = person(height / 5, width / 2, height / 4)
    drawn = draw_overlay(frame, someone)
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    assert np.array_equal(drawn[0, 0], draw_overlay(frame, None)[0, 0])
    x, y = someone.body[kp.RIGHT_KNEE, :2].astype(int)
    assert drawn[y, x, 1] > drawn[y, x, 0] + 50  # the right knee's colour is a green blue
    assert np.array_equal(frame, np.full_like(frame, 200))


def test_blend_ignores_the_noise_of_video():
    frame = np.full((32, 32, 3), 120, np.uint8)
    noise = np.random.default_rng(0).integers(0, 12, (32, 32, 3)).astype(np.uint8)
    assert np.array_equal(blend_map(frame, noise), frame)
    bright = np.full((16, 16, 3), 255, np.uint8)
    assert np.array_equal(blend_map(frame, bright, opacity=1.0), np.full_like(frame, 255))


def test_unframed_maps_have_the_photo_shape(track):
    conditions = build_condition_set(
        photo_of(300, 450), track=track(90, 128, 80, 256, 384), size=(256, 256), fit="none"
    )
    shown = unframe(conditions.pose_maps(0, 1)[0], conditions.framing)
    assert shown.shape[:2] == (256, 171)
