"""An imperceptible watermark in the frames of a clip: one keyed pattern of faint waves, the same in every frame.

Spread-spectrum marking (Cox et al. 1997) with waves fixed to the frame instead of to pixels. It changes lightness
alone, more where a picture is busy, and keeps a stated PSNR. ``provenance/detection.py`` finds it.
"""

import math

import cv2
import numpy as np

from magicpose_cli.provenance.carrier import PAYLOAD_BITS, carrier, signs, waves

MIN_PSNR = 45.0  # dB over a frame
_STRENGTH = 1.2  # levels of 255, RMS, on even areas of a frame of 256 x 256 or less;
_WEAKEST = 0.6  # less on a larger one, where more pixels carry each wave and the eye has longer to look
_BUSY = 0.08  # more of it for each level of the texture's standard deviation,
_STRONGEST = 3.0  # up to this factor
_RMS_LIMIT = 1.36  # levels; rounding to whole levels adds a little, and 45 dB are 1.434
_WINDOW = 5  # pixels of a frame of half size, over which texture is measured


class Watermark:
    """Marks frames of one size with a payload of 12 bits. Holds one pattern; frames pass through one by one."""

    def __init__(self, payload: int, width: int, height: int) -> None:
        if not 0 <= payload < 2**PAYLOAD_BITS:
            raise ValueError(f"a payload of {payload} does not fit {PAYLOAD_BITS} bits")
        found = carrier(width, height)
        spectrum = found.weight * found.phase * signs(payload, found.bit)
        across = spectrum @ waves(found.columns, width)
        pattern = (waves(found.rows, height).T @ across).real
        spread = pattern.std()
        strength = min(_STRENGTH, max(_WEAKEST, _STRENGTH * (256 / math.sqrt(width * height)) ** 0.75))
        self._pattern = (pattern * (strength / spread if spread else 0)).astype(np.float32)

    def mark(self, frame: np.ndarray) -> np.ndarray:
        """RGB uint8 (height, width, 3) → a marked copy, at least ``MIN_PSNR`` dB near."""
        change = cv2.multiply(self._pattern, _gain(frame))
        rms = cv2.norm(change) / math.sqrt(change.size)
        scale = min(1.0, _RMS_LIMIT / rms) if rms else 1.0
        # Two saturating steps of bytes are several times faster than one of floats.
        up = cv2.multiply(change, scale, dtype=cv2.CV_8U)
        down = cv2.multiply(change, -scale, dtype=cv2.CV_8U)
        return cv2.subtract(cv2.add(frame, cv2.merge([up] * 3)), cv2.merge([down] * 3))


def _gain(frame: np.ndarray) -> np.ndarray:
    """1 on even areas, up to ``_STRONGEST`` where texture hides more: float32 (height, width)."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = cv2.blur(small, (_WINDOW, _WINDOW))
    deviation = np.sqrt(np.maximum(cv2.blur(small * small, (_WINDOW, _WINDOW)) - mean * mean, 0))
    return cv2.resize(np.minimum(1 + _BUSY * deviation, _STRONGEST), grey.shape[::-1])
