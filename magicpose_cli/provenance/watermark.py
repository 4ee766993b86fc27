"""An imperceptible watermark in the frames of a clip: one keyed pattern of faint waves, the same in every frame.

Spread-spectrum marking (Cox et al. 1997) with waves fixed to the frame instead of to pixels. It changes lightness
alone, and all over a frame by as much: for the same PSNR, a pattern that follows the texture from place to place was
found less often. A frame that is busy as a whole gets more of it. ``provenance/detection.py`` finds it.
"""

import math

import cv2
import numpy as np

from magicpose_cli.provenance.carrier import PAYLOAD_BITS, carrier, signs, waves

_STRENGTH = 1.2  # levels of 255, RMS, in a calm frame of 256 x 256 or less;
_WEAKEST = 0.6  # less in a larger one, where more pixels carry each wave
_STRONGEST = 1.34  # where texture hides it: 45.4 dB PSNR after rounding
_CALM = 3.0  # levels: the deviation of a calm frame's texture; of a busier one the strength grows with it,
_STEP = 1.1  # by factors of this, so that a pattern serves many frames
_WINDOW = 5  # pixels of a frame of half size, over which texture is measured


class Watermark:
    """Marks frames of one size with a payload of 12 bits. Frames pass through one by one, each marked by itself."""

    def __init__(self, payload: int, width: int, height: int) -> None:
        if not 0 <= payload < 2**PAYLOAD_BITS:
            raise ValueError(f"a payload of {payload} does not fit {PAYLOAD_BITS} bits")
        found = carrier(width, height)
        spectrum = found.weight * found.phase * signs(payload, found.bit)
        pattern = (waves(found.rows, height).T @ (spectrum @ waves(found.columns, width))).real
        self._pattern = (pattern / (pattern.std() or 1)).astype(np.float32)
        self._calm_strength = min(_STRENGTH, max(_WEAKEST, _STRENGTH * (256 / math.sqrt(width * height)) ** 0.75))
        self._made_for = math.nan
        self._up = self._down = np.empty(0, np.uint8)

    def mark(self, frame: np.ndarray) -> np.ndarray:
        """RGB uint8 (height, width, 3) → a marked copy, at 45 dB PSNR or nearer."""
        strength = min(_STRONGEST, self._calm_strength * _factor(frame))
        if strength != self._made_for:
            # Two saturating steps of bytes are many times faster than one of larger numbers.
            change = np.rint(self._pattern * strength)
            self._up, self._down = (
                cv2.merge([np.clip(part, 0, 255).astype(np.uint8)] * 3) for part in (change, -change)
            )
            self._made_for = strength
        return cv2.subtract(cv2.add(frame, self._up), self._down)


def _factor(frame: np.ndarray) -> float:
    """1 for a calm frame, more for one of which more than half is busy."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = cv2.blur(small, (_WINDOW, _WINDOW))[::2, ::2]
    variance = cv2.blur(small * small, (_WINDOW, _WINDOW))[::2, ::2] - mean * mean
    deviation = math.sqrt(max(float(np.median(variance)), 0.0))
    return _STEP ** math.floor(math.log(max(deviation / _CALM, 1), _STEP))
