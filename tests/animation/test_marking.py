"""What a result carries: the marks chosen for a request, in the file and in its record."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.animation.animator import animate
from magicpose_cli.animation.marking import Marks, choose_marks, watermark_name, watermark_payload
from magicpose_cli.animation.request import AnimationRequest
from magicpose_cli.animation.run_folder import read_record
from magicpose_cli.animation.verifying import verify
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.progress import SILENT
from magicpose_cli.provenance.credentials import read_credentials
from magicpose_cli.video.comment import read_comment
from magicpose_cli.video.write import write_video

HASHES = {"reference": "00", "poses": "11", "weights": "22"}


class Notes:
    """Keeps what a user would be told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def request_here(media, tiny_model: Path, tmp_path: Path) -> AnimationRequest:
    return AnimationRequest(media.photo, media.poses, tmp_path / "out.mp4", model=str(tiny_model), fit="none", end=0.3)


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    from magicpose_cli.figures.motion import make_motion
    from magicpose_cli.figures.render import render
    from magicpose_cli.figures.scene import random_identity

    return [render(random_identity(4), pose, 256).image for pose in make_motion(4, 3, fps=12)]


def write(path: Path, marks: Marks, frames: list[np.ndarray]) -> None:
    comment = {"comment": marks.comment}
    marked = marks.watermarked(frames)
    write_video(path, marked, Fraction(12), width=256, height=256, metadata=comment, seal=marks.seal)


def test_a_result_says_what_made_it(request_here: AnimationRequest) -> None:
    result = animate(request_here)
    request, record = read_record(result.record)
    assert request.watermark
    payload = watermark_payload(request, {name: record["sha256"][name] for name in ("reference", "poses", "weights")})
    assert record["marks"]["watermark"] == watermark_name(payload)
    assert record["marks"]["credentials"] is True
    found = read_credentials(result.output)
    assert found is not None and found.intact and found.ours and found.ai_generated
    assert found.facts["inputs"] == {name: f"sha256:{record['sha256'][name]}" for name in found.facts["inputs"]}
    assert set(found.facts["inputs"]) == {"reference", "poses", "weights"}
    assert read_comment(result.output) == record["marks"]["comment"]
    assert str(request_here.reference.parent).encode() not in result.output.read_bytes()


def test_without_a_watermark_the_record_says_so_and_the_rest_stays(request_here: AnimationRequest) -> None:
    result = animate(replace(request_here, watermark=False))
    request, record = read_record(result.record)
    assert not request.watermark and record["marks"]["watermark"] is None
    found = read_credentials(result.output)
    assert found is not None and found.intact and found.facts["watermark"] is None
    assert "watermark" not in read_comment(result.output)


@pytest.mark.parametrize(
    ("name", "signed"), [("a.mp4", True), ("a.mov", True), ("a.mkv", False), ("a.gif", True), ("a.webp", True)]
)
def test_each_container_takes_what_it_can(
    request_here: AnimationRequest, frames: list[np.ndarray], tmp_path: Path, name: str, signed: bool
) -> None:
    marks = choose_marks(request_here, HASHES, SILENT)
    write(tmp_path / name, marks, frames)
    found = verify(tmp_path / name)
    assert found.ours and marks.signed == signed
    assert found.watermark.payload == marks.payload
    assert (found.credentials is not None and found.credentials.own_key) == signed
    assert found.comment == marks.comment
    assert found.frames == 3 and len(found.sentences()) == 3


def test_the_watermark_follows_what_makes_the_pictures(request_here: AnimationRequest) -> None:
    first = watermark_payload(request_here, HASHES)
    elsewhere = replace(request_here, output=Path("other.mp4"), reference=Path("b.png"), existing="skip", compare=True)
    assert watermark_payload(elsewhere, HASHES) == first
    others = [replace(request_here, seed=1), replace(request_here, steps=9), replace(request_here, prompt="a")]
    assert sum(watermark_payload(other, HASHES) == first for other in others) < 2
    assert 0 <= first < 4096 and len(watermark_name(first)) == 3


def test_a_folder_of_keys_that_is_none_costs_no_work(
    request_here: AnimationRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    monkeypatch.setenv("MAGICPOSE_SIGNING", str(tmp_path / "keys"))
    with pytest.raises(InputError, match="no certificates and key"):
        choose_marks(request_here, HASHES, SILENT)


def test_where_no_key_can_be_kept_the_video_comes_without_credentials(
    request_here: AnimationRequest, frames: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MAGICPOSE_SIGNING", str(tmp_path / "file" / "signing"))
    notes = Notes()
    marks = choose_marks(request_here, HASHES, notes)
    assert any("not be signed" in said for said in notes.said)
    write(tmp_path / "a.mp4", marks, frames)
    assert not marks.signed and read_credentials(tmp_path / "a.mp4") is None
    assert verify(tmp_path / "a.mp4").ours
