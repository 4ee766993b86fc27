import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.errors import InputError, OutputError, UsageError
from magicpose_cli.video.images import write_image
from magicpose_cli.video.read import open_clip, read_image
from magicpose_cli.video.write import check_writable, write_video

RATE = Fraction(25)


def boxes(path: Path) -> list[str]:
    data, names, position = path.read_bytes(), [], 0
    while position < len(data):
        names.append(data[position + 4 : position + 8].decode())
        position += int.from_bytes(data[position : position + 4])
    return names


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".m4v"])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), Fraction(779, 74), Fraction(8)])
def test_what_is_written_is_what_was_given(suffix: str, fps: Fraction, tmp_path: Path, drawn: Callable) -> None:
    path = tmp_path / f"out{suffix}"
    frames = drawn(20)
    report = write_video(path, frames, fps, width=64, height=48, metadata={"title": "a title"}, expected_frames=20)
    assert (report.path, report.width, report.height, report.fps) == (path, 64, 48, fps)
    assert (report.frame_count, report.audio, report.notes) == (20, "none", ())
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == ColorRange.MPEG
        assert container.metadata["title"] == "a title"
        assert abs(float(stream.average_rate / fps) - 1) < 1e-3
    clip = open_clip(path)
    assert (clip.fps, clip.frame_count, clip.width, clip.height) == (fps, 20, 64, 48)
    for got, given in zip(clip.frames(), frames, strict=True):
        assert np.abs(got.astype(int) - given).mean() < 3
    assert os.listdir(tmp_path) == [path.name]


def test_the_index_comes_first(tmp_path: Path, drawn: Callable) -> None:
    write_video(tmp_path / "a.mp4", drawn(3), RATE, width=64, height=48)
    names = boxes(tmp_path / "a.mp4")
    assert names.index("moov") < names.index("mdat")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (63, 47), (64, 47), (2000, 2)])
def test_odd_sizes_grow_by_an_edge_line(width: int, height: int, tmp_path: Path, drawn: Callable) -> None:
    frames = drawn(3, width, height)
    report = write_video(tmp_path / "a.mp4", frames, RATE, width=width, height=height)
    assert (report.width, report.height) == (width + width % 2, height + height % 2)
    back = list(open_clip(tmp_path / "a.mp4").frames())
    assert back[0].shape == (report.height, report.width, 3)


def test_one_frame(tmp_path: Path, drawn: Callable) -> None:
    assert write_video(tmp_path / "a.mp4", drawn(1), RATE, width=64, height=48).frame_count == 1
    assert open_clip(tmp_path / "a.mp4").frame_count == 1


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("fps", [Fraction(8), Fraction(24), Fraction(12)])
def test_gif_and_webp_keep_rate_and_size(suffix: str, fps: Fraction, tmp_path: Path, drawn: Callable) -> None:
    path = tmp_path / f"a{suffix}"
    report = write_video(path, drawn(10, 63, 47), fps, width=63, height=47)
    assert (report.width, report.height, report.frame_count) == (63, 47, 10)
    clip = open_clip(path)
    assert (clip.fps, clip.frame_count, clip.width, clip.height) == (fps, 10, 63, 47)
    assert len(list(clip.frames())) == 10


def test_a_gif_faster_than_gifs_go_is_refused(tmp_path: Path, drawn: Callable) -> None:
    with pytest.raises(UsageError, match="50 frames"):
        write_video(tmp_path / "a.gif", drawn(10), Fraction(60), width=64, height=48)
    assert not os.listdir(tmp_path)


def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path: Path, drawn: Callable) -> None:
    for name in ("a.xyz", "a", ".mp4"):
        with pytest.raises(UsageError) as caught:
            write_video(tmp_path / name, drawn(1), RATE, width=64, height=48)
        assert ".mp4" in caught.value.hint


# --- whole or not at all ---------------------------------------------------------------------------------------------


def stops_after(frames: list[np.ndarray], error: BaseException) -> Iterator[np.ndarray]:
    yield from frames
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("model"), InputError("bad frame"), MemoryError()])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif"])
def test_an_interrupted_output_leaves_nothing(error: BaseException, name: str, tmp_path: Path, drawn: Callable) -> None:
    with pytest.raises(type(error)) as caught:
        write_video(tmp_path / name, stops_after(drawn(30), error), RATE, width=64, height=48)
    assert caught.value is error
    assert not os.listdir(tmp_path)


def test_an_interrupted_replacement_keeps_the_old_file(tmp_path: Path, drawn: Callable) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_video(path, stops_after(drawn(30), KeyboardInterrupt()), RATE, width=64, height=48, overwrite=True)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_an_existing_output_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    for attempt in (
        lambda: check_writable(path),
        lambda: write_video(path, stops_after([], AssertionError("worked")), RATE, width=64, height=48),
        lambda: write_image(path.with_suffix(".png"), np.zeros((2, 2, 3), np.uint8)),
    ):
        path.with_suffix(".png").write_bytes(b"old")
        with pytest.raises(OutputError, match="exists") as caught:
            attempt()
        assert "--overwrite" in caught.value.hint
    assert path.read_bytes() == b"old"
    assert check_writable(path, overwrite=True) == path


def test_a_file_that_appears_meanwhile_is_kept_and_so_is_the_work(tmp_path: Path, drawn: Callable) -> None:
    path = tmp_path / "a.mp4"

    def frames() -> Iterator[np.ndarray]:
        yield from drawn(3)
        path.write_bytes(b"other")

    with pytest.raises(OutputError, match=r"a-1\.mp4"):
        write_video(path, frames(), RATE, width=64, height=48)
    assert path.read_bytes() == b"other"
    assert open_clip(tmp_path / "a-1.mp4").frame_count == 3


def test_check_writable_makes_nothing_and_missing_folders_are_made(tmp_path: Path, drawn: Callable) -> None:
    path = tmp_path / "new" / "deep" / "a.mp4"
    check_writable(path)
    assert not os.listdir(tmp_path)
    write_video(path, drawn(2), RATE, width=64, height=48)
    assert path.exists()


def test_a_longest_possible_name(tmp_path: Path, drawn: Callable) -> None:
    path = tmp_path / ("x" * 251 + ".mp4")
    write_video(path, drawn(2), RATE, width=64, height=48)
    assert path.exists()
    with pytest.raises(OutputError):
        check_writable(tmp_path / ("x" * 252 + ".mp4"))


@pytest.mark.skipif(os.name != "posix", reason="names that only POSIX allows")
@pytest.mark.parametrize("name", [b"bad\xff.mp4", b"new\nline.mp4", b"%d.mp4", b"-x.mp4", b"http:x.mp4", b"[a].mp4"])
def test_any_name_can_be_written(name: bytes, tmp_path: Path, drawn: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / os.fsdecode(b"in \xfe")
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = Path(os.fsdecode(name))
    write_video(path, drawn(2), RATE, width=64, height=48)
    assert os.listdir(folder) == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="POSIX files")
def test_folders_devices_and_broken_links_are_refused_and_links_stay(tmp_path: Path, drawn: Callable) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nothing.mp4")
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    (tmp_path / "file").write_text("")
    for name in ("fifo.mp4", "folder.mp4", "dangling.mp4", "loop.mp4", "file/a.mp4", "a\0.mp4"):
        with pytest.raises(OutputError) as caught:
            check_writable(tmp_path / name, overwrite=True)
        assert caught.value.hint
    with pytest.raises(OutputError):
        check_writable(Path("/dev/null"), overwrite=True)
    real, link = tmp_path / "real.mp4", tmp_path / "link.mp4"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_video(link, drawn(2), RATE, width=64, height=48, overwrite=True)
    assert link.is_symlink()
    assert open_clip(real).frame_count == 2


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid"), reason="POSIX permissions")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="not writable"):
        check_writable(tmp_path / "a.mp4")
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no file size limit here")
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif", "a.png"])
def test_no_room_left_is_told_and_nothing_remains(name: str, tmp_path: Path) -> None:
    """A limit on file sizes fails a write as a full disk does, at a point we choose."""
    program = """
import resource, signal, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from magicpose_cli.core.errors import DiskFullError
from magicpose_cli.video.images import write_image
from magicpose_cli.video.write import write_video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
noise = np.random.default_rng(0)
frames = [noise.integers(0, 255, (96, 96, 3), dtype=np.uint8) for _ in range(20)]
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    if sys.argv[1].endswith("png"):
        write_image(Path(sys.argv[1]), frames[0])
    else:
        write_video(Path(sys.argv[1]), frames, Fraction(25), width=96, height=96)
except DiskFullError as error:
    print(error.message)
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    assert "the disk is full" in result.stdout, result.stderr
    assert not os.listdir(tmp_path)


def test_no_frames_or_too_few_are_an_error(tmp_path: Path, drawn: Callable) -> None:
    for name in ("a.mp4", "a.gif"):
        with pytest.raises(InputError, match="no frames"):
            write_video(tmp_path / name, [], RATE, width=64, height=48)
        with pytest.raises(InputError, match="3 frames came where 4"):
            write_video(tmp_path / name, drawn(3), RATE, width=64, height=48, expected_frames=4)
    with pytest.raises(ValueError, match="frame 0"):
        write_video(tmp_path / "a.mp4", drawn(3), RATE, width=64, height=40)
    assert not os.listdir(tmp_path)


def test_progress_counts_the_frames(tmp_path: Path, drawn: Callable) -> None:
    from contextlib import contextmanager

    class Counting:
        total, done = None, 0

        @contextmanager
        def stage(self, name: str, total: int | None, unit: str = "frame", done: int = 0) -> Iterator[Callable]:
            self.total = total

            def advance(steps: int = 1, detail: str = "") -> None:
                self.done += steps

            yield advance

        def note(self, message: str) -> None: ...

        def plan(self, stages: int) -> None: ...

    progress = Counting()
    write_video(tmp_path / "a.mp4", drawn(7), RATE, width=64, height=48, progress=progress, expected_frames=7)
    assert (progress.total, progress.done) == (7, 7)


def test_images_are_written_as_they_are(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (7, 9, 3), dtype=np.uint8)
    write_image(tmp_path / "a.png", image)
    assert (read_image(tmp_path / "a.png") == image).all()
    with pytest.raises(UsageError):
        write_image(tmp_path / "a.xyz", image)


def test_a_gif_cannot_hold_sound_and_says_so(tmp_path: Path, drawn: Callable) -> None:
    sound = SoundSource(tmp_path / "any.wav", Fraction(0), Fraction(1))
    report = write_video(tmp_path / "a.gif", drawn(3), RATE, width=64, height=48, sound=sound)
    assert report.audio == "none"
    assert "GIF" in report.notes[0]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2, reason="one processor")
def test_the_file_does_not_depend_on_the_processors_at_hand(tmp_path: Path) -> None:
    script = (
        "import os, sys; from fractions import Fraction; from pathlib import Path\n"
        "os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(sys.argv[2])]))\n"
        "import numpy as np; from magicpose_cli.video.write import write_video\n"
        "noise = np.random.default_rng(0).integers(0, 256, (24, 256, 256, 3), np.uint8)\n"
        "print(write_video(Path(sys.argv[1]), iter(noise), Fraction(25), width=256, height=256).sha256)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / f"{count}.mp4"), str(count)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in (1, 2)
    }
    assert len(seen) == 1
