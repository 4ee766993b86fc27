"""``magicpose dataset`` as a user runs it, with the embedded detector on drawn figures."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("webdataset", reason="webdataset comes with the extra 'train'")
pytest.importorskip("mediapipe", reason="mediapipe comes for Python 3.11 and 3.12", exc_type=ImportError)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: two dances of 12 frames of figures that the detector finds, and a file that is no video."""
    from magicpose_cli.figures.motion import make_motion
    from magicpose_cli.figures.render import render
    from magicpose_cli.figures.scene import random_identity
    from magicpose_cli.video.write import write_video

    folder = tmp_path_factory.mktemp("videos")
    for seed in (5, 7):
        frames = (render(random_identity(seed), pose, 320).image for pose in make_motion(seed, 12, fps=30))
        write_video(folder / f"dance [{seed}].mp4", frames, Fraction(30), width=320, height=320)
    (folder / "broken.mp4").write_text("no video")
    return folder


def test_videos_become_a_set(run, videos: Path, tmp_path: Path):
    said = run("dataset", videos, "-o", "set", "--lenient", "--size", 128, "--json", folder=tmp_path)
    assert said.returncode == 3, said.stderr  # one could not be read
    result = json.loads(said.stdout)
    assert result["summary"]["videos"] == 2 and result["summary"]["validation_videos"] == 1
    assert result["summary"]["frames_kept"] >= 20
    assert [name for name, _ in result["unreadable"]] == ["broken.mp4"]
    assert {p.name for p in (tmp_path / "set").iterdir()} == {
        "dataset.json", "train-000000.tar", "validation-000000.tar"
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["set"]  # the work folder is gone
    again = run("dataset", videos / "dance [5].mp4", "-o", "set", folder=tmp_path)
    assert again.returncode == 20 and "--overwrite" in again.stderr


def test_a_broken_video_ends_the_run_at_once(run, videos: Path, tmp_path: Path):
    said = run("dataset", videos, "-o", "set", folder=tmp_path)
    assert said.returncode == 10
    assert "broken.mp4" in said.stderr and "--lenient" in said.stderr
    assert not list(tmp_path.iterdir())


def test_a_video_without_people_is_told(run, tmp_path: Path):
    from magicpose_cli.video.write import write_video

    frames = (np.full((64, 64, 3), 8 * n, np.uint8) for n in range(6))
    write_video(tmp_path / "grey.mp4", frames, Fraction(30), width=64, height=64)
    said = run("dataset", "grey.mp4", "-o", "set", folder=tmp_path)
    assert said.returncode == 12 and "no person" in said.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["grey.mp4"]


def test_an_option_out_of_range_is_told(run, videos: Path, tmp_path: Path):
    said = run("dataset", videos, "-o", "set", "--validation", 2, folder=tmp_path)
    assert said.returncode == 2 and "--validation 2 is out of range" in said.stderr
