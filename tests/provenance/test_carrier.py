import numpy as np
import pytest

from magicpose_cli.provenance.carrier import HIGHEST, LOWEST, carrier, code_words, signs, waves


def test_code_words_are_those_of_the_extended_golay_code() -> None:
    words = code_words()
    assert words.shape == (4096, 24)
    assert set(np.unique(words)) == {-1, 1}
    assert (words[0] == 1).all()
    # The code is linear: the distances from one word are those of all pairs. Its weights are known.
    weights, counts = np.unique((words == -1).sum(axis=1), return_counts=True)
    assert dict(zip(weights.tolist(), counts.tolist(), strict=True)) == {0: 1, 8: 759, 12: 2576, 16: 759, 24: 1}


@pytest.mark.parametrize("size", [(128, 128), (256, 256), (768, 1152), (300, 100)])
def test_waves_lie_in_the_band_and_are_counted_once(size: tuple[int, int]) -> None:
    width, height = size
    found = carrier(width, height)
    rows, columns = np.nonzero(found.weight)
    across, down = found.columns[columns] / width, found.rows[rows] / height
    cycles = np.hypot(across, down) * np.sqrt(width * height)
    assert cycles.min() >= LOWEST and cycles.max() <= HIGHEST + 1e-9
    held = {(int(found.rows[row]), int(found.columns[column])) for row, column in zip(rows, columns, strict=True)}
    assert not any((-row, -column) in held for row, column in held)


def test_a_wave_has_the_same_phase_in_every_size_of_frame() -> None:
    small, large = carrier(256, 256), carrier(320, 512)
    row, column = 7, 11
    phases = [found.phase[list(found.rows).index(row), list(found.columns).index(column)] for found in (small, large)]
    assert phases[0] == phases[1]


def test_phases_are_spread_evenly_and_bits_over_all_waves() -> None:
    found = carrier(512, 512)
    held = found.weight > 0
    mean = found.phase[held].mean()
    assert abs(mean) < 4 / np.sqrt(held.sum())
    share = (found.bit[held] >= 0).mean()
    assert share == pytest.approx(0.25, abs=0.04)
    assert set(np.unique(found.bit[held])) == set(range(-1, 24))


def test_signs_follow_the_word() -> None:
    bit = np.array([[-1, 0], [23, 5]])
    word = code_words()[0xABC]
    assert signs(0xABC, bit).tolist() == [[1, word[0]], [word[23], word[5]]]


def test_waves_at_half_size_are_the_means_of_pixel_pairs_up_to_their_size() -> None:
    frequency = np.array([9])
    full, half = waves(frequency, 64)[0], waves(frequency, 32)[0]
    pairs = full.reshape(-1, 2).mean(axis=1)
    assert np.allclose(pairs / np.abs(pairs), half)
