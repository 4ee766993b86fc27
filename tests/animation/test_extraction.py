"""Poses of driving videos, kept from run to run; and the person in the photo."""

import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.animation import extraction
from magicpose_cli.animation.extraction import cache_folder, cached_extraction
from magicpose_cli.animation.inputs import open_inputs
from magicpose_cli.animation.reference import person_in
from magicpose_cli.animation.request import AnimationRequest, ExtractionRequest
from magicpose_cli.video.read import read_image


class Listener:
    """Keeps what a user would be told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def plan(self, stages: int) -> None:
        pass

    def stage(self, name, total, unit="frame", done=0):
        return nullcontext(lambda steps=1, detail="": None)


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("MAGICPOSE_HOME", str(tmp_path / "home"))
    return tmp_path


def test_what_is_to_be_known_of_kept_poses_is_told_each_time(media, home) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    first, second = Listener(), Listener()
    request = ExtractionRequest(media.driver, end=0.3)
    cached_extraction(request, first)
    cached_extraction(request, second)
    assert "A person in all 3 frames." in first.notes
    assert second.notes[1:] == first.notes[-len(second.notes[1:]) :]
    assert "A person in all 3 frames." in second.notes and "earlier run" in second.notes[0]


def test_kept_poses_are_those_of_this_method_and_these_networks(media, home, monkeypatch) -> None:
    pytest.importorskip("onnxruntime", exc_type=ImportError)

    def with_networks(content: bytes) -> Path:
        entries = []
        for name in ("dwpose-person", "dwpose-points"):
            (home / "home" / "weights" / name).mkdir(parents=True, exist_ok=True)
            (home / "home" / "weights" / name / "net.onnx").write_bytes(content)
            fields = {
                "name": name,
                "repo": "nobody/small",
                "file": "net.onnx",
                "revision": "0" * 40,
                "sha256": hashlib.sha256(content).hexdigest(),
                "format": "onnx",
                "licence": "none",
                "purpose": "a test",
            }
            lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
            entries.append("\n".join(["[[weight]]", *lines, f"size = {len(content)}", 'used_for = ["dwpose"]']))
        (home / "list.toml").write_text("\n".join(entries))
        return cache_folder(ExtractionRequest(media.driver, detector="dwpose"))

    monkeypatch.setenv("MAGICPOSE_WEIGHTS_TOML", str(home / "list.toml"))
    one = with_networks(b"one")
    assert with_networks(b"other") != one
    assert with_networks(b"one") == one
    monkeypatch.setattr(extraction, "METHOD_VERSION", extraction.METHOD_VERSION + 1)
    assert with_networks(b"one") != one


def test_which_detector_looks_at_the_photo_is_told_and_that_it_took_the_largest_person(media) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    photo = read_image(media.photo)
    alone, crowd = Listener(), Listener()
    person_in(photo, "auto", progress=alone)
    person_in(np.concatenate([photo, photo], axis=1), "auto", progress=crowd)
    assert [note.partition(" (")[0] for note in alone.notes] == ["detector mediapipe"]
    assert "2 people were found in the reference photo" in crowd.notes[1]


def test_the_detector_of_video_and_photo_is_told_once(media, home) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    heard = Listener()
    request = AnimationRequest(media.photo, media.driver, home / "out.mp4", end=0.2)
    open_inputs(request, 256, 8, heard)
    assert sum(note.startswith("detector mediapipe") for note in heard.notes) == 1
