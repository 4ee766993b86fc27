"""Whatever is given as POSES: told apart, timed and cut."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.animation.pose_input import kind_of, open_pose_input, picked_frames
from magicpose_cli.animation.request import AnimationRequest
from magicpose_cli.core.errors import InputError, UsageError
from magicpose_cli.video.images import write_image
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video


@pytest.fixture
def request_of(media):
    return lambda poses, **options: AnimationRequest(media.photo, Path(poses), Path("out.mp4"), **options)


def test_kinds_are_told_apart(media, tmp_path: Path) -> None:
    assert kind_of(media.poses) == "poses"
    assert kind_of(media.poses / "000000_keypoints.json") == "poses"
    assert kind_of(media.maps) == "pose maps"
    assert kind_of(media.driver) == "driving video"
    assert kind_of(media.photo) == "driving video"
    assert kind_of(media.maps / "3.png") == "pose maps"
    write_video(tmp_path / "maps.mp4", open_clip(media.maps).frames(), Fraction(8), width=512, height=512)
    assert kind_of(tmp_path / "maps.mp4") == "pose maps"
    for index, frame in enumerate(open_clip(media.driver).frames()):
        write_image(tmp_path / "frames" / f"{index}.png", frame)
    assert kind_of(tmp_path / "frames") == "driving video"


def test_what_holds_no_poses_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither"):
        kind_of(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        kind_of(tmp_path / "gone")


def test_poses_keep_rate_and_sound(media, request_of) -> None:
    found = open_pose_input(request_of(media.poses))
    assert (found.frame_count, found.fps, found.kind) == (12, 10, "poses")
    assert found.sound == open_clip(media.driver).sound


def test_a_stretch_of_poses_takes_its_stretch_of_sound(media, request_of) -> None:
    whole = open_pose_input(request_of(media.poses))
    part = open_pose_input(request_of(media.poses, start=0.5, end=0.9))
    assert part.frame_count == 4
    np.testing.assert_array_equal(part.track.body, whole.track.body[5:9])
    assert part.sound == replace(whole.sound, start=whole.sound.start + Fraction(1, 2), duration=Fraction(4, 10))


def test_another_rate_keeps_the_duration(media, request_of) -> None:
    found = open_pose_input(request_of(media.poses, fps="20"))
    assert (found.frame_count, found.fps, found.track.fps) == (24, 20, 20)
    np.testing.assert_array_equal(found.track.body[::2], found.track.body[1::2])


def test_sound_that_is_gone_is_told(media, request_of, tmp_path: Path) -> None:
    poses = tmp_path / "poses"
    shutil.copytree(media.poses, poses)
    info = json.loads((poses / "clip.json").read_text())
    info["sound"]["path"] = str(tmp_path / "gone.mp4")
    (poses / "clip.json").write_text(json.dumps(info))
    found = open_pose_input(request_of(poses))
    assert found.sound is None
    assert any("gone.mp4" in note for note in found.notes)
    assert open_pose_input(request_of(poses, audio="none")).notes == ()


def test_a_rate_that_nobody_gave_is_told(media, request_of, tmp_path: Path) -> None:
    poses = tmp_path / "poses"
    shutil.copytree(media.poses, poses)
    (poses / "clip.json").unlink()
    for folder in (poses, media.maps):
        found = open_pose_input(request_of(folder))
        assert found.fps == 25
        assert any("25 frames a second" in note for note in found.notes)
        assert not any("a second" in note for note in open_pose_input(request_of(folder, fps="10")).notes)


def test_pose_maps_with_a_clip_file_keep_rate_and_sound(media, request_of, tmp_path: Path) -> None:
    assert open_pose_input(request_of(media.maps)).fps == 25
    maps = tmp_path / "maps"
    shutil.copytree(media.maps, maps)
    shutil.copy(media.poses / "clip.json", maps)
    found = open_pose_input(request_of(maps, start=0.2))
    assert (found.kind, found.fps, found.frame_count) == ("pose maps", 10, 10)
    assert found.sound.duration == 1
    np.testing.assert_array_equal(
        found.pose_maps.read(0, 2), open_pose_input(request_of(media.maps)).pose_maps.read(2, 4)
    )


@given(
    count=st.integers(1, 400),
    rate=st.fractions(1, 120, max_denominator=1001),
    fps=st.none() | st.integers(1, 120),
    start=st.none() | st.floats(0, 20),
)
def test_picked_frames_are_in_order_inside_and_as_long(count, rate, fps, start) -> None:
    request = AnimationRequest(Path("a"), Path("b"), Path("c.mp4"), fps=fps and str(fps), start=start)
    length = count / rate - Fraction(str(start or 0.0))
    if length <= 0:
        with pytest.raises(UsageError):
            picked_frames(count, rate, request)
        return
    indices, shown_rate = picked_frames(count, rate, request)
    assert indices.min() >= 0 and indices.max() < count
    assert (np.diff(indices) >= 0).all()
    assert abs(len(indices) / shown_rate - length) <= 1 / shown_rate
    if fps is None and start is None:
        assert indices.tolist() == list(range(count))
