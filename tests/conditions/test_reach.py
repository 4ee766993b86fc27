"""The part of the photo that becomes the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.conditions.reach import MAX_GROWTH, Reach, choose_box, reach_of
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.names import FRAMINGS

photo_sides = st.integers(16, 2000)


@st.composite
def reaches(draw, width, height):
    left, right = sorted(draw(st.tuples(*[st.floats(-2 * width, 3 * width)] * 2)))
    top, bottom = sorted(draw(st.tuples(*[st.floats(-2 * height, 3 * height)] * 2)))
    return Reach(left, top, right, bottom, draw(st.floats(0, width)))


@given(photo_sides, photo_sides, st.sampled_from(FRAMINGS), st.booleans(), st.data())
def test_any_reach_gives_a_picture_of_the_photo(width, height, framing, keep_aspect, data):
    reach = data.draw(reaches(width, height))
    left, top, right, bottom = choose_box(width, height, reach, framing, keep_aspect=keep_aspect)
    assert left < width and right > 0 and top < height and bottom > 0
    assert left >= -MAX_GROWTH * width - 1 and right <= (1 + MAX_GROWTH) * width + 1
    assert top >= -MAX_GROWTH * height - 1 and bottom <= (1 + MAX_GROWTH) * height + 1
    if framing == "photo":
        assert (left, top, right, bottom) == (0, 0, width, height)


@given(photo_sides, photo_sides, st.sampled_from(["auto", "person"]), st.booleans(), st.data())
def test_the_reach_is_held_up_to_the_limit(width, height, framing, keep_aspect, data):
    reach = data.draw(reaches(width, height))
    box = choose_box(width, height, reach, framing, keep_aspect=keep_aspect)
    for low, high, begin, end, side in (
        (box[0], box[2], reach.left, reach.right, width),
        (box[1], box[3], reach.top, reach.bottom, height),
    ):
        slack = 0.005 * side + 1
        assert low <= max(begin, -MAX_GROWTH * side) + slack or low <= side - 1 <= begin
        assert high >= min(end, (1 + MAX_GROWTH) * side) - slack or end <= 1


def test_boxes_worked_out_by_hand():
    inside = Reach(100, 50, 300, 350, 20)
    assert choose_box(400, 400, inside, "auto") == (0, 0, 400, 400)
    # With the margin 240 × 340; the photo is square, so the width is 340 too, about the middle.
    assert choose_box(400, 400, inside, "person") == (30, 30, 370, 370)
    assert choose_box(400, 400, inside, "person", keep_aspect=False) == (80, 30, 320, 370)
    # 340 long and at most twice as long as wide: 170 about the middle 130.
    assert choose_box(400, 400, Reach(100, 50, 160, 350, 20), "person", keep_aspect=False) == (45, 30, 215, 370)
    # Small in the photo: 140 × 140 of 1000 × 500 would be less than a quarter; in the photo's aspect 280 × 140.
    assert choose_box(1000, 500, Reach(500, 200, 600, 300, 20), "auto") == (410, 180, 690, 320)
    # At the photo's edge the widening goes inward.
    assert choose_box(1000, 500, Reach(20, 200, 120, 300, 20), "auto") == (0, 180, 280, 320)
    # Leaving the photo: grown there, with the margin, and nowhere else.
    assert choose_box(400, 400, Reach(-30, 50, 300, 395, 20), "auto") == (-50, 0, 400, 400)
    assert choose_box(400, 400, Reach(-900, 50, 300, 395, 20), "auto") == (-200, 0, 400, 400)
    assert choose_box(400, 400, Reach(-1, 50, 401, 400, 20), "auto") == (0, 0, 400, 400)  # hardly
    assert choose_box(400, 300, None, "person") == (0, 0, 400, 300)
    with pytest.raises(UsageError, match="unknown framing 'face'"):
        choose_box(400, 300, None, "face")


def test_only_what_the_photo_shows_makes_room(track, person):
    """A portrait to the waist and a driver in full: legs below the photo are not waited for, hands beside it are."""
    portrait = person(200, 200, 250)
    portrait.body[[kp.RIGHT_KNEE, kp.LEFT_KNEE, kp.RIGHT_ANKLE, kp.LEFT_ANKLE], 2] = 0
    driver = track(200, 200, 250, 400, 500)
    driver.body[3, kp.LEFT_WRIST, :2] = 450, 240
    reach = reach_of(driver, portrait)
    assert reach is not None
    assert reach.right == 450 and reach.bottom == 500  # hands hang lower, but the portrait ends there
    assert reach.margin == pytest.approx(0.75 * 100)  # half the neck-hip length from nose to neck
    whole = reach_of(driver, None)
    assert whole is not None and whole.bottom > 700
    driver.body[...] = driver.left_hand[...] = driver.right_hand[...] = driver.face[...] = 0
    assert reach_of(driver, None) is None
    left = reach_of(driver, portrait)
    assert left is not None and np.isclose(left.left, portrait.right_hand[:, 0].min())


def test_what_is_drawn_within_the_photo_lies_in_the_picture(track, person):
    """The detector missed the photo's hips and wrists: the driver's are drawn there all the same."""
    missed = person(200, 200, 250)
    missed.body[kp.RIGHT_ELBOW + 1 :, 2] = 0
    missed.left_hand[...] = missed.right_hand[...] = 0
    driver = track(200, 200, 250, 400, 900)
    reach = reach_of(driver, missed)
    assert reach is not None
    assert reach.bottom == pytest.approx(driver.body[..., 1].max())
    assert reach.right >= driver.left_hand[..., 0].max()


def test_one_stray_point_does_not_change_the_picture(track, person):
    driver, photo = track(40, 128, 60, 256, 256, frames=100), person(40, 128, 60)
    before = reach_of(driver, photo)
    assert before is not None
    driver.left_hand[40] = -120, 100, 0.06  # seen in the frames beside it too, but elsewhere
    driver.right_hand[[39, 41], :, 2], driver.right_hand[40] = 0, (-120, 100, 0.06)  # seen in this one alone
    driver.body[99, kp.RIGHT_WRIST] = -120, 100, 0.9
    assert reach_of(driver, photo) == before
    driver.left_hand[41] = -110, 100, 0.06  # two frames agree
    held = reach_of(driver, photo)
    assert held is not None and held.left == -110


def test_in_a_few_frames_each_counts(track, person):
    driver = track(40, 128, 60, 256, 256, frames=1)
    driver.left_hand[0] = -50, 100, 0.9
    for frames in (driver, driver[[0, 0]]):
        reach = reach_of(frames, person(40, 128, 60))
        assert reach is not None and reach.left == -50
