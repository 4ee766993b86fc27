"""Commands from words to exit code and result: in this process where that is enough, else as a user runs them."""

import json
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.cli.app import _run
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Session
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """``call(*words)`` → exit code, stdout, stderr; in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call_magicpose(*words: object) -> tuple[int, str, str]:
        arguments = [str(word) for word in words]
        code = _run(arguments, Session(Console(as_json="--json" in arguments)))
        out, err = capsys.readouterr()
        return code, out, err

    return call_magicpose


def make_picture(path: Path, side: int = 64) -> Path:
    Image.fromarray(np.full((side, side, 3), 90, np.uint8)).save(path)
    return path


def make_video(call, folder: Path) -> bytes:
    (folder / "frames").mkdir()
    for index in range(3):
        make_picture(folder / "frames" / f"{index}.png")
    assert call("mux", "frames", "-o", "video.mp4")[0] == 0
    return (folder / "video.mp4").read_bytes()


def make_bad(kind: str, folder: Path, call) -> str:
    """A bad input of this kind; its name."""
    bad = folder / "bad.mp4"
    if kind == "empty":
        bad.write_bytes(b"")
    elif kind == "text":
        bad.write_text("this is no video\n")
    elif kind == "cut off":
        content = make_video(call, folder)
        bad.write_bytes(content[: content.index(b"moov") - 4])
    elif kind == "sound only":
        with wave.open(str(bad), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(16000))
    elif kind == "empty folder":
        bad.mkdir()
    elif kind == "broken image":
        make_picture(folder / "whole.png", 200)
        bad.write_bytes((folder / "whole.png").read_bytes()[:90])
    elif kind == "nobody":
        make_picture(folder / "bad.png")
        return "bad.png"
    return bad.name


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("missing", 10, "no such file"),
        ("empty", 10, "empty"),
        ("text", 10, "text file"),
        ("cut off", 10, "cut off"),
        ("sound only", 10, "sound only"),
        ("empty folder", 10, "no images"),
        ("broken image", 10, "damaged"),
        ("nobody", 12, "no person"),
    ],
)
def test_eight_kinds_of_bad_input(call, tmp_path: Path, kind: str, code: int, said: str) -> None:
    name = make_bad(kind, tmp_path, call)
    found, out, err = call("extract", name, "-o", "poses")
    errors = [line for line in err.splitlines() if "error" in line]
    assert (found, out, len(errors)) == (code, "", 1)
    assert errors[0].startswith("magicpose: error: ") and said in errors[0]
    assert "Traceback" not in err
    assert not (tmp_path / "poses").exists()


def test_debug_shows_the_traceback(call) -> None:
    code, _, err = call("extract", "gone.mp4", "--debug")
    assert code == 10
    assert "Traceback" in err and "InputError" in err


def test_a_frozen_list_of_weights(call) -> None:
    code, out, _ = call("download", "--list", "--json")
    listed = json.loads(out)["weights"]
    assert code == 0
    assert {"magicpose", "tokenizer-vocab"} <= {weight["name"] for weight in listed}
    assert not any(weight["on_disk"] for weight in listed)


def test_a_download_asks_before_the_first_byte(call) -> None:
    code, out, err = call("download", "tokenizer", "--json")
    assert code == 34 or code == 2  # offline in tests: told before or instead of the question
    assert json.loads(out)["exit_code"] == code
    code, _, err = call("download", "tokeniser")
    assert code == 2 and "did you mean" in err


def test_quiet_and_verbose(call, tmp_path: Path) -> None:
    make_video(call, tmp_path)
    assert call("mux", "frames", "-o", "a.mp4", "--quiet") == (0, "", "")
    _, plain, _ = call("mux", "frames", "-o", "b.mp4")
    _, out, err = call("mux", "frames", "-o", "c.mp4", "--verbose")
    assert out == plain.replace("b.mp4", "c.mp4")
    assert "fps=None, audio=auto" in err and "took" in err


def test_compare_and_its_labels(call, tmp_path: Path) -> None:
    make_video(call, tmp_path)
    make_picture(tmp_path / "still.png")
    words = ("compare", "still.png", "video.mp4", "frames", "-o", "grid.mp4", "--height", 64)
    code, out, _ = call(*words, "--json")
    assert code == 0
    assert json.loads(out)["frame_count"] == 3
    code, _, err = call(*words, "--label", "one", "--overwrite")
    assert code == 2 and "1 labels for 3 inputs" in err


def test_doctor_tells_what_is_there(call) -> None:
    code, out, _ = call("doctor", "--json")
    result = json.loads(out)
    states = {check["name"]: check["state"] for check in result["checks"]}
    assert {"torch", "GPU", "memory", "disk", "embedded model", "pose detector", "video codecs"} <= set(states)
    assert code == (0 if result["ok"] else 3)
    assert states["torch"] == states["video codecs"] == "ok"
    for check in result["checks"]:
        assert check["ok"] or check["fix"]


@pytest.mark.parametrize("name", ["openpose", "dwpose"])
def test_a_detector_that_is_not_here_says_what_to_type(call, tmp_path: Path, name) -> None:
    make_video(call, tmp_path)
    code, _, err = call("extract", "video.mp4", "--detector", name)
    assert code == (34 if "pip install" not in err else 2)
    assert f"magicpose download {name}" in err
    code, _, err = call("extract", "video.mp4", "--device", "gpu")
    assert code == 2 and "--device" in err


def test_demo_then_animate_from_its_record(run, tiny_model: Path, tmp_path: Path) -> None:
    demo = run("demo", "--model", tiny_model, "--frames", 4, "--json", folder=tmp_path)
    assert demo.returncode == 0, demo.stderr
    assert json.loads(demo.stdout)["video"] == "demo.mp4"
    again = run("animate", "--from", "demo.json", "-o", "again.mp4", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "wrote again.mp4" in again.stdout
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "demo.mp4").read_bytes()
    assert "\x1b" not in again.stderr and "Warning" not in again.stderr


def test_the_good_part_of_a_damaged_video_is_kept_and_told_by_the_exit_code(call, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (40, 64, 64, 3), dtype=np.uint8)
    write_video(tmp_path / "whole.mp4", frames, Fraction(25), width=64, height=64)
    whole = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    assert call("mux", "cut.mp4", "-o", "out.mp4")[0] == 10
    code, out, err = call("mux", "cut.mp4", "-o", "out.mp4", "--lenient", "--json")
    assert code == 3
    told = json.loads(out)
    assert "of 40 frames could be decoded" in told["partial"] and told["partial"] in err
    assert open_clip(tmp_path / "out.mp4").frame_count == told["frame_count"] < 40


def test_preview_takes_the_words_of_animate(call, tmp_path: Path) -> None:
    photo = make_picture(tmp_path / "me.png")
    for words, code, said in (
        (("--model", "minni"), 2, "did you mean mini"),
        (("--model", "mini", "--reference-poses", "nowhere"), 10, "nowhere"),
    ):
        for command in ("preview", "animate"):
            output = "look.png" if command == "preview" else "out.mp4"
            exit_code, _, err = call(command, photo, make_poses(tmp_path / "poses"), "-o", output, *words)
            assert exit_code == code and said in err, (command, words, err)


def make_poses(folder: Path) -> Path:
    """One frame of OpenPose JSON that shows one point."""
    folder.mkdir(exist_ok=True)
    person = {"pose_keypoints_2d": [20.0, 20.0, 0.9] + [0.0] * 51}
    frame = {"people": [person], "canvas_width": 64, "canvas_height": 64}
    (folder / "000000.json").write_text(json.dumps(frame))
    return folder
