import json
import os
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.errors import DiskFullError, InputError, LimitError, OutputError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.detector import PARTS
from magicpose_cli.pose.openpose_json import ClipInfo, check_poses_output, read_poses, write_poses

WIDTH, HEIGHT = 640, 480


def random_track(frames: int, seed: int = 0, fps=Fraction(30000, 1001)) -> PoseTrack:
    """Points all over the frame, a third of them missing."""
    chance = np.random.default_rng(seed)
    parts = {}
    for part, count in PARTS.items():
        points = chance.random((frames, count, 3), dtype=np.float32) * np.float32((WIDTH, HEIGHT, 1))
        points[chance.random((frames, count)) < 1 / 3] = 0
        parts[part] = points
    return PoseTrack(**parts, width=WIDTH, height=HEIGHT, fps=fps)


def info_of(track: PoseTrack, **changes) -> ClipInfo:
    info = ClipInfo(
        fps=track.fps,
        width=track.width,
        height=track.height,
        frame_count=len(track),
        driver="dancé [1] %d.mp4",
        driver_sha256="ab" * 32,
        detector="mediapipe",
        detector_version="0.10.21",
        sound=SoundSource(Path("/films/dancé [1] %d.mp4"), Fraction(-1, 48000), Fraction(288, 25)),
        source_path=Path("/films/dancé [1] %d.mp4"),
    )
    return replace(info, **changes)


def assert_same(a: PoseTrack, b: PoseTrack) -> None:
    for part in PARTS:
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    assert (a.width, a.height, a.fps) == (b.width, b.height, b.fps)


def person(body=18, hand=21, face=70, x=100.0, y=50.0, confidence=0.9, spread=1.0) -> dict:
    """A person whose points lie along a diagonal."""

    def points(count):
        return [n for i in range(count) for n in (x + spread * i, y + spread * i, confidence)]

    return {
        "pose_keypoints_2d": points(body),
        "hand_left_keypoints_2d": points(hand),
        "hand_right_keypoints_2d": points(hand),
        "face_keypoints_2d": points(face),
    }


def frame(*people: dict, canvas=(WIDTH, HEIGHT)) -> dict:
    size = {"canvas_width": canvas[0], "canvas_height": canvas[1]} if canvas else {}
    return {"version": 1.3, **size, "people": list(people)}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "poses"
    path.mkdir()
    return path


def put(folder: Path, name: str, value) -> None:
    (folder / name).write_text(json.dumps(value))


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_poses(path)
    assert caught.value.hint
    return caught.value.message


# --- writing and reading back ---------------------------------------------------------------------------------------


def test_a_track_comes_back_bit_by_bit(tmp_path):
    track = random_track(12)
    info = info_of(track)
    write_poses(tmp_path / "a b" / "poses", track, info)
    back = read_poses(tmp_path / "a b" / "poses")
    assert_same(back.track, track)
    assert back.info == info
    assert back.notes == ()


def test_the_files_are_those_of_openpose(tmp_path):
    track = random_track(3)
    write_poses(tmp_path / "poses", track, info_of(track))
    assert sorted(os.listdir(tmp_path / "poses")) == [
        "000000_keypoints.json", "000001_keypoints.json", "000002_keypoints.json", "clip.json"
    ]  # fmt: skip
    value = json.loads((tmp_path / "poses" / "000001_keypoints.json").read_text())
    assert (value["version"], value["canvas_width"], value["canvas_height"]) == (1.3, WIDTH, HEIGHT)
    [one] = value["people"]
    assert {key: len(numbers) for key, numbers in one.items()} == {
        "pose_keypoints_2d": 54,
        "hand_left_keypoints_2d": 63,
        "hand_right_keypoints_2d": 63,
        "face_keypoints_2d": 210,
    }
    np.testing.assert_array_equal(np.float32(one["face_keypoints_2d"]).reshape(70, 3), track.face[1])
    clip = json.loads((tmp_path / "poses" / "clip.json").read_text())
    assert clip["fps"] == "30000/1001"
    assert clip["sound"] == {"path": "/films/dancé [1] %d.mp4", "start": "-1/48000", "duration": "288/25"}


def test_nobody_and_no_clip_facts_come_back_too(tmp_path):
    track = PoseTrack.empty(2, 8, 6, Fraction(25))
    info = info_of(track, sound=None, source_path=None, driver_sha256=None)
    write_poses(tmp_path / "poses", track, info)
    assert json.loads((tmp_path / "poses" / "000000_keypoints.json").read_text())["people"] == []
    back = read_poses(tmp_path / "poses")
    assert_same(back.track, track)
    assert back.info == info


def test_a_file_name_that_is_no_text_comes_back(tmp_path):
    track = random_track(1)
    name = os.fsdecode(b"caf\xe9\n.mp4")
    info = info_of(track, driver=name, source_path=Path("/tmp") / name)
    write_poses(tmp_path / "poses", track, info)
    assert read_poses(tmp_path / "poses").info == info


float32s = st.floats(-9e5, 9e5, width=32)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float32, (1, 18, 2), elements=float32s),
    arrays.arrays(np.float32, (1, 18, 1), elements=st.floats(0, 1, width=32)),
)
def test_every_float32_comes_back(tmp_path_factory, places, confidence):
    places[(places == -1).all(axis=2)] = 1  # (-1, -1) is how other tools write a missing point
    body = np.where(confidence > 0, np.concatenate([places, confidence], axis=2), np.float32(0))
    track = replace(PoseTrack.empty(1, 64, 48, Fraction(25)), body=body)
    folder = tmp_path_factory.mktemp("floats") / "poses"
    write_poses(folder, track, info_of(track))
    np.testing.assert_array_equal(read_poses(folder).track.body, track.body)
    shutil.rmtree(folder)


def test_facts_that_are_not_the_tracks_are_a_bug_of_the_caller(tmp_path):
    track = random_track(2)
    with pytest.raises(ValueError, match="frame count"):
        write_poses(tmp_path / "poses", track, info_of(track, frame_count=3))
    assert os.listdir(tmp_path) == []


# --- whole or not at all --------------------------------------------------------------------------------------------


def test_an_existing_folder_is_replaced_only_on_request(tmp_path):
    old, new = random_track(5, seed=1), random_track(3, seed=2)
    target = tmp_path / "poses"
    write_poses(target, old, info_of(old))
    with pytest.raises(OutputError, match="exists"):
        write_poses(target, new, info_of(new))
    with pytest.raises(OutputError, match="exists"):
        check_poses_output(target)
    assert_same(read_poses(target).track, old)
    check_poses_output(target, overwrite=True)
    write_poses(target, new, info_of(new), overwrite=True)
    assert_same(read_poses(target).track, new)
    assert os.listdir(tmp_path) == ["poses"]


def test_an_empty_folder_and_the_end_of_a_link_are_filled(tmp_path):
    track = random_track(1)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_poses(tmp_path / "link", track, info_of(track))
    assert (tmp_path / "link").is_symlink()
    assert_same(read_poses(tmp_path / "real").track, track)


def test_a_folder_with_other_things_is_never_replaced(folder):
    track = random_track(1)
    (folder / "thesis.odt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(OutputError):
            write_poses(folder, track, info_of(track), overwrite=overwrite)
    assert (folder / "thesis.odt").read_text() == "years of work"
    assert os.listdir(folder) == ["thesis.odt"]


def test_maps_and_preview_of_an_earlier_extract_may_go(folder):
    track = random_track(1)
    (folder / "maps").mkdir()
    (folder / "maps" / "000000.png").write_bytes(b"x")
    (folder / "preview.mp4").write_bytes(b"x")
    write_poses(folder, track, info_of(track), overwrite=True)
    assert sorted(os.listdir(folder)) == ["000000_keypoints.json", "clip.json"]


def test_a_file_in_the_way_and_a_place_that_cannot_be_written(tmp_path):
    track = random_track(1)
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "poses"):
        with pytest.raises(OutputError) as caught:
            write_poses(place, track, info_of(track), overwrite=True)
        assert str(tmp_path / "file") in caught.value.message
    assert os.listdir(tmp_path) == ["file"]


def test_a_failure_half_way_leaves_the_old_folder_and_nothing_else(tmp_path, monkeypatch):
    old, new = random_track(3, seed=1), random_track(9, seed=2)
    write_poses(tmp_path / "poses", old, info_of(old))

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskFullError, match="disk is full"):
        write_poses(tmp_path / "poses", new, info_of(new), overwrite=True)
    assert os.listdir(tmp_path) == ["poses"]
    assert_same(read_poses(tmp_path / "poses").track, old)


def test_a_name_of_full_length_works(tmp_path):
    track = random_track(1)
    write_poses(tmp_path / ("n" * 255), track, info_of(track))
    assert_same(read_poses(tmp_path / ("n" * 255)).track, track)


# --- folders of other tools -----------------------------------------------------------------------------------------


def test_frames_are_ordered_by_number_and_gaps_are_told(folder):
    for name, x in (("v_10_keypoints.json", 10), ("v_9_keypoints.json", 9), ("v_0012_keypoints.json", 12)):
        put(folder, name, frame(person(x=float(x))))
    back = read_poses(folder)
    assert back.track.body[:, 0, 0].tolist() == [9, 10, 0, 12]
    assert not back.track.face[2].any()
    assert any("no file for frame 11" in note for note in back.notes)
    assert back.info is None
    assert back.track.fps == 25
    assert read_poses(folder, fps=Fraction(12)).track.fps == 12


def test_two_files_of_one_number_are_refused(folder):
    for name in ("1_keypoints.json", "01_keypoints.json"):
        put(folder, name, frame(person()))
    assert "two files for frame 1: '01_keypoints.json' and '1_keypoints.json'" in refused(folder)


def test_numbers_far_apart_cost_no_memory(folder):
    for name in ("0_keypoints.json", "999999999999_keypoints.json"):
        put(folder, name, frame(person()))
    assert "from 0 to 999999999999" in refused(folder)


def test_other_json_files_are_left_out_and_names_without_numbers_are_taken_in_order(folder):
    for name in ("b.json", "a.json"):
        put(folder, name, frame(person(x=float(ord(name[0])))))
    back = read_poses(folder)
    assert back.track.body[:, 0, 0].tolist() == [97, 98]
    assert any("order of the names" in note for note in back.notes)
    put(folder, "7_keypoints.json", frame(person(x=7.0)))
    back = read_poses(folder)
    assert back.track.body[:, 0, 0].tolist() == [7]
    assert any("2 .json files" in note for note in back.notes)


def test_a_folder_without_poses_or_none_at_all(folder):
    assert "no pose files" in refused(folder)
    assert "no such file" in refused(folder / "gone")


@pytest.mark.parametrize("inside_a_folder", [False, True])
def test_the_list_of_frames_form(folder, inside_a_folder):
    put(folder, "poses.json", [frame(person(x=1.0)), frame(), frame(person(x=3.0))])
    back = read_poses(folder if inside_a_folder else folder / "poses.json")
    assert back.track.body[:, 0, 0].tolist() == [1, 0, 3]
    assert (back.track.width, back.track.height) == (WIDTH, HEIGHT)


def test_one_file_is_one_frame(folder):
    put(folder, "reference.json", frame(person()))
    assert len(read_poses(folder / "reference.json").track) == 1


def test_body_25_becomes_18(folder):
    # The order of BODY_25 by OpenPose's documentation: the hips' middle is 8, the eyes 15 and 16, the ears 17 and 18.
    put(folder, "0_keypoints.json", frame(person(body=25, x=0.0)))
    back = read_poses(folder)
    assert back.track.body[0, :, 0].tolist() == [*range(8), *range(9, 19)]
    assert any("BODY_25" in note for note in back.notes)


@pytest.mark.parametrize("nothing", ["absent", None, []])
def test_hands_and_face_may_be_absent(folder, nothing):
    someone = person()
    for key in ("hand_left_keypoints_2d", "hand_right_keypoints_2d", "face_keypoints_2d"):
        someone.pop(key) if nothing == "absent" else someone.update({key: nothing})
    put(folder, "0_keypoints.json", frame(someone))
    track = read_poses(folder).track
    assert track.body[0].all()
    assert not (track.left_hand.any() or track.right_hand.any() or track.face.any())


def test_a_face_without_pupils_is_taken(folder):
    put(folder, "0_keypoints.json", frame(person(face=68)))
    track = read_poses(folder).track
    assert (track.face[0, :68, 2] > 0).all()
    assert not track.face[0, 68:].any()


def test_the_largest_of_several_people_is_taken(folder):
    put(folder, "0_keypoints.json", frame(person(x=1.0), person(x=2.0, spread=3.0), person(x=3.0, spread=2.0)))
    put(folder, "1_keypoints.json", frame(person(x=5.0)))
    back = read_poses(folder)
    assert back.track.body[:, 0, 0].tolist() == [2, 5]
    assert any("several people in 1 of 2 frames" in note for note in back.notes)


def test_shares_of_the_picture_become_pixels(folder):
    put(folder, "0_keypoints.json", frame(person(x=0.25, y=0.5, spread=0.001)))
    put(folder, "1_keypoints.json", frame(person(x=-0.01, y=1.01, spread=0.0)))
    back = read_poses(folder)
    np.testing.assert_allclose(back.track.body[0, 0], (0.25 * WIDTH, 0.5 * HEIGHT, 0.9), rtol=1e-6)
    np.testing.assert_allclose(back.track.body[1, 0], (-0.01 * WIDTH, 1.01 * HEIGHT, 0.9), rtol=1e-6)
    assert any("shares of the picture" in note for note in back.notes)


def test_shares_without_a_size_are_refused(folder):
    put(folder, "0_keypoints.json", frame(person(x=0.25, y=0.5, spread=0.001), canvas=None))
    assert "nothing says how large" in refused(folder)


def test_a_size_that_is_not_said_is_taken_from_the_points(folder):
    put(folder, "0_keypoints.json", frame(person(x=10.5, y=20.0), canvas=None))
    back = read_poses(folder)
    assert (back.track.width, back.track.height) == (80, 89)
    assert any("80x89" in note for note in back.notes)
    put(folder, "0_keypoints.json", frame(canvas=None))
    assert "nothing says the picture's size" in refused(folder)


def test_missing_points_of_other_tools(folder):
    someone = person()
    someone["pose_keypoints_2d"][:9] = [50, 60, 0, -1, -1, 0.5, 70, 80, 1.0000001]
    put(folder, "0_keypoints.json", frame(someone))
    np.testing.assert_array_equal(read_poses(folder).track.body[0, :3], [[0, 0, 0], [0, 0, 0], [70, 80, 1]])


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"pose_keypoints_2d": [1.0] * 51}, "17 points (the COCO-17 layout)"),
        ({"pose_keypoints_2d": [1.0] * 399}, "133 points (the COCO whole-body layout"),
        ({"pose_keypoints_2d": [1.0] * 36}, "12 points"),
        ({"pose_keypoints_2d": [1.0] * 55}, "55 numbers"),
        ({"pose_keypoints_2d": "18"}, "not a list"),
        ({"pose_keypoints_2d": [None] * 54}, "people[0].pose_keypoints_2d[0] is not a number"),
        ({"pose_keypoints_2d": [1.0] * 53 + [True]}, "pose_keypoints_2d[53] is not a number"),
        ({"hand_left_keypoints_2d": [1.0] * 60}, "20 points, not 21"),
        ({"face_keypoints_2d": [1.0] * 63}, "21 points, not 68 or 70"),
        ({"face_keypoints_2d": [1.0] * 209 + [1e300]}, "1e+300, which is no place"),
        ({"face_keypoints_2d": [10**18] * 210}, "no place in a picture"),
    ],
)
def test_what_is_no_person_is_refused_with_file_and_place(folder, change, part):
    put(folder, "0_keypoints.json", frame(person()))
    put(folder, "1_keypoints.json", frame(person() | change))
    message = refused(folder)
    assert part in message
    assert str(folder / "1_keypoints.json") in message


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ({}, "no list 'people'"),
        ([], "list of frames is empty"),
        ([[]], "frame 0: no OpenPose frame"),
        ({"people": {}}, "no list 'people'"),
        ({"people": [[]]}, "people[0] has none of"),
        ({"people": [{"x": 1}]}, "people[0] has none of"),
        (3, "no list 'people'"),
        ({"people": [], "canvas_width": 0, "canvas_height": 5}, "canvas_width"),
        ({"people": [], "canvas_width": 64, "canvas_height": "64"}, "canvas_width"),
        ({"people": [], "canvas_width": 1e99, "canvas_height": 64}, "canvas_width"),
    ],
)
def test_what_is_no_frame_is_refused(folder, value, part):
    put(folder, "0_keypoints.json", value)
    message = refused(folder)
    assert part in message
    assert "0_keypoints.json" in message


def test_frames_of_two_sizes_are_refused(folder):
    put(folder, "0_keypoints.json", frame(person()))
    put(folder, "1_keypoints.json", frame(person(), canvas=(512, 512)))
    assert "512x512" in refused(folder)


def test_not_a_number_is_refused_with_the_file(folder):
    (folder / "0_keypoints.json").write_text('{"people": [{"pose_keypoints_2d": [NaN]}]}')
    assert "0_keypoints.json: NaN" in refused(folder)


def test_a_huge_frame_file_is_over_a_limit(folder):
    for number in range(2):
        (folder / f"{number}_keypoints.json").write_bytes(b" " * 17_000_000)
    with pytest.raises(LimitError, match="0_keypoints"):
        read_poses(folder)


# --- clip.json ------------------------------------------------------------------------------------------------------


@pytest.fixture
def extracted(tmp_path):
    track = random_track(3)
    write_poses(tmp_path / "poses", track, info_of(track))
    return tmp_path / "poses"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fps", "0/1"),
        ("fps", 25),
        ("fps", "25"),
        ("fps", "25/0"),
        ("fps", "nan"),
        ("width", 0),
        ("width", "640"),
        ("height", 1.5),
        ("frame_count", -1),
        ("frame_count", True),
        ("driver", None),
        ("driver_sha256", 5),
        ("detector", ["x"]),
        ("source_path", "a\0b"),
        ("sound", []),
        ("sound", {"path": "x", "start": "0/1"}),
        ("sound", {"path": "x", "start": "0/1", "duration": "0/1"}),
    ],
)
def test_a_clip_file_with_a_wrong_value_is_refused_by_name(extracted, key, value):
    clip = json.loads((extracted / "clip.json").read_text())
    put(extracted, "clip.json", clip | {key: value})
    message = refused(extracted)
    assert key in message
    assert "clip.json" in message


def test_a_clip_file_that_is_no_object(extracted):
    put(extracted, "clip.json", [1])
    assert "clip.json" in refused(extracted)


def test_frames_lost_or_added_are_told(extracted):
    (extracted / "000001_keypoints.json").unlink()
    (extracted / "000002_keypoints.json").unlink()
    back = read_poses(extracted)
    assert len(back.track) == 3
    assert not back.track.body[1:].any()
    assert any("no file for frames 1-2" in note for note in back.notes)
    put(extracted, "000005_keypoints.json", frame(person()))
    back = read_poses(extracted)
    assert len(back.track) == 6
    assert any("says 3 frames" in note for note in back.notes)


def test_a_canvas_that_is_not_the_clips_is_refused(extracted):
    for path in extracted.glob("*_keypoints.json"):
        path.write_text(json.dumps(frame(person(), canvas=(64, 64))))
    assert "clip.json says 640x480" in refused(extracted)


def test_the_frame_rate_can_be_given(extracted):
    assert read_poses(extracted, fps=Fraction(10)).track.fps == 10
