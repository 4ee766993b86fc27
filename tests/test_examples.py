"""The shell examples run as they stand, on media of their own making, and twice."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from magicpose_cli.video.read import open_clip

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None, reason="the examples are bash scripts"),
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty folder with a space in its name, and a ``magicpose`` of this very interpreter on the PATH."""
    program = tmp_path / "bin" / "magicpose"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m magicpose_cli "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "a folder"
    folder.mkdir()
    return folder


def run(folder: Path, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "MAGICPOSE_OPTIONS": "--model mini --fit none",
        "PATH": f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(EXAMPLES.parent),
    }
    command = ["bash", str(EXAMPLES / script), *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


def test_quickstart(here: Path) -> None:
    result = run(here, "quickstart.sh", "my first")
    assert result.returncode == 0, result.stderr
    for name in ("demo_compare.mp4", "look.png", "fast.mp4", "fast_compare.mp4", "fast.json"):
        assert (here / "my first" / name).is_file()
    clip = open_clip(here / "my first" / "fast.mp4")
    assert clip.sound is not None
    assert clip.fps == open_clip(here / "my first" / "demo_driver.mp4").fps
    again = run(here, "quickstart.sh", "my first")
    assert again.returncode == 0, again.stderr


def test_batch_loop(here: Path) -> None:
    result = run(here, "batch_loop.sh")
    assert result.returncode == 0, result.stderr
    assert "2 of 2 done" in result.stdout
    for name in ("first dance.mp4", "second dance.mp4"):
        assert open_clip(here / "batch" / name).frame_count == 12

    # A driver that is not there is told, and does not keep the others from being made.
    photo = here / "batch" / "media" / "0" / "demo_reference.png"
    drivers = [str(here / "gone.mp4"), str(here / "batch" / "media" / "first dance")]
    result = run(here, "batch_loop.sh", str(photo), "-out", *drivers)
    assert result.returncode == 3
    assert "1 of 2 done" in result.stdout
    assert "gone.mp4" in result.stderr
    assert (here / "-out" / "first dance.mp4").is_file()


def test_compare_seeds(here: Path) -> None:
    result = run(here, "compare_seeds.sh")
    assert result.returncode == 0, result.stderr
    grid = open_clip(here / "seeds" / "seeds.mp4")
    single = open_clip(here / "seeds" / "seed_0.mp4")
    assert grid.frame_count == single.frame_count
    assert grid.fps == single.fps > Fraction(0)
    assert grid.width > 3 * grid.height
