"""The embedded detector, held against synthetic figures whose keypoints are known exactly."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from magicpose_cli.core.keypoints import FACE_LEFT_PUPIL, FACE_RIGHT_PUPIL, NECK
from magicpose_cli.figures.identity import View
from magicpose_cli.figures.motion import make_motion
from magicpose_cli.figures.render import render
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.pose.registry import make_detector

pytest.importorskip("mediapipe", reason="mediapipe comes for Python 3.11 and 3.12", exc_type=ImportError)

from magicpose_cli.pose.mediapipe_layout import FACE_OF_478, body_of_33, face_of_478, with_head_of_mesh

SEEDS = (0, 5, 7, 9)
SIZE = 512


def figure(seed: int):
    return render(replace(random_identity(seed), view=View()), make_motion(seed, 1, kind="dance")[0], size=SIZE)


@pytest.fixture(scope="module")
def detector():
    detector = make_detector("auto", still=True)
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def found(detector):
    """(detected, true) keypoints of each figure."""
    pairs = []
    for seed in SEEDS:
        shown = figure(seed)
        people = detector.detect(shown.image)
        assert len(people) == 1, f"figure {seed} was not found"
        pairs.append((people[0], shown.keypoints))
    return pairs


def errors(found, part: str) -> np.ndarray:
    """(figures, points) distances in pixels; NaN where a point is missing on either side."""
    rows = []
    for pose, truth in found:
        mine, true = getattr(pose, part), getattr(truth, part)
        distance = np.linalg.norm(mine[:, :2] - true[:, :2], axis=1)
        rows.append(np.where((mine[:, 2] > 0) & (true[:, 2] > 0), distance, np.nan))
    return np.array(rows)


def test_each_body_point_lies_where_the_figure_has_it(found):
    # A swapped pair or a shifted index would be off by a shoulder's width: 80 pixels and more.
    assert np.nanmedian(errors(found, "body"), axis=0).max() < 25
    assert np.nanmedian(errors(found, "body")) < 10


@pytest.mark.parametrize("part", ["left_hand", "right_hand"])
def test_each_hand_point_lies_where_the_figure_has_it(found, part):
    assert (~np.isnan(errors(found, part))).any(axis=0).all()
    assert np.nanmedian(errors(found, part), axis=0).max() < 24


def test_each_face_point_lies_where_the_figure_has_it(found):
    # A face is some 85 pixels wide here, its eyes 17.
    middle = np.nanmedian(errors(found, "face"), axis=0)
    assert len(middle) == 70
    assert middle.max() < 12
    assert np.median(middle) < 5


def test_confidences_are_kept(found):
    for pose, _ in found:
        assert ((pose.body[:, 2] > 0) & (pose.body[:, 2] <= 1)).all()
        assert len(set(pose.body[:, 2].tolist())) > 5  # visibility, not a constant
        for part in (pose.left_hand, pose.right_hand, pose.face):
            assert set(part[:, 2].tolist()) <= {0.0, 1.0}


def test_points_are_of_the_full_frame_whatever_the_size(detector):
    shown = figure(0)
    huge = np.repeat(np.repeat(shown.image, 5, axis=0), 5, axis=1)  # 2560 pixels: scaled down inside
    [small], [large] = detector.detect(shown.image), detector.detect(huge)
    assert np.abs(large.body[:, :2] / 5 - small.body[:, :2]).max() < 8
    assert np.median(np.abs(large.face[:, :2] / 5 - small.face[:, :2])) < 1.5


def test_a_point_outside_the_picture_is_missing(detector):
    cut = figure(9).image[:300]
    [pose] = detector.detect(np.ascontiguousarray(cut))
    assert pose.body[0, 2] > 0.5
    assert not pose.body[[10, 13]].any()  # the ankles
    there = pose.points[pose.points[:, 2] > 0]
    assert (there[:, 1] <= 300).all()


@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (2, 500), (500, 2), (37, 1999)])
def test_nobody_in_an_empty_picture_of_any_size(detector, shape):
    assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []


def test_a_frame_that_is_none_is_refused(detector):
    for frame in (np.zeros((64, 64), np.uint8), np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            detector.detect(frame)


def test_photos_are_seen_each_on_its_own_and_views_read_as_they_look(detector):
    mirrored = figure(0).image[:, ::-1]
    [view], [other], [copied] = (detector.detect(frame) for frame in (mirrored, figure(7).image, mirrored.copy()))
    np.testing.assert_array_equal(view.points, copied.points)
    assert not np.array_equal(view.points, other.points)


def test_everyone_in_a_picture_is_found_and_followed():
    """Three figures side by side, the middle one half as large, who come nearer by 4 pixels a frame."""
    shown = [figure(0), figure(7), figure(9)]
    detector = make_detector("mediapipe")
    try:
        for step in range(3):
            frame = np.full((SIZE, 3 * SIZE, 3), 200, np.uint8)
            frame[:, 4 * step : SIZE + 4 * step] = shown[0].image
            frame[SIZE // 2 :, SIZE + 128 : SIZE + 384] = shown[1].image[::2, ::2]
            frame[:, 2 * SIZE - 4 * step : 3 * SIZE - 4 * step] = shown[2].image
            people = detector.detect(frame)
            assert len(people) == 3
            necks = sorted(float(person.body[NECK, 0]) for person in people)
            true = [
                shown[0].keypoints.body[NECK, 0] + 4 * step,
                shown[1].keypoints.body[NECK, 0] / 2 + SIZE + 128,
                shown[2].keypoints.body[NECK, 0] + 2 * SIZE - 4 * step,
            ]
            np.testing.assert_allclose(necks, true, atol=20)
    finally:
        detector.close()


def test_nobody_is_followed_where_the_person_has_left():
    follower = make_detector("mediapipe")
    try:
        assert len(follower.detect(figure(0).image)) == 1
        assert follower.detect(np.full((SIZE, SIZE, 3), 90, np.uint8)) == []
        assert len(follower.detect(figure(0).image)) == 1  # back at once
    finally:
        follower.close()


def test_following_starts_afresh_after_reset():
    """Where a hand and a face were found just beside, they are looked for there, and come out otherwise."""
    detector = make_detector("mediapipe")
    try:
        first = figure(5).image
        beside = np.roll(first, (5, 7), (0, 1))
        [before] = detector.detect(first)
        detector.reset()
        for _ in range(2):
            detector.detect(beside)
        detector.reset()
        [after] = detector.detect(first)
        assert before.face.any() and before.right_hand.any()
        np.testing.assert_allclose(after.points, before.points, atol=1e-3)
    finally:
        detector.close()


def test_neck_is_the_shoulders_middle_and_as_sure_as_the_less_sure_one():
    points = np.zeros((33, 3), np.float32)
    points[11] = 100, 50, 0.9  # left shoulder
    points[12] = 40, 70, 0.4
    body = body_of_33(points)
    np.testing.assert_allclose(body[NECK], (70, 60, 0.4))
    np.testing.assert_allclose(body[2], points[12])
    np.testing.assert_allclose(body[5], points[11])


def test_face_points_are_vertices_or_middles_of_two():
    mesh = np.random.default_rng(0).random((478, 3)).astype(np.float32)
    face = face_of_478(mesh)
    assert face.shape == (70, 3)
    for point, vertex in zip(face, FACE_OF_478, strict=True):
        expected = mesh[list(vertex)].mean(axis=0) if isinstance(vertex, tuple) else mesh[vertex]
        np.testing.assert_allclose(point, expected, rtol=1e-6)
    np.testing.assert_array_equal(face[[FACE_RIGHT_PUPIL, FACE_LEFT_PUPIL]], mesh[[468, 473]])


def test_the_head_follows_the_mesh_and_keeps_its_confidence():
    body = np.random.default_rng(1).random((18, 3)).astype(np.float32)
    mesh = np.random.default_rng(2).random((478, 3)).astype(np.float32) * 100
    np.testing.assert_array_equal(with_head_of_mesh(body, None), body)
    moved = with_head_of_mesh(body, mesh)
    np.testing.assert_array_equal(moved[:, 2], body[:, 2])
    np.testing.assert_array_equal(moved[1:14], body[1:14])
    np.testing.assert_array_equal(moved[[0, 14, 15], :2], mesh[[4, 468, 473], :2])
    np.testing.assert_allclose(moved[16, :2] - body[16, :2], mesh[468, :2] - body[14, :2], rtol=1e-4)


def test_nothing_of_mediapipe_reaches_the_terminal():
    code = """
import os, sys
import numpy as np
from magicpose_cli.figures.motion import make_motion
from magicpose_cli.figures.render import render
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.pose.registry import make_detector
detector = make_detector()
for _ in range(2):
    assert detector.detect(render(random_identity(0), make_motion(0, 1, kind="dance")[0], size=512).image)
    detector.reset()
os.write(2, b"an error of some library\\n")
detector.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == ""
    assert done.stderr == "an error of some library\n"
