"""The driver's sound into the result: its packets as they are where the container takes them, else as AAC."""

import heapq
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Disposition, Stream

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.confined import READING, confined
from magicpose_cli.core.confinement import still_working
from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.errors import DiskFullError, InputError
from magicpose_cli.core.files import check_file
from magicpose_cli.core.image_files import sniff
from magicpose_cli.video.source import audio_stream, open_media, stream_start

# Codecs that players expect in the container. MP4 could hold more (Vorbis, PCM) that most will not play.
_COPIED = {
    "mp4": ("aac", "mp3", "opus", "ac3", "eac3", "alac", "flac"),
    "mov": ("aac", "mp3", "ac3", "eac3", "alac"),
    "matroska": ("aac", "mp3", "opus", "ac3", "eac3", "alac", "flac", "vorbis"),
}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_WRITING = replace(READING, file_size=None)
_GAP = Fraction(1, 20)  # seconds by which a time stamp may stray before silence is put in


@confined()
def sound_of(path: Path) -> SoundSource | None:
    """All the sound of a file, from the first picture where it has one; None for a silent file or an image.

    Raises InputError for what is no media file.
    """
    path = Path(path)
    check_file(path, folder_allowed=True)
    if path.is_dir() or sniff(path):
        return None
    with open_media(path) as container:
        stream = audio_stream(container)
        if stream is None:
            return None
        videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        start = stream_start(videos[0]) if videos else stream_start(stream)
        duration = _end(container, stream) - start
        return SoundSource(path, start, duration) if duration > 0 else None


def _end(container: InputContainer, stream: AudioStream) -> Fraction:
    if stream.duration:
        return stream_start(stream) + stream.duration * stream.time_base
    if container.duration:
        return Fraction(container.start_time or 0, av.time_base) + Fraction(container.duration, av.time_base)
    end = stream_start(stream)
    for packet in container.demux(stream):
        if packet.pts is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * stream.time_base)
    return end


@confined()
def may_copy(sound: SoundSource, container_format: str) -> bool:
    """Whether the sound's packets go into the container unchanged. Raises InputError where the file is unreadable."""
    with open_media(sound.path) as container:
        stream = audio_stream(container)
        return stream is not None and stream.codec_context.codec.canonical_name in _COPIED[container_format]


@confined(_WRITING)
def join(
    sound: SoundSource | None,
    pictures: Path,
    output: Path,
    container_format: str,
    *,
    copy: bool,
    options: dict[str, str],
) -> None:
    """Put the pictures of an MP4 (packets unchanged) and the sound into ``output``, in step to the packet.

    The sound is cut to the pictures' duration; with ``copy`` its packets go unchanged, else as AAC. ``options`` are
    the muxer's. Raises InputError where there is no sound in the asked stretch or it is broken, DiskFullError.
    """
    try:
        _join(sound, pictures, output, container_format, copy, options)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if is_disk_full(error):
            raise DiskFullError(f"the disk is full at {output.parent}", "free some space, and run again") from error
        what = f"the sound of {sound.path}" if sound else f"{pictures}"
        raise InputError(f"{what} is broken ({error})") from error


def _join(
    sound: SoundSource | None, pictures: Path, output: Path, container_format: str, copy: bool, options: dict[str, str]
) -> None:
    with ExitStack() as stack:
        source = stack.enter_context(av.open(str(pictures)))
        result = stack.enter_context(av.open(str(output), "w", format=container_format, options=options))
        result.metadata.update(source.metadata)
        stream = source.streams.video[0]
        track = result.add_stream_from_template(stream)
        tracks = [_timed(track, (packet for packet in source.demux(stream) if packet.size))]
        if sound is not None:
            sounds = stack.enter_context(open_media(sound.path))
            end = sound.start + min(sound.duration, stream.duration * stream.time_base)
            tracks.append(_timed(*_sound_track(sounds, sound, end, result, container_format, copy)))
        for _, _, packet in heapq.merge(*tracks, key=lambda item: item[:2]):
            result.mux(packet)
            still_working()


def _timed(track: Stream, packets: Iterator[av.Packet]) -> Iterator[tuple[Fraction, int, av.Packet]]:
    for packet in packets:
        packet.stream = track
        yield packet.dts * packet.time_base, track.index, packet


def _sound_track(
    container: InputContainer, sound: SoundSource, end: Fraction, result: OutputContainer, format_name: str, copy: bool
) -> tuple[Stream, Iterator[av.Packet]]:
    """A new track of ``result`` and its packets."""
    stream = audio_stream(container)
    if stream is None:
        raise InputError(f"{sound.path} has no sound that can be read")
    if sound.start - stream_start(stream) > 10:
        container.seek(int((sound.start - 5) / stream.time_base), stream=stream)
    if copy:
        packets = _copied(container, stream, sound.start, end, preroll=format_name != "matroska")
    else:
        packets = _encoded(container, stream, sound.start, end, result)
    first = next(packets, None)
    if first is None:
        raise InputError(f"{sound.path} has no sound between {float(sound.start):.2f} s and {float(end):.2f} s")
    return (result.add_stream_from_template(stream) if copy else first.stream), chain([first], packets)


def _copied(
    container: InputContainer, stream: AudioStream, begin: Fraction, end: Fraction, *, preroll: bool
) -> Iterator[av.Packet]:
    """Packets that sound between ``begin`` and ``end``, with ``begin`` as time 0.

    The packet before goes along at a negative time: a decoder needs it to fade in, and MP4's edit list hides it.
    """
    shift = round(begin / stream.time_base)
    before: deque[av.Packet] = deque(maxlen=1)
    started = False
    next_pts = None
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        pts = packet.pts if packet.pts is not None else next_pts
        if pts is None:
            continue
        next_pts = pts + (packet.duration or 0)
        middle = (pts + (packet.duration or 0) / Fraction(2)) * stream.time_base
        packet.pts = packet.dts = pts - shift
        if next_pts * stream.time_base <= begin or (not preroll and middle < begin):
            before.append(packet)
            continue
        if middle >= end:
            return
        if not started and preroll:
            yield from before
        started = True
        yield packet


def _encoded(
    container: InputContainer, stream: AudioStream, begin: Fraction, end: Fraction, result: OutputContainer
) -> Iterator[av.Packet]:
    """AAC packets of the sound between ``begin`` and ``end``, to the sample; gaps become silence."""
    rate = stream.rate if stream.rate in _AAC_RATES else 48000
    layout = "mono" if stream.channels == 1 else "stereo"
    track = result.add_stream("aac", rate=rate, layout=layout)
    track.bit_rate = 96_000 if layout == "mono" else 192_000
    position = 0
    for samples in _samples(container, stream, begin, end, rate, layout):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
        position += samples.shape[1]
        yield from track.encode(frame)
    if position:
        yield from track.encode(None)


def _samples(
    container: InputContainer, stream: AudioStream, begin: Fraction, end: Fraction, rate: int, layout: str
) -> Iterator[np.ndarray]:
    """float32 (channels, n) pieces that join without a gap from ``begin`` on; broken packets become silence."""
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    total = round((end - begin) * rate)
    position = 0
    heard = False
    for frame in _decoded(container, stream):
        for part in resampler.resample(frame):
            samples = part.to_ndarray()
            at = round((part.pts * part.time_base - begin) * rate) if part.pts is not None else position
            if not heard or abs(at - position) > _GAP * rate:
                if at > position:
                    yield np.zeros((samples.shape[0], min(at, total) - position), np.float32)
                    position = min(at, total)
                samples = samples[:, max(0, position - at) :]
            samples = samples[:, : total - position]
            if samples.shape[1]:
                heard = True
                position += samples.shape[1]
                yield samples
        if position >= total:
            return


def _decoded(container: InputContainer, stream: AudioStream) -> Iterator[av.AudioFrame]:
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue
