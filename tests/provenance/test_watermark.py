import numpy as np
import pytest

from magicpose_cli.provenance.watermark import Watermark


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2)))


def pictures(height: int, width: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    return {
        "noise": chance.integers(0, 256, (height, width, 3), np.uint8),
        "stripes": np.repeat(np.tile([0, 255], (height, (width + 1) // 2))[:, :width, None], 3, 2).astype(np.uint8),
        "grey": np.full((height, width, 3), 128, np.uint8),
        "ramp": np.repeat(np.tile(ramp, (height, 1))[..., None], 3, 2),
    }


@pytest.mark.parametrize("size", [(128, 128), (256, 256), (315, 401), (576, 384)])
def test_a_marked_frame_is_near_the_frame(size: tuple[int, int]) -> None:
    watermark = Watermark(0xABC, size[1], size[0])
    for name, picture in pictures(*size).items():
        before = picture.copy()
        marked = watermark.mark(picture)
        assert (picture == before).all()
        assert marked.shape == picture.shape and marked.dtype == np.uint8
        assert 45.3 <= psnr(picture, marked) < 55, name


def test_even_areas_change_by_little() -> None:
    """On grey nothing hides the pattern: its largest change stays at a few levels, and colours stay grey."""
    grey = np.full((512, 512, 3), 128, np.uint8)
    change = Watermark(7, 512, 512).mark(grey).astype(int) - 128
    assert np.abs(change).max() <= 4
    assert (change == change[..., :1]).all()


def test_a_busy_frame_takes_more_of_it_than_a_calm_one() -> None:
    watermark = Watermark(7, 512, 512)
    found = pictures(512, 512)
    calm, busy = (psnr(found[name], watermark.mark(found[name])) for name in ("grey", "noise"))
    assert calm > 49 and busy < 46
    again = psnr(found["grey"], watermark.mark(found["grey"]))
    assert again == calm


def test_black_and_white_stay_in_range() -> None:
    for level in (0, 255):
        frame = np.full((64, 64, 3), level, np.uint8)
        assert np.abs(Watermark(0, 64, 64).mark(frame).astype(int) - level).max() < 10


def test_it_is_the_same_each_time_and_another_for_another_payload(figure) -> None:
    frame = figure(3, 128, 1)[0]
    first = Watermark(1, 128, 128).mark(frame)
    assert (first == Watermark(1, 128, 128).mark(frame)).all()
    assert (first != Watermark(2, 128, 128).mark(frame)).any()


def test_frames_too_small_for_a_wave_are_left_alone() -> None:
    frame = np.full((8, 8, 3), 99, np.uint8)
    assert (Watermark(1, 8, 8).mark(frame) == frame).all()


@pytest.mark.parametrize("payload", [-1, 4096])
def test_a_payload_has_twelve_bits(payload: int) -> None:
    with pytest.raises(ValueError, match="12 bits"):
        Watermark(payload, 64, 64)
