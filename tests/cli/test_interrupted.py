"""``animate`` as a process of its own that is killed, interrupted, and started twice."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from magicpose_cli.animation.animator import animate
from magicpose_cli.animation.request import AnimationRequest
from tests.kill.kills import make_media

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")

STEPS = 80


@dataclass
class Runs:
    """Starts the same command in ``folder`` again and again."""

    folder: Path
    model: Path

    def start(self) -> subprocess.Popen[str]:
        words = ["animate", "photo.png", "poses", "-o", "out.mp4", "--model", str(self.model), "--fit", "none"]
        return subprocess.Popen(
            [sys.executable, "-m", "magicpose_cli", *words, "--steps", str(STEPS)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def start_until(self, times: int) -> subprocess.Popen[str]:
        """A run that has kept its state at least so many times."""
        process, states = self.start(), {self._state()}
        while len(states) <= times:
            assert process.poll() is None, process.communicate()[1]
            states.add(self._state())
        return process

    def _state(self) -> int:
        try:
            return (self.folder / ".out.mp4.magicpose" / "under-way.kept").stat().st_ino
        except FileNotFoundError:
            return 0


@pytest.fixture
def runs(tiny_model: Path, tmp_path: Path) -> Runs:
    make_media(tmp_path)
    return Runs(tmp_path, tiny_model)


def test_killed_interrupted_and_started_twice(runs: Runs) -> None:
    folder = runs.folder
    request = AnimationRequest(folder / "photo.png", folder / "poses", folder / "out.mp4", model=str(runs.model))
    whole = replace(request, output=folder / "whole.mp4", fit="none", steps=STEPS)

    killed = runs.start_until(2)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    killed.stderr.close()

    interrupted = runs.start_until(2)
    interrupted.send_signal(signal.SIGSTOP)
    second = runs.start()
    said = second.communicate(timeout=120)[1]
    assert second.returncode == 20 and f"in use by process {interrupted.pid}" in said
    interrupted.send_signal(signal.SIGINT)
    interrupted.send_signal(signal.SIGCONT)
    said = interrupted.communicate(timeout=120)[1]
    assert interrupted.returncode == -signal.SIGINT
    assert "going on with an earlier run from frame" in said
    assert "stopping" in said and "run the same command again to go on from frame" in said.splitlines()[-1]
    assert not (folder / "out.mp4").exists()

    last = runs.start()
    said = last.communicate(timeout=300)[1]
    assert last.returncode == 0 and "going on with an earlier run" in said
    animate(whole)
    assert (folder / "out.mp4").read_bytes() == (folder / "whole.mp4").read_bytes()
    left = {"driver.mp4", "out.json", "out.mp4", "photo.png", "poses", "whole.json", "whole.mp4"}
    assert {entry.name for entry in folder.iterdir()} == left
