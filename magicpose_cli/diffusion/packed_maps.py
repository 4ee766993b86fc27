"""Pose maps on their way to the network: each is drawn, read or decoded once, and kept packed while it is needed."""

import zlib
from collections.abc import Callable

import numpy as np


class PackedMaps:
    """``draw(start, stop)``, uint8 (F, H, W, 3), with a memory: at many steps the same frames are asked for again.

    Each map is ``shape`` (H, W, 3). Drawn maps are mostly black: packed they take 3 to 7 % of their size. All that was
    read is kept until ``forget``.
    """

    def __init__(self, draw: Callable[[int, int], np.ndarray], shape: tuple[int, ...]) -> None:
        self._draw, self._shape = draw, shape
        self._kept: dict[int, bytes] = {}

    def read(self, start: int, stop: int) -> np.ndarray:
        """The maps of the frames start … stop - 1, uint8 (stop - start, H, W, 3)."""
        new = [frame for frame in range(start, stop) if frame not in self._kept]
        if new:
            first, last = new[0], new[-1] + 1
            drawn = self._draw(first, last)
            self._kept.update((frame, zlib.compress(drawn[frame - first].tobytes(), level=1)) for frame in new)
        unpacked = b"".join(zlib.decompress(self._kept[frame]) for frame in range(start, stop))
        return np.frombuffer(unpacked, np.uint8).reshape(stop - start, *self._shape)

    def forget(self, before: int) -> None:
        """Keep nothing of the frames before this one: they will not be read again."""
        self._kept = {frame: packed for frame, packed in self._kept.items() if frame >= before}
