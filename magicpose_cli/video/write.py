"""Frames to a video file: H.264 in MP4 (or MOV, MKV), or a GIF or WebP, by the name. Whole or not at all."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

import av
import numpy as np

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.errors import InputError, OutputError, UsageError
from magicpose_cli.core.progress import SILENT, Advance, Progress
from magicpose_cli.video.audio import join, may_copy
from magicpose_cli.video.colour import to_yuv420
from magicpose_cli.video.images import ANIMATED_SUFFIXES, animation_timing, write_animation
from magicpose_cli.video.output import check_writable, told_plainly, whole_output

__all__ = ["VideoReport", "check_writable", "write_video"]

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_BT709 = 1  # primaries, transfer and matrix alike (ITU-T H.273)
_THREADS = 4  # x264's output depends on it: the same request gives the same file on every machine
_LIMITED = 1


@dataclass(frozen=True)
class VideoReport:
    """What was written. ``audio`` is "copied" (packets unchanged), "encoded" (AAC) or "none"; notes are sentences."""

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    audio: str
    sha256: str
    notes: tuple[str, ...] = ()
    partial: str = ""  # what of its inputs is missing


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: Fraction,
    *,
    width: int,
    height: int,
    sound: SoundSource | None = None,
    crf: int = 18,
    metadata: Mapping[str, str] = MappingProxyType({}),
    progress: Progress = SILENT,
    expected_frames: int | None = None,
    overwrite: bool = False,
    seal: Callable[[Path], None] | None = None,
    on_complete: Callable[[str], None] = lambda sha256: None,
) -> VideoReport:
    """Write RGB uint8 (height, width, 3) frames; sizes that are odd grow by a doubled edge line.

    H.264 yuv420p, tagged BT.709, index first (faststart). The sound is cut to the pictures' duration; broken sound
    costs a note, never the video. The file is decoded again and its frames counted before it takes its place; ``seal``
    is given the finished file and is the last to change it, ``on_complete`` is told its sha256 then. Of ``metadata``,
    a GIF and a WebP keep the comment.

    Raises OutputError (exists, not writable), DiskFullError, UsageError for an unknown ending, InputError where no
    frames come or not as many as expected. Errors of ``frames`` pass through; nothing is left behind.
    """
    path = Path(path)
    kind = _kind(path)
    if not 0 < fps <= 1000:
        raise UsageError(f"a frame rate of {fps} is out of range", "give a rate such as 25 or 30000/1001")
    with whole_output(path, overwrite) as temporary:
        with progress.stage("writing the video", expected_frames) as advance:
            checked = _checked(frames, width, height, advance)
            if kind in ANIMATED_SUFFIXES:
                with told_plainly(path):
                    count = write_animation(temporary, kind, checked, fps, metadata.get("comment", ""))
            else:
                count = _encode(temporary, checked, fps, crf, metadata, path)
        if count == 0:
            raise InputError("there are no frames to write")
        if expected_frames is not None and count != expected_frames:
            raise InputError(f"{count} frames came where {expected_frames} were expected; {path} was not written")
        audio, notes = _finish(temporary, kind, sound, path)
        _verify(temporary, kind, count, fps, path)
        if seal is not None:
            with told_plainly(path):
                seal(temporary)
        with told_plainly(path):
            digest = file_sha256(temporary)
        on_complete(digest)
    return VideoReport(path, *written_size(path, width, height), fps, count, audio, digest, notes)


def written_size(path: Path, width: int, height: int) -> tuple[int, int]:
    """Width and height of the video that ``write_video`` makes of such frames: even, but for GIF and WebP."""
    even = 0 if _kind(path) in ANIMATED_SUFFIXES else 1
    return width + width % 2 * even, height + height % 2 * even


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in (*_CONTAINERS, *ANIMATED_SUFFIXES):
        known = ", ".join((*_CONTAINERS, *ANIMATED_SUFFIXES))
        raise UsageError(f"cannot write a video named {path}", f"end the name in .mp4 (or one of {known})")
    return kind


def _checked(frames: Iterable[np.ndarray], width: int, height: int, advance: Advance) -> Iterator[np.ndarray]:
    for index, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.shape != (height, width, 3):
            raise ValueError(f"frame {index} is {frame.dtype} {frame.shape}, not uint8 ({height}, {width}, 3)")
        yield frame
        advance()


def _encode(
    file: Path, frames: Iterator[np.ndarray], fps: Fraction, crf: int, metadata: Mapping[str, str], path: Path
) -> int:
    """H.264 pictures alone, into the MP4 ``file``; returns how many. ``path`` is the name to tell the user."""
    with told_plainly(path):
        container = av.open(str(file), "w", format="mp4", options=_options("mp4"))
    count = 0
    try:
        container.metadata.update(metadata)
        stream = None
        for rgb in frames:
            picture = to_yuv420(rgb)
            with told_plainly(path):
                if stream is None:
                    stream = _h264_stream(container, fps, picture, crf)
                picture.pts, picture.time_base = count, 1 / fps
                container.mux(stream.encode(picture))
            count += 1
        with told_plainly(path):
            if stream is not None:
                container.mux(stream.encode(None))
            container.close()
    except BaseException:
        with suppress(OSError, av.error.FFmpegError):  # the first error is the one to tell
            container.close()
        raise
    return count


def _h264_stream(
    container: av.container.OutputContainer, fps: Fraction, picture: av.VideoFrame, crf: int
) -> av.video.stream.VideoStream:
    # Without x264's macroblock tree, which once in some hundred small videos gives other bytes for the same pictures:
    # a run that went on, or was made again from its record, is to end in the same file.
    options = {"crf": str(crf), "preset": "medium", "mbtree": "0"}
    stream = container.add_stream("libx264", rate=fps, options=options)
    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
    stream.codec_context.time_base = 1 / fps
    stream.codec_context.colorspace = stream.codec_context.color_primaries = stream.codec_context.color_trc = _BT709
    stream.codec_context.color_range = _LIMITED
    stream.codec_context.thread_count = _THREADS
    return stream


def _options(container_format: str) -> dict[str, str]:
    return {} if container_format == "matroska" else {"movflags": "+faststart"}


def _finish(file: Path, kind: str, sound: SoundSource | None, path: Path) -> tuple[str, tuple[str, ...]]:
    """Make the pictures in ``file`` a finished video, with the sound unchanged, else as AAC, else without.

    Returns what became of the sound ("copied", "encoded", "none"), and notes.
    """
    if kind in ANIMATED_SUFFIXES:
        return "none", (f"a {kind[1:].upper()} holds no sound; write an .mp4 to keep it",) if sound else ()
    container_format = _CONTAINERS[kind]
    told = ""
    if sound is not None:
        for way in ("copied", "encoded"):
            try:
                if way == "copied" and not may_copy(sound, container_format):
                    continue
                _join_in_place(file, sound, container_format, copy=way == "copied")
                return way, ()
            except InputError as error:
                told = error.message
    if container_format != "mp4":
        with told_plainly(path):
            _join_in_place(file, None, container_format, copy=False)
    return "none", (f"the video has no sound: {told}",) if told else ()


def _join_in_place(file: Path, sound: SoundSource | None, container_format: str, *, copy: bool) -> None:
    joined = file.with_suffix(".joined.tmp")
    try:
        join(sound, file, joined, container_format, copy=copy, options=_options(container_format))
        os.replace(joined, file)
    finally:
        joined.unlink(missing_ok=True)


def _verify(file: Path, kind: str, count: int, fps: Fraction, path: Path) -> None:
    """Decode what was written: a full disk or a failing one can leave a file that looks finished."""
    if kind in ANIMATED_SUFFIXES:
        timing, _ = animation_timing(file)  # a GIF joins pictures that are alike, so count the time
        if abs(timing.duration - count / fps) > Fraction(1, 10):
            raise OutputError(f"{path} came out {float(timing.duration):.2f} s long", "write an .mp4 instead")
        return
    try:
        with av.open(str(file)) as container:
            container.streams.video[0].thread_type = "AUTO"
            decoded = sum(1 for _ in container.decode(video=0))
    except (av.error.FFmpegError, IndexError) as error:
        raise OutputError(
            f"{path} could not be read back after writing: {error}", "check the disk and run again"
        ) from error
    if decoded != count:
        raise OutputError(f"{path} holds {decoded} frames after writing {count}", "check the disk and run again")
