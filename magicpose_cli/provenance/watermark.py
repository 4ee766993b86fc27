"""An imperceptible watermark in the frames of a clip: one keyed pattern of faint waves, the same in every frame.

Spread-spectrum marking (Cox et al. 1997) with waves fixed to the frame instead of to pixels. It changes lightness
alone, and everywhere by as much: for the same PSNR, a pattern that is stronger where texture hides it was found less
often, since texture drowns it too. ``provenance/detection.py`` finds it.
"""

import math

import cv2
import numpy as np

from magicpose_cli.provenance.carrier import PAYLOAD_BITS, carrier, signs, waves

_STRENGTH = 1.2  # levels of 255, RMS, in a frame of 256 x 256 or less;
_WEAKEST = 0.6  # less in a larger one, where more pixels carry each wave


class Watermark:
    """Marks frames of one size with a payload of 12 bits. Holds one pattern; frames pass through one by one."""

    def __init__(self, payload: int, width: int, height: int) -> None:
        if not 0 <= payload < 2**PAYLOAD_BITS:
            raise ValueError(f"a payload of {payload} does not fit {PAYLOAD_BITS} bits")
        found = carrier(width, height)
        spectrum = found.weight * found.phase * signs(payload, found.bit)
        pattern = (waves(found.rows, height).T @ (spectrum @ waves(found.columns, width))).real
        strength = min(_STRENGTH, max(_WEAKEST, _STRENGTH * (256 / math.sqrt(width * height)) ** 0.75))
        change = np.rint(pattern * (strength / (pattern.std() or 1)))
        # Two saturating steps of bytes are many times faster than one of larger numbers.
        self._up, self._down = (
            np.repeat(np.clip(part, 0, 255).astype(np.uint8)[..., None], 3, axis=2) for part in (change, -change)
        )

    def mark(self, frame: np.ndarray) -> np.ndarray:
        """RGB uint8 (height, width, 3) → a marked copy, at 46 dB PSNR or nearer."""
        return cv2.subtract(cv2.add(frame, self._up), self._down)
