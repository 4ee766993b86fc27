"""HDR pictures (PQ and HLG, BT.2020) brought to the standard range.

Sources: ITU-R BT.2100-2 (the curves, HLG's system gamma at 1000 cd/m²), BT.2087 (BT.2020 to BT.709), BT.2408
(reference white at 203 cd/m²). Up to three quarters of white brightness is kept; from there it is rolled off.
"""

from functools import cache

import cv2
import numpy as np

_WHITE = 203.0  # cd/m²
_STEPS = 4096
_KNEE = 0.75  # of white: from here on up brightness is compressed
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)
_BT2020_LUMA = np.array([[0.2627, 0.6780, 0.0593]], dtype=np.float32)


def to_standard_range(rgb: np.ndarray, *, hlg: bool) -> np.ndarray:
    """uint16 (H, W, 3) of PQ or HLG signal in BT.2020 → uint8 (H, W, 3) for a BT.709 display."""
    light = _light_curve(hlg)[rgb >> 4]  # linear, 1 is white
    if hlg:
        # HLG's signal is of the scene; the display's share is the system gamma of 1.2 on luminance.
        luminance = np.maximum(cv2.transform(light, _BT2020_LUMA), 1e-6)
        light = light * (luminance**0.2)[..., None] * np.float32(1000 / _WHITE)
    light = cv2.transform(light, _BT2020_TO_BT709)
    peak = np.maximum(light.max(axis=2), 1e-6)
    light *= (_rolled_off(peak) / peak)[..., None]
    index = np.clip(light * (_STEPS - 1), 0, _STEPS - 1).astype(np.uint16)
    return _display_curve()[index]


def _rolled_off(light: np.ndarray) -> np.ndarray:
    """Identity up to the knee, then smoothly towards 1."""
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return np.minimum(light, _KNEE) + (1 - _KNEE) * above / (1 + above)


@cache
def _light_curve(hlg: bool) -> np.ndarray:
    signal = np.linspace(0, 1, _STEPS)
    if hlg:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    else:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = signal ** (1 / m2)
        light = 10_000 / _WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return light.astype(np.float32)


@cache
def _display_curve() -> np.ndarray:
    return np.rint(255 * np.linspace(0, 1, _STEPS) ** (1 / 2.2)).astype(np.uint8)
