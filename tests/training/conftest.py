"""Videos of synthetic figures whose keypoints are known, and a training set made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

SIDE, CUT = 160, 20  # figures are drawn on 160 × 160, and 20 columns are cut off on both sides
SIZE = 96  # the stored frames' shorter side
FRAMES = {"long": 110, "middle": 70, "short": 24}
LOST = range(20, 23)  # frames of "long" without a person
FAINT = 40  # a frame of "long" whose nose is not sure


@dataclass
class KnownPoses:
    """A detector for videos whose poses are known: those of the next video with each reset."""

    tracks: Sequence
    stops_at: int = -1  # the video at which Ctrl-C comes
    name: str = "known"
    version: str = "1"
    finds_many: bool = False
    video: int = -1
    frame: int = 0
    seen: int = 0

    def reset(self) -> None:
        self.video, self.frame = self.video + 1, 0
        if self.video == self.stops_at:
            raise KeyboardInterrupt

    def detect(self, frame: np.ndarray) -> list:
        from magicpose_cli.pose.detector import PARTS, PersonPose

        track, index = self.tracks[self.video], self.frame
        self.frame += 1
        self.seen += 1
        pose = PersonPose(**{part: getattr(track, part)[index] for part in PARTS})
        return [pose] if pose.box else []

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Filmed:
    """Files, and the truth about them: keypoints in their pixels."""

    files: tuple[Path, ...]
    tracks: tuple

    def detector(self, first: int = 0, stops_at: int = -1) -> KnownPoses:
        return KnownPoses(self.tracks[first:], stops_at)


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """Three videos at 30 frames a second. In "long" a few frames have no person, or no sure nose."""
    from magicpose_cli.core.keypoints import NOSE
    from magicpose_cli.figures.motion import make_motion
    from magicpose_cli.figures.render import render, track_of
    from magicpose_cli.figures.scene import random_identity
    from magicpose_cli.video.write import write_video

    folder = tmp_path_factory.mktemp("filmed")
    files, tracks = [], []
    for seed, (name, count) in enumerate(FRAMES.items(), start=3):
        person, dance = random_identity(seed), make_motion(seed, count, fps=30)
        frames = (np.ascontiguousarray(render(person, pose, SIDE).image[:, CUT:-CUT]) for pose in dance)
        write_video(folder / f"{name}.mp4", frames, Fraction(30), width=SIDE - 2 * CUT, height=SIDE)
        track = track_of(person, dance, SIDE, 30).map_points(1, -CUT, 0, SIDE - 2 * CUT, SIDE)
        if name == "long":
            for part in ("body", "left_hand", "right_hand", "face"):
                getattr(track, part)[LOST] = 0
            track.body[FAINT, NOSE, 2] = 0.1
        files.append(folder / f"{name}.mp4")
        tracks.append(track)
    return Filmed(tuple(files), tuple(tracks))


def requested(filmed: Filmed, output: Path, **more):
    from magicpose_cli.training.data.dataset_request import DatasetRequest

    request = DatasetRequest(videos=filmed.files, output=output, size=SIZE, shard_megabytes=1, validation=0.3)
    return replace(request, **more)


@pytest.fixture(scope="session")
def training_set(filmed: Filmed, tmp_path_factory: pytest.TempPathFactory):
    """The set of the three videos: its folder and its table."""
    pytest.importorskip("webdataset", reason="webdataset comes with the extra 'train'")
    from magicpose_cli.training.data.make_dataset import make_dataset

    return make_dataset(requested(filmed, tmp_path_factory.mktemp("set") / "set"), detector=filmed.detector())


@pytest.fixture
def request_for(filmed: Filmed):
    """``request_for(output, **options)``: a request for a set of the three videos."""

    def made(output: Path, **options):
        return requested(filmed, output, **options)

    return made
