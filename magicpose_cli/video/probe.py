"""What a file is, before any of it is used: size, rate, count, codecs."""

from array import array
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from magicpose_cli.core.clip import DEFAULT_RATE
from magicpose_cli.core.confined import confined
from magicpose_cli.core.confinement import still_working
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.files import check_file
from magicpose_cli.core.image_files import MAX_PIXELS, image_files, sniff
from magicpose_cli.core.messages import sendable
from magicpose_cli.video.colour import UPRIGHT, Orientation, is_hdr, orientation_of, square_size
from magicpose_cli.video.images import animation_timing, check_image
from magicpose_cli.video.matroska import is_cut_off
from magicpose_cli.video.source import (
    audio_stream,
    open_media,
    stream_start,
    video_stream,
)
from magicpose_cli.video.timing import Timing, frames_in, measure

_SIGN_OF_LIFE = 10_000  # packets
_STILL = ("png", "jpeg", "bmp", "tiff", "heic", "psd")


@sendable
@dataclass(frozen=True)
class MediaInfo:
    """A video, animation, image or folder of images.

    ``width`` and ``height`` are of the upright picture in square pixels. ``fps`` is the constant rate at which the
    clip is read; ``frame_count`` the frames at that rate, ``coded_frames`` those in the file. ``start`` is when the
    first frame shows, in seconds on the file's own clock, ``duration`` in seconds. ``rotation`` is in degrees
    counter-clockwise from the coded to the upright picture. ``stamped`` is False where the file has no time stamps.
    ``missing_frames`` are those that the header promises and the file, cut off, does not hold.
    """

    path: Path
    container: str
    codec: str
    width: int
    height: int
    fps: Fraction
    frame_count: int
    coded_frames: int
    duration: Fraction
    start: Fraction = Fraction(0)
    orientation: Orientation = UPRIGHT
    sample_aspect: Fraction = Fraction(1)
    variable_rate: bool = False
    pixel_format: str = "rgb24"
    audio_codec: str | None = None
    hdr: bool = False
    missing_frames: int = 0
    interlaced: bool = False
    stamped: bool = True
    is_image: bool = False

    @property
    def rotation(self) -> int:
        return self.orientation.rotation


@confined()
def probe(path: Path, *, max_pixels: int = MAX_PIXELS) -> MediaInfo:
    """What ``path`` holds. Reads all packets of a video, and decodes its first frame.

    Raises InputError where it is no readable video or image; LimitError above ``max_pixels``.
    """
    path = Path(path)
    check_file(path, folder_allowed=True)
    if path.is_dir():
        return _probe_folder(path, max_pixels)
    kind = sniff(path)
    if kind in ("gif", "webp"):
        return _probe_animation(path, kind, max_pixels)
    if kind in _STILL:
        width, height = check_image(path, max_pixels=max_pixels)
        return _images(path, kind, kind, width, height, 1)
    return _probe_video(path, max_pixels)


def _images(path: Path, container: str, codec: str, width: int, height: int, count: int) -> MediaInfo:
    return MediaInfo(
        path, container, codec, width, height, DEFAULT_RATE, count, count, count / DEFAULT_RATE, is_image=count == 1
    )


def _probe_folder(folder: Path, max_pixels: int) -> MediaInfo:
    files = image_files(folder)
    width, height = check_image(files[0], max_pixels=max_pixels)
    for file in files[1:]:
        size = check_image(file, max_pixels=max_pixels)
        if size != (width, height):
            raise InputError(
                f"the images of {folder} differ in size: {files[0].name} is {width}x{height}, "
                f"{file.name} is {size[0]}x{size[1]}",
                "bring them to one size, or take the odd ones out",
            )
    return _images(folder, "folder", files[0].suffix[1:].lower(), width, height, len(files))


def _probe_animation(path: Path, kind: str, max_pixels: int) -> MediaInfo:
    width, height = check_image(path, max_pixels=max_pixels)
    timing, count = animation_timing(path, max_pixels=max_pixels)
    if count == 1:
        return _images(path, kind, kind, width, height, 1)
    return MediaInfo(
        path, kind, kind, width, height, timing.fps, frames_in(timing.duration, timing.fps), count, timing.duration,
        variable_rate=timing.variable, pixel_format="rgba",
    )  # fmt: skip


def _probe_video(path: Path, max_pixels: int) -> MediaInfo:
    with open_media(path, max_pixels=max_pixels) as container:
        stream = video_stream(container, path, max_pixels=max_pixels)
        sound = audio_stream(container)
        frame = next(container.decode(stream), None)
        if frame is None:
            raise InputError(f"{path} holds no frame that can be decoded", "copy or download it again")
        aspect = stream.sample_aspect_ratio or Fraction(1)
        container_name, codec = container.format.name, stream.codec_context.codec.canonical_name
        audio_codec = sound.codec_context.codec.canonical_name if sound else None
    if not Fraction(1, 8) <= aspect <= 8:  # a broken header, not a lens
        aspect = Fraction(1)
    orientation = orientation_of(frame)
    width, height = square_size(frame.width, frame.height, aspect, orientation)
    # Opened anew: not every container can go back to its beginning.
    with open_media(path, max_pixels=max_pixels) as container:
        timing, coded, missing, stamped = _scan(container, video_stream(container, path, max_pixels=max_pixels), path)
    return MediaInfo(
        path=path,
        container=container_name,
        codec=codec,
        width=width,
        height=height,
        fps=timing.fps,
        frame_count=frames_in(timing.duration, timing.fps),
        coded_frames=coded,
        duration=timing.duration,
        start=timing.start,
        orientation=orientation,
        sample_aspect=aspect,
        variable_rate=timing.variable,
        pixel_format=frame.format.name,
        audio_codec=audio_codec,
        hdr=is_hdr(frame),
        interlaced=frame.interlaced_frame,
        missing_frames=missing,
        stamped=stamped,
    )


def _scan(container: InputContainer, stream: VideoStream, path: Path) -> tuple[Timing, int, int, bool]:
    """From all packets, without decoding: the timing, frames there, frames missing, and whether they are stamped."""
    stamps, last_duration, count = array("q"), 0, 0
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_discard:
            continue
        count += 1
        if count % _SIGN_OF_LIFE == 0:
            still_working()
        if packet.pts is not None:
            stamps.append(packet.pts)
        # Durations count decoding times: only the one that comes last tells how long the last picture shows.
        last_duration = packet.duration or 0
    if count == 0:
        raise InputError(f"{path} holds no frames", "copy or download it again")
    declared = stream.average_rate or stream.guessed_rate
    missing = _missing(container, stream, count, path, declared or DEFAULT_RATE)
    if len(stamps) < count:
        rate = declared or DEFAULT_RATE
        return Timing(stream_start(stream), count / rate, rate, False), count, missing, False
    timing = measure(stamps, last_duration, stream.time_base, declared)
    if frames_in(timing.duration, timing.fps) > 1000 + 100 * count:
        raise InputError(
            f"{path} has broken time stamps: {count} frames spread over {float(timing.duration):.0f} s",
            "rewrite it first: ffmpeg -i IN -fps_mode passthrough -r 25 OUT.mp4",
        )
    return timing, count, missing, True


def _missing(container: InputContainer, stream: VideoStream, count: int, path: Path, rate: Fraction) -> int:
    """How many frames the header promises beyond those there: a file cut off in mid-copy still opens."""
    if "mov" in container.format.name:
        return max(0, sum(not entry.is_discard for entry in stream.index_entries) - count)
    if "matroska" in container.format.name:
        promised = round(Fraction(container.duration or 0, av.time_base) * rate)
        return max(1, promised - count) if is_cut_off(path) else 0
    return max(0, stream.frames - count) if stream.frames - count > max(3, count // 50) else 0  # AVI may miscount
