"""Distances between pictures, RGB uint8 (H, W, 3): PSNR, SSIM, flicker."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

_SIGMA, _RADIUS = 1.5, 5  # pixels: an 11 x 11 window
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_GREY = np.array([0.299, 0.587, 0.114])  # BT.601 luma


def psnr(picture: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of uint8 pictures, over ``mask`` where one is given."""
    difference = picture.astype(np.float64) - truth
    if mask is not None:
        difference = difference[mask]
    return float(10 * np.log10(255**2 / max(np.square(difference).mean(), 1e-10)))


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of the grey pictures, at most 1 (Wang et al. 2004: Gaussian window, K = 0.01 and 0.03).

    The mean over the places where the window lies wholly inside. Sides of at least 11 pixels.
    """
    if min(picture.shape[:2]) <= 2 * _RADIUS:
        raise ValueError(f"a picture of {picture.shape[1]}x{picture.shape[0]} pixels is smaller than SSIM's window")
    x, y = picture @ _GREY, truth @ _GREY
    mean_x, mean_y = _smooth(x), _smooth(y)
    variance_x, variance_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return float((luminance * structure).mean())


def flicker(frames: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """How much frames change that the truth does not: mean |Δframe - Δtruth|, in levels of 255, between neighbours."""
    steps = [
        np.abs(_difference(*pair) - _difference(*true)).mean()
        for pair, true in zip(pairwise(frames), pairwise(truth), strict=True)
    ]
    return float(np.mean(steps))


def _difference(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return after.astype(np.float32) - before


def _smooth(values: np.ndarray) -> np.ndarray:
    """Gaussian means, where the window fits."""
    steps = np.arange(-_RADIUS, _RADIUS + 1)
    kernel = np.exp(-(steps**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        values = np.apply_along_axis(np.convolve, axis, values, kernel, mode="valid")
    return values
