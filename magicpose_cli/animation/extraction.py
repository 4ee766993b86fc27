"""A driving video becomes a folder of poses: what ``extract`` does, and ``animate`` on the way."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from magicpose_cli.animation.kept_people import KeptPeople, what_people_hang_on
from magicpose_cli.animation.request import ExtractionRequest, check_extraction, parse_fps
from magicpose_cli.animation.run_folder import is_one_of, sha256_of
from magicpose_cli.conditions.draw import draw_track
from magicpose_cli.conditions.overlay import draw_overlay, draw_people
from magicpose_cli.core.clip import Clip
from magicpose_cli.core.errors import OutputError
from magicpose_cli.core.paths import poses_root
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.whole_folder import whole_folder
from magicpose_cli.core.work_folder import WorkFolder, work_folder
from magicpose_cli.pose.clip_info import CLIP_FILE, read_clip_info
from magicpose_cli.pose.detector import PART_SLICES, PersonPose
from magicpose_cli.pose.openpose_json import POSE_FOLDER_FILES, ClipInfo, check_poses_output, write_poses
from magicpose_cli.pose.registry import choose_detector, detector_version, make_detector
from magicpose_cli.pose.report import report
from magicpose_cli.pose.track import METHOD_VERSION, FollowedClip, extract_track, pose_at
from magicpose_cli.video.images import write_image
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.source import check_file
from magicpose_cli.video.write import write_video
from magicpose_cli.weights.registry import load_registry
from magicpose_cli.weights.verify import intact_files

MAPS_FOLDER = "maps"
PREVIEW_FILE = "preview.mp4"
PEOPLE_FILE = "people.png"
MAPS_SIZE = 512  # pixels on the shorter side
PREVIEW_SIZE = 540
_CHUNK = 16  # pose maps drawn at a time


@dataclass(frozen=True)
class ExtractionResult:
    """Where the poses lie and how good they are. ``sentences`` are the report for the user."""

    folder: Path
    frames: int
    fps: str
    width: int
    height: int
    detector: str
    report: dict
    sentences: tuple[str, ...]
    seconds: float
    partial: str = ""  # what of the driving video is missing


def extract(request: ExtractionRequest, progress: Progress = SILENT) -> ExtractionResult:
    """Find the person's poses in a video, GIF, image or folder of frames and write them as a folder.

    The folder appears whole or not at all. A run that was stopped goes on where it was. Raises NoPersonError where no
    frame shows a person.
    """
    check_extraction(request)
    with work_folder(request.output) as work:
        return _extract(request, work, progress)


def _extract(request: ExtractionRequest, work: WorkFolder, progress: Progress) -> ExtractionResult:
    # A process that ended when the folder had taken its place, and nothing else was left to do.
    half_done = is_one_of(request.output, work.results)
    overwrite = half_done or request.existing == "overwrite"
    check_poses_output(request.output, overwrite=overwrite)
    started = time.monotonic()
    clip = open_clip(
        request.driving,
        fps=parse_fps(request.fps) if request.fps else None,
        start=request.start,
        end=request.end,
        lenient=request.lenient,
    )
    for note in clip.notes:
        progress.note(note)
    driver_sha256 = sha256_of(request.driving)
    detector = make_detector(request.detector, device=request.device, find_weights=intact_files, progress=progress)
    try:
        if work.clear_unless(what_people_hang_on(request, driver_sha256, detector)):
            progress.note("what an interrupted run with other words or inputs had done is removed")
        if half_done and not work.results:
            check_poses_output(request.output, overwrite=request.existing == "overwrite")
        kept = KeptPeople(work)
        with work.told(progress, lambda: len(KeptPeople(work).found), clip.frame_count):
            followed = extract_track(
                clip,
                detector,
                person=request.person,
                raw=request.raw,
                progress=progress,
                found=kept.found,
                on_stretch=kept.keep,
            )
    finally:
        detector.close()
    track = followed.track
    quality = report(track, followed, start=request.start or 0)
    info = ClipInfo(
        fps=clip.fps,
        width=clip.width,
        height=clip.height,
        frame_count=len(track),
        driver=request.driving.name,
        driver_sha256=driver_sha256,
        detector=detector.name,
        detector_version=detector.version,
        sound=clip.sound,
        source_path=request.driving.absolute(),
        filled=quality.filled,
        swapped=quality.swapped,
        report=tuple(quality.sentences()),
    )
    with whole_folder(request.output, ours=POSE_FOLDER_FILES, overwrite=overwrite) as folder:
        write_poses(folder, track, info, overwrite=True)
        if request.maps:
            _write_maps(folder / MAPS_FOLDER, track, info, progress)
        if len(followed.people) > 1:
            write_image(folder / PEOPLE_FILE, people_picture(clip, followed))
        if request.preview:
            _write_preview(folder / PREVIEW_FILE, clip, track, progress)
        work.note_result(sha256_of(folder))
    return ExtractionResult(
        folder=request.output,
        frames=len(track),
        fps=str(clip.fps),
        width=clip.width,
        height=clip.height,
        detector=f"{detector.name} {detector.version}",
        report=quality.to_json(),
        sentences=info.report,
        seconds=time.monotonic() - started,
        partial=clip.partial,
    )


def cached_extraction(request: ExtractionRequest, progress: Progress = SILENT) -> Path:
    """The poses of a driving video, extracted once and kept in ``cache_folder`` (not in ``output``).

    What is to be known about them is told each time.
    """
    check_extraction(request)
    folder, name = cache_folder(request), request.driving.name
    if is_extracted(folder):
        progress.note(f"the poses of {name} were found in an earlier run: {folder}")
    else:

        def waiting(owner: int | None) -> None:
            progress.note(f"process {owner or '?'} is extracting the poses of {name}: waiting for it")

        with work_folder(folder, waiting) as work:
            if not is_extracted(folder):
                progress.note(f"{name} is a driving video: its poses are extracted first, and kept for next time")
                try:
                    _extract(
                        replace(request, output=folder, maps=False, preview=False, existing="refuse"), work, progress
                    )
                except OutputError:
                    if not is_extracted(folder):  # else, where locks do nothing, another run was done first
                        raise
    for sentence in read_clip_info(folder / CLIP_FILE).report:
        progress.note(sentence)
    if (folder / PEOPLE_FILE).exists():
        progress.note(f"the numbers of the people: {folder / PEOPLE_FILE}")
    return folder


def cache_folder(request: ExtractionRequest) -> Path:
    """Where under ``core.paths.poses_root()`` the poses of this driving video lie: named by its sha256 and the way.

    The way is the detector, with its version or its weights' sha256, what becomes of its people, and the request.
    """
    check_file(request.driving, folder_allowed=True)
    kind = choose_detector(request.detector, intact_files).kind
    networks = [load_registry().find(name).sha256 for name in kind.weights]
    detector = (kind.name, detector_version(kind), *networks, METHOD_VERSION)
    way = (*detector, request.person, request.raw, request.fps, request.start, request.end)
    key = hashlib.sha256(repr(way).encode()).hexdigest()[:8]
    return poses_root() / f"{sha256_of(request.driving)[:32]}-{key}"


def is_extracted(folder: Path) -> bool:
    return (folder / CLIP_FILE).is_file()


def drawn(track: PoseTrack) -> Iterator[np.ndarray]:
    """The pose maps of a track one by one, RGB uint8 (height, width, 3) of the track's own frame."""
    for start in range(0, len(track), _CHUNK):
        yield from draw_track(track, start, min(start + _CHUNK, len(track)))


def overlaid(frames: Iterable[np.ndarray], track: PoseTrack) -> Iterator[np.ndarray]:
    """Each frame, scaled to the track's size, with the skeleton on top: RGB uint8."""
    for index, frame in enumerate(frames):
        small = cv2.resize(frame, (track.width, track.height), interpolation=cv2.INTER_AREA)
        yield draw_overlay(small, pose_at(track, index))


def people_picture(clip: Clip, followed: FollowedClip) -> np.ndarray:
    """The first frame that shows the most of the people, with their skeletons and numbers: RGB uint8."""
    counts = np.zeros(len(followed.track), int)
    for person in followed.people:
        counts[person.frames] += 1
    index = int(counts.argmax())
    with closing(clip.frames()) as frames:
        frame = next(islice(frames, index, None))
    there = {}
    for number, person in enumerate(followed.people):
        for points in person.points[person.frames == index]:
            there[number] = PersonPose(**{part: points[of] for part, of in PART_SLICES.items()})
    return draw_people(frame, there)


def _write_maps(folder: Path, track: PoseTrack, info: ClipInfo, progress: Progress) -> None:
    """One PNG a frame, in the size on which the published networks saw their maps: 512 pixels on the shorter side.

    With them the clip's rate and sound, so that the folder is enough to animate with.
    """
    track = scaled_track(track, MAPS_SIZE / min(track.width, track.height))
    folder.mkdir()
    (folder / CLIP_FILE).write_text(json.dumps(info.to_json(), indent=2) + "\n", encoding="ascii")
    with progress.stage("drawing pose maps", len(track)) as advance:
        for index, pose_map in enumerate(drawn(track)):
            write_image(folder / f"{index:06d}.png", pose_map)
            advance()


def _write_preview(path: Path, clip: Clip, track: PoseTrack, progress: Progress) -> None:
    track = scaled_track(track, min(1.0, PREVIEW_SIZE / min(track.width, track.height)))
    write_video(
        path,
        overlaid(clip.frames(), track),
        clip.fps,
        width=track.width,
        height=track.height,
        sound=clip.sound,
        expected_frames=len(track),
        progress=progress,
    )


def scaled_track(track: PoseTrack, scale: float) -> PoseTrack:
    """The track in a frame ``scale`` times as large, its size rounded to whole pixels."""
    return track.map_points(scale, 0, 0, max(1, round(track.width * scale)), max(1, round(track.height * scale)))
