"""The one question before a photo is animated: asked on a terminal, remembered, and never in the way of a script."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from magicpose_cli.cli.app import _run
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Session

WORDS = ("animate", "me.png", "poses", "-o", "out.mp4", "--audio", "gone.mp3")
WENT_ON = 10  # the sound is missing: told after the question, and before any work


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """``call(*words)`` → exit code, stderr; for a user who was never asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGICPOSE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MAGICPOSE_CONSENT")

    def call_magicpose(*words: str) -> tuple[int, str]:
        code = _run(list(words), Session(Console(as_json="--json" in words)))
        return code, capsys.readouterr().err

    return call_magicpose


def test_without_a_terminal_it_must_be_said(call, tmp_path: Path) -> None:
    code, err = call(*WORDS)
    assert code == 50
    assert "agreed to be animated" in err and "--i-have-consent" in err
    assert not (tmp_path / "home").exists()


def test_said_once_it_is_remembered(call, tmp_path: Path) -> None:
    assert call(*WORDS, "--i-have-consent")[0] == WENT_ON
    kept = json.loads((tmp_path / "home" / "config" / "consent.json").read_text())
    assert kept["answer"] == "yes"
    assert call(*WORDS)[0] == WENT_ON


@pytest.mark.parametrize(("value", "code"), [("yes", WENT_ON), ("1", WENT_ON), ("no", 50), ("", 50)])
def test_a_script_says_it_in_the_environment(call, monkeypatch: pytest.MonkeyPatch, value: str, code: int) -> None:
    monkeypatch.setenv("MAGICPOSE_CONSENT", value)
    assert call(*WORDS)[0] == code


def test_an_answer_that_cannot_be_kept_is_told(call, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file in its place\n")
    code, err = call(*WORDS, "--i-have-consent")
    assert code == WENT_ON and "could not be kept" in err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"answer": "no"}'])
def test_what_is_no_answer_is_none(call, tmp_path: Path, content: str) -> None:
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "consent.json").write_text(content)
    assert call(*WORDS)[0] == 50


@pytest.mark.skipif(os.name != "posix", reason="a limit on file sizes stands for the full disk")
def test_an_answer_that_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource\nfrom magicpose_cli.animation.consent import has_consent, remember_consent\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))\n"
        "assert not remember_consent() and not has_consent()\n"
    )
    environment = {**os.environ, "MAGICPOSE_HOME": str(tmp_path), "MAGICPOSE_CONSENT": ""}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list((tmp_path / "config").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="a terminal is made with pty")
@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 50), (b"y\n", WENT_ON)])
def test_on_a_terminal_it_asks(tmp_path: Path, answer: bytes, code: int) -> None:
    import pty

    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.environ |= {"MAGICPOSE_HOME": str(tmp_path / "home"), "MAGICPOSE_CONSENT": ""}
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        os.execv(sys.executable, [sys.executable, "-m", "magicpose_cli", *WORDS])
    said = b""
    while b"[y/N]" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, answer)
    try:
        while piece := os.read(terminal, 1000):
            said += piece
    except OSError:
        pass  # the terminal's other end is closed
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == code, said.decode()
    assert b"Did the people in your photos agree" in said
    assert (tmp_path / "home" / "config" / "consent.json").exists() == (code == WENT_ON)
