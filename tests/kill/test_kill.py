"""A short share of ``python -m tests.kill``."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kill.faults import can_inject, faults


def test_system_calls_that_fail_or_kill(tmp_path: Path) -> None:
    if not can_inject(tmp_path):
        pytest.skip("needs a strace that may trace")
    ends, bad = faults(range(6), tmp_path)
    assert not bad, "\n".join(bad)
    assert ends["exit 0"] < 6, "the faults reached the run"


@pytest.mark.skipif(sys.platform != "linux", reason="waits with a pidfd")
@pytest.mark.parametrize("command", ["animate", "extract"])
def test_kills_at_random_moments(command: str) -> None:
    """In a process of their own, which forks: this one has threads."""
    if command == "extract":
        pytest.importorskip("mediapipe", exc_type=ImportError)
    run = [sys.executable, "-m", "tests.kill", command, "--count", "1"]
    done = subprocess.run(run, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 bad" in done.stdout
