"""Pose folders: one OpenPose JSON file a frame, and ``clip.json`` with what the frames cannot say.

``000000_keypoints.json``, … each ``{"version", "canvas_width", "canvas_height", "people": [{"pose_keypoints_2d": 18×3,
"hand_left_keypoints_2d": 21×3, "hand_right_keypoints_2d": 21×3, "face_keypoints_2d": 70×3}]}`` in pixels of the upright
driving frame. Source: OpenPose's output format, as ControlNet and ComfyUI tools read it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from magicpose_cli.core.clip import DEFAULT_RATE
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.whole_folder import check_folder_place, whole_folder
from magicpose_cli.pose.clip_info import CLIP_FILE, ClipInfo, read_clip_info
from magicpose_cli.pose.detector import PARTS, PersonPose
from magicpose_cli.pose.frame_files import KEYPOINTS_END, frame_files
from magicpose_cli.pose.openpose_people import FrameError, canvas_of, frame_of, people_of
from magicpose_cli.pose.ranges import ranges_of, ranges_text
from magicpose_cli.pose.strict_json import read_json

__all__ = ["ClipInfo", "PoseFolder", "check_poses_output", "read_poses", "write_poses"]

_MOST_FRAME_BYTES = 16_000_000
_MOST_LIST_BYTES = 128_000_000

# What an extract folder may hold: a folder of these alone may be replaced.
POSE_FOLDER_FILES = re.compile(
    rf"[0-9]+{re.escape(KEYPOINTS_END)}|preview\.mp4|people\.png|maps|maps/[0-9]+\.png|(maps/)?({re.escape(CLIP_FILE)}|\.DS_Store)"
)


@dataclass(frozen=True)
class PoseFolder:
    """Poses as read: the track, ``clip.json`` where there was one, and sentences on what was taken for what."""

    track: PoseTrack
    info: ClipInfo | None
    notes: tuple[str, ...] = ()


def check_poses_output(folder: Path, *, overwrite: bool = False) -> None:
    """Raise OutputError where ``write_poses`` would refuse: call it before the frames are decoded."""
    check_folder_place(Path(folder), ours=POSE_FOLDER_FILES, overwrite=overwrite)


def write_poses(folder: Path, track: PoseTrack, info: ClipInfo, overwrite: bool = False) -> None:
    """Write a pose folder, whole or not at all; ``read_poses`` gives the same track back, bit by bit.

    An existing folder that is not empty is replaced only with ``overwrite``, and only if it holds nothing but what
    magicpose writes there. Raises OutputError, DiskFullError.
    """
    if (info.width, info.height, info.fps, info.frame_count) != (track.width, track.height, track.fps, len(track)):
        raise ValueError("the clip's size, rate or frame count are not the track's")
    with whole_folder(Path(folder), ours=POSE_FOLDER_FILES, overwrite=overwrite) as new:
        for index in range(len(track)):
            pose = PersonPose(**{part: getattr(track, part)[index] for part in PARTS})
            _write_json(new / f"{index:06d}{KEYPOINTS_END}", frame_of(pose, track.width, track.height))
        _write_json(new / CLIP_FILE, info.to_json(), indent=2)


def read_poses(path: Path, *, fps: Fraction | None = None) -> PoseFolder:
    """Read a pose folder, any folder of OpenPose JSON, or one JSON file with a frame or a list of frames.

    Taken as they come, each with a note: BODY_25, coordinates from 0 to 1, frames without a file (nobody is in them),
    several people (the largest in each frame). Without ``clip.json`` the track's rate is ``fps``, else 25, and ``info``
    is None, so that the caller can say so.
    Raises InputError, with the file's name, for what is not that; LimitError for files too large to be that.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder", "check the path")
    clip_file = path / CLIP_FILE
    info = read_clip_info(clip_file) if path.is_dir() and clip_file.exists() else None
    files, notes = frame_files(path) if path.is_dir() else ([(0, path)], [])
    gathered = _Gathered(path, info)
    for number, label, frame in _frames(files):
        gathered.add(number, label, frame)
    return gathered.finish(fps, notes)


def _frames(files: list[tuple[int, Path]]) -> Iterator[tuple[int, str, Any]]:
    """Frame number, its name for errors, its JSON value."""
    for number, file in files:
        value = read_json(file, _MOST_LIST_BYTES if len(files) == 1 else _MOST_FRAME_BYTES)
        if len(files) == 1 and isinstance(value, list):
            if not value:
                raise InputError(f"{file}: the list of frames is empty", "extract the poses again")
            for place, frame in enumerate(value):
                yield place, f"{file}: frame {place}", frame
        else:
            yield number, str(file), value


@dataclass
class _Gathered:
    """Frames as they are read, and what is learned on the way."""

    path: Path
    info: ClipInfo | None
    poses: dict[int, PersonPose] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    body_25: int = 0
    crowded: int = 0

    def add(self, number: int, label: str, frame: Any) -> None:
        try:
            people, layout = people_of(frame)
            canvas = canvas_of(frame)
        except FrameError as error:
            raise InputError(
                f"{label}: {error}", "use OpenPose JSON with 18 or 25 body points, 21 a hand, 70 of the face"
            ) from error
        if canvas and self.size and canvas != self.size:
            raise InputError(
                f"{label}: its canvas is {canvas[0]}x{canvas[1]}, that of earlier frames {self.size[0]}x{self.size[1]}",
                "give the frames of one video",
            )
        self.size = self.size or canvas
        people = [pose for pose in people if pose.box is not None]
        self.body_25 += layout == "25"
        self.crowded += len(people) > 1
        self.poses[number] = max(people, key=lambda pose: pose.area, default=PersonPose.empty())

    def finish(self, fps: Fraction | None, notes: list[str]) -> PoseFolder:
        first = 0 if self.info else min(self.poses)
        said = self.info.frame_count if self.info else 0
        count = max(max(self.poses) - first + 1, said)
        if self.info and said < count:
            notes.append(f"{CLIP_FILE} says {said} frames, the files go on to frame {count - 1}: all are taken")
        if absent := ranges_of(np.array([n for n in range(first, first + count) if n not in self.poses])):
            notes.append(f"no file for {ranges_text(absent)}: nobody is taken to be there")
        arrays = {part: np.zeros((count, points, 3), np.float32) for part, points in PARTS.items()}
        for number, pose in self.poses.items():
            for part, array in arrays.items():
                array[number - first] = getattr(pose, part)
        if self.body_25:
            notes.append("OpenPose BODY_25 was read: the hips' middle and the feet are left out")
        if self.crowded:
            notes.append(f"several people in {self.crowded} of {count} frames: the largest in each frame is taken")
        width, height = self._fit_size(arrays, notes)
        rate = fps or (self.info.fps if self.info else DEFAULT_RATE)
        return PoseFolder(PoseTrack(**arrays, width=width, height=height, fps=rate), self.info, tuple(notes))

    def _fit_size(self, arrays: dict[str, np.ndarray], notes: list[str]) -> tuple[int, int]:
        """The frame's size in pixels; coordinates from 0 to 1 become pixels in place."""
        if self.info:
            if self.size and self.size != (self.info.width, self.info.height):
                raise InputError(
                    f"{self.path}: {CLIP_FILE} says {self.info.width}x{self.info.height}, "
                    f"the frames' canvas is {self.size[0]}x{self.size[1]}",
                    f"correct {CLIP_FILE}, or delete it to use the frames without it",
                )
            return self.info.width, self.info.height
        there = np.concatenate([points[points[..., 2] > 0, :2] for points in arrays.values()])
        # Pixels never all lie in a corner of 2 × 2; shares of the picture may lie a little outside of it.
        shares = len(there) > 0 and there.min() >= -1 and there.max() <= 2 and (not self.size or min(self.size) >= 16)
        if shares and not self.size:
            raise InputError(
                f"{self.path}: the coordinates are shares of the picture (0 to 1), and nothing says how large it is",
                "add canvas_width and canvas_height to the JSON",
            )
        if self.size and shares:
            for points in arrays.values():
                points[..., :2] *= self.size
            notes.append(f"the coordinates are shares of the picture: scaled to {self.size[0]}x{self.size[1]} pixels")
        if not self.size:
            if not len(there):
                raise InputError(
                    f"{self.path}: no frame holds a person, and nothing says the picture's size",
                    "extract the poses again",
                )
            right, bottom = there.max(axis=0)
            self.size = max(1, int(np.ceil(right))), max(1, int(np.ceil(bottom)))
            notes.append(
                "the files do not say the picture's size: "
                f"{self.size[0]}x{self.size[1]} pixels are taken, which just hold all points"
            )
        return self.size


def _write_json(path: Path, value: Any, indent: int | None = None) -> None:
    separators = None if indent else (",", ":")
    text = json.dumps(value, allow_nan=False, indent=indent, separators=separators)
    with open(path, "x", encoding="ascii", newline="\n") as file:
        file.write(text + "\n")
