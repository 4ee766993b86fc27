from collections.abc import Iterable

import numpy as np
import pytest

from magicpose_cli.provenance import detection
from magicpose_cli.provenance.detection import MAX_CHANCE, Detection, Detector
from magicpose_cli.provenance.watermark import Watermark

PAYLOAD = 0xA5C


def detect(frames: Iterable[np.ndarray]) -> Detection:
    detector = Detector()
    for frame in frames:
        detector.add(frame)
    return detector.result()


@pytest.fixture(scope="module")
def marked(figure) -> list[np.ndarray]:
    watermark = Watermark(PAYLOAD, 256, 256)
    return [watermark.mark(frame) for frame in figure(3, count=20)]


def test_one_frame_is_enough(marked) -> None:
    found = detect(marked[:1])
    assert found.found and found.payload == PAYLOAD
    assert found.chance < 1e-20 and found.payload_probability > 0.999
    assert not found.mirrored and found.cropped == (1, 1)


@pytest.mark.parametrize(("crf", "scale"), [(35, 1), (28, 0.5)])
def test_it_survives_the_encoder_and_half_size(marked, recoded, crf: int, scale: float) -> None:
    found = detect(recoded(recoded(marked, 18), crf, scale))
    assert found.found
    assert found.payload in (PAYLOAD, None)


def test_a_frame_larger_than_it_was(marked) -> None:
    import cv2

    found = detect(cv2.resize(frame, (400, 336), interpolation=cv2.INTER_CUBIC) for frame in marked[:2])
    assert found.payload == PAYLOAD


def test_a_mirrored_frame_is_told_as_such(marked) -> None:
    found = detect(np.ascontiguousarray(frame[:, ::-1]) for frame in marked[:2])
    assert found.mirrored and found.payload == PAYLOAD


def test_a_cropped_frame_is_found_with_what_is_left(marked, recoded) -> None:
    found = detect(recoded([frame[6:236, 20:250] for frame in marked[:8]], 23))
    assert found.found and found.payload == PAYLOAD
    assert found.cropped == pytest.approx((230 / 256, 230 / 256), abs=0.02)


def test_nothing_is_found_in_what_is_not_marked(figure) -> None:
    for seed in (3, 5):
        found = detect(figure(seed, 96, 1))
        assert not found.found and found.payload is None and found.chance > MAX_CHANCE
    still = detect([np.full((64, 96, 3), 40, np.uint8)])
    assert (still.found, still.z) == (False, 0)
    assert not detect([]).found
    assert not detect([np.zeros((2, 2, 3), np.uint8)]).found


def test_z_is_standard_normal_for_pictures_without_a_mark(figure, monkeypatch: pytest.MonkeyPatch) -> None:
    """One figure, a ramp and stripes against 80 other keys: mean, deviation and the largest z are a normal's."""
    from magicpose_cli.provenance import carrier

    ramp = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
    stripes = np.tile(np.arange(128) // 8 % 2 * 200, (128, 1)).astype(np.uint8)
    pictures = [figure(8, 128, 1)[0], *(np.repeat(picture[..., None], 3, 2) for picture in (ramp, stripes))]
    for picture in pictures:
        texture = detection._texture(picture)
        z = []
        for key in range(80):
            monkeypatch.setattr(carrier, "_KEY", 1000 * key)
            monkeypatch.setattr(detection, "carrier", carrier.carrier.__wrapped__)
            z.append(detection._whole(texture).z)
        assert abs(np.mean(z)) < 0.3
        assert np.std(z) == pytest.approx(1, abs=0.2)
        assert max(z) < 4


def test_the_tail_is_the_normal_one() -> None:
    assert detection._tail(0) == 0.5
    assert detection._tail(1.959964) == pytest.approx(0.025, rel=1e-5)
    assert detection._tail(5.199338) == pytest.approx(1e-7, rel=1e-4)
