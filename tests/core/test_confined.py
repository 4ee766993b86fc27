"""Decoding in a process apart: its end is an error, ours is its end, and it may do nothing but decode."""

import inspect
import io
import json
import os
import select
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.confined import _State, confined
from magicpose_cli.core.confinement import Limits
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.messages import pack, read_message, unpack, write_message
from magicpose_cli.video.probe import probe
from magicpose_cli.video.read import _frames, open_clip, read_image
from magicpose_cli.video.write import write_video

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, or tests what Linux alone can do")
_TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "some [b]video[/b].mp4"
    # 7.9 MB of pictures: more than a pipe holds, so that a worker is still at it when one is taken.
    frames = (np.full((256, 256, 3), 5 * index, np.uint8) for index in range(40))
    write_video(path, frames, Fraction(25), width=256, height=256)
    return path


def workers(parent: int) -> list[int]:
    """The worker processes of a process, those that have ended but were not waited for too."""
    children = [
        int(pid) for task in Path(f"/proc/{parent}/task").iterdir() for pid in (task / "children").read_text().split()
    ]
    return [
        pid for pid in children if b"confined_worker" in Path(f"/proc/{pid}/cmdline").read_bytes() or is_zombie(pid)
    ]


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@linux
@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGSEGV, "crash"), (signal.SIGKILL, "crash"), (signal.SIGXCPU, "endless")]
)
def test_the_end_of_a_decoder_is_an_error_and_the_next_file_is_read(number: int, said: str, video: Path) -> None:
    clip = open_clip(video)
    passes = [clip.frames() for _ in range(len(workers(os.getpid())) + 1)]  # more than there are idle workers
    for frames in passes:
        known = set(workers(os.getpid()))
        next(frames)
    (new,) = set(workers(os.getpid())) - known  # that of the last pass
    os.kill(new, number)
    with pytest.raises(InputError, match=said) as caught:
        for _ in passes[-1]:
            pass
    assert str(video) in caught.value.message and caught.value.hint
    assert new not in workers(os.getpid())
    for frames in passes:
        frames.close()
    assert sum(1 for _ in open_clip(video).frames()) == 40
    assert not any(map(is_zombie, workers(os.getpid())))


@linux
@pytest.mark.parametrize(("number", "group"), [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGINT, True)])
def test_no_worker_outlives_us(number: int, group: bool, video: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from magicpose_cli.video.read import open_clip\n"
        "frames = [open_clip(Path(sys.argv[1])).frames() for _ in range(2)]\n"
        "for each in frames: next(each)\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(video)], cwd=_TOP, start_new_session=True, **pipes
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        found = [os.pidfd_open(pid) for pid in workers(process.pid)]
        assert len(found) == 2
        (os.killpg if group else os.kill)(process.pid, number)
        process.wait(60)
    for descriptor in found:
        assert select.select([descriptor], [], [], 60)[0]  # it has ended
        os.close(descriptor)


@linux
def test_a_forked_process_does_not_disturb(video: Path) -> None:
    frames = open_clip(video).frames()
    first = next(frames)
    child = os.fork()
    if child == 0:
        try:
            mine = [frame.copy() for frame in open_clip(video).frames()]
            frames.close()
            os._exit(0 if len(mine) == 40 and (mine[0] == first).all() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(list(frames)) == 39


def test_many_clips_side_by_side_stay_apart(video: Path) -> None:
    passes = [open_clip(video).frames() for _ in range(3)]
    next(passes[2])
    for first, second in zip(passes[0], passes[1], strict=True):
        assert (first == second).all()
    assert len(list(passes[2])) == 39


def test_paths_are_relative_to_where_we_are_now(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(video.parent)
    assert open_clip(Path(video.name)).frame_count == 40
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_image(Path("x.png"))


@linux
def test_a_worker_has_no_terminal_and_no_secrets_of_ours(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    known = set(workers(os.getpid()))
    passes = [open_clip(video).frames() for _ in range(len(known) + 1)]
    for frames in passes:
        next(frames)
    new = (set(workers(os.getpid())) - known).pop()
    assert os.getsid(new) == new != os.getsid(0)
    names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{new}/environ").read_bytes().split(b"\0")}
    assert b"PATH" in names and not names & {b"HF_TOKEN", b"AWS_SECRET_ACCESS_KEY"}
    for frames in passes:
        frames.close()


@linux
def test_a_decoder_that_hangs_is_given_up(video: Path) -> None:
    info, limits = probe(video), Limits(silence=600)
    decode = confined(limits)(inspect.unwrap(_frames))
    arguments = (info, info.fps, Fraction(0), info.frame_count, 10**6, False)
    assert len(list(decode(*arguments))) == 40
    (worker,) = _State.idle[limits]
    frames = decode(*arguments)
    next(frames)
    worker.silence = 1
    os.kill(worker.process.pid, signal.SIGSTOP)
    with pytest.raises(InputError, match="hang: given up after 1 s"):
        list(frames)
    assert worker.process.pid not in workers(os.getpid()) and not _State.idle[limits]


def test_an_answer_of_another_kind_than_promised_is_an_error(video: Path) -> None:
    def probe(path: Path) -> str:  # the worker's function of this name answers with more than a text
        raise AssertionError

    probe.__module__, probe.__qualname__ = open_clip.__module__.replace("read", "probe"), "probe"
    with pytest.raises(InputError, match="answer nonsense"):
        confined()(probe)(video)
    assert open_clip(video).frame_count == 40


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.fractions(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text().filter(lambda k: k[:1] != "="), inner)
    ),
    max_leaves=8,
)


@given(_VALUES)
def test_values_come_back_as_they_were(value: object) -> None:
    assert unpack(json.loads(json.dumps(pack(value)))) == value


def test_our_values_and_arrays_come_back_as_they_were() -> None:
    sound = SoundSource(Path(os.fsdecode(b"a\xff\n.mp4")), Fraction(1, 3), Fraction(5))
    pipe = io.BytesIO()
    write_message(pipe, {"value": (sound, Fraction(2))})
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    for array in (picture, picture[::-1, ::2], picture[:0]):
        write_message(pipe, {"value": array})
    pipe.seek(0)
    assert read_message(pipe) == {"value": (sound, Fraction(2))}
    for array in (picture, picture[::-1, ::2], picture[:0]):
        assert np.array_equal(read_message(pipe)["value"], array)
    with pytest.raises(EOFError):
        read_message(pipe)


_SOUND = "magicpose_cli.core.clip:SoundSource"


@pytest.mark.parametrize(
    "message",
    [
        {"value": {"=os:system": {"command": "true"}}},
        {"value": {"=magicpose_cli.core.confined:subprocess": {}}},
        {"value": {"=magicpose_cli.core.confined:confined": {}}},
        {"value": {"=magicpose_cli.core.clip:Clip": {}}},
        {"value": {"=magicpose_cli.core.clip:Nothing": {}}},
        {"value": {"=magicpose_cli.nowhere:Nothing": {}}},
        {"value": {f"={_SOUND}": {"path": "x", "start": {"=fraction": "1"}, "duration": {"=fraction": "1"}}}},
        {"value": {f"={_SOUND}": {"path": {"=path": "x"}, "start": 1, "duration": {"=fraction": "1"}}}},
        {"value": {f"={_SOUND}": {"path": {"=path": "x"}}}},
        {"value": {f"={_SOUND}": {"other": 1}}},
        {"value": {f"={_SOUND}": []}},
        {"value": {"=fraction": "1/0"}},
        {"value": {"=fraction": "1e999999999"}},
        {"value": {"=fraction": 1}},
        {"value": {"=fraction": "9" * 5000}},
        {"value": {"=path": None}},
        {"value": {"=tuple": "ab"}},
        {"value": {"=": {}}},
        {"array": {"shape": [2], "dtype": "O"}},
        {"array": {"shape": [-1, 3], "dtype": "|u1"}},
        {"array": {"shape": [1 << 40], "dtype": "|u1"}},
        {"array": {"shape": [], "dtype": "nonsense"}},
        {"array": {"shape": [2], "dtype": "u1,u1"}},
        {"array": {"shape": [], "dtype": "|u1"}},
        {"array": None},
        ["no object"],
    ],
)
def test_a_message_that_no_worker_of_ours_sends_is_the_end(message: object) -> None:
    text = json.dumps(message).encode()
    with pytest.raises(EOFError):
        read_message(io.BytesIO(len(text).to_bytes(4, "little") + text + bytes(64)))


def test_an_endless_text_is_the_end() -> None:
    text = json.dumps({"value": "x" * (16 << 20)}).encode()
    with pytest.raises(EOFError):
        read_message(io.BytesIO(len(text).to_bytes(4, "little") + text))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_the_end(data: bytes) -> None:
    try:
        read_message(io.BytesIO(len(data).to_bytes(4, "little") + data))
    except EOFError:
        pass
