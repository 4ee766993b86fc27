"""SimCC's output against points worked out by hand, and the crop that belongs to it."""

import numpy as np
import pytest

from magicpose_cli.pose.simcc import Region, crop, find_points, region_round

WIDTH, HEIGHT = 288, 384


def test_a_region_is_a_quarter_larger_than_the_box_in_the_networks_shape():
    tall = region_round(np.array((100, 100, 200, 500)), WIDTH, HEIGHT)  # 400 high → 500, so 375 wide
    assert (tall.left, tall.top, tall.width, tall.height) == pytest.approx((150 - 187.5, 300 - 250, 375, 500))
    wide = region_round(np.array((0, 0, 300, 30)), WIDTH, HEIGHT)  # 300 wide → 375, so 500 high
    assert (wide.left, wide.top, wide.width, wide.height) == pytest.approx((150 - 187.5, 15 - 250, 375, 500))


def test_points_are_the_maxima_in_the_pictures_pixels():
    region = Region(left=100, top=50, width=WIDTH * 2, height=HEIGHT * 2)
    x, y = np.zeros((3, WIDTH * 2), np.float32), np.zeros((3, HEIGHT * 2), np.float32)
    # Point 0: bins 10 and 20 are pixels 5 and 10 of the crop, whose middles are 5.5 and 10.5.
    x[0, 10], y[0, 20] = 0.9, 0.6
    # Point 1: between bins 100 and 101, a quarter of the way: (0.8, 0.7) beside (0.5, ...) bends the parabola.
    x[1, 99:102], y[1, 4] = (0.5, 0.8, 0.7), 1.7
    points = find_points(x, y, region)
    np.testing.assert_allclose(points[0], (100 + 2 * 5.5, 50 + 2 * 10.5, 0.6), rtol=1e-6)
    shift = (0.7 - 0.5) / (2 * (2 * 0.8 - 0.5 - 0.7))  # of a bin
    np.testing.assert_allclose(points[1], (100 + 2 * (50.5 + shift / 2), 50 + 2 * 2.5, 0.8), rtol=1e-6)
    assert not points[2].any()  # nothing anywhere: missing


def test_scores_stay_within_one_and_a_negative_one_is_no_point():
    x, y = np.full((2, 8), -1, np.float32), np.full((2, 8), -1, np.float32)
    x[0, 3] = y[0, 3] = 4
    x[1, 3] = 0.5
    points = find_points(x, y, Region(0, 0, 4, 4))
    assert points[0, 2] == 1 and not points[1].any()


def test_a_maximum_at_the_end_stays_in_the_region():
    x = np.zeros((2, 8), np.float32)
    x[0, 0] = x[1, 7] = 1
    points = find_points(x, x, Region(10, 20, 4, 4))
    assert (points[:, 0] >= 10).all() and (points[:, 0] <= 14 + 0.5).all()


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_what_the_crop_shows_is_where_the_points_say(scale):
    """A white spot of the picture, read off the crop as a network would, comes back to its place."""
    picture = np.zeros((400, 500, 3), np.uint8)
    picture[200:212, 300:312] = 255  # its middle: 306, 206
    region = Region(306 - 100 * scale, 206 - 180 * scale, WIDTH * scale, HEIGHT * scale)
    values = crop(picture, region, WIDTH, HEIGHT)
    assert values.shape == (3, HEIGHT, WIDTH) and values.dtype == np.float32
    bright = np.argwhere(values[0] > 1).mean(axis=0)  # row, column of its middle
    x, y = np.zeros((1, WIDTH * 2), np.float32), np.zeros((1, HEIGHT * 2), np.float32)
    x[0, round(bright[1] * 2)] = y[0, round(bright[0] * 2)] = 1
    [point] = find_points(x, y, region)
    np.testing.assert_allclose(point[:2], (306, 206), atol=0.6 * max(1, scale))


def test_colours_are_normalised_and_beyond_the_edge_is_black():
    picture = np.full((10, 10, 3), (255, 0, 128), np.uint8)
    values = crop(picture, Region(0, 0, 10, 10), 20, 20)
    np.testing.assert_allclose(values[:, 10, 10], [(255 - 123.675) / 58.395, -116.28 / 57.12, (128 - 103.53) / 57.375])
    outside = crop(picture, Region(50, 50, 10, 10), 20, 20)
    np.testing.assert_allclose(outside[:, 10, 10], [-123.675 / 58.395, -116.28 / 57.12, -103.53 / 57.375])
