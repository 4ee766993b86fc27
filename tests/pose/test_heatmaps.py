"""Points come out of heatmaps where they were put, whichever others are missing."""

import numpy as np
import torch

from magicpose_cli.pose.heatmaps import MAX_PEAKS, find_highest, find_peaks

SIDE = 368


def random_points(seed: int, count: int, margin: float = 20) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(margin, SIDE - margin, (count, 2)), rng.uniform(0.2, 1, count)])


def test_the_highest_place_is_found_between_the_cells(truth):
    points = random_points(0, 200)
    found = find_highest(truth.bumps(points, SIDE, SIDE)[None], 0.05)[0].numpy()
    assert np.abs(found[:, :2] - points[:, :2]).max() < 0.7  # a cell is 8 pixels
    np.testing.assert_allclose(found[:, 2], points[:, 2], atol=0.05)


def test_a_missing_point_leaves_the_others_at_their_index(truth):
    points = random_points(1, 71)
    points[[0, 5, 70], 2] = 0.04
    found = find_highest(truth.bumps(points, SIDE, SIDE)[None], 0.05)[0].numpy()
    assert not found[[0, 5, 70]].any()
    there = np.setdiff1d(np.arange(71), [0, 5, 70])
    assert np.abs(found[there, :2] - points[there, :2]).max() < 0.7


def test_each_map_of_each_crop_is_its_own(truth):
    points = [random_points(seed, 21) for seed in range(3)]
    found = find_highest(torch.stack([truth.bumps(each, SIDE, SIDE) for each in points]), 0.05).numpy()
    for row, each in zip(found, points, strict=True):
        assert np.abs(row[:, :2] - each[:, :2]).max() < 0.7


def test_a_point_at_the_very_edge_stays_inside(truth):
    points = np.array([(0.0, 0.0, 1), (SIDE, SIDE, 1), (0, SIDE, 1)])
    found = find_highest(truth.bumps(points, SIDE, SIDE)[None], 0.05)[0].numpy()
    assert np.abs(found[:, :2] - points[:, :2]).max() < 4


def test_all_peaks_of_a_map_come_the_highest_first(truth):
    first, second = np.array([[60.0, 100, 0.5]]), np.array([[200.0, 110, 0.9]])
    maps = torch.maximum(truth.bumps(first, SIDE, SIDE), truth.bumps(second, SIDE, SIDE))[None]
    positions, scores = find_peaks(maps, 0.1, SIDE, SIDE)
    assert (scores[0, 0] > 0).sum() == 2
    np.testing.assert_allclose(scores[0, 0, :2], [0.9, 0.5], atol=0.05)
    np.testing.assert_allclose(positions[0, 0, :2], [second[0, :2], first[0, :2]], atol=0.7)
    _, higher = find_peaks(maps, 0.6, SIDE, SIDE)
    assert (higher > 0).sum() == 1


def test_padding_holds_no_peak(truth):
    maps = truth.bumps(np.array([[300.0, 100, 0.9], [100, 300, 0.9], [100, 100, 0.9]]), SIDE, SIDE)[None]
    _, scores = find_peaks(maps, 0.1, 200, 200)
    assert (scores[0] > 0).sum(dim=1).tolist() == [0, 0, 1]


def test_a_map_full_of_peaks_gives_a_bounded_number():
    maps = torch.from_numpy(np.random.default_rng(0).random((2, 3, 46, 46), np.float32))
    positions, scores = find_peaks(maps, 0.1, SIDE, SIDE)
    assert positions.shape == (2, 3, MAX_PEAKS, 2)
    assert (scores > 0.1).all() and (scores[..., :-1] >= scores[..., 1:]).all()


def test_a_frame_smaller_than_a_cell_is_no_error():
    positions, scores = find_peaks(torch.full((1, 18, 1, 1), 0.5), 0.1, 3, 5)
    assert positions.shape[:2] == scores.shape[:2] == (1, 18)
