"""One video becomes one *part*: a tar of its segments, and a row that says what was kept and what was not.

Parts lie in a work folder until all videos are done, so that an interrupted run goes on with the next video.
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from magicpose_cli.conditions.framing import resize
from magicpose_cli.conditions.map_reading import is_black
from magicpose_cli.core.clip import Clip
from magicpose_cli.core.errors import NoPersonError
from magicpose_cli.core.image_files import image_files
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.progress import Advance
from magicpose_cli.pose.detector import PART_SLICES, PARTS, PersonPose, PoseDetector
from magicpose_cli.pose.ranges import ranges_of
from magicpose_cli.pose.track import find_people, follow_person
from magicpose_cli.training.data.dataset_request import DatasetRequest
from magicpose_cli.training.data.segment import FPS, SegmentInfo, encoded, segment_files
from magicpose_cli.training.data.table import VideoRow
from magicpose_cli.training.data.tar_files import tar_writer
from magicpose_cli.training.data.usable import BLACK_MAP, NO_PARTNER, ODD_MAP, ODD_SIZE, sees, why_unusable
from magicpose_cli.training.data.videos import Source
from magicpose_cli.video.images import read_image
from magicpose_cli.video.output import whole_output

SEGMENT_FRAMES = 64  # 16 frames at 8 a second and up; a rest shorter than half joins the segment before
SPREAD_FRAMES = 8
_GOLDEN = 0.6180339887  # steps of it spread over [0, 1) evenly, however many there are


@dataclass
class _Kept:
    """The usable frames of one video on their way to a part. Pictures and maps wait on disk: there may be thousands."""

    spool: BinaryIO
    numbers: list[int] = field(default_factory=list)
    pictures: list[tuple[int, int]] = field(default_factory=list)
    maps: list[tuple[int, int]] = field(default_factory=list)
    reasons: dict[str, list[int]] = field(default_factory=dict)
    faces: int = 0
    hands: int = 0

    def keep(self, data: bytes) -> tuple[int, int]:
        place = self.spool.seek(0, os.SEEK_END), len(data)
        self.spool.write(data)
        return place

    def kept(self, place: tuple[int, int]) -> bytes:
        self.spool.seek(place[0])
        return self.spool.read(place[1])

    def drop(self, number: int, reason: str) -> None:
        self.reasons.setdefault(reason, []).append(number)

    def dropped(self) -> dict[str, tuple[tuple[int, int], ...]]:
        return {reason: ranges_of(np.array(numbers)) for reason, numbers in sorted(self.reasons.items())}


def make_part(
    part: Path,
    source: Source,
    sha256: str,
    clip: Clip,
    own_fps: float | None,
    detector: PoseDetector,
    request: DatasetRequest,
    advance: Advance,
) -> VideoRow:
    """Detect, keep and store one video at 30 frames a second: ``part`` and, written last, its row.

    Frames are judged by what the detector saw, for nothing is to be learnt from points that were filled in.

    Raises InputError where the video turns out damaged.
    """
    width, height = _stored_size(clip.width, clip.height, request.size)
    with tempfile.TemporaryFile(dir=part.parent) as spool:
        kept = _Kept(spool)

        def look(number: int, frame: np.ndarray, pose: PersonPose | None) -> None:
            if reason := why_unusable(pose, clip.width, clip.height, request.usable):
                return kept.drop(number, reason)
            kept.numbers.append(number)
            kept.pictures.append(kept.keep(encoded(resize(frame, width, height), "jpg")))
            kept.faces += sees(pose, "face")
            kept.hands += sees(pose, "left_hand", "right_hand")

        found = find_people(clip, detector, lambda: advance(1, source.name))
        detected: dict[int, PersonPose] = {}
        try:
            followed = follow_person(clip, found, person=request.person)
            track, person = followed.track, followed.people[followed.chosen]
            for number, points in zip(person.frames.tolist(), person.points, strict=True):
                detected[number] = PersonPose(**{part: points[of] for part, of in PART_SLICES.items()})
        except NoPersonError:
            track = PoseTrack.empty(len(found), clip.width, clip.height, clip.fps)
        for number, frame in zip(range(len(track)), clip.frames(), strict=False):
            look(number, frame, detected.get(number))
        poses = _stored_poses(track, kept.numbers, width, height)
        row = _row(source, sha256, width, height, own_fps, clip.frame_count, kept, known=True)
        _write_part(part, row, kept, poses, "jpg")
    return row


def make_drawn_part(part: Path, source: Source, sha256: str, request: DatasetRequest, advance: Advance) -> VideoRow:
    """Store one folder of frames with the pose maps that lie under the same names in ``source.maps``.

    Frames that are PNGs stay PNGs, maps always do. Raises InputError for a picture that cannot be read.
    """
    frames = image_files(source.path)
    partners = {file.stem: file for file in image_files(source.maps)}
    first = read_image(frames[0])
    width, height = _stored_size(first.shape[1], first.shape[0], request.size)
    suffix = "png" if frames[0].suffix.lower() == ".png" else "jpg"
    with tempfile.TemporaryFile(dir=part.parent) as spool:
        kept = _Kept(spool)
        for number, file in enumerate(frames):
            advance(1, source.name)
            partner = partners.get(file.stem)
            if partner is None:
                kept.drop(number, NO_PARTNER)
                continue
            frame, pose_map = read_image(file), read_image(partner)
            if frame.shape != first.shape:
                kept.drop(number, ODD_SIZE)
            elif not _same_shape(frame, pose_map):
                kept.drop(number, ODD_MAP)
            elif is_black(pose_map):
                kept.drop(number, BLACK_MAP)
            else:
                kept.numbers.append(number)
                kept.pictures.append(kept.keep(encoded(resize(frame, width, height), suffix)))
                kept.maps.append(kept.keep(encoded(resize(pose_map, width, height), "png")))
        row = _row(source, sha256, width, height, None, len(frames), kept, known=False)
        _write_part(part, row, kept, None, suffix)
    return row


def read_row(part: Path) -> VideoRow | None:
    """The row of a part that is complete, or None."""
    try:
        return VideoRow(**json.loads(part.with_suffix(".json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def segment_stretches(count: int) -> list[range]:
    """``count`` usable frames cut into segments of 64; a rest of less than 32 joins the one before."""
    whole = max(1, (count + SEGMENT_FRAMES // 2) // SEGMENT_FRAMES)
    starts = [n * SEGMENT_FRAMES for n in range(whole)]
    return [range(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True)]


def spread_indexes(segment: int, count: int) -> list[int]:
    """Eight of ``count`` frames, one from each eighth of them: others in each segment, so that all have their turn."""
    shift = segment * _GOLDEN % 1
    return sorted({int((n + shift) * count / SPREAD_FRAMES) for n in range(SPREAD_FRAMES)})


def _write_part(part: Path, row: VideoRow, kept: _Kept, poses: PoseTrack | None, suffix: str) -> None:
    if row.segments:
        with whole_output(part, overwrite=True) as temporary, temporary.open("wb") as file, tar_writer(file) as writer:
            for number, stretch in enumerate(segment_stretches(row.kept)):
                spread = spread_indexes(number, row.kept)
                chosen = [*stretch, *spread]
                info = SegmentInfo(
                    video=row.name,
                    sha256=row.sha256,
                    numbers=tuple(kept.numbers[n] for n in chosen),
                    spread=len(spread),
                    width=row.width,
                    height=row.height,
                    picture=suffix,
                    drawn=bool(kept.maps),
                )
                pictures = [kept.kept(kept.pictures[n]) for n in chosen]
                maps = [kept.kept(kept.maps[n]) for n in chosen] if kept.maps else []
                files = segment_files(info, pictures, None if poses is None else poses[chosen], maps)
                writer.write({"__key__": f"{row.sha256[:16]}-{number:05d}", **files})
    with whole_output(part.with_suffix(".json"), overwrite=True) as temporary:
        temporary.write_text(json.dumps(asdict(row)), encoding="utf-8")


def _row(
    source: Source,
    sha256: str,
    width: int,
    height: int,
    own_fps: float | None,
    frames: int,
    kept: _Kept,
    *,
    known: bool,
) -> VideoRow:
    count = len(kept.numbers)
    known = known and count > 0
    return VideoRow(
        name=source.name,
        sha256=sha256,
        width=width,
        height=height,
        own_fps=own_fps,
        frames=frames,
        kept=count,
        dropped=kept.dropped(),
        face=kept.faces / count if known else None,
        hands=kept.hands / count if known else None,
        # One frame is no video: reference and target would be the same picture.
        segments=len(segment_stretches(count)) if count > 1 else 0,
    )


def _stored_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height with a shorter side of ``size``; a smaller picture stays as it is."""
    scale = min(1.0, size / min(width, height))
    return round(width * scale), round(height * scale)


def _stored_poses(track: PoseTrack, numbers: list[int], width: int, height: int) -> PoseTrack:
    """The poses of the kept frames in pixels of the stored ones."""
    factors = np.array([width / track.width, height / track.height, 1], np.float32)
    parts = {part: getattr(track, part)[numbers] * factors for part in PARTS}
    return PoseTrack(**parts, width=width, height=height, fps=Fraction(FPS))


def _same_shape(frame: np.ndarray, pose_map: np.ndarray) -> bool:
    """Whether the map shows the same picture, perhaps at another size."""
    (height, width), (map_height, map_width) = frame.shape[:2], pose_map.shape[:2]
    return abs(width * map_height - height * map_width) <= max(width, height)
