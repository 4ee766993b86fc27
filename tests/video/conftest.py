"""Media made on the spot: drawn frames and bursts of tone at known times."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

RATE = 48000


def drawn(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Frames that differ: a grey level that rises by 8 a frame, with a white top left corner."""
    frames = []
    for index in range(count):
        frame = np.full((height, width, 3), index * 8 % 240, np.uint8)
        frame[: height // 4, : width // 4] = 255
        frames.append(frame)
    return frames


def bursts(seconds: float, times: Iterable[float], rate: int = RATE, channels: int = 2) -> np.ndarray:
    """float32 (channels, n): silence with 100 ms of a 1 kHz tone at each time."""
    samples = np.zeros(int(seconds * rate), np.float32)
    for time in times:
        begin, length = int(time * rate), rate // 10
        tone = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(length) / rate)
        samples[begin : begin + length] = tone[: max(0, len(samples) - begin)]
    return np.tile(samples, (channels, 1))


def write_media(
    path: Path,
    frames: Iterable[np.ndarray] = (),
    fps: Fraction | int = 25,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    stamps: list[int] | None = None,
    time_base: Fraction | None = None,
    sound: np.ndarray | None = None,
    sound_codec: str = "aac",
    sound_rate: int = RATE,
    sound_delay: Fraction = Fraction(0),
    options: dict[str, str] | None = None,
    prepare: Callable | None = None,
    container_format: str | None = None,
) -> Path:
    """A media file straight from PyAV, so that the reader is not tested against our own writer.

    ``frames`` are RGB(A) arrays or ready VideoFrames; ``stamps`` (in ``time_base``) make a variable rate.
    """
    base = time_base or 1 / Fraction(fps)
    with av.open(str(path), "w", format=container_format) as container:
        frames = iter(frames)
        first = next(frames, None)
        if first is not None:
            stream = container.add_stream(codec, rate=fps, options=options or {})
            stream.pix_fmt = pixels
            stream.height, stream.width = (first.height, first.width) if hasattr(first, "width") else first.shape[:2]
            stream.codec_context.time_base = base
            if prepare:
                prepare(stream)
        if sound is not None:
            track = container.add_stream(sound_codec, rate=sound_rate)
            track.layout = "mono" if len(sound) == 1 else "stereo"
            container.start_encoding()
            wanted = track.codec_context.format.name
            size = 960
            piece = av.AudioResampler(format=wanted, layout=track.layout, rate=sound_rate)
            packets = []
            for begin in range(0, sound.shape[1], size):
                part = np.ascontiguousarray(sound[:, begin : begin + size])
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=track.layout.name)
                frame.sample_rate, frame.time_base = sound_rate, Fraction(1, sound_rate)
                frame.pts = begin + int(sound_delay * sound_rate)
                for ready in piece.resample(frame):
                    packets += track.encode(ready)
            packets += track.encode(None)
            container.mux(packets)
        index = 0
        while first is not None:
            frame = first
            if isinstance(frame, np.ndarray):
                frame = av.VideoFrame.from_ndarray(frame, format="rgba" if frame.shape[2] == 4 else "rgb24")
                frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = (stamps[index] if stamps else index), base
            container.mux(stream.encode(frame))
            first, index = next(frames, None), index + 1
        if index:
            container.mux(stream.encode(None))
    return path


def onsets(path: Path) -> list[float]:
    """Times in seconds, on the file's clock, at which the sound rises from silence."""
    loud = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                samples = np.abs(part.to_ndarray()[0])
                at = float(part.pts * part.time_base)
                loud += [at + n / RATE for n in np.flatnonzero(samples > 0.3)]
    return [time for n, time in enumerate(loud) if n == 0 or time - loud[n - 1] > 0.05]


@pytest.fixture(name="drawn")
def _drawn() -> Callable[..., list[np.ndarray]]:
    return drawn


@pytest.fixture(name="bursts")
def _bursts() -> Callable[..., np.ndarray]:
    return bursts


@pytest.fixture(name="write_media")
def _write_media() -> Callable[..., Path]:
    return write_media


@pytest.fixture(name="onsets")
def _onsets() -> Callable[[Path], list[float]]:
    return onsets
