"""The made tune: length, loudness, the same by seed."""

import numpy as np
import pytest

from magicpose_cli.figures.sound import made_sound


@pytest.mark.parametrize("seconds, rate", [(0, 44100), (0.01, 44100), (2.5, 44100), (1.0, 16000)])
def test_length_and_type(seconds, rate):
    sound = made_sound(seconds, rate)
    assert sound.dtype == np.int16 and sound.shape == (round(seconds * rate),)


def test_audible_without_clipping_and_silent_at_the_ends():
    sound = made_sound(4, seed=3).astype(float)
    assert 1000 < np.sqrt((sound**2).mean()) < 20000
    assert np.abs(sound).max() < 32767
    assert abs(sound[0]) < 50 and abs(sound[-1]) < 50


def test_by_seed():
    np.testing.assert_array_equal(made_sound(1, seed=5), made_sound(1, seed=5))
    assert (made_sound(1, seed=5) != made_sound(1, seed=6)).any()
