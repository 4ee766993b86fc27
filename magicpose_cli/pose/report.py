"""How good a pose track is, in figures and in sentences."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.detector import PARTS

_MOST_RANGES = 8


@dataclass(frozen=True)
class PoseReport:
    """Which frames lack the person, and in what share of all frames each part has at least one point.

    ``without_person`` holds (first, last) frame numbers from 0, both inclusive.
    """

    frames: int
    without_person: tuple[tuple[int, int], ...]
    share_body: float
    share_face: float
    share_left_hand: float
    share_right_hand: float

    @property
    def frames_with_person(self) -> int:
        return self.frames - sum(last - first + 1 for first, last in self.without_person)

    def sentences(self) -> list[str]:
        """For people: where the person is, and how often each part was seen."""
        found = self.frames_with_person
        if not self.without_person:
            who = "A person in the only frame." if self.frames == 1 else f"A person in all {self.frames} frames."
        else:
            share = percent(found / self.frames)
            who = f"A person in {found} of {self.frames} frames ({share}); none in {ranges_text(self.without_person)}."
        parts = f"Body seen in {percent(self.share_body)} of the frames, face in {percent(self.share_face)}"
        hands = f"left hand in {percent(self.share_left_hand)}, right hand in {percent(self.share_right_hand)}"
        return [who, f"{parts}, {hands}."]

    def to_json(self) -> dict[str, Any]:
        """Plain values; ranges as lists of two."""
        return asdict(self) | {"without_person": [list(ends) for ends in self.without_person]}


def report(track: PoseTrack) -> PoseReport:
    """Look through a track of at least one frame."""
    seen = {part: (getattr(track, part)[..., 2] > 0).any(axis=1) for part in PARTS}
    person = np.any(list(seen.values()), axis=0)
    shares = {f"share_{part}": float(frames.mean()) if len(track) else 0.0 for part, frames in seen.items()}
    return PoseReport(frames=len(track), without_person=ranges_of(np.flatnonzero(~person)), **shares)


def ranges_of(numbers: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Rising whole numbers → the stretches (first, last) that they form."""
    numbers = np.asarray(numbers, dtype=int)
    if not len(numbers):
        return ()
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.r_[0, breaks + 1]], numbers[np.r_[breaks, len(numbers) - 1]]
    return tuple((int(first), int(last)) for first, last in zip(firsts, lasts, strict=True))


def ranges_text(ranges: tuple[tuple[int, int], ...]) -> str:
    """``frames 3, 86-110 and 4 more stretches``."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:_MOST_RANGES]]
    left = len(ranges) - len(shown)
    one = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
    text = f"{'frame' if one else 'frames'} {', '.join(shown)}"
    return f"{text} and {left} more {'stretch' if left == 1 else 'stretches'}" if left else text


def percent(share: float) -> str:
    """Rounded, but 100 % and 0 % only where they are exact."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(round(share * 100), 1), 99)}%"
