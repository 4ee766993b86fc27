"""What the user sees, without a terminal and on made-up ones."""

import io
import json
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.cli.console import Console, amount, duration, printable


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.text())
def test_nothing_printable_steers_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)


def test_file_names_stay_readable() -> None:
    assert printable("[bold]été 日本.mp4[/]") == "[bold]été 日本.mp4[/]"
    assert printable("نمی\u200cخواهم 👩\u200d🚀") == "نمی\u200cخواهم 👩\u200d🚀"
    assert printable("photo\u202egpj.exe a\u200bb\ufeff\U000e0041") == "photo\\u202egpj.exe a\\u200bb\\ufeff\\U000e0041"
    assert printable("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert printable(b"\xff.mp4".decode(errors="surrogateescape")) == "\\xff.mp4"


def test_amounts() -> None:
    assert [amount(1, "frame"), amount(2500, "step")] == ["1 frame", "2,500 steps"]
    assert [amount(999, "byte"), amount(1_500_000, "byte")] == ["999 B", "1.5 MB"]
    assert [duration(4.2), duration(59.97), duration(65), duration(7380)] == [
        "4.2 s",
        "1:00 min",
        "1:05 min",
        "2:03:00 h",
    ]


def test_what_comes_before_the_first_unit_is_no_measure_of_the_others() -> None:
    """A minute of loading, then a frame a second."""
    stream, clock = io.StringIO(), Clock()
    with Console(stream=stream, clock=clock).stage("animating", 30) as advance:
        for now in range(60, 80):
            clock.now = now
            advance()
    lines = [line for line in stream.getvalue().splitlines() if "frame" in line and "of 30" in line]
    assert "frame 1 of 30" in lines[0] and "left" not in lines[0]
    assert "frame 6 of 30  20 %  24 s left" in lines[1]


def test_without_a_terminal_a_line_comes_every_few_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    console = Console(stream=stream, clock=clock)
    console.plan(2)
    with console.stage("finding poses", 100) as advance:
        for _ in range(100):
            clock.now += 0.2
            advance()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "[1/2] finding poses (100 frames)"
    assert lines[-1] == "[1/2] finding poses: 100 frames in 20 s"
    assert 4 <= len(lines) <= 6
    assert lines[1] == "[1/2] finding poses  frame 25 of 100  25 %  15 s left  5.0 frames/s"
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()


def test_what_runs_beside_a_stage_has_no_number_and_stands_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are written while the next ones are made: no [2/2] while [1/2] still runs."""

    def work(console: Console, clock: Clock) -> None:
        console.plan(2)
        with console.stage("animating", 4) as animating, console.stage("writing the video", 4) as writing:
            for _ in range(4):
                clock.now += 3
                animating()
                writing()
                if console._live is not None:
                    console._live.refresh()
        with console.stage("comparing", 1):
            pass

    plain, clock = io.StringIO(), Clock()
    work(Console(stream=plain, clock=clock), clock)
    titles = [re.split(r"  (?=\w)|:| \(", line.strip())[0] for line in plain.getvalue().splitlines()]
    assert titles[:2] == ["[1/2] animating", "writing the video"] and titles[-1] == "[2/2] comparing"
    assert {t for t in titles if "[" in t} == {"[1/2] animating", "[2/2] comparing"}

    monkeypatch.setenv("TERM", "xterm")
    for columns in (60, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        terminal, clock = Terminal(), Clock()
        work(Console(stream=terminal, clock=clock), clock)
        shown = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue()))
        lines = [line.rstrip() for line in shown if "%" in line]
        below = [n for n, line in enumerate(lines) if line.startswith("      writing the video")]
        assert len(below) >= 4 and max(map(len, lines)) < columns
        assert all(lines[n - 1].startswith("[1/2] animating") for n in below)


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    console = Console(stream=stream)
    with console.stage("working", 3) as advance:
        advance(3)
    assert "\x1b" not in stream.getvalue()
    assert "working" in stream.getvalue()


@pytest.mark.parametrize("columns", [10, 20, 30, 60, 80, 300])
def test_a_terminal_of_any_width_shows_the_share(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    stream, clock = Terminal(), Clock()
    console = Console(stream=stream, clock=clock)
    with console.stage("animating [bold]x[/bold]", 200, "step") as advance:
        clock.now = 3
        advance(100, "loss 0.5")
        console.note("a note between")
        console._live.refresh()
    shown = stream.getvalue()
    assert "50 %" in shown
    assert "a note between" in shown.replace("\n", " ") or columns < 20
    assert not re.search(r"\x1b\[[0-9;]*m", shown)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert max(len(line) for line in re.split(r"[\r\n]", plain) if "%" in line) <= columns
    assert shown.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in shown  # the cursor is back


def test_an_error_inside_a_stage_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    console = Console(stream=stream)
    with pytest.raises(RuntimeError), console.stage("outer", None), console.stage("inner", 5):
        raise RuntimeError
    assert stream.getvalue().rindex("\x1b[?25h") > stream.getvalue().rindex("\x1b[?25l")
    console.note("after")
    assert stream.getvalue().endswith("after\n")


def test_quiet_leaves_errors_only(capsys: pytest.CaptureFixture) -> None:
    console = Console(quiet=True)
    console.note("note")
    console.say("answer")
    with console.stage("work", 3) as advance:
        advance(3)
    console.error("this is wrong", "do that")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "magicpose: error: this is wrong\n  do that\n"


def test_json_is_one_object_on_stdout(capsys: pytest.CaptureFixture) -> None:
    console = Console(as_json=True)
    console.note("note")
    console.say("answer")
    console.emit({"fps": Fraction(25), "name": "\udcff\n"})
    console.emit({"second": True})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"fps": "25", "name": "\udcff\n"}
    assert err == "note\n"


def test_a_closed_stderr_stops_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    console = Console(stream=stream)
    console.note("nobody listens")
    with console.stage("work", 2) as advance:
        advance(2)
