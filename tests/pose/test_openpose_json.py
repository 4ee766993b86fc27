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
from magicpose_cli.core.errors import DiskFullError, InputError, OutputError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.detector import PARTS
from magicpose_cli.pose.openpose_json import ClipInfo, check_poses_output, read_poses, write_poses

WIDTH, HEIGHT = 640, 480
FRAME = {"canvas_width": 640, "canvas_height": 480, "people": [{"pose_keypoints_2d": [100.0, 50.0, 0.9] * 18}]}


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
        filled={"body": ((0, 0), (3, 4)), "left_hand": ()},
        report=("A person in all 3 frames.",),
        swapped=((1, 2),),
    )
    return replace(info, **changes)


def assert_same(a: PoseTrack, b: PoseTrack) -> None:
    for part in PARTS:
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
    assert (a.width, a.height, a.fps) == (b.width, b.height, b.fps)


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


@pytest.mark.parametrize("name", ["thesis.odt", "maps/thesis.odt"])
def test_a_folder_with_other_things_is_never_replaced(folder, name):
    track = random_track(1)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(OutputError):
            write_poses(folder, track, info_of(track), overwrite=overwrite)
    assert (folder / name).read_text() == "years of work"
    assert os.listdir(folder) == [name.split("/")[0]]


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


# --- clip.json ------------------------------------------------------------------------------------------------------


@pytest.fixture
def extracted(tmp_path):
    track = random_track(3)
    write_poses(tmp_path / "poses", track, info_of(track))
    return tmp_path / "poses"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("swapped", [3]),
        ("swapped", [[1, -2]]),
        ("filled", {"face": [["0", 1]]}),
        ("report", ["told", 3]),
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
    put(extracted, "000005_keypoints.json", FRAME)
    back = read_poses(extracted)
    assert len(back.track) == 6
    assert any("says 3 frames" in note for note in back.notes)


def test_a_canvas_that_is_not_the_clips_is_refused(extracted):
    for path in extracted.glob("*_keypoints.json"):
        path.write_text(json.dumps(FRAME | {"canvas_width": 64, "canvas_height": 64}))
    assert "clip.json says 640x480" in refused(extracted)


def test_the_frame_rate_can_be_given(extracted):
    assert read_poses(extracted, fps=Fraction(10)).track.fps == 10
