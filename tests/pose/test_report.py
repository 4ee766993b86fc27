import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.report import ranges_of, ranges_text, report


def track_with(body=(), face=(), left_hand=(), right_hand=(), frames=10) -> PoseTrack:
    track = PoseTrack.empty(frames, 64, 48, Fraction(25))
    for part, there in (("body", body), ("face", face), ("left_hand", left_hand), ("right_hand", right_hand)):
        getattr(track, part)[list(there), 3] = 5, 6, 0.5
    return track


def test_shares_and_ranges():
    quality = report(track_with(body=[1, 2, 3, 7, 8, 9], face=[1, 2, 3], left_hand=[5], frames=10))
    assert quality.without_person == ((0, 0), (4, 4), (6, 6))  # a hand alone is a person
    assert (quality.share_body, quality.share_face, quality.share_left_hand, quality.share_right_hand) == (
        0.6,
        0.3,
        0.1,
        0,
    )
    assert quality.frames_with_person == 7
    assert quality.sentences() == [
        "A person in 7 of 10 frames (70%); none in frames 0, 4, 6.",
        "Body seen in 60% of the frames, face in 30%, left hand in 10%, right hand in 0%.",
    ]
    assert json.loads(json.dumps(quality.to_json())) == {
        "frames": 10,
        "without_person": [[0, 0], [4, 4], [6, 6]],
        "share_body": 0.6,
        "share_face": 0.3,
        "share_left_hand": 0.1,
        "share_right_hand": 0.0,
    }


def test_a_full_track_and_a_single_picture():
    assert report(track_with(body=range(10))).sentences()[0] == "A person in all 10 frames."
    assert report(track_with(body=[0], frames=1)).sentences()[0] == "A person in the only frame."


def test_a_share_is_100_or_0_only_where_it_is():
    sentence = report(track_with(body=range(999), face=[5], frames=1000)).sentences()[0]
    assert sentence == "A person in 999 of 1000 frames (99%); none in frame 999."
    assert "face in 1%," in report(track_with(body=range(999), face=[5], frames=1000)).sentences()[1]


def test_many_gaps_are_told_in_short():
    text = ranges_text(ranges_of(np.arange(0, 60, 2)))
    assert text == "frames 0, 2, 4, 6, 8, 10, 12, 14 and 22 more stretches"
    assert ranges_text(((3, 3), (86, 110))) == "frames 3, 86-110"
    assert ranges_text(((3, 3),)) == "frame 3"
    assert ranges_text(((3, 4),)) == "frames 3-4"


@given(st.sets(st.integers(0, 200)))
def test_ranges_cover_exactly_the_numbers(numbers):
    ranges = ranges_of(np.array(sorted(numbers)))
    assert [n for first, last in ranges for n in range(first, last + 1)] == sorted(numbers)
    assert all(b[0] > a[1] + 1 for a, b in itertools.pairwise(ranges))


@pytest.mark.parametrize("frames", [1, 5])
def test_an_empty_track_has_one_range(frames):
    assert report(track_with(frames=frames)).without_person == ((0, frames - 1),)
