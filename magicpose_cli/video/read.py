"""A video, GIF, WebP, image or folder of images as a ``Clip``: frames decoded as they are asked for."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial as bound
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from magicpose_cli.core.clip import Clip, SoundSource
from magicpose_cli.core.confined import confined
from magicpose_cli.core.confinement import still_working
from magicpose_cli.core.errors import InputError, LimitError, UsageError
from magicpose_cli.core.files import check_file
from magicpose_cli.core.image_files import MAX_PIXELS, image_files
from magicpose_cli.video.colour import FrameConverter, on_white
from magicpose_cli.video.images import animation_frames, read_image
from magicpose_cli.video.probe import MediaInfo, probe
from magicpose_cli.video.source import open_media, video_stream
from magicpose_cli.video.timing import at_constant_rate, frames_in

__all__ = ["open_clip", "read_image"]

MAX_FRAMES = 1_000_000  # 11 hours at 25 a second; what goes beyond is a mistake or an attack
_SEEK_MARGIN = 2  # seconds decoded before the asked start, for frames that lean on earlier ones
_CUT_MARGIN = 1  # seconds before the cut of a file from which frames may lean on lost ones
_Timed = Iterator[tuple[Fraction, Any]]


def open_clip(
    path: Path,
    *,
    fps: Fraction | None = None,
    start: float | None = None,
    end: float | None = None,
    max_pixels: int = MAX_PIXELS,
    lenient: bool = False,
) -> Clip:
    """A clip of upright frames with square pixels at a constant rate (``fps``, else the file's own).

    ``start`` and ``end`` are in seconds from the first frame. A folder of images shows one image a frame, at 25
    frames a second where no rate is given. Only the first frame is decoded before ``frames()`` is called, and
    frames are not kept. ``lenient`` decodes a video once before, to take its good part where it is damaged.

    Raises InputError for what cannot be read, LimitError above ``max_pixels`` or ``MAX_FRAMES``, UsageError for a range
    outside the clip. ``frames()`` raises InputError where the file turns out damaged.
    """
    check_file(Path(path), folder_allowed=True)  # here, and not only in the worker: a mistyped name is told at once
    info = probe(Path(path), max_pixels=max_pixels)
    if fps is not None and not 0 < fps <= 1000:
        raise UsageError(f"a frame rate of {fps} is out of range", "give a rate such as 25 or 30000/1001")
    rate = Fraction(fps) if fps is not None else info.fps
    duration = info.coded_frames / rate if _one_each(info) else info.duration
    partial = ""
    if lenient and info.codec not in ("gif", "webp") and not _one_each(info):
        duration, partial = _good_part(info, max_pixels)
    first, last = _range(info.path, duration, start, end)
    if not lenient and info.missing_frames and last > info.duration - _CUT_MARGIN:
        raise InputError(
            f"{info.path} is cut off: it promises {info.coded_frames + info.missing_frames} frames "
            f"and holds {info.coded_frames}",
            _other_copy(info.duration - _CUT_MARGIN),
        )
    count = frames_in(last - first, rate)
    if count > MAX_FRAMES:
        raise LimitError(
            f"{info.path} has {count:,} frames; the limit is {MAX_FRAMES:,}", "take a part of it: --start and --end"
        )
    begin = info.start + first
    return Clip(
        path=info.path,
        width=info.width,
        height=info.height,
        fps=rate,
        frame_count=count,
        frames=bound(_frames, info, rate, first, count, max_pixels, lenient),
        sound=SoundSource(info.path, begin, count / rate) if info.audio_codec else None,
        notes=_notes(info, rate),
        partial=partial,
    )


@confined()
def _frames(
    info: MediaInfo, rate: Fraction, first: Fraction, count: int, max_pixels: int, lenient: bool
) -> Iterator[np.ndarray]:
    """``count`` RGB pictures at ``rate`` from ``first`` seconds on."""
    before = check_file(info.path, folder_allowed=True)
    timed, convert = _source(info, rate, first, max_pixels)
    if lenient:
        timed = _until_damage(timed)
    source_rate = rate if _one_each(info) else info.fps
    for picture in at_constant_rate(timed, info.start + first, rate, count, source_rate):
        yield convert(picture)
    after = check_file(info.path, folder_allowed=True)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{info.path} changed while it was read", "run again when it is finished")


def _until_damage(timed: _Timed) -> _Timed:
    with suppress(InputError):
        yield from timed


@confined()
def _good_part(info: MediaInfo, max_pixels: int) -> tuple[Fraction, str]:
    """Seconds from the beginning that can be decoded, and a sentence on what is missing; "" where nothing is."""
    count, last, told = 0, info.start, ""
    try:
        for time, _ in _video_frames(info, Fraction(0), max_pixels):
            count, last = count + 1, max(last, time)
            still_working()
    except InputError as error:
        if count == 0:
            raise
        told = error.message
    promised = info.coded_frames + info.missing_frames
    if not told and not info.missing_frames:
        return info.duration, ""
    good = min(last - info.start + 1 / info.fps, info.duration)
    return good, f"{info.path}: {count} of {promised} frames could be decoded; the first {float(good):.2f} s were used"


def _one_each(info: MediaInfo) -> bool:
    """Whether a picture shows for one frame, whatever the rate: there is no clock."""
    return info.container == "folder" or info.is_image


def _range(path: Path, duration: Fraction, start: float | None, end: float | None) -> tuple[Fraction, Fraction]:
    first = _seconds(start, Fraction(0))
    last = min(_seconds(end, duration), duration)
    if first < 0 or first >= duration:
        raise UsageError(
            f"the start at {float(first):g} s lies outside {path}, which lasts {float(duration):.2f} s",
            f"give --start between 0 and {float(duration):.2f}",
        )
    if last <= first:
        raise UsageError(f"the end at {float(last):g} s is not after the start at {float(first):g} s", "raise --end")
    return first, last


def _seconds(value: float | None, default: Fraction) -> Fraction:
    return default if value is None else Fraction(str(value))


def _source(
    info: MediaInfo, rate: Fraction, first: Fraction, max_pixels: int
) -> tuple[_Timed, Callable[[Any], np.ndarray]]:
    """(time, picture) pairs of a file, and the function that makes RGB of a picture that is shown."""
    if info.container == "folder":
        files = image_files(info.path)
        timed = ((index / rate, file) for index, file in enumerate(files))
        return timed, bound(_folder_image, info=info, max_pixels=max_pixels)
    if info.is_image:
        return iter([(Fraction(0), info.path)]), bound(read_image, max_pixels=max_pixels)
    if info.container in ("gif", "webp"):
        return animation_frames(info.path, max_pixels=max_pixels), on_white
    return _video_frames(info, first, max_pixels), FrameConverter(info.orientation, info.width, info.height)


def _folder_image(file: Path, info: MediaInfo, max_pixels: int) -> np.ndarray:
    image = read_image(file, max_pixels=max_pixels)
    if image.shape[:2] != (info.height, info.width):
        raise InputError(f"{file} changed its size while it was read", "run again when the folder is finished")
    return image


def _video_frames(info: MediaInfo, first: Fraction, max_pixels: int) -> _Timed:
    """Decoded frames with their times on the file's clock, from ``first`` seconds after the start or a bit before."""
    with open_media(info.path, max_pixels=max_pixels) as container:
        stream = video_stream(container, info.path, max_pixels=max_pixels)
        if first > _SEEK_MARGIN and info.stamped:
            target = info.start + first - _SEEK_MARGIN
            container.seek(int(target / stream.time_base), stream=stream)
            frames = _decoded(container, stream, info)
            head = next(frames, None)
            if head is not None and head[0] <= info.start + first:
                yield head
                yield from frames
                return
    # From the beginning: no seek was needed, or the container could not do it.
    with open_media(info.path, max_pixels=max_pixels) as container:
        stream = video_stream(container, info.path, max_pixels=max_pixels)
        count = 0
        for count, timed in enumerate(_decoded(container, stream, info), start=1):  # noqa: B007
            yield timed
        # A stream cut at an open group of pictures loses a frame or two at its head; more is damage.
        if info.coded_frames - count > max(3, info.coded_frames // 50):
            raise InputError(
                f"{info.path} is damaged: only {count} of its {info.coded_frames} frames could be decoded",
                "copy or download it again",
            )


def _decoded(container: InputContainer, stream: VideoStream, info: MediaInfo) -> _Timed:
    last_time, count = info.start, 0
    try:
        for frame in _deinterlaced(container.decode(stream), stream) if info.interlaced else container.decode(stream):
            if info.stamped and frame.pts is not None:
                last_time = frame.pts * frame.time_base
            else:
                last_time = info.start + count / info.fps
            count += 1
            yield last_time, frame
    except av.error.InvalidDataError:
        good = last_time - info.start
        raise InputError(
            f"{info.path} is damaged: it cannot be decoded after frame {count} of {info.coded_frames} "
            f"({float(good):.2f} s)",
            _other_copy(good),
        ) from None


def _other_copy(good: Fraction) -> str:
    """``good`` is how many seconds of the damaged file can be used."""
    again = "copy or download it again"
    return f"{again}, or use the good part with --end {math.floor(good * 10) / 10:.1f}" if good >= 1 else again


def _deinterlaced(frames: Iterable[av.VideoFrame], stream: VideoStream) -> Iterator[av.VideoFrame]:
    """One whole picture for each frame of two fields (bwdif); progressive frames pass unchanged."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(template=stream),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    for frame in frames:
        graph.push(frame)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _notes(info: MediaInfo, rate: Fraction) -> tuple[str, ...]:
    notes = []
    if info.variable_rate:
        notes.append(f"{info.path.name}: its variable frame rate was made constant at {_rate(rate)} by time stamps")
    elif rate != info.fps and info.container != "folder" and not info.is_image:
        notes.append(f"{info.path.name}: read at {_rate(rate)} instead of its own {_rate(info.fps)}")
    if info.sample_aspect != 1:
        notes.append(f"{info.path.name}: its pixels are not square; it was scaled to {info.width}x{info.height}")
    if info.interlaced:
        notes.append(f"{info.path.name}: it is interlaced; its fields were joined")
    if info.hdr:
        notes.append(f"{info.path.name}: its HDR colours were brought to the standard range")
    return tuple(notes)


def _rate(fps: Fraction) -> str:
    return f"{float(fps):.5g} frames a second"
