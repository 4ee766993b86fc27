"""The drawn map is ControlNet's: live against controlnet_aux where it is installed, else against stored maps."""

import importlib
import importlib.util
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from magicpose_cli.conditions.draw import draw_pose_map, draw_track, stroke_for
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD
from magicpose_cli.core.pose_track import PoseTrack

STORED = Path(__file__).parent / "pose_maps.npz"


def random_parts(rng: np.random.Generator, width: int, height: int) -> list[np.ndarray]:
    """Body, hands and face anywhere, partly outside of the canvas and partly missing; whole pixels at times."""
    parts = []
    for count, spread in ((18, 1.0), (21, 0.3), (21, 0.3), (70, 0.4)):
        points = np.empty((count, 3), np.float32)
        centre = rng.uniform(-0.1, 1.1, 2)
        points[:, :2] = (centre + spread * rng.uniform(-0.5, 0.5, (count, 2))) * (width, height)
        points[:, 2] = rng.uniform(0, 1, count)
        if rng.random() < 0.3:
            points[:, :2] = points[:, :2].round()
        parts.append(points)
    return parts


def test_stored_maps():
    """``pose_maps.npz`` was drawn by this project's code on the day it was equal to controlnet_aux 0.0.10."""
    stored = np.load(STORED)
    count = sum(name.startswith("map") for name in stored.files)
    assert count == 6
    for i in range(count):
        expected = stored[f"map{i}"]
        parts = [stored[f"{part}{i}"] for part in ("body", "left_hand", "right_hand", "face")]
        drawn = draw_pose_map(*parts, expected.shape[1], expected.shape[0])
        assert np.array_equal(drawn, expected)
        assert drawn.any()


@pytest.fixture
def their_drawing(monkeypatch) -> ModuleType:
    """controlnet_aux's drawing functions; its package would load a dozen networks' code on import."""
    spec = importlib.util.find_spec("controlnet_aux")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("controlnet_aux is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))
    for name, folder in (("controlnet_aux", root), ("controlnet_aux.open_pose", root / "open_pose")):
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        monkeypatch.setitem(sys.modules, name, package)
    return pytest.importorskip("controlnet_aux.open_pose.util", exc_type=ImportError)


def test_equals_controlnet_aux(their_drawing):
    Point = namedtuple("Point", "x y")  # they read .x and .y

    def theirs(points: np.ndarray, least: float, missing: object) -> list:
        return [
            Point(float(x) / width, float(y) / height) if score > 0 and score >= least else missing
            for x, y, score in points
        ]

    rng = np.random.default_rng(7)
    for _ in range(200):
        width, height = (int(n) for n in rng.integers(32, 900, 2))
        parts = random_parts(rng, width, height)
        expected = np.zeros((height, width, 3), np.uint8)
        expected = their_drawing.draw_bodypose(expected, theirs(parts[0], BODY_THRESHOLD, None))
        for hand in parts[1:3]:
            # Their hand drawing crashes on None; a point at (0, 0) is left out.
            expected = their_drawing.draw_handpose(expected, theirs(hand, DETAIL_THRESHOLD, Point(0, 0)))
        expected = their_drawing.draw_facepose(expected, theirs(parts[3], DETAIL_THRESHOLD, Point(0, 0)))
        assert np.array_equal(draw_pose_map(*parts, width, height), expected)


def test_nothing_seen_is_black(person):
    someone = person(60, 100, 80)
    unsure = someone.body.copy()
    unsure[:, 2] = BODY_THRESHOLD - 0.01
    assert not draw_pose_map(None, None, None, None, 64, 96).any()
    assert not draw_pose_map(unsure, np.zeros((21, 3)), None, np.zeros((70, 3)), 200, 300).any()
    assert draw_pose_map(unsure, None, None, None, 200, 300, threshold=0.2).any()
    assert not draw_pose_map(np.zeros((18, 3)), None, None, None, 64, 64, threshold=0).any()


@pytest.mark.parametrize("value", [1e9, -1e9, 3e38, 32_768])
def test_points_far_out_count_as_missing(person, value):
    someone = person(60, 100, 80)
    someone.body[4, :2] = value
    without = someone.body.copy()
    without[4] = 0
    drawn = draw_pose_map(someone.body, someone.left_hand.astype(np.float64) * value, None, None, 200, 300)
    assert np.array_equal(drawn, draw_pose_map(without, None, None, None, 200, 300))


def test_thin_strokes_are_the_large_map_shrunk(person):
    small, large = person(35, 64, 25), person(140, 256, 100)
    large_map = draw_pose_map(large.body, large.left_hand, large.right_hand, large.face, 512, 512)
    small_map = draw_pose_map(small.body, small.left_hand, small.right_hand, small.face, 128, 128, stroke=0.25)
    shrunk = large_map.reshape(128, 4, 128, 4, 3).mean(axis=(1, 3))
    assert np.abs(small_map - shrunk).max() <= 1.5  # rounding of each halving
    assert draw_pose_map(small.body, None, None, None, 129, 127, stroke=0.3).shape == (127, 129, 3)
    with pytest.raises(ValueError, match="stroke"):
        draw_pose_map(None, None, None, None, 64, 64, stroke=0)


def test_stroke_for():
    assert [stroke_for(n) for n in (1024, 512, 504, 384, 256, 192, 128, 96)] == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]


def test_draw_track(track):
    moving = track(40, 64, 40, 128, 192, frames=5)
    maps = draw_track(moving, 1, 4)
    assert maps.shape == (3, 192, 128, 3) and maps.dtype == np.uint8
    one = draw_pose_map(*(getattr(moving, n)[2] for n in ("body", "left_hand", "right_hand", "face")), 128, 192)
    assert np.array_equal(maps[1], one)
    assert len(draw_track(moving)) == 5
    assert not draw_track(PoseTrack.empty(2, 32, 32, moving.fps)).any()
