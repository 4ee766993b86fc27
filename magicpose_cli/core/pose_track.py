"""``PoseTrack``: one person's keypoints over a clip, in pixels of the upright driving frame."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from magicpose_cli.core.keypoints import BODY_COUNT, FACE_COUNT, HAND_COUNT

_POINTS = {"body": BODY_COUNT, "left_hand": HAND_COUNT, "right_hand": HAND_COUNT, "face": FACE_COUNT}


@dataclass(frozen=True)
class PoseTrack:
    """Keypoints of one person over F frames.

    Each array is float32 (F, points, 3): x, y in pixels (0, 0 is the top left corner of the image) and
    confidence in [0, 1]. A missing point is (0, 0, 0). ``width`` and ``height`` are the size in pixels of the
    frame that the points live in; ``fps`` is the exact rate.

    Raises ValueError where shapes, counts or values (NaN, infinity) do not fit.
    """

    body: np.ndarray  # (F, 18, 3)
    left_hand: np.ndarray  # (F, 21, 3)
    right_hand: np.ndarray  # (F, 21, 3)
    face: np.ndarray  # (F, 70, 3)
    width: int
    height: int
    fps: Fraction

    def __post_init__(self) -> None:
        for name, count in _POINTS.items():
            points = np.asarray(getattr(self, name), dtype=np.float32)
            if points.ndim != 3 or points.shape[1:] != (count, 3):
                raise ValueError(f"{name} has shape {points.shape}, not (frames, {count}, 3)")
            if len(points) != len(self.body):
                raise ValueError(f"{name} has {len(points)} frames, body has {len(self.body)}")
            if not np.isfinite(points).all():
                raise ValueError(f"{name} holds a value that is not finite")
            object.__setattr__(self, name, points)
        if self.width <= 0 or self.height <= 0 or self.fps <= 0:
            raise ValueError(f"size {self.width}x{self.height} and rate {self.fps} must be positive")

    @property
    def parts(self) -> dict[str, np.ndarray]:
        """The four arrays by their names."""
        return {name: getattr(self, name) for name in _POINTS}

    def __len__(self) -> int:
        return len(self.body)

    def __getitem__(self, frames: slice | list[int]) -> "PoseTrack":
        """The track of a range of frames, or of these; size and rate stay."""
        return replace(self, **{name: getattr(self, name)[frames] for name in _POINTS})

    def map_points(self, scale: float, shift_x: float, shift_y: float, width: int, height: int) -> "PoseTrack":
        """x, y → scale·(x, y) + shift, in a new frame of width × height. Missing points stay missing."""

        def mapped(points: np.ndarray) -> np.ndarray:
            out = points.copy()
            out[..., :2] = points[..., :2] * scale + (shift_x, shift_y)
            out[points[..., 2] <= 0] = 0
            return out

        points = {name: mapped(getattr(self, name)) for name in _POINTS}
        return PoseTrack(**points, width=width, height=height, fps=self.fps)

    @staticmethod
    def concatenate(tracks: "Iterable[PoseTrack]") -> "PoseTrack":
        """One track of several in a row, with the first one's size and rate."""
        parts = list(tracks)
        return replace(parts[0], **{n: np.concatenate([getattr(p, n) for p in parts]) for n in _POINTS})

    @staticmethod
    def empty(frames: int, width: int, height: int, fps: Fraction) -> "PoseTrack":
        """A track in which every point is missing."""
        return PoseTrack(
            **{n: np.zeros((frames, c, 3), np.float32) for n, c in _POINTS.items()}, width=width, height=height, fps=fps
        )
