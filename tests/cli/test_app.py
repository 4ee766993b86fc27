"""The boundary: exit codes, one-line errors, signals, pipes, and names as data; run as a user runs it."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.cli.app import _report, as_known_error
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.exit_codes import EXIT_CODES, exit_code
from magicpose_cli.cli.options import Session
from magicpose_cli.core import errors
from magicpose_cli.core.signals import ENDING_SIGNALS

ROOT = Path(__file__).parents[2]
COMMANDS = ("demo", "download", "convert", "extract", "preview", "animate", "mux", "compare", "doctor", "train")


def make_frames(folder: Path, count: int, side: int = 32) -> Path:
    folder.mkdir()
    for index in range(count):
        picture = np.full((side, side, 3), 255 * index // max(1, count - 1), np.uint8)
        Image.fromarray(picture).save(folder / f"{index:04d}.png")
    return folder


# ---- the table of exit codes ---------------------------------------------------------------------------------------


def test_every_error_class_has_its_own_code() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and c is not errors.MagicPoseError]
    assert {c for c in classes if issubclass(c, errors.MagicPoseError)} == set(EXIT_CODES)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


def test_a_subclass_has_its_ancestors_code() -> None:
    class Odd(errors.InputError):
        pass

    assert exit_code(Odd("x")) == 10
    assert exit_code(ValueError("x")) == 1


def test_errors_of_libraries_are_told_like_ours() -> None:
    class OutOfMemoryError(RuntimeError):  # torch's has this name
        pass

    assert exit_code(as_known_error(OutOfMemoryError("tried to allocate\nmany lines"))) == 41
    assert exit_code(as_known_error(MemoryError())) == 41
    assert exit_code(as_known_error(OSError(errno.ENOSPC, "full", "/x"))) == 21
    for lost in ("CUDA error: unspecified launch failure\nmany lines", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"):
        assert exit_code(as_known_error(RuntimeError(lost))) == 40
    assert exit_code(as_known_error(RuntimeError("CUDA error: out of memory"))) == 41
    assert as_known_error(ValueError()) is None


def test_a_bug_of_ours_leaves_a_log(capsys: pytest.CaptureFixture) -> None:
    session = Session(Console(as_json=True))
    try:
        raise RuntimeError("a wheel\x1b[31m came off")
    except RuntimeError as error:
        assert _report(error, session) == 1
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert said["exit_code"] == 1
    assert "Traceback" not in err and "\x1b" not in err
    log = Path(said["hint"].split()[-1])
    assert "a wheel" in log.read_text() and "Traceback" in log.read_text()


# ---- wrong words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["animat"], "did you mean 'animate'?"),
        (["extract", "--detctor", "x"], "did you mean --detector?"),
        (["animate", "a.png", "b", "-o", "c.mp4", "--steps", "many"], "--steps"),
        (["animate", "a.png", "b", "-o", "c.mp4", "--preset", "publised"], "did you mean published?"),
        (["animate", "a.png", "b", "-o", "c.mp4", "--overwrite", "--skip-existing"], "cannot go together"),
        (["animate", "a.png"], "POSES is missing"),
        (["compare"], "INPUT"),
        (["mux", "frames", "-o", "out.pm4"], ".pm4"),
    ],
)
def test_wrong_words_cost_one_sentence(run, tmp_path: Path, words: list[str], said: str) -> None:
    result = run(*words, folder=tmp_path)
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert lines[0].startswith("magicpose: error: ") and said in lines[0]
    assert len(lines) <= 2 and "Traceback" not in result.stderr and "\x1b" not in result.stderr
    assert result.stdout == ""
    assert os.listdir(tmp_path) == []


def test_every_command_shows_examples_and_how_to_call_it(run) -> None:
    code = (
        "from magicpose_cli.cli.app import app\n"
        f"for name in {[*COMMANDS]!r}:\n"
        "    app([name, '--help'], standalone_mode=False, prog_name='magicpose')\n"
        "app(['evaluate', 'figures', '--help'], standalone_mode=False, prog_name='magicpose')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Usage: magicpose") == len(COMMANDS) + 1
    assert result.stdout.count("Examples:\n") == len(COMMANDS) + 1
    for name in COMMANDS:
        assert f"\n    magicpose {name}" in result.stdout


def test_help_keeps_most_of_a_narrow_terminal_for_its_sentences(run) -> None:
    shown = run("animate", "--help", COLUMNS="60").stdout
    options = shown[shown.index("Options:") : shown.index("Examples:")].splitlines()
    assert max(map(len, options)) <= 60
    sentences = [line for line in options if line.startswith(" " * 6)]
    assert len(sentences) > 30 and {len(line) - len(line.lstrip()) for line in sentences} == {14}


@pytest.mark.parametrize("group", [[], ["evaluate"]])
def test_a_list_of_commands_is_wrapped_and_not_cut(run, group: list[str]) -> None:
    wide, narrow = (run(*group, "--help", COLUMNS=columns).stdout for columns in ("80", "50"))
    commands = [" ".join(shown[shown.index("Commands:") :].split()) for shown in (wide, narrow)]
    assert "..." not in commands[1] and commands[0] == commands[1]
    assert max(map(len, narrow[narrow.index("Commands:") :].split("Examples:")[0].splitlines())) <= 50


def test_the_version(run) -> None:
    result = run("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("magicpose ")


# ---- results, names, pipes -----------------------------------------------------------------------------------------


def test_names_are_data_and_json_is_pure(run, tmp_path: Path) -> None:
    frames = make_frames(tmp_path / "[bold]a\nb %d\x1b[31m", 3)
    result = run("mux", frames.name, "-o", "[red]-x %s.mp4", "--fps", "5", "--json", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert (said["frame_count"], said["fps"], said["path"]) == (3, "5", "[red]-x %s.mp4")
    assert (tmp_path / "[red]-x %s.mp4").is_file()
    assert "\x1b" not in result.stderr and "\\n" in result.stderr
    again = run("mux", frames.name, "-o", "[red]-x %s.mp4", "--json", folder=tmp_path)
    assert again.returncode == json.loads(again.stdout)["exit_code"] == 20


def test_a_name_with_a_dash_in_front(run, tmp_path: Path) -> None:
    make_frames(tmp_path / "-frames", 2)
    result = run("mux", "-o", "out.mp4", "--quiet", "--", "-frames", folder=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "out.mp4").is_file()


@pytest.mark.skipif(os.name != "posix", reason="signals and bytes in names are POSIX")
def test_a_name_that_is_not_utf8(run, tmp_path: Path) -> None:
    os.rename(make_frames(tmp_path / "frames", 2), os.path.join(os.fsencode(tmp_path), b"fr\xff"))
    result = run("mux", os.fsdecode(b"fr\xff"), "-o", os.fsdecode(b"o\xfe.mp4"), folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert os.fsencode("out.mp4") not in os.listdir(os.fsencode(tmp_path))
    assert b"o\xfe.mp4" in os.listdir(os.fsencode(tmp_path))
    assert "o\\xfe.mp4" in result.stdout


@pytest.mark.skipif(os.name != "posix", reason="POSIX shell")
def test_a_reader_that_leaves_early(tmp_path: Path) -> None:
    line = f'"{sys.executable}" -m magicpose_cli download --list | head -n 1; echo "${{PIPESTATUS[0]}}"'
    result = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    first, status = result.stdout.splitlines()
    assert first.startswith("magicpose")
    assert int(status) in (0, 128 + signal.SIGPIPE)
    assert result.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="POSIX shell")
def test_a_closed_stdout(tmp_path: Path) -> None:
    make_frames(tmp_path / "frames", 2)
    line = f'"{sys.executable}" -m magicpose_cli mux frames -o out.mp4 --quiet >&-'
    result = subprocess.run(
        ["bash", "-c", line],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "out.mp4").is_file()


# ---- signals -------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("number", ENDING_SIGNALS)
def test_a_signal_ends_the_process_by_that_signal_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    frames = make_frames(tmp_path / "frames", 2, side=512)
    for index in range(2, 200):
        os.link(frames / "0000.png", frames / f"{index:04d}.png")
    process = subprocess.Popen(
        [sys.executable, "-m", "magicpose_cli", "mux", "frames", "-o", "out.mp4"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # nohup leaves one ignored
    )
    for line in process.stderr:
        if "writing" in line:
            break
    process.send_signal(number)
    began = time.monotonic()
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == -number
    assert time.monotonic() - began < 10
    assert "stopped by" in rest and "Traceback" not in rest
    assert os.listdir(tmp_path) == ["frames"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_an_ignored_interrupt_stays_ignored(tmp_path: Path) -> None:
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from magicpose_cli.cli import app\n"
        "from magicpose_cli.cli.console import Console\n"
        "from magicpose_cli.cli.options import Session\n"
        "app._catch_signals(Session(Console()))\n"
        "print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.stdout.split() == ["True", "False"]
