"""No silent black video: what numbers that went wrong look like in the end."""

from collections.abc import Iterable, Iterator

import numpy as np

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.core.progress import Progress
from magicpose_cli.pose.ranges import ranges_of, ranges_text

_BLACK = 8  # of 255: a frame without any brighter number shows nothing


def black_told(frames: Iterable[np.ndarray], progress: Progress) -> Iterator[np.ndarray]:
    """The frames (RGB uint8) as they come. At the end black ones are told, by number.

    Raises IntegrityError where all of them are black.
    """
    black, count = [], 0
    for frame in frames:
        if frame.max() <= _BLACK:
            black.append(count)
        count += 1
        yield frame
    if black and len(black) == count:
        raise IntegrityError(
            f"the model made nothing but black frames, all {count} of them",
            "try --dtype float32; if that does not help, the weights are damaged, or the photo is black",
        )
    if black:
        progress.note(f"{ranges_text(ranges_of(np.array(black)))} came out black")
