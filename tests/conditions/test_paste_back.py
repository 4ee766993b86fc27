"""The frame back in the photo."""

import numpy as np
import pytest

from magicpose_cli.conditions.framing import apply_framing, fit_framing
from magicpose_cli.conditions.paste_back import FEATHER, describe_paste, paste_back, with_room_to_fade


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)


@pytest.mark.parametrize("box", [(100, 60, 228, 188), (-30, 100, 98, 356), (0, 0, 400, 300), (-50, -50, 450, 350)])
def test_the_rest_stays_the_photo(photo, box):
    framing = fit_framing(400, 300, 128, 256, box)
    frame = np.full((256, 128, 3), 200, np.uint8)
    whole = paste_back(photo, framing)(frame)
    left, top, right, bottom = (max(0, box[0]), max(0, box[1]), min(400, box[2]), min(300, box[3]))
    outside = np.ones((300, 400), bool)
    outside[top:bottom, left:right] = False
    assert whole.shape == photo.shape and np.array_equal(whole[outside], photo[outside])
    seam = int(np.ceil(FEATHER * min(box[2] - box[0], box[3] - box[1])))
    inner = whole[
        top + seam * (top > 0) : bottom - seam * (bottom < 300), left + seam * (left > 0) : right - seam * (right < 400)
    ]
    assert inner.size and (inner == 200).all()


def test_a_frame_of_the_photo_itself_changes_nothing(photo):
    framing = fit_framing(400, 300, 160, 128, (120, 80, 280, 208))
    assert np.array_equal(paste_back(photo, framing)(apply_framing(photo, framing)), photo)


@pytest.mark.parametrize("box", [(100, 60, 228, 188), (-30, 100, 98, 356), (0, 0, 400, 300)])
def test_a_constant_picture_on_itself_changes_nothing(box):
    even = np.full((300, 400, 3), (13, 120, 251), np.uint8)
    frame = np.full((256, 128, 3), (13, 120, 251), np.uint8)
    assert np.array_equal(paste_back(even, fit_framing(400, 300, 128, 256, box))(frame), even)


def test_no_edge_shows_where_the_seam_begins_or_ends(photo):
    """White on black: no step is steeper than a squared sine over a tenth of the box, and its ends are flat."""
    photo[:] = 0
    framing = fit_framing(400, 300, 160, 160, (100, 100, 260, 260))
    whole = paste_back(photo, framing)(np.full((160, 160, 3), 255, np.uint8))[..., 0].astype(int)
    seam = FEATHER * 160
    for axis in (0, 1):
        assert np.abs(np.diff(whole, axis=axis)).max() <= 255 * np.pi / 2 / seam + 1
    row = whole[180, 99:118]
    assert row[0] == 0 and row[-1] == 255 and (np.diff(row) >= 0).all()
    assert max(row[1] - row[0], row[17] - row[16]) <= 3  # a straight ramp begins with 8


@pytest.mark.parametrize("person", [(100, 60, 220, 188), (60, 50, 300, 260), (200, 200, 201, 201)])
def test_the_person_lies_where_all_is_new(photo, person):
    left, top, right, bottom = box = with_room_to_fade(person, 400, 300)
    framing = fit_framing(400, 300, right - left, bottom - top, box)
    whole = paste_back(photo, framing)(np.full((bottom - top, right - left, 3), 77, np.uint8))
    assert (whole[person[1] : person[3], person[0] : person[2]] == 77).all()


@pytest.mark.parametrize("person", [(-30, 100, 98, 290), (3, 5, 390, 298), (0, 0, 400, 300)])
def test_room_to_fade_is_of_the_photo(person):
    left, top, right, bottom = with_room_to_fade(person, 400, 300)
    assert left <= person[0] and top <= person[1] and right >= person[2] and bottom >= person[3]
    assert left >= min(0, person[0]) and top >= min(0, person[1])
    assert right <= max(400, person[2]) and bottom <= max(300, person[3])


@pytest.mark.parametrize(
    ("box", "anew", "cut"),
    [
        ((100, 60, 228, 188), "128x128 of the photo's 400x300 pixels, from 100 across and 60 down, are", ""),
        ((0, 0, 400, 300), "all of the photo's 400x300 pixels are made anew.", ""),
        (
            (-50, 0, 400, 300),
            "all of the photo's 400x300 pixels are made anew.",
            "50 pixels on the left with",
        ),
    ],
)
def test_what_is_made_anew_and_cut_off_is_told(box, anew, cut):
    said = describe_paste(fit_framing(400, 300, 128, 256, box))
    assert said.startswith(f"Framing: {anew}")
    assert ("laid back, blended over 13 pixels" in said) == (box[0] > 0)
    assert cut in said and ("are cut off" in said) == bool(cut)
