"""Colours and orientation, against FFmpeg's own definitions rather than our inverse."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from magicpose_cli.video.colour import UPRIGHT, FrameConverter, Orientation, on_white, to_yuv420
from magicpose_cli.video.hdr import to_standard_range
from magicpose_cli.video.probe import probe
from magicpose_cli.video.read import open_clip

EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
MATRICES = {1: Colorspace.ITU709, 5: Colorspace.ITU601, 6: Colorspace.ITU601, 9: Colorspace.BT2020}


def patches(seed: int = 0, size: int = 16) -> np.ndarray:
    """8 x 8 patches of random colour, each ``size`` pixels wide."""
    colours = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return colours.repeat(size, 0).repeat(size, 1)


def centres(image: np.ndarray, size: int = 16) -> np.ndarray:
    return image[size // 2 :: size, size // 2 :: size].astype(int)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le", "nv12"])
def test_decoded_colours_follow_matrix_and_range_tags(matrix: int, full: bool, pixels: str) -> None:
    original = patches()
    coded = av.VideoFrame.from_ndarray(original, format="rgb24").reformat(
        format=pixels,
        dst_colorspace=MATRICES[matrix],
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        interpolation=EXACT,
    )
    coded.colorspace, coded.color_range = matrix, ColorRange.JPEG if full else ColorRange.MPEG
    error = centres(FrameConverter(UPRIGHT, 128, 128)(coded)) - centres(original)
    assert np.abs(error).max() <= 3
    assert abs(error.mean()) < 0.6  # rounded, not cut off: that would be 1.2; swscale itself has 0.4 at full range


def test_writing_and_reading_back_is_exact_to_two_levels_and_unbiased() -> None:
    original = patches(seed=1)
    frame = to_yuv420(original)
    assert (frame.colorspace, frame.color_range) == (1, ColorRange.MPEG)
    error = centres(FrameConverter(UPRIGHT, 128, 128)(frame)) - centres(original)
    assert np.abs(error).max() <= 2
    assert abs(error.mean()) < 0.2


def test_our_yuv_is_the_yuv_of_ffmpeg() -> None:
    ours = to_yuv420(patches(seed=2))
    theirs = av.VideoFrame.from_ndarray(patches(seed=2), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=EXACT,
    )
    for plane, size in ((0, 16), (1, 8), (2, 8)):
        a, b = (
            np.frombuffer(f.planes[plane], np.uint8).reshape(-1, f.planes[plane].line_size)[:, : 8 * size]
            for f in (ours, theirs)
        )
        assert np.abs(centres(a, size) - centres(b, size)).max() <= 1


def test_white_and_black_survive_exactly() -> None:
    image = np.zeros((16, 32, 3), np.uint8)
    image[:, 16:] = 255
    assert (FrameConverter(UPRIGHT, 32, 16)(to_yuv420(image)) == image).all()


@pytest.mark.parametrize("width", [1, 2, 7, 64])
@pytest.mark.parametrize("height", [1, 3, 48])
def test_odd_sizes_grow_by_a_doubled_edge(width: int, height: int) -> None:
    frame = to_yuv420(np.full((height, width, 3), 200, np.uint8))
    assert (frame.width, frame.height) == (width + width % 2, height + height % 2)
    assert np.abs(FrameConverter(UPRIGHT, frame.width, frame.height)(frame).astype(int) - 200).max() <= 1


def test_transparency_lies_on_white() -> None:
    rgba = np.array([[[255, 0, 0, 255], [255, 0, 0, 128], [255, 0, 0, 0]]], np.uint8)
    assert on_white(rgba).tolist() == [[[255, 0, 0], [255, 127, 127], [255, 255, 255]]]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize(("mirror_x", "mirror_y"), [(False, False), (True, False), (False, True)])
def test_display_matrix_is_applied(
    turn: int, mirror_x: bool, mirror_y: bool, tmp_path: Path, write_media: Callable, drawn: Callable
) -> None:
    def prepare(stream: av.video.stream.VideoStream) -> None:
        stream.set_display_rotation(turn, hflip=mirror_x, vflip=mirror_y)

    path = write_media(tmp_path / "turned.mp4", drawn(2), prepare=prepare)
    expected = np.rot90(drawn(1)[0], turn // 90)
    expected = expected[:, ::-1] if mirror_x else expected
    expected = expected[::-1] if mirror_y else expected
    frame = next(open_clip(path).frames())
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(int) - expected).mean() < 4
    if not (mirror_x or mirror_y):
        assert probe(path).rotation == turn


def test_orientation_reports_its_rotation() -> None:
    image = np.arange(6).reshape(2, 3)
    for orientation in (
        UPRIGHT,
        Orientation(True, False, True),
        Orientation(False, True, True),
        Orientation(True, True),
    ):
        assert (orientation.apply(image) == np.rot90(image, orientation.rotation // 90)).all()


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path, write_media: Callable, drawn: Callable) -> None:
    def prepare(stream: av.video.stream.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)

    clip = open_clip(write_media(tmp_path / "wide.mp4", drawn(2), prepare=prepare))
    assert (clip.width, clip.height) == (96, 48)
    frame = next(clip.frames())
    assert frame.shape == (48, 96, 3)
    assert frame[6, 20].min() > 240  # the white corner reaches to 96 / 4
    assert frame[6, 28].max() < 20
    assert any("square" in note for note in clip.notes)


@pytest.mark.parametrize("hlg", [False, True])
def test_hdr_keeps_black_orders_greys_and_stays_neutral(hlg: bool) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None, :, None].repeat(3, axis=2)
    out = to_standard_range(ramp, hlg=hlg).astype(int)
    assert out[0, 0].tolist() == [0, 0, 0]
    assert (np.diff(out[0, :, 1]) >= 0).all()
    assert out[0, -1].min() >= 250
    assert np.ptp(out, axis=2).max() <= 1


def test_hdr_reference_white_is_nearly_white_and_mid_grey_stays_mid() -> None:
    # PQ code 0.58 is 203 cd/m² (BT.2408); 0.42 is about a fifth of it
    white, grey = to_standard_range((np.array([[[0.58] * 3, [0.42] * 3]]) * 65535).astype(np.uint16), hlg=False)[0]
    assert 230 <= white[0] <= 245
    assert 105 <= grey[0] <= 135
