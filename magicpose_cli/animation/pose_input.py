"""Whatever the user gives as POSES, as a pose track or as pose maps with timing and sound.

Taken: a folder of ``extract``, any folder (or list file) of OpenPose JSON, a folder of pose-map images, a pose-map
video, or a driving video (a GIF, an image or a folder of frames too), whose poses are extracted on the way.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from magicpose_cli.animation.extraction import cache_folder, cached_extraction, is_extracted
from magicpose_cli.animation.request import AnimationRequest, ExtractionRequest, parse_fps
from magicpose_cli.animation.run_folder import sha256_of
from magicpose_cli.conditions.map_reading import looks_like_pose_maps
from magicpose_cli.conditions.pose_maps import PoseMapSource, open_pose_maps, pose_maps_from_clip
from magicpose_cli.core.clip import DEFAULT_RATE, Clip, SoundSource
from magicpose_cli.core.errors import InputError, NoPersonError, UsageError
from magicpose_cli.core.image_files import IMAGE_SUFFIXES
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.pose.clip_info import CLIP_FILE, ClipInfo, read_clip_info
from magicpose_cli.pose.openpose_json import read_poses
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.source import check_file

_SAMPLES = 5  # frames looked at to tell pose maps from a driving video
_SAMPLE_GAP = 10


@dataclass(frozen=True)
class PoseInput:
    """Poses of ``frame_count`` frames at ``fps``: either ``track`` or ``pose_maps`` is set.

    ``kind`` is "poses", "pose maps" or "driving video"; ``sha256`` is of what the user gave.
    """

    kind: str
    path: Path
    fps: Fraction
    track: PoseTrack | None = None
    pose_maps: PoseMapSource | None = None
    sound: SoundSource | None = None
    notes: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def frame_count(self) -> int:
        if self.track is not None:
            return len(self.track)
        assert self.pose_maps is not None
        return self.pose_maps.frame_count


def kind_of(path: Path) -> str:
    """ "poses", "pose maps" or "driving video", by what lies there. Raises InputError."""
    check_file(path, folder_allowed=True)
    if path.is_dir():
        files = [p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")]
        names = [p.suffix.lower() for p in files if p.name != CLIP_FILE]
        if ".json" in names:
            return "poses"
        if not any(name in IMAGE_SUFFIXES for name in names):
            raise InputError(
                f"the folder {path} holds neither poses (.json) nor images",
                "give a folder from 'magicpose extract', or a driving video",
            )
    elif path.suffix.lower() == ".json":
        return "poses"
    return "pose maps" if _shows_pose_maps(open_clip(path)) else "driving video"


def _shows_pose_maps(clip: Clip) -> bool:
    gap = max(1, min(_SAMPLE_GAP, clip.frame_count // _SAMPLES))
    return looks_like_pose_maps(islice(clip.frames(), 0, gap * _SAMPLES, gap))


def open_pose_input(request: AnimationRequest, progress: Progress = SILENT) -> PoseInput:
    """Open the request's ``poses``, cut to ``start`` … ``end`` and brought to ``fps``."""
    kind = kind_of(request.poses)
    if kind == "poses":
        found = _from_poses(request)
    elif kind == "pose maps":
        found = _from_pose_maps(request)
    else:
        found = _from_driving_video(request, progress)
    if found.track is not None and not found.track.body[..., 2].any():
        raise NoPersonError(
            f"{request.poses} shows no person in any of its {found.frame_count} frames",
            "give poses in which a person is seen",
        )
    return replace(found, kind=kind, path=request.poses, sha256=sha256_of(request.poses))


def _from_poses(request: AnimationRequest) -> PoseInput:
    timed = (request.poses / CLIP_FILE).is_file()  # then --fps picks frames; else it says what they are
    folder = read_poses(request.poses, fps=parse_fps(request.fps) if request.fps and not timed else None)
    track = folder.track
    indices, fps = picked_frames(len(track), track.fps, request)
    sound, notes = _sound_of(folder.info, request, len(indices) / fps)
    picked = replace(_taken(track, indices), fps=fps)
    notes = (*folder.notes, *_rate_note("poses", folder.info, track.fps, request), *notes)
    return PoseInput("", request.poses, fps, track=picked, sound=sound, notes=notes)


def _rate_note(what: str, info: ClipInfo | None, rate: Fraction, request: AnimationRequest) -> tuple[str, ...]:
    """A sentence where neither the folder nor the user says how fast it goes."""
    if info is not None or request.fps:
        return ()
    said = f"nothing says the frame rate of these {what}: {rate} frames a second are taken; --fps gives another"
    return (said,)


def _sound_of(
    info: ClipInfo | None, request: AnimationRequest, duration: Fraction
) -> tuple[SoundSource | None, tuple[str, ...]]:
    """The driver's sound for the asked stretch, where its file is still there; and a sentence where it is not."""
    if info is None or info.sound is None:
        return None, ()
    sound = info.sound
    if not sound.path.is_file():
        gone = f"the sound of {sound.path} is gone, so the video will be silent; --audio FILE gives another"
        return None, (gone,) if request.audio == "auto" else ()
    first = Fraction(str(request.start)) if request.start is not None else Fraction(0)
    if first >= sound.duration:
        return None, ()
    return replace(sound, start=sound.start + first, duration=min(duration, sound.duration - first)), ()


def _taken(track: PoseTrack, indices: np.ndarray) -> PoseTrack:
    parts = {name: getattr(track, name)[indices] for name in ("body", "left_hand", "right_hand", "face")}
    return replace(track, **parts)


def _from_pose_maps(request: AnimationRequest) -> PoseInput:
    if not request.poses.is_dir():
        fps = parse_fps(request.fps) if request.fps else None
        clip = open_clip(request.poses, fps=fps, start=request.start, end=request.end)
        source = pose_maps_from_clip(clip)
        return PoseInput(
            "", request.poses, clip.fps, pose_maps=source, sound=clip.sound, notes=source.notes + clip.notes
        )
    source = open_pose_maps(request.poses)
    clip_file = request.poses / CLIP_FILE
    info = read_clip_info(clip_file) if clip_file.is_file() else None
    rate = info.fps if info is not None else parse_fps(request.fps) if request.fps else DEFAULT_RATE
    notes = source.notes + _rate_note("images", info, rate, request)
    indices, fps = picked_frames(source.frame_count, rate, request)
    sound, about_sound = _sound_of(info, request, len(indices) / fps)
    maps = _picked_maps(source, indices)
    return PoseInput("", request.poses, fps, pose_maps=maps, sound=sound, notes=notes + about_sound)


def _picked_maps(source: PoseMapSource, indices: np.ndarray) -> PoseMapSource:
    if np.array_equal(indices, np.arange(source.frame_count)):
        return source

    def read(start: int, stop: int) -> np.ndarray:
        wanted = indices[start:stop]
        first = int(wanted[0])
        return source.read(first, int(wanted[-1]) + 1)[wanted - first]

    return replace(source, frame_count=len(indices), read=read)


def _from_driving_video(request: AnimationRequest, progress: Progress) -> PoseInput:
    poses = read_poses(cached_extraction(_extraction(request), progress))
    assert poses.info is not None
    sound = poses.info.sound
    if sound is not None:
        sound = replace(sound, path=request.poses.absolute())  # the same content may have moved
    return PoseInput("", request.poses, poses.track.fps, track=poses.track, sound=sound, notes=poses.notes)


def must_extract(request: AnimationRequest) -> bool:
    """True where the request's poses are a driving video whose poses no earlier run has kept."""
    return kind_of(request.poses) == "driving video" and not is_extracted(cache_folder(_extraction(request)))


def _extraction(request: AnimationRequest) -> ExtractionRequest:
    return ExtractionRequest(
        request.poses,
        detector=request.detector,
        person=request.person,
        fps=request.fps,
        start=request.start,
        end=request.end,
        device=request.device,
    )


def picked_frames(count: int, rate: Fraction, request: AnimationRequest) -> tuple[np.ndarray, Fraction]:
    """Which of ``count`` frames at ``rate`` are shown, and at which rate, after ``start``, ``end`` and ``fps``.

    At another rate each moment shows the frame that was on then, so the duration stays.
    """
    first, last = Fraction(0), count / rate
    if request.start is not None:
        first = Fraction(str(request.start))
    if request.end is not None:
        last = min(last, Fraction(str(request.end)))
    if first >= last:
        raise UsageError(
            f"the poses last {float(count / rate):.2f} s: nothing lies from {float(first):g} s to {float(last):g} s",
            "give --start and --end within them",
        )
    fps = parse_fps(request.fps) if request.fps else rate
    shown = max(1, round((last - first) * fps))
    # The middle of each shown frame falls into one source frame.
    times = [first + (index + Fraction(1, 2)) / fps for index in range(shown)]
    return np.array([min(count - 1, int(time * rate)) for time in times]), fps
