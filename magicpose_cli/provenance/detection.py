"""Is the watermark in these frames, and what does it say? A sum over frames, then a search for the keyed phases.

The statistic is the weighted sum of the cosines between a picture's phases and the key's. The key's phases are
independent of any picture that is not marked, so that z, the sum over its standard deviation, is standard normal there
whatever the picture shows. What is searched (mirrored, cropped) multiplies the chance of a false alarm by as much as is
tried (Bonferroni): ``chance`` is that bound.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from magicpose_cli.provenance.carrier import HIGHEST, Carrier, carrier, code_words, waves

MAX_CHANCE = 1e-6  # of a false alarm in one file
_SURE = 0.99  # a payload that is less likely than this is not told
_SIDE = 256  # pixels; larger frames are scaled to this
_CUTS = (HIGHEST, 22, 13)  # cycles: after strong compression only the longer waves are left, and the others are noise
_CLIP = 2.5  # standard deviations: edges must not outweigh the rest
_SMALLEST_SHARE, _SHARE_STEP = 0.775, 0.0125  # of a frame's width or height that a crop may leave
_PLACES = 200  # where a crop may begin, along a whole side


@dataclass(frozen=True)
class Detection:
    """What was found. ``z`` is the best statistic, ``chance`` the bound on finding it in a file that is not marked.

    ``payload`` is None where the watermark is absent or too faint to read; ``mirrored`` and ``cropped`` say how the
    frames were changed, the latter as the shares of width and height that are left.
    """

    found: bool
    z: float
    chance: float
    payload: int | None = None
    payload_probability: float = 0.0
    mirrored: bool = False
    cropped: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class _Match:
    """The best place of a search: its z, and each wave's share of the statistic there."""

    z: float
    terms: np.ndarray
    carrier: Carrier
    mirrored: bool = False
    shares: tuple[float, float] = (1.0, 1.0)


class Detector:
    """Sums frames of one size (RGB uint8, height × width × 3) and looks for the watermark in the sum."""

    def __init__(self) -> None:
        self._sum: np.ndarray | None = None

    def add(self, frame: np.ndarray) -> None:
        texture = _texture(frame)
        self._sum = texture if self._sum is None else self._sum + texture

    def result(self) -> Detection:
        """Look for the whole frame, as it is and mirrored, then for a frame of which up to a fifth was cut off."""
        if self._sum is None:
            return Detection(False, 0.0, 1.0)
        looks = [(mirrored, highest) for mirrored in (False, True) for highest in _CUTS]
        best = max((_whole(self._sum, *look) for look in looks), key=lambda match: match.z)
        chance = len(looks) * _tail(best.z)
        if chance > MAX_CHANCE:
            match, tried = _cropped(self._sum)
            tried += len(looks)
            if tried * _tail(match.z) <= MAX_CHANCE:
                best = match
            chance = tried * _tail(best.z)
        if chance > MAX_CHANCE:
            return Detection(False, best.z, min(1.0, chance))
        payload, probability = _read(best)
        known = payload if probability >= _SURE else None
        return Detection(True, best.z, chance, known, probability, best.mirrored, best.shares)


def _texture(frame: np.ndarray) -> np.ndarray:
    """Lightness less its local mean, over its local deviation: float32, at most ``_SIDE`` squared pixels."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = _SIDE / math.sqrt(grey.size)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = grey.astype(np.float32)
    window = max(5, round(math.sqrt(grey.size) / 40) * 2 + 1)
    mean = cv2.blur(grey, (window, window))
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, (window, window)) - mean * mean, 0))
    return np.clip((grey - mean) / (deviation + 1), -_CLIP, _CLIP)


def _whole(picture: np.ndarray, mirrored: bool = False, highest: float = HIGHEST) -> _Match:
    """The statistic of a frame of which nothing was cut off."""
    if mirrored:
        picture = picture[:, ::-1]
    height, width = picture.shape
    found = carrier(width, height, highest)
    across = picture @ waves(found.columns, width).conj().T
    terms = _terms(waves(found.rows, height).conj() @ across, found)
    return _Match(_z(terms.real[found.bit < 0].sum(), found), terms, found, mirrored)


def _cropped(picture: np.ndarray) -> tuple[_Match, int]:
    """The best match over how much of each side is left and where it began; and how many were tried."""
    height, width = picture.shape
    found = carrier(width, height)
    shares = np.arange(1, _SMALLEST_SHARE - 1e-9, -_SHARE_STEP)
    down = [waves(found.rows, height, share).conj() for share in shares]
    best, tried = _Match(-math.inf, np.empty(0), found), 0
    for wide in shares:
        across = picture @ waves(found.columns, width, wide).conj().T
        begins_across = _begins(found.columns, wide)
        for tall, turned in zip(shares, down, strict=True):
            terms = _terms(turned @ across, found)
            begins_down = _begins(found.rows, tall)
            finding = np.where(found.bit < 0, terms, 0)
            surface = (begins_down @ finding @ begins_across.T).real
            tried += surface.size
            row, column = np.unravel_index(int(surface.argmax()), surface.shape)
            z = _z(surface[row, column], found)
            if z > best.z:
                here = terms * begins_down[row][:, None] * begins_across[column]
                best = _Match(z, here, found, shares=(float(wide), float(tall)))
    return best, tried


def _begins(frequencies: np.ndarray, share: float) -> np.ndarray:
    """(places, frequencies): what turns a wave's phase back to where the whole frame began."""
    places = np.arange(0, 1 - share + 1 / _PLACES, 1 / _PLACES)
    return np.exp(-2j * np.pi * places[:, None] * frequencies)


def _terms(spectrum: np.ndarray, found: Carrier) -> np.ndarray:
    """Each wave's phase against the key's, weighted."""
    size = np.abs(spectrum)
    return found.weight * found.phase.conj() * spectrum / np.where(size > 0, size, 1)


def _z(statistic: float, found: Carrier) -> float:
    """The sum over the waves that carry no bits, in standard deviations: a random phase's cosine has variance 1/2."""
    variance = float(np.square(found.weight[found.bit < 0]).sum()) / 2
    return float(statistic) / math.sqrt(variance) if variance else 0.0


def _tail(z: float) -> float:
    """The chance that a standard normal number exceeds z."""
    return math.erfc(z / math.sqrt(2)) / 2


def _read(match: _Match) -> tuple[int, float]:
    """The likeliest payload, and how likely it is among all 4096.

    The coherence of the waves that carry no bits is what the others have: 2 × coherence × sum is the log-likelihood
    ratio of a bit.
    """
    found, plain = match.carrier, match.carrier.bit < 0
    coherence = match.terms.real[plain].sum() / np.square(found.weight[plain]).sum()
    words = code_words()
    sums = np.array([match.terms.real[found.bit == place].sum() for place in range(words.shape[1])])
    likelihood = 2 * coherence * (words @ sums)
    odds = np.exp(likelihood - likelihood.max())
    payload = int(odds.argmax())
    return payload, float(odds[payload] / odds.sum())
