"""``magicpose verify``: what it says, and its exit codes."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from magicpose_cli.cli.app import _run
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Session
from magicpose_cli.provenance.watermark import Watermark
from magicpose_cli.video.images import write_image
from magicpose_cli.video.write import write_video


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    from magicpose_cli.figures.motion import random_pose
    from magicpose_cli.figures.render import render
    from magicpose_cli.figures.scene import random_identity

    return render(random_identity(5), random_pose(5), 256).image


@pytest.fixture
def call(capsys: pytest.CaptureFixture):
    """``call(*words)`` → exit code, stdout, stderr."""

    def call_magicpose(*words: object) -> tuple[int, str, str]:
        arguments = ["verify", *map(str, words)]
        code = _run(arguments, Session(Console(as_json="--json" in arguments)))
        out, err = capsys.readouterr()
        return code, out, err

    return call_magicpose


def test_a_frame_of_ours(call, picture: np.ndarray, tmp_path: Path) -> None:
    write_image(tmp_path / "frame.png", Watermark(0x0F3, 256, 256).mark(picture))
    code, out, _ = call(tmp_path / "frame.png")
    assert code == 0
    assert "id 0f3" in out and "credentials: none found" in out and "was made by magicpose" in out
    code, out, _ = call(tmp_path / "frame.png", "--json")
    told = json.loads(out)
    assert code == 0 and told["ours"] is True and told["frames"] == 1
    assert told["watermark"]["payload"] == "0f3" and told["watermark"]["chance"] < 1e-6
    assert told["credentials"] is None and told["comment"] == ""


def test_a_file_without_marks_has_its_own_exit_code(call, picture: np.ndarray, tmp_path: Path) -> None:
    write_image(tmp_path / "photo.jpg", picture)
    code, out, err = call(tmp_path / "photo.jpg")
    assert code == 13
    assert "watermark:   none found" in out and "proves nothing" in err
    code, out, _ = call(tmp_path / "photo.jpg", "--json")
    told = json.loads(out)
    assert code == 13 and told["ours"] is False and told["watermark"]["found"] is False


def test_a_comment_alone_proves_nothing(call, picture: np.ndarray, tmp_path: Path) -> None:
    file, comment = tmp_path / "claims.mp4", {"comment": "AI-generated with magicpose \x1b[2J"}
    write_video(file, [picture], Fraction(12), width=256, height=256, metadata=comment)
    code, out, err = call(file)
    assert code == 13 and "but a comment, which anyone can write" in err
    assert "\x1b" not in out + err


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "sound"])
def test_what_cannot_be_read(call, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "file.mp4"
    if kind == "folder":
        file.mkdir()
    elif kind == "text":
        file.write_text("this is no video\n")
    elif kind == "sound":
        file.write_bytes(b"RIFF" + bytes(40))
    code, out, err = call(file)
    assert (code, out) == (10, "") and "error" in err


@pytest.mark.slow
def test_the_video_of_demo_is_found_at_half_size_and_strong_compression(run, call, tmp_path: Path) -> None:
    assert run("demo", folder=tmp_path).returncode == 0
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "demo.mp4", "-vf", "scale=iw/2:-2", "-crf", "28"]
    subprocess.run([*command, "-c:v", "libx264", "half.mp4"], cwd=tmp_path, check=True)
    assert call(tmp_path / "demo.mp4", "--json")[0] == 0
    code, out, _ = call(tmp_path / "half.mp4", "--json")
    assert code == 0 and json.loads(out)["watermark"]["chance"] < 1e-6
