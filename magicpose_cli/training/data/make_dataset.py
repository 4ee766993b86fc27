"""Real videos → a training set of shards: what ``magicpose dataset`` does.

Each video becomes a part in a work folder beside the output; when all are there, their segments are mixed into shards,
and the work folder goes. The output appears whole or not at all, and an interrupted run keeps the parts it made.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from magicpose_cli.core.choices import check_person
from magicpose_cli.core.clip import Clip
from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.errors import DiskFullError, InputError, LimitError, NoPersonError, OutputError
from magicpose_cli.core.image_files import image_files
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.whole_folder import check_folder_place, whole_folder
from magicpose_cli.pose.detector import PoseDetector
from magicpose_cli.pose.registry import make_detector
from magicpose_cli.training.data.dataset_request import DatasetRequest, check_dataset
from magicpose_cli.training.data.pack import split_by_video, write_shards
from magicpose_cli.training.data.parts import (
    SEGMENT_FRAMES,
    SPREAD_FRAMES,
    make_drawn_part,
    make_part,
    read_row,
)
from magicpose_cli.training.data.segment import FPS
from magicpose_cli.training.data.table import SHARD_FILES, DatasetTable, VideoRow, write_table
from magicpose_cli.training.data.tar_files import webdataset
from magicpose_cli.training.data.videos import Source, find_sources, identity
from magicpose_cli.video.probe import probe
from magicpose_cli.video.read import open_clip
from magicpose_cli.weights.verify import intact_files


@dataclass(frozen=True)
class DatasetResult:
    """Where the set is, and its table."""

    folder: Path
    table: DatasetTable
    seconds: float


@dataclass(frozen=True)
class _Job:
    """One video to go through. ``clip`` is None where the poses come drawn."""

    source: Source
    sha256: str
    frames: int
    clip: Clip | None
    own_fps: float | None


def make_dataset(
    request: DatasetRequest, progress: Progress = SILENT, detector: PoseDetector | None = None
) -> DatasetResult:
    """Make the training set that ``request`` asks for. The folder appears whole or not at all.

    ``detector``: one of the caller's own, in place of the one that the request names; it stays open.
    Raises InputError where a video cannot be read (passed over where ``lenient``), NoPersonError where no video has
    two usable frames, OutputError, DiskFullError, and UsageError for options out of range.
    """
    check_dataset(request)
    check_folder_place(request.output, ours=SHARD_FILES, overwrite=request.overwrite)
    webdataset()  # not after hours of work
    began = time.monotonic()
    progress.plan(3)
    jobs, unreadable = _jobs(request, progress)
    with ExitStack() as stack:
        if detector is None and any(job.clip for job in jobs):
            made = make_detector(request.detector, find_weights=intact_files, progress=progress)
            detector = stack.enter_context(closing(made))
        if detector is not None:
            check_person(request.person)
        options = _options(request, detector)
        with _work_folder(request.output) as work:
            rows, parts = [], []
            for row, part in _made(request, jobs, options, detector, work, unreadable, progress):
                rows.append(row)
                parts.append(part)
            if not any(row.segments for row in rows):
                shutil.rmtree(work, ignore_errors=True)
                raise NoPersonError(
                    f"none of {len(rows)} videos has two usable frames: {_why(rows)}",
                    "use videos of one person, well lit, with head and shoulders in the picture",
                )
            rows = split_by_video(rows, request.validation)
            with whole_folder(request.output, ours=SHARD_FILES, overwrite=request.overwrite) as folder:
                shards = write_shards(folder, rows, parts, request.shard_megabytes, progress)
                table = DatasetTable(options, tuple(rows), tuple(unreadable), tuple(shards))
                write_table(folder, table)
            shutil.rmtree(work, ignore_errors=True)
    return DatasetResult(request.output, table, time.monotonic() - began)


def _jobs(request: DatasetRequest, progress: Progress) -> tuple[list[_Job], list[tuple[str, str]]]:
    """Look at every video before the long work, so that a wrong name at the end of the line costs seconds."""
    sources = find_sources(request.videos)
    jobs: dict[str, _Job] = {}
    unreadable: list[tuple[str, str]] = []
    with progress.stage("looking at the videos", len(sources), "video") as advance:
        for source in sources:
            advance(1, source.name)
            try:
                job = _job(source)
            except (InputError, LimitError) as error:
                _pass_over(source, error, request.lenient, unreadable, progress)
                continue
            if job.sha256 in jobs:
                progress.note(f"{source.name} is the same video as {jobs[job.sha256].source.name}: taken once")
                continue
            jobs[job.sha256] = job
    return list(jobs.values()), unreadable


def _job(source: Source) -> _Job:
    if source.maps is not None:
        image_files(source.maps)
        return _Job(source, identity(source), len(image_files(source.path)), None, None)
    clip = open_clip(source.path, fps=Fraction(FPS))
    own_fps = None if source.path.is_dir() else float(probe(source.path).fps)
    return _Job(source, identity(source), clip.frame_count, clip, own_fps)


def _pass_over(
    source: Source,
    error: InputError | LimitError,
    lenient: bool,
    unreadable: list[tuple[str, str]],
    progress: Progress,
) -> None:
    if not lenient:
        hint = f"{error.hint}; or pass over videos that cannot be read with --lenient" if error.hint else ""
        raise type(error)(error.message, hint or "pass over videos that cannot be read with --lenient") from error
    unreadable.append((source.name, error.message))
    progress.note(f"passed over: {error.message}")


def _made(
    request: DatasetRequest,
    jobs: list[_Job],
    options: dict[str, Any],
    detector: PoseDetector | None,
    work: Path,
    unreadable: list[tuple[str, str]],
    progress: Progress,
) -> Iterator[tuple[VideoRow, Path]]:
    """The row and part of each video: from an interrupted run, or made now."""
    places = [work / f"{_key(job, options)}.tar" for job in jobs]
    kept = [read_row(part) for part in places]
    before = sum(job.frames for job, row in zip(jobs, kept, strict=True) if row)
    if any(kept):
        progress.note(f"an interrupted run left {sum(row is not None for row in kept)} of {len(jobs)} videos done")
    with progress.stage("finding poses", sum(job.frames for job in jobs), done=before) as advance:
        for job, part, row in zip(jobs, places, kept, strict=True):
            if row is None:
                try:
                    if job.clip is None:
                        row = make_drawn_part(part, job.source, job.sha256, request, advance)
                    else:
                        row = make_part(part, job.source, job.sha256, job.clip, job.own_fps, detector, request, advance)
                except (InputError, LimitError) as error:
                    _pass_over(job.source, error, request.lenient, unreadable, progress)
                    continue
            yield replace(row, name=job.source.name), part


def _options(request: DatasetRequest, detector: PoseDetector | None) -> dict[str, Any]:
    """What decides how a video's part turns out, and what the table tells of how the set was made."""
    return {
        "fps": FPS,
        "size": request.size,
        "detector": f"{detector.name} {detector.version}" if detector else None,
        "person": request.person,
        "usable": asdict(request.usable),
        "segment_frames": SEGMENT_FRAMES,
        "spread_frames": SPREAD_FRAMES,
        "validation": request.validation,
    }


def _key(job: _Job, options: dict[str, Any]) -> str:
    way = {name: value for name, value in options.items() if name != "validation"}
    return hashlib.sha256(json.dumps([job.sha256, way], sort_keys=True).encode()).hexdigest()[:32]


@contextmanager
def _work_folder(output: Path) -> Iterator[Path]:
    """Beside the output, so that it is on the same disk, and found again. What was made in it stays on any error."""
    place = Path(os.path.realpath(output))
    name = hashlib.sha256(os.fsencode(place.name)).hexdigest()[:12]
    work = place.parent / f".magicpose-dataset-{name}"
    try:
        work.mkdir(parents=True, exist_ok=True)
        yield work
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"{work}: the disk is full", "make room and run the same command again: it goes on where it was"
            ) from error
        raise OutputError(f"{work}: cannot be written: {error.strerror or error}", "choose another output") from error
    finally:
        with suppress(OSError):
            work.rmdir()  # where nothing was made


def _why(rows: list[VideoRow]) -> str:
    reasons = sorted({reason for row in rows for reason in row.dropped})
    return ", ".join(reasons) or "each has one frame"
