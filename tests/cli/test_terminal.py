"""On a real terminal (a pty): narrow, resized, dumb, without colours, interrupted; and with streams that are closed."""

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.video.read import open_clip

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals and signals are POSIX")

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "magicpose_cli", "mux", "frames", "-o", "out.mp4"]
ESCAPE, COLOUR = re.compile(rb"\x1b"), re.compile(rb"\x1b\[[0-9;]*m")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder with so many frames that writing them takes seconds."""
    frames = tmp_path / "frames"
    frames.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(picture).save(frames / "0000.png")
    for index in range(1, 300):
        os.link(frames / "0000.png", frames / f"{index:04d}.png")
    return tmp_path


@pytest.fixture
def few(tmp_path: Path) -> Path:
    frames = tmp_path / "frames"
    frames.mkdir()
    for index in range(2):
        Image.fromarray(np.full((32, 32, 3), 90 * index, np.uint8)).save(frames / f"{index}.png")
    return tmp_path


class Terminal:
    """A command on a terminal of ``columns``; ``said`` is all that came so far."""

    def __init__(self, folder: Path, columns: int, **environment: str) -> None:
        import pty

        self.process, self._terminal = pty.fork()
        if self.process == 0:
            self._terminal = 0
            self.resize(columns)
            os.chdir(folder)
            os.environ |= {"PYTHONPATH": str(ROOT), **environment}
            os.execv(COMMAND[0], COMMAND)
        self.said = b""

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def read(self) -> Iterator[bytes]:
        try:
            while piece := os.read(self._terminal, 1000):
                self.said += piece
                yield piece
        except OSError:
            return  # the other end is closed

    def end(self) -> int:
        for _ in self.read():
            pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_a_terminal_that_changes_its_width(many: Path) -> None:
    terminal, widths = Terminal(many, 10, TERM="xterm", NO_COLOR="1"), iter((30, 300, 20))
    for piece in terminal.read():
        if b"%" in piece and (columns := next(widths, None)):
            terminal.resize(columns)
    assert terminal.end() == 0, terminal.said.decode()
    assert re.search(rb"\d %", terminal.said) and b"wrote out.mp4" in terminal.said.replace(b"\r\n", b"")
    assert not COLOUR.search(terminal.said)
    assert terminal.said.rindex(b"\x1b[?25h") > terminal.said.rindex(b"\x1b[?25l"), "the cursor is back"


def test_a_dumb_terminal_gets_no_escape_codes(few: Path) -> None:
    terminal = Terminal(few, 80, TERM="dumb")
    assert terminal.end() == 0
    assert b"writing the video: 2 frames in" in terminal.said and not ESCAPE.search(terminal.said)


def test_ctrl_c_on_a_terminal_gives_the_cursor_back(many: Path) -> None:
    terminal = Terminal(many, 80, TERM="xterm")
    for _ in terminal.read():
        if b"%" in terminal.said:
            break
    terminal.type(b"\x03")
    assert terminal.end() == -signal.SIGINT
    assert b"stopping; once more" in terminal.said and b"stopped by SIGINT" in terminal.said
    assert terminal.said.rindex(b"\x1b[?25h") > terminal.said.rindex(b"\x1b[?25l")
    assert os.listdir(many) == ["frames"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks into /proc")
def test_a_second_interrupt_waits_for_nothing(many: Path) -> None:
    """The first one's word cannot be told, since nobody reads: the process would wait for ever."""
    reading, writing = os.pipe()
    with subprocess.Popen(COMMAND, cwd=many, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=writing) as process:
        said = b""
        while b"writing" not in said:
            said += os.read(reading, 1000)
        fill(writing)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: not catches(process.pid, signal.SIGINT))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == -signal.SIGINT
    os.close(reading)
    os.close(writing)
    assert not (many / "out.mp4").exists()


def fill(pipe: int) -> None:
    os.set_blocking(pipe, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(pipe, b"x" * size)
        except BlockingIOError:
            pass
    os.set_blocking(pipe, True)


def catches(process: int, number: int) -> bool:
    (caught,) = re.findall(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{process}/status").read_text())
    return bool(int(caught, 16) >> (number - 1) & 1)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        os.sched_yield()


@pytest.mark.parametrize(
    ("streams", "code"),
    [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 21)],
)
def test_streams_that_are_closed_or_full(few: Path, streams: str, code: int) -> None:
    line = f'"{COMMAND[0]}" {" ".join(COMMAND[1:])} {streams}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], cwd=few, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert ("wrote out.mp4" in done.stdout) == (streams in ("<&-", "2>&-", "2>/dev/full"))
    assert "reading frames" not in done.stdout and "Traceback" not in done.stderr and "bug" not in done.stderr
    assert len(list(open_clip(few / "out.mp4").frames())) == 2, "no word of a library went into the file"
