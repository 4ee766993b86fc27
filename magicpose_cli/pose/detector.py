"""What a pose detector is, and what it gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np

from magicpose_cli.core.keypoints import BODY_COUNT, FACE_COUNT, HAND_COUNT

PARTS = {"body": BODY_COUNT, "left_hand": HAND_COUNT, "right_hand": HAND_COUNT, "face": FACE_COUNT}
"""Each part's number of points, in the order in which ``PersonPose.points`` holds them."""

PART_SLICES = {part: slice(end - PARTS[part], end) for part, end in zip(PARTS, accumulate(PARTS.values()), strict=True)}
"""Where each part lies among the 130 points."""


@dataclass(frozen=True)
class PersonPose:
    """One person in one frame: float32 (points, 3) arrays of x, y in pixels of that frame and confidence in [0, 1].

    A missing point is (0, 0, 0); so is one that the detector's network itself calls unseen. Left and right are the
    person's own. Layouts: ``core.keypoints``. Confidence is the network's: DWPose's and OpenPose's is the height of the
    peak at which the point was found, MediaPipe's the chance that it is not hidden (1 for hands and faces, for which it
    gives none). A body point of 0.3 (``BODY_THRESHOLD``) or more counts as seen; below, its place is mostly a guess.
    Raises ValueError where a shape or a value (NaN, infinity) does not fit.
    """

    body: np.ndarray  # (18, 3)
    left_hand: np.ndarray  # (21, 3)
    right_hand: np.ndarray  # (21, 3)
    face: np.ndarray  # (70, 3)

    def __post_init__(self) -> None:
        for name, count in PARTS.items():
            points = np.asarray(getattr(self, name), dtype=np.float32)
            if points.shape != (count, 3) or not np.isfinite(points).all():
                raise ValueError(f"{name} must be ({count}, 3) finite numbers, not {points.shape}")
            object.__setattr__(self, name, points)

    @property
    def points(self) -> np.ndarray:
        """(130, 3): body, left hand, right hand, face in one array."""
        return np.concatenate([getattr(self, name) for name in PARTS])

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Left, top, right, bottom of the points that are there, in pixels; None where none is."""
        there = self.points[self.points[:, 2] > 0, :2]
        if not len(there):
            return None
        (left, top), (right, bottom) = there.min(axis=0), there.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    @property
    def area(self) -> float:
        """Square pixels of the box; 0 where no point is there."""
        if self.box is None:
            return 0.0
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    def inside(self, width: int, height: int) -> "PersonPose":
        """This person with the points outside a picture of width × height, and those of confidence 0, missing."""

        def kept(points: np.ndarray) -> np.ndarray:
            x, y, confidence = points.T
            there = (x >= 0) & (x <= width) & (y >= 0) & (y <= height) & (confidence > 0)
            return np.where(there[:, None], points, np.float32(0))

        return PersonPose(**{name: kept(getattr(self, name)) for name in PARTS})

    @staticmethod
    def empty() -> "PersonPose":
        """A person of whom every point is missing."""
        return PersonPose(**{name: np.zeros((count, 3), np.float32) for name, count in PARTS.items()})


class PoseDetector(Protocol):
    """Finds people in frames given one after another, one by one or in batches.

    A detector may follow a person from frame to frame; ``reset`` forgets what it has seen, ``close`` frees it.
    ``device`` is where its networks run; ``batch_size`` is how many frames at a time serve it best;
    ``says_visibility`` where its confidence is the chance that a point is not hidden, so near 1 for people seen well.
    """

    name: str
    version: str
    device: str = "cpu"
    batch_size: int = 1
    says_visibility: bool = False

    def detect(self, frame: np.ndarray) -> list[PersonPose]:
        """People in an RGB uint8 (height, width, 3) frame, in its pixels; an empty list where there are none."""
        ...

    def detect_batch(self, frames: Sequence[np.ndarray]) -> list[list[PersonPose]]:
        """People in each of several frames of one size, which follow each other: what ``detect`` gives for each."""
        return [self.detect(frame) for frame in frames]

    def reset(self) -> None: ...

    def close(self) -> None: ...


def check_frame(frame: np.ndarray) -> None:
    """Raise ValueError where this is no RGB uint8 (height, width, 3) frame."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(f"a frame is uint8 (height, width, 3), not {frame.dtype} {frame.shape}")
