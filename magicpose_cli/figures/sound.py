"""A short made tune, so that a made clip has a sound track."""

import math

import numpy as np

from magicpose_cli.figures.chance import chance_of

_SCALE = (0, 2, 4, 7, 9)  # major pentatonic: any two notes agree
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))


def made_sound(seconds: float, rate: int = 44100, seed: int = 0) -> np.ndarray:
    """Bell-like notes over soft chords: mono int16 (round(seconds·rate),), by seed; fades in and out."""
    count = round(seconds * rate)
    chance = chance_of(seed, 505)
    root = 220.0 * 2 ** (float(chance.integers(-3, 4)) / 12)
    step = float(chance.uniform(0.21, 0.27))  # seconds a note
    total = np.zeros(count)
    place = 4
    for index in range(math.ceil(seconds / step)):
        start = index * step
        if index % 8 == 0:
            for pitch in _CHORDS[(index // 8) % len(_CHORDS)]:
                _add(total, rate, start, root * 2 ** (pitch / 12), 8 * step, 0.09, 1.1)
        place = min(11, max(0, place + int(chance.integers(-2, 3))))
        if chance.random() < 0.78:
            octave, note = divmod(place, len(_SCALE))
            _add(total, rate, start, 2 * root * 2 ** (octave + _SCALE[note] / 12), 1.2, 0.22, 6.0)
    fade = min(count // 2, round(0.03 * rate))
    if fade:
        ramp = np.linspace(0, 1, fade)
        total[:fade] *= ramp
        total[-fade:] *= ramp[::-1]
    peak = max(1.0, float(np.abs(total).max(initial=0)) / 0.8)
    return np.rint(total / peak * 32767).astype(np.int16)


def _add(total: np.ndarray, rate: int, start: float, pitch: float, length: float, volume: float, decay: float) -> None:
    first = round(start * rate)
    time = np.arange(min(round(length * rate), len(total) - first)) / rate
    if len(time) == 0:
        return
    shape = np.minimum(1, time / 0.008) * np.exp(-decay * time) * np.minimum(1, (length - time) / 0.02).clip(0)
    wave = np.sin(2 * math.pi * pitch * time) + 0.3 * np.sin(4 * math.pi * pitch * time)
    total[first : first + len(time)] += volume * shape * wave
