"""Framing: nothing squeezed, nothing cut silently, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicpose_cli.conditions.framing import (
    apply_framing,
    choose_canvas,
    describe,
    fit_framing,
    unframe,
    unframed_size,
)
from magicpose_cli.conditions.reach import MAX_ASPECT
from magicpose_cli.core.errors import UsageError

sides = st.integers(1, 3000)
canvas_sides = st.integers(1, 130).map(lambda n: n * 8)


@st.composite
def boxes(draw, width, height):
    """A part of a picture, or more than it: at least one pixel is of the picture."""
    left, top = draw(st.integers(-width, width - 1)), draw(st.integers(-height, height - 1))
    return left, top, draw(st.integers(max(left, 0) + 1, 2 * width)), draw(st.integers(max(top, 0) + 1, 2 * height))


@given(sides, sides, canvas_sides, canvas_sides, st.data())
def test_inverse_is_the_identity(source_width, source_height, width, height, data):
    box = data.draw(boxes(source_width, source_height))
    framing = fit_framing(source_width, source_height, width, height, box)
    points = np.array([(0.0, 0.0), (source_width, source_height), (source_width / 3, source_height / 7)])
    assert np.allclose(framing.to_source(framing.to_canvas(points)), points)
    again = np.array([(0.0, 0.0), (width, height), (width / 5, height / 2)])
    assert np.allclose(framing.to_canvas(framing.to_source(again)), again)


@given(sides, sides, canvas_sides, canvas_sides, st.data())
def test_the_whole_box_is_on_the_canvas(source_width, source_height, width, height, data):
    box = data.draw(boxes(source_width, source_height))
    framing = fit_framing(source_width, source_height, width, height, box)
    corners = framing.to_canvas(np.array([box[:2], box[2:]]))
    assert corners[0].min() > -1 and corners[1, 0] < width + 1 and corners[1, 1] < height + 1
    # What comes out has the box's aspect, to the half pixel.
    shown_width, shown_height = unframed_size(framing)
    assert abs(shown_width - max(1, framing.box_width * framing.scale)) <= 0.5 + 1e-6
    assert abs(shown_height - max(1, framing.box_height * framing.scale)) <= 0.5 + 1e-6
    assert shown_width == width or shown_height == height
    assert framing.crops == (box[0] > 0 or box[1] > 0 or box[2] < source_width or box[3] < source_height)
    assert any(framing.beyond) == (box[0] < 0 or box[1] < 0 or box[2] > source_width or box[3] > source_height)
    told = describe(framing)
    assert ("of the photo's" in told) == framing.crops and ("grows by" in told) == any(framing.beyond)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 12), st.integers(1, 12), st.data())
def test_applied_framing_has_the_canvas_size(source_width, source_height, columns, rows, data):
    image = np.random.default_rng(0).integers(0, 256, (source_height, source_width, 3)).astype(np.uint8)
    framing = fit_framing(source_width, source_height, columns * 8, rows * 8, data.draw(boxes(*image.shape[1::-1])))
    canvas = apply_framing(image, framing)
    assert canvas.shape == (rows * 8, columns * 8, 3) and canvas.dtype == np.uint8
    assert unframe(canvas, framing).shape[1::-1] == unframed_size(framing)


@pytest.mark.parametrize("box", [None, (40, 90, 110, 190), (-60, -20, 300, 330), (20, 100, 260, 160)])
def test_what_is_on_the_picture_is_where_the_framing_says(box):
    image = np.zeros((300, 200, 3), np.uint8)
    image[120:140, 60:80] = 255  # middle at (70, 130)
    framing = fit_framing(200, 300, 256, 256, box)
    canvas = apply_framing(image, framing, (0, 0, 0))
    rows, columns = np.nonzero(canvas[..., 0] > 127)
    middle = columns.mean() + 0.5, rows.mean() + 0.5
    assert np.allclose(middle, framing.to_canvas(np.array((70, 130))), atol=0.75)


def test_padding_is_cut_off_again_without_a_trace():
    image = np.random.default_rng(1).integers(0, 256, (64, 40, 3)).astype(np.uint8)
    framing = fit_framing(40, 64, 64, 64)
    for background in ("edge", (0, 0, 0)):
        assert np.array_equal(unframe(apply_framing(image, framing, background), framing), image)
    assert "padded" in describe(framing) and "40x64" in describe(framing)


def test_padding_goes_on_from_a_plain_border():
    image = np.full((64, 32, 3), (200, 180, 90), np.uint8)
    image[16:48, 8:24] = 0
    canvas = apply_framing(image, fit_framing(32, 64, 64, 64))
    assert np.abs(canvas[:, :8].astype(int) - (200, 180, 90)).max() <= 1
    black = apply_framing(image, fit_framing(32, 64, 64, 64), (1, 2, 3))
    assert np.array_equal(black[0, 0], (1, 2, 3))


def test_the_same_size_is_untouched():
    image = np.random.default_rng(2).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    framing = fit_framing(64, 48, 64, 48)
    assert np.array_equal(apply_framing(image, framing), image)
    assert not framing.crops and not framing.pads and describe(framing) == ""


@given(sides, sides, st.integers(8, 130).map(lambda n: n * 8))
def test_canvas_follows_the_aspect(source_width, source_height, size):
    width, height = choose_canvas(source_width, source_height, size)
    assert min(width, height) == size and width % 8 == height % 8 == 0
    aspect = min(max(source_width, source_height) / min(source_width, source_height), MAX_ASPECT)
    assert abs(max(width, height) - size * aspect) <= 4
    assert (width >= height) == (source_width >= source_height) or width == height


def test_canvas_of_known_pictures():
    assert choose_canvas(614, 922, 512) == (512, 768)
    assert choose_canvas(1920, 1080, 512, multiple=64) == (896, 512)
    assert choose_canvas(100, 1000, 128) == (128, 256)
    assert choose_canvas(614, 922, (512, 640)) == (512, 640)
    with pytest.raises(UsageError, match="500") as error:
        choose_canvas(614, 922, (512, 500))
    assert error.value.hint in ("use 496", "use 504")
    with pytest.raises(UsageError):
        choose_canvas(614, 922, 4)


def test_wrong_arguments():
    with pytest.raises(ValueError):
        fit_framing(0, 10, 8, 8)
    with pytest.raises(ValueError):
        fit_framing(10, 10, 8, 8, (5, 5, 5, 8))
    with pytest.raises(ValueError):
        apply_framing(np.zeros((5, 5, 3), np.uint8), fit_framing(10, 10, 8, 8))
    with pytest.raises(ValueError):
        unframe(np.zeros((5, 5, 3), np.uint8), fit_framing(10, 10, 8, 8))
