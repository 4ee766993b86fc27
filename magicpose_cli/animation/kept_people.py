"""People that a detector found, stretch by stretch of a clip, in the work folder of an extraction."""

from dataclasses import asdict
from typing import Any

import numpy as np

from magicpose_cli.animation.request import ExtractionRequest
from magicpose_cli.animation.versions import versions
from magicpose_cli.core.work_folder import WorkFolder
from magicpose_cli.pose.detector import PART_SLICES, PARTS, PersonPose, PoseDetector

_VERSION = 1  # of what is kept


def what_people_hang_on(request: ExtractionRequest, driver_sha256: str, detector: PoseDetector) -> dict[str, Any]:
    """Plain data: with the same, the same comes out."""
    said = {name: value for name, value in asdict(request).items() if name not in ("driving", "output", "existing")}
    return {
        "version": _VERSION,
        "request": said,
        "driver": driver_sha256,
        "detector": [detector.name, detector.version, detector.device],
        "versions": versions(),
    }


class KeptPeople:
    """What is in the folder: ``found``, everyone in each frame of the stretches that are done."""

    def __init__(self, work: WorkFolder) -> None:
        self._work = work
        self.found: list[list[PersonPose]] = []
        while (kept := work.kept(_name(len(self.found)))) is not None:
            self.found += _people(kept[1])

    def keep(self, start: int, people: list[list[PersonPose]]) -> None:
        """A stretch that begins with the frame ``start``."""
        points = [person.points for frame in people for person in frame]
        arrays = {
            "counts": np.array([len(frame) for frame in people]),
            "points": np.stack(points) if points else np.empty((0, sum(PARTS.values()), 3), np.float32),
        }
        self._work.keep(_name(start), {}, arrays)


def _people(arrays: dict[str, np.ndarray]) -> list[list[PersonPose]]:
    everyone = iter(
        [PersonPose(**{part: points[of] for part, of in PART_SLICES.items()}) for points in arrays["points"]]
    )
    return [[next(everyone) for _ in range(count)] for count in arrays["counts"]]


def _name(start: int) -> str:
    return f"people-{start:09d}"
