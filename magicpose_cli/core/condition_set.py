"""``ConditionSet``: all that the network sees, on one canvas."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from magicpose_cli.core.framing import Framing


@dataclass(frozen=True)
class ConditionSet:
    """A framed reference photo and the pose maps of a clip, drawn as they are asked for.

    ``reference`` is RGB uint8 (height, width, 3). ``pose_maps(start, stop)`` gives the maps of the frames
    start … stop - 1 as RGB uint8 (stop - start, height, width, 3); they are drawn or read anew at each call, so a
    long clip costs no memory. Of a video, going back costs decoding it again from its start. ``framing`` maps the
    reference photo onto the canvas. ``notes`` are sentences for the user (padding, fitting, swapped colours).
    ``matched`` is the frame in which the poses were fitted to the person in the photo, or None.
    """

    reference: np.ndarray
    frame_count: int
    pose_maps: Callable[[int, int], np.ndarray]
    framing: Framing
    notes: tuple[str, ...] = ()
    matched: int | None = None

    def __post_init__(self) -> None:
        if self.reference.dtype != np.uint8 or self.reference.shape != (self.height, self.width, 3):
            raise ValueError(
                f"the reference is {self.reference.dtype} {self.reference.shape}, "
                f"not uint8 ({self.height}, {self.width}, 3)"
            )
        if self.frame_count < 1:
            raise ValueError("a condition set needs at least one pose map")

    @property
    def width(self) -> int:
        return self.framing.width

    @property
    def height(self) -> int:
        return self.framing.height
