import itertools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.core.keypoints import LEFT_ANKLE, LEFT_WRIST, RIGHT_ANKLE, RIGHT_ELBOW, RIGHT_WRIST
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.detector import PART_SLICES, PARTS
from magicpose_cli.pose.follow import FollowedPerson
from magicpose_cli.pose.ranges import ranges_of, ranges_text
from magicpose_cli.pose.report import report
from magicpose_cli.pose.track import FollowedClip


def track_with(body=(), face=(), left_hand=(), right_hand=(), frames=10) -> PoseTrack:
    track = PoseTrack.empty(frames, 64, 48, Fraction(25))
    for part, there in (("body", body), ("face", face), ("left_hand", left_hand), ("right_hand", right_hand)):
        getattr(track, part)[list(there)] = 5, 6, 0.5
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
    assert quality.sentences()[:2] == [
        "A person in 7 of 10 frames (70%); none in frames 0, 4, 6.",
        "Body seen in 60% of the frames, face in 30%, left hand in 10%, right hand in 0%.",
    ]
    told = json.loads(json.dumps(quality.to_json()))
    assert told["without_person"] == [[0, 0], [4, 4], [6, 6]]
    assert (told["frames"], told["fps"], told["share_body"]) == (10, "25", 0.6)


def test_what_is_too_unsure_to_be_drawn_is_not_seen():
    track = track_with(body=range(10), face=range(10))
    track.body[:4, :, 2], track.face[:2, :, 2] = 0.02, 0.04
    quality = report(track)
    assert (quality.share_body, quality.share_face, quality.without_person) == (0.6, 0.8, ((0, 1),))


def test_a_few_points_are_no_hand_and_no_face():
    track = track_with(body=range(10), face=range(10), left_hand=range(10), right_hand=range(10))
    track.left_hand[:4, 6:], track.right_hand[:4, 7:] = 0, 0  # of 21 points
    track.face[:5, 23:], track.face[5:, 24:] = 0, 0  # of 70
    quality = report(track)
    assert (quality.share_left_hand, quality.share_right_hand, quality.share_face) == (0.6, 1, 0.5)


def test_a_limb_that_is_away_for_long_is_named_with_frames_and_advice(dance):
    track = followed_clip(dance).track
    track.body[10:30, LEFT_WRIST] = 0
    track.body[20:35, [RIGHT_ELBOW, RIGHT_WRIST]] = 0
    track.body[30:42, RIGHT_ANKLE] = 0  # no longer than a gap that is filled
    track.body[:, LEFT_ANKLE] = 0
    quality = report(track)
    assert quality.missing_limbs == {"left forearm": ((10, 29),), "right arm": ((20, 34),)}
    assert quality.unseen_limbs == ("left lower leg",)
    said = quality.sentences()
    where = "left forearm in frames 10-29 (0.40-1.20 s); right arm in frames 20-34 (0.80-1.40 s)"
    assert f"Not seen for longer than 0.5 s: {where}." in said
    assert "Never seen: left lower leg." in said
    assert any(line.startswith("The model guesses a limb") for line in quality.advice())
    assert json.loads(json.dumps(quality.to_json()))["missing_limbs"]["left forearm"] == [[10, 29]]


def test_a_limb_is_not_missed_where_the_whole_person_is(dance):
    track = followed_clip(dance).track
    for part in PARTS:
        getattr(track, part)[10:40] = 0
    assert report(track).missing_limbs == {} and report(track).unseen_limbs == ()


def test_a_doubtful_limb_is_told_with_frames(dance):
    clip = followed_clip(dance)
    clip = replace(clip, doubtful_limbs={"left arm": np.arange(50) == 7, "right leg": np.zeros(50, bool)})
    quality = report(clip.track, clip)
    assert "Doubtful, however sure the detector was: left arm in frame 7 (0.28-0.32 s)." in quality.sentences()
    assert any(line.startswith("Look at those limbs") for line in quality.advice())
    assert quality.to_json()["doubtful_limbs"] == {"left arm": [[7, 7]]}


def test_a_limb_that_was_taken_away_is_told_as_that_and_not_as_unseen(dance):
    clip = followed_clip(dance)
    clip.track.body[10:30, LEFT_WRIST] = 0
    clip.track.body[30:46, RIGHT_WRIST] = 0
    taken = (np.arange(50) >= 10) & (np.arange(50) < 30)
    clip = replace(clip, removed_limbs={"left arm": taken, "right arm": np.zeros(50, bool)})
    quality = report(clip.track, clip)
    assert list(quality.missing_limbs) == ["right forearm"]
    said = "Taken away where it was too long to be one: left arm in frames 10-29 (0.40-1.20 s)."
    assert said in quality.sentences()
    assert json.loads(json.dumps(quality.to_json()))["removed_limbs"] == {"left arm": [[10, 29]]}


def test_raw_poses_are_told_of_each_gap_since_none_was_filled(dance):
    clip = followed_clip(dance)
    clip.track.body[10:12, LEFT_WRIST] = 0
    assert report(clip.track, clip).missing_limbs == {}
    clip = replace(clip, raw=True)
    assert report(clip.track, clip).missing_limbs == {"left forearm": ((10, 11),)}
    assert "Not seen: left forearm in frames 10-11 (0.40-0.48 s)." in report(clip.track, clip).sentences()


def test_somebody_still_of_whom_the_detector_is_unsure_may_be_nobody(dance):
    still = np.repeat(dance(1), 50, axis=0)
    unsure = still.copy()
    unsure[..., 2] = 0.7
    moving = dance(50)
    moving[..., 2] = 0.7
    clip = followed_clip(dance, people=tuple(FollowedPerson(np.arange(50), each) for each in (still, unsure, moving)))
    clip.people[0].points[..., 2] = 0.95
    quality = report(clip.track, clip)
    assert quality.uncertain == (1,)
    assert any(line.startswith("Person 1 may be no person") for line in quality.advice())
    peaks = replace(clip, says_visibility=False)  # 0.7 is what OpenPose says of people seen well
    assert report(peaks.track, peaks).uncertain == ()


def test_empty_ends_come_with_the_options_that_cut_them_off_and_empty_middles_with_their_length():
    advice = report(track_with(body=[*range(25, 50), *range(75, 90)], frames=100)).advice()
    assert any("--start 1.00 --end 3.60" in said for said in advice)
    assert any("up to 1.0 s in the middle (2.00-3.00 s)" in said for said in advice)
    later = report(track_with(body=[*range(25, 50), *range(75, 90)], frames=100), start=10.0).advice()
    assert any("--start 11.00 --end 13.60" in said for said in later)
    assert any("(12.00-13.00 s)" in said for said in later)
    assert not any("--start" in said for said in report(track_with(body=range(10))).advice())


def followed_clip(dance, **changes) -> FollowedClip:
    """Somebody on a frame of 720 × 600 beside somebody a little smaller."""
    points, frames = dance(50), np.arange(50)
    parts = {part: points[:, of] for part, of in PART_SLICES.items()}
    quiet = {part: np.zeros(50, bool) for part in parts}
    clip = FollowedClip(
        track=PoseTrack(**parts, width=720, height=600, fps=Fraction(25)),
        people=(FollowedPerson(frames, points), FollowedPerson(frames, dance(50, start=600, height=380))),
        chosen=0,
        asked="largest",
        swapped=quiet["body"],
        filled=quiet,
        doubtful_limbs={"left arm": quiet["body"]},
        removed_limbs={"left arm": quiet["body"]},
        jitter=dict.fromkeys(parts),
        raw=False,
        says_visibility=True,
    )
    return replace(clip, **changes)


def test_a_close_call_is_told_with_the_way_out(dance):
    clip = followed_clip(dance)
    quality = report(clip.track, clip)
    assert (quality.people, quality.person, quality.right, quality.runner_up) == (2, 0, 1, 1)
    assert any(
        said.startswith("2 people were found; number 0 is followed; left is 0, right is 1.")
        for said in quality.sentences()
    )
    assert any("--person 1" in said for said in quality.advice())
    assert report(clip.track, replace(clip, asked="left")).runner_up is None  # he has been chosen
    small = followed_clip(
        dance, people=(clip.people[0], FollowedPerson(np.arange(50), dance(50, start=600, height=200)))
    )
    assert report(small.track, small).runner_up is None
    alone = followed_clip(dance, people=clip.people[:1])
    assert report(alone.track, alone).advice() == []


def test_what_was_mended_is_told_in_frames(dance):
    filled = np.zeros(50, bool)
    filled[[3, 10, 11, 12]] = True
    clip = followed_clip(dance)
    clip = replace(
        clip,
        swapped=np.arange(50) < 8,
        filled={**clip.filled, "left_hand": filled},
        jitter={**clip.jitter, "body": (5.25, 1.5)},
        people=(replace(clip.people[0], doubtful=(20, 21)), clip.people[1]),
    )
    quality = report(clip.track, clip)
    said = quality.sentences()
    assert "Left and right were mixed up, and mended, in frames 0-7." in said
    assert "Gaps of up to 0.5 s were filled: left hand in 4 frames." in said
    assert "In doubt who is who: frames 20-21 (0.80-0.88 s)." in said
    assert "Trembling from frame to frame, in pixels, before → after smoothing: body 5.2 → 1.5." in said
    assert any(line.startswith("Left and right were mixed up often") for line in said)  # more than a tenth
    told = json.loads(json.dumps(quality.to_json()))
    assert told["filled"]["left_hand"] == [[3, 3], [10, 12]]
    assert told["swapped"] == [[0, 7]] and told["doubtful"] == [[20, 21]] and told["jitter"]["body"] == [5.25, 1.5]


def test_hands_and_faces_that_are_missed_and_small_people_come_with_advice(dance):
    clip = followed_clip(dance)
    bare = replace(clip.track, left_hand=clip.track.left_hand * 0, face=clip.track.face * 0)
    advice = " ".join(report(bare).advice())
    assert "Hands are missed" in advice and "The face is seen" in advice and "small" not in advice
    far = clip.track.map_points(0.25, 0, 0, 720, 600)
    assert any("The person is small (16%" in said for said in report(far).advice())


def test_a_full_track_and_a_single_picture():
    assert report(track_with(body=range(10))).sentences()[0] == "A person in all 10 frames."
    assert report(track_with(body=[0], frames=1)).sentences()[0] == "A person in the only frame."


def test_a_share_is_100_or_0_only_where_it_is():
    sentence = report(track_with(body=range(999), face=[5], frames=1000)).sentences()[0]
    assert sentence == "A person in 999 of 1,000 frames (99%); none in frame 999."
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
    quality = report(track_with(frames=frames))
    assert quality.without_person == ((0, frames - 1),) and quality.advice() == []
