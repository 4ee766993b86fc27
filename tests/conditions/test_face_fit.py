"""Heads turned by known angles, and expressions carried from one to another."""

import numpy as np
import pytest

from magicpose_cli.conditions.face_fit import describe_face, fit_face
from magicpose_cli.conditions.head_shape import COUNT, MEAN_FACE, MIRROR, read_heads

LOWER_LIP, CHIN = [55, 56, 57, 58, 59, 65, 66, 67], [6, 7, 8, 9, 10]
RIGHT_LIDS = ([37, 38], [41, 40])


def axes(yaw: float, nod: float = 0.0, size: float = 60.0) -> np.ndarray:
    """(2, 3): turned to the picture's right, then nodding."""
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    tip = np.array([[1, 0, 0], [0, np.cos(nod), np.sin(nod)], [0, -np.sin(nod), np.cos(nod)]])
    return size * (tip @ turn)[:2]


def seen(shape: np.ndarray, turns: list[np.ndarray], middle: tuple[float, float] = (200.0, 150.0)) -> np.ndarray:
    """Points (F, 75, 2) of a shape, or of one a frame."""
    shapes = np.broadcast_to(shape, (len(turns), COUNT, 3))
    return np.stack([s @ turn.T for s, turn in zip(shapes, turns, strict=True)]) + middle


def other_face(seed: int = 3) -> np.ndarray:
    """Another face, right and left alike."""
    change = np.random.default_rng(seed).normal(0, 0.05, (COUNT, 3))
    change = (change + change[MIRROR] * (-1, 1, 1)) / 2
    change[[0, 16], 1] = 0
    return MEAN_FACE * (1, 1.1, 0.95) + change


def opening(points: np.ndarray) -> np.ndarray:
    return points[..., [65, 66, 67], 1].mean(-1) - points[..., [63, 62, 61], 1].mean(-1)


TURNS = [axes(yaw, 0.06 * np.sin(5 * yaw)) for yaw in np.linspace(-0.6, 0.6, 25)]


def test_turns_and_places_of_a_clip_are_found():
    heads = read_heads(seen(other_face(), TURNS))
    assert np.allclose(heads.middle, (200, 150), atol=6)  # a tenth of half a face's width
    yaws = np.arctan2(heads.axes[:, 0, 2], heads.axes[:, 0, 0])
    assert np.allclose(yaws, np.linspace(-0.6, 0.6, 25), atol=0.08)


def test_a_turned_photo_tells_the_other_side_by_symmetry():
    photo = read_heads(seen(other_face(), [axes(0.45)]))
    assert np.allclose(photo.shape, photo.shape[MIRROR] * (-1, 1, 1))
    front = photo.shape[:, :2] * photo.size[0]
    assert np.abs(front - other_face()[:, :2] * 60).mean() < 3


def test_a_face_on_itself_stays_as_it_is():
    shapes = np.stack([other_face()] * len(TURNS))
    shapes[::3, LOWER_LIP, 1] += 0.2
    points = seen(shapes, TURNS)
    heads = read_heads(points)
    again = fit_face(heads, points, heads, heads.middle, 1.0)
    assert np.allclose(again, points, atol=0.5)


def test_the_photos_shape_with_the_drivers_turns():
    """What a third person's turns look like on the photo's face, from a driver of another face."""
    driver = read_heads(given := seen(MEAN_FACE, TURNS))
    photo = read_heads(seen(other_face(), [axes(0.2)]))
    truth = seen(other_face(), TURNS)
    fitted = fit_face(driver, given, photo, np.full((len(TURNS), 2), (200.0, 150.0)), photo.size[0] / driver.size.max())
    unfitted = np.linalg.norm(given - truth, axis=2).mean()
    assert np.linalg.norm(fitted - truth, axis=2).mean() < unfitted / 2


def test_an_open_mouth_in_the_photo_is_closed_first():
    talking = np.stack([MEAN_FACE] * len(TURNS))
    opened = np.linspace(0, 0.4, len(TURNS))
    talking[:, LOWER_LIP, 1] += opened[:, None]
    talking[:, CHIN, 1] += 0.6 * opened[:, None]
    smiling = other_face()
    smiling[LOWER_LIP, 1] += 0.3
    points, photo = seen(talking, [axes(0.0)] * len(TURNS)), read_heads(seen(smiling, [axes(0.0)]))
    driver = read_heads(points)
    fitted = fit_face(driver, points, photo, driver.middle, 1.0)
    assert opening(fitted[0]) == pytest.approx(opening(points[0]), abs=2)
    assert np.all(np.diff(opening(fitted)) > 0)  # each opening can be told from the next
    assert opening(fitted[-1]) == pytest.approx(opening(points[-1]), rel=0.35)  # as the mouth is wide
    assert any("In the photo the mouth is open" in note for note in describe_face(driver, photo))


def test_a_blink_closes_and_a_glance_is_seen():
    upper, lower = RIGHT_LIDS
    shapes = np.stack([MEAN_FACE] * len(TURNS))
    shapes[5, upper, 1] = shapes[5, lower, 1] = MEAN_FACE[upper + lower, 1].mean()
    shapes[9, [68, 69], 0] += 0.1
    points = seen(shapes, [axes(0.0)] * len(TURNS))
    driver, photo = read_heads(points), read_heads(seen(other_face(), [axes(0.0)]))
    fitted = fit_face(driver, points, photo, driver.middle, 1.0)
    lids = fitted[:, lower, 1].mean(1) - fitted[:, upper, 1].mean(1)
    assert abs(lids[5]) < 0.25 * lids[0] and lids[0] == pytest.approx(np.median(lids))
    glance = (fitted[:, 68] - fitted[:, [36, 39]].mean(1))[:, 0]
    assert glance[9] > glance[0] + 3


def test_frames_without_a_face_and_clips_without_one():
    points = seen(MEAN_FACE, TURNS)
    points[3] = np.nan
    heads = read_heads(points)
    assert np.isnan(heads.size[3]) and np.isfinite(heads.size[[2, 4]]).all()
    assert read_heads(np.full((4, COUNT, 2), np.nan)) is None
