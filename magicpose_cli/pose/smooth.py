"""Jitter taken out of a person's points without lag, and without taking quick motions with it.

Two low-pass filters of zero phase part each point's path in three bands. The slow one is kept; of the others as much as
stands out from the noise, moment by moment. The noise is known from the fast band, where people move only now and then.
So a still hand comes to rest, and a wave keeps its height.
Sources: Eilers, "A perfect smoother" (2003), with third differences; Wiener's gain for the bands above.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from magicpose_cli.pose.detector import PART_SLICES

_ORDER = 3
_DIFFERENCE = np.array([-1.0, 3.0, -3.0, 1.0])
_LOWEST_RATE = 9.0  # frames a second; below, motions fill every band and nothing tells them from noise
_FASTEST_SHARE = 0.35  # of the frame rate: a cut-off above that would leave no band to know the noise from
_WINDOW = 0.15  # seconds to each side over which the middle band's power is looked at
# Times the noise that a band must have before it is believed: a detector's noise is not white.
_DOUBT, _DOUBT_FAST = 3.0, 8.0
_BLOCK = 18  # points calmed at a time: all at once they would hold 30 KB a frame


@dataclass(frozen=True)
class Strength:
    """Cut-offs in Hz (half amplitude): below ``slow`` all is kept, above ``fast`` what stands out widely.

    ``carried``: the part's points ride on their common middle, and the two are smoothed each for itself, so that the
    fingers of a hand that waves are still calmed.
    """

    part: slice
    slow: float
    fast: float
    carried: bool = False


STRENGTHS = (
    Strength(PART_SLICES["body"], slow=1.2, fast=8.0),
    Strength(PART_SLICES["left_hand"], slow=1.5, fast=8.0, carried=True),
    Strength(PART_SLICES["right_hand"], slow=1.5, fast=8.0, carried=True),
    Strength(PART_SLICES["face"], slow=2.0, fast=9.0, carried=True),
)


def smooth(points: np.ndarray, fps: float, breaks: np.ndarray) -> np.ndarray:
    """(F, 130, 3) points without jitter; confidences stay, missing points stay missing.

    ``breaks`` (F, 130) is True where a point does not go on from where it was in the frame before; nothing is smoothed
    across that, nor across frames in which a point is missing; nothing at all below ``_LOWEST_RATE``.
    """
    if fps < _LOWEST_RATE:
        return points
    out = points.copy()
    for strength in STRENGTHS:
        there, path = points[:, strength.part, 2] > 0, points[:, strength.part, :2].astype(np.float64)
        broken = breaks[:, strength.part]
        if strength.carried:
            middle = ((path * there[..., None]).sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None])[:, None]
            path -= middle
            _calm(path, there, broken, strength, fps)
            _calm(middle, there.any(axis=1)[:, None], broken.any(axis=1)[:, None], strength, fps)
            path += middle
        else:
            _calm(path, there, broken, strength, fps)
        path[~there] = 0
        out[:, strength.part, :2] = path
    return out


def _calm(path: np.ndarray, there: np.ndarray, breaks: np.ndarray, strength: Strength, fps: float) -> None:
    """Calm (F, n, 2) paths in place, ``_BLOCK`` points at a time."""
    fast = min(strength.fast, _FASTEST_SHARE * fps)
    slow = min(strength.slow, fast / 3)
    for start in range(0, path.shape[1], _BLOCK):
        of = slice(start, start + _BLOCK)
        path[:, of] = _by_bands(path[:, of], there[:, of], breaks[:, of], slow, fast, fps)


def _by_bands(
    path: np.ndarray, there: np.ndarray, breaks: np.ndarray, slow: float, fast: float, fps: float
) -> np.ndarray:
    """(F, n, 2) paths without the noise of the bands above ``slow`` and ``fast`` Hz."""
    lower, upper = (low_pass(path, there, breaks, cutoff, fps) for cutoff in (slow, fast))
    rest = path - upper
    # The median, for quick motions are rare; that of a squared normal number is 0.455 times its mean.
    noise = np.array([np.median(rest[there[:, n], n] ** 2) if there[:, n].any() else 0.0 for n in range(path.shape[1])])
    noise /= 0.455
    share_middle, share_rest = _noise_shares(slow, fast, fps)

    def believed(band: np.ndarray, expected: np.ndarray) -> np.ndarray:
        power = _mean_around((band**2).mean(axis=2), round(_WINDOW * fps))
        return band * np.clip(1 - expected / np.maximum(power, 1e-12), 0, 1)[..., None]

    middle = believed(upper - lower, _DOUBT * noise * share_middle / share_rest)
    return lower + middle + believed(rest, _DOUBT_FAST * noise)


def low_pass(path: np.ndarray, there: np.ndarray, breaks: np.ndarray, cutoff: float, fps: float) -> np.ndarray:
    """(F, n, 2) paths without what is quicker than ``cutoff`` in Hz, where the amplitude is halved.

    A point is only tied to neighbours in time that are ``there`` (F, n), with no break (F, n) between. Phases stay.
    """
    frames, count = there.shape
    if frames <= _ORDER:
        return path
    whole = np.ones((frames - _ORDER, count), bool)
    for n in range(_ORDER + 1):
        whole &= there[n : frames - _ORDER + n]
    for n in range(1, _ORDER + 1):
        whole &= ~breaks[n : frames - _ORDER + n]
    penalty = _penalty(cutoff, fps)
    bands = np.zeros((_ORDER + 1, frames, count))
    bands[0] = 1
    for apart in range(_ORDER + 1):
        for n in range(_ORDER + 1 - apart):
            bands[apart, n : n + frames - _ORDER] += penalty * _DIFFERENCE[n] * _DIFFERENCE[n + apart] * whole
    return _solve(bands, path)


def _penalty(cutoff: float, fps: float) -> float:
    return (2 * math.sin(math.pi * cutoff / fps)) ** (-2 * _ORDER)


@functools.cache
def _noise_shares(slow: float, fast: float, fps: float) -> tuple[float, float]:
    """Which shares of the power of white noise fall into the middle band, and above it."""
    ripple = (2 * np.sin(np.pi * np.linspace(0, 0.5, 513))) ** (2 * _ORDER)
    lower, upper = (1 / (1 + _penalty(cutoff, fps) * ripple) for cutoff in (slow, fast))
    return float(((upper - lower) ** 2).mean()), float(((1 - upper) ** 2).mean())


def _mean_around(values: np.ndarray, reach: int) -> np.ndarray:
    """(F, n) → the mean of up to ``reach`` frames to each side."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    at = np.arange(len(values))
    first, end = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    return (sums[end] - sums[first]) / (end - first)[:, None]


def _solve(bands: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve symmetric banded systems, one for each column: bands (4, F, n) from the diagonal up, right (F, n, 2).

    By an LDLᵀ factorisation, frame after frame, for all columns at once. ``bands`` are overwritten by the factors: the
    diagonal D in row 0, L's columns in the others.
    """
    width, frames, _ = bands.shape
    factor, out = bands, right.copy()
    for t in range(frames):
        for n in range(1, min(width, frames - t)):
            ratio = factor[n, t] / factor[0, t]
            for m in range(n, min(width, frames - t)):
                factor[m - n, t + n] -= ratio * factor[m, t]
            out[t + n] -= ratio[:, None] * out[t]
    for t in range(frames - 1, -1, -1):
        for n in range(1, min(width, frames - t)):
            out[t] -= factor[n, t][:, None] * out[t + n]
        out[t] /= factor[0, t][:, None]
    return out
