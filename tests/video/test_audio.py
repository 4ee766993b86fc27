"""Sound in step with the pictures: bursts of tone begin where white pictures do."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.errors import InputError
from magicpose_cli.video.audio import sound_of
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video

TIMES = [0.52, 1.52, 2.52]
RATE = Fraction(25)


def flashes(seconds: float = 3.2, times: list[float] = TIMES) -> list[np.ndarray]:
    """Black 32 x 32 frames at 25 a second, white for 100 ms from each time on."""
    frames = []
    for index in range(int(seconds * 25)):
        lit = any(time <= index / 25 + 1e-6 < time + 0.1 for time in times)
        frames.append(np.full((32, 32, 3), 255 if lit else 0, np.uint8))
    return frames


def flash_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        lit = [(float(f.time), f.to_ndarray(format="gray").mean() > 128) for f in container.decode(video=0)]
    return [time for n, (time, on) in enumerate(lit) if on and not (n and lit[n - 1][1])]


def assert_in_step(path: Path, onsets: Callable, count: int, tolerance: float = 0.005) -> None:
    seen, heard = flash_times(path), onsets(path)
    assert len(seen) == len(heard) == count
    assert max(abs(a - b) for a, b in zip(seen, heard, strict=True)) < tolerance


def audio_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(audio=0) if p.size]


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "channels", "done"),
    [
        (".mp4", "aac", 44100, 2, "copied"),
        (".mp4", "libmp3lame", 44100, 2, "copied"),
        (".ts", "aac", 48000, 1, "copied"),
        (".mkv", "ac3", 48000, 2, "copied"),
        (".webm", "libopus", 48000, 2, "copied"),
        (".mov", "alac", 44100, 2, "copied"),
        (".mkv", "flac", 44100, 1, "copied"),
        (".mov", "pcm_s16le", 22050, 1, "encoded"),
        (".mkv", "mp2", 48000, 2, "encoded"),
    ],
)
@pytest.mark.parametrize(("start", "end", "count"), [(None, None, 3), (1.0, None, 2), (1.2, 2.0, 1)])
def test_sound_of_any_codec_stays_in_step(
    suffix: str,
    codec: str,
    rate: int,
    channels: int,
    done: str,
    start: float | None,
    end: float | None,
    count: int,
    tmp_path: Path,
    write_media: Callable,
    bursts: Callable,
    onsets: Callable,
) -> None:
    video_codec = "libvpx" if suffix == ".webm" else "libx264"
    source = write_media(
        tmp_path / f"in{suffix}",
        flashes(),
        codec=video_codec,
        sound=bursts(3.2, TIMES, rate, channels),
        sound_codec=codec,
        sound_rate=rate,
    )
    clip = open_clip(source, start=start, end=end)
    path = tmp_path / "out.mp4"
    report = write_video(path, clip.frames(), clip.fps, width=32, height=32, sound=clip.sound)
    assert (report.audio, report.notes) == (done, ())
    assert report.frame_count == clip.frame_count
    assert_in_step(path, onsets, count)
    if done == "copied":
        framing = 7 if suffix == ".ts" else 0  # a transport stream's AAC carries a header on each packet
        assert set(audio_packets(path)) <= {packet[framing:] for packet in audio_packets(source)}
    with av.open(str(path)) as container:
        heard = container.streams.audio[0]
        # cut to whole packets: a packet of FLAC is 105 ms long
        assert abs(float(heard.duration * heard.time_base - clip.duration)) < 0.06
        assert container.streams.video[0].start_time == 0


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_other_containers_keep_step_too(
    suffix: str, tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable
) -> None:
    source = write_media(tmp_path / "in.mp4", flashes(), sound=bursts(3.2, TIMES))
    clip = open_clip(source, start=1.2)
    path = tmp_path / f"out{suffix}"
    report = write_video(path, clip.frames(), clip.fps, width=32, height=32, sound=clip.sound)
    assert report.audio == "copied"
    assert_in_step(path, onsets, 2)
    assert open_clip(path).frame_count == clip.frame_count


def test_sound_that_begins_late_stays_late(
    tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable
) -> None:
    """The sound track starts at 1 s: what sounds at 0.52 s of it belongs to 1.52 s of the pictures."""
    source = write_media(
        tmp_path / "in.mkv", flashes(times=TIMES[1:]), sound=bursts(2.2, [0.52, 1.52]), sound_delay=Fraction(1)
    )
    clip = open_clip(source)
    write_video(tmp_path / "out.mp4", clip.frames(), clip.fps, width=32, height=32, sound=clip.sound)
    assert_in_step(tmp_path / "out.mp4", onsets, 2)


def test_pictures_that_begin_late_keep_their_sound(
    tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable
) -> None:
    """The first picture shows at 1 s: the sound before it is left out."""
    frames = flashes()[25:]
    source = write_media(
        tmp_path / "in.mkv",
        frames,
        stamps=[1000 + 40 * i for i in range(len(frames))],
        time_base=Fraction(1, 1000),
        sound=bursts(3.2, TIMES),
    )
    clip = open_clip(source)
    assert clip.sound is not None
    assert abs(clip.sound.start - 1) < 0.01
    write_video(tmp_path / "out.mp4", clip.frames(), clip.fps, width=32, height=32, sound=clip.sound)
    assert_in_step(tmp_path / "out.mp4", onsets, 2)


def test_a_variable_rate_keeps_step(tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable) -> None:
    kept = [i for i in range(80) if i % 7 != 3 and not 20 < i < 35]
    frames = flashes()
    source = write_media(
        tmp_path / "in.mp4",
        [frames[i] for i in kept],
        stamps=[40 * i for i in kept],
        time_base=Fraction(1, 1000),
        sound=bursts(3.2, TIMES),
    )
    clip = open_clip(source)
    write_video(tmp_path / "out.mp4", clip.frames(), clip.fps, width=32, height=32, sound=clip.sound)
    assert_in_step(tmp_path / "out.mp4", onsets, 3, tolerance=0.041)


def test_another_frame_rate_keeps_step(
    tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable
) -> None:
    clip = open_clip(write_media(tmp_path / "in.mp4", flashes(), sound=bursts(3.2, TIMES)), fps=Fraction(30))
    write_video(tmp_path / "out.mp4", clip.frames(), clip.fps, width=32, height=32, sound=clip.sound)
    assert_in_step(tmp_path / "out.mp4", onsets, 3, tolerance=1 / 30)


def test_a_longer_sound_file_is_cut_to_the_pictures(
    tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable
) -> None:
    song = write_media(tmp_path / "song.wav", sound=bursts(20, [0.52, 1.52, 2.52, 9]), sound_codec="pcm_s16le")
    sound = sound_of(song)
    assert sound is not None
    assert (sound.start, round(float(sound.duration), 2)) == (0, 20)
    report = write_video(tmp_path / "out.mp4", flashes(), RATE, width=32, height=32, sound=sound)
    assert report.audio == "encoded"
    assert_in_step(tmp_path / "out.mp4", onsets, 3)


def test_a_shorter_sound_leaves_the_end_silent(
    tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable
) -> None:
    song = write_media(tmp_path / "song.mp3", sound=bursts(1, [0.52]), sound_codec="libmp3lame")
    report = write_video(tmp_path / "out.mp4", flashes(), RATE, width=32, height=32, sound=sound_of(song))
    assert (report.audio, report.frame_count) == ("copied", 80)
    assert len(onsets(tmp_path / "out.mp4")) == 1


def test_a_far_start_in_a_long_file(tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable) -> None:
    song = write_media(tmp_path / "song.m4a", sound=bursts(60, [40.52, 41.52, 42.52]))
    sound = SoundSource(song, Fraction(40), Fraction(10))
    report = write_video(tmp_path / "out.mp4", flashes(), RATE, width=32, height=32, sound=sound)
    assert report.audio == "copied"
    assert_in_step(tmp_path / "out.mp4", onsets, 3)


def test_broken_sound_costs_a_note_and_not_the_video(tmp_path: Path, write_media: Callable, bursts: Callable) -> None:
    cases = {
        "missing": tmp_path / "missing.wav",
        "junk": tmp_path / "junk.wav",
        "silent": write_media(tmp_path / "silent.mp4", flashes()),
        "short": write_media(tmp_path / "short.wav", sound=bursts(1, [0.5]), sound_codec="pcm_s16le"),
    }
    cases["junk"].write_bytes(b"RIFF" + bytes(100))
    for name, file in cases.items():
        start = Fraction(50) if name == "short" else Fraction(0)
        path = tmp_path / f"{name}_out.mp4"
        sound = SoundSource(file, start, Fraction(3))
        report = write_video(path, flashes(), RATE, width=32, height=32, sound=sound)
        assert report.audio == "none"
        assert len(report.notes) == 1
        assert "no sound" in report.notes[0]
        assert open_clip(path).frame_count == 80
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".tmp"]


def test_damaged_packets_of_sound_that_must_be_encoded_become_silence(
    tmp_path: Path, write_media: Callable, bursts: Callable, onsets: Callable
) -> None:
    sound = bursts(3.2, TIMES)
    sound += np.random.default_rng(0).normal(0, 0.01, sound.shape).astype(np.float32)  # no two packets alike
    source = write_media(tmp_path / "in.mkv", flashes(), sound=sound, sound_codec="mp2")
    data = bytearray(source.read_bytes())
    packets = audio_packets(source)
    for packet in packets[60:75]:  # 24 ms each: from 1.44 s to 1.8 s
        at = data.find(packet)
        data[at : at + len(packet)] = bytes(len(packet))
    source.write_bytes(data)
    clip = open_clip(source)
    report = write_video(tmp_path / "out.mp4", clip.frames(), RATE, width=32, height=32, sound=clip.sound)
    assert report.audio == "encoded"
    heard = onsets(tmp_path / "out.mp4")
    assert [round(t, 1) for t in heard] == [0.5, 2.5]


def test_the_default_sound_track_is_taken(tmp_path: Path, write_media: Callable, bursts: Callable) -> None:
    assert sound_of(write_media(tmp_path / "a.mp4", flashes())) is None
    with pytest.raises(InputError):
        sound_of(tmp_path / "nothing.mp4")
