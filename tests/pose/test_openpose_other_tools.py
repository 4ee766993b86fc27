"""Folders and files of other tools, and files that are no poses at all."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.core.errors import InputError, LimitError
from magicpose_cli.pose.openpose_json import read_poses

WIDTH, HEIGHT = 640, 480


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
