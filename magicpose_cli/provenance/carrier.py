"""The watermark's carrier: which waves it is made of, their keyed phases, and how twelve bits ride on some of them.

Waves are counted in cycles a frame, not in pixels, so that a scaled frame still holds the same ones. The bits go
through the extended binary Golay code (Golay 1949), which corrects three wrong ones of 24 and more with soft decisions.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LOWEST, HIGHEST = 5, 36  # cycles along the side of a square as large as the frame
PAYLOAD_BITS = 12
_CODE_BITS = 24
_PIXELS_A_WAVE = 3  # shorter waves do not survive any encoder
_KEY = int.from_bytes(b"magicpos")
_BIT_SHARE = 0.25  # of the waves; the others are the same in every video, and find the watermark
_GOLAY = 0b110001110101  # x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1, the generator of the (23, 12) code


@dataclass(frozen=True)
class Carrier:
    """The waves of a frame, as arrays over ``rows`` (cycles down the frame) × ``columns`` (cycles across it).

    ``weight`` is 0 where there is no wave, and falls with the frequency as amplitude does. ``phase`` is e^(i φ).
    ``bit`` is the code bit that a wave carries, or -1 where it carries none.
    """

    rows: np.ndarray
    columns: np.ndarray
    weight: np.ndarray
    phase: np.ndarray
    bit: np.ndarray


@lru_cache(maxsize=16)
def carrier(width: int, height: int, highest: float = HIGHEST) -> Carrier:
    """The waves that a frame of this size can hold, up to ``highest`` cycles."""
    highest = min(highest, math.sqrt(width * height) / _PIXELS_A_WAVE)
    across, down = math.sqrt(height / width), math.sqrt(width / height)  # cycles a frame → cycles a side
    columns = np.arange(0, int(highest / across) + 1)
    rows = np.arange(-int(highest / down), int(highest / down) + 1)
    frequency = np.hypot(columns[None] * across, rows[:, None] * down)
    half = (columns[None] > 0) | (rows[:, None] > 0)  # a wave and its negative are one
    held = half & (frequency >= LOWEST) & (frequency <= highest)
    weight = np.where(held, LOWEST / np.maximum(frequency, LOWEST), 0.0)
    phase = np.exp(2j * np.pi * _hash(rows, columns, 1))
    rides = _hash(rows, columns, 2) < _BIT_SHARE
    bit = np.where(rides, (_hash(rows, columns, 3) * _CODE_BITS).astype(int), -1)
    return Carrier(rows, columns, weight, phase, bit)


def waves(frequencies: np.ndarray, length: int, share: float = 1.0) -> np.ndarray:
    """e^(2πi f u) at the ``length`` pixel centres of a frame's side: (frequencies, length).

    ``share`` is how much of the side the pixels show, where the rest was cut off.
    """
    return np.exp(2j * np.pi * share * frequencies[:, None] * (np.arange(length) + 0.5) / length)


@lru_cache(maxsize=1)
def code_words() -> np.ndarray:
    """(4096, 24) of -1 and 1: row n is what the payload n is sent as."""
    words = []
    for payload in range(2**PAYLOAD_BITS):
        rest = payload << 11
        for place in range(22, 10, -1):
            if rest >> place & 1:
                rest ^= _GOLAY << (place - 11)
        word = payload << 11 | rest
        words.append(word << 1 | word.bit_count() % 2)
    bits = np.array(words)[:, None] >> np.arange(_CODE_BITS - 1, -1, -1) & 1
    return 1.0 - 2.0 * bits


def signs(payload: int, bit: np.ndarray) -> np.ndarray:
    """1 or -1 for each wave: that of the code bit it carries, 1 for a wave that carries none."""
    word = np.append(code_words()[payload], 1.0)  # index -1 is the one behind the code
    return word[bit]


def _hash(rows: np.ndarray, columns: np.ndarray, use: int) -> np.ndarray:
    """Numbers in [0, 1) that depend on (row, column, use) and the key alone: the finaliser of SplitMix64."""
    odd, prime = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
    with np.errstate(over="ignore"):
        state = rows.astype(np.int64).astype(np.uint64)[:, None] * odd
        state = state ^ (columns.astype(np.uint64)[None] * prime) ^ np.uint64(_KEY + use)
        for _ in range(2):
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)) / 2.0**53
