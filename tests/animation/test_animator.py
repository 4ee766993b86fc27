"""The whole flow on a tiny model with random weights: files in, a video and its record out."""

import json
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.animation.animator import animate
from magicpose_cli.animation.demo import run_demo
from magicpose_cli.animation.estimate import plan_run
from magicpose_cli.animation.extraction import cached_extraction, extract, is_extracted
from magicpose_cli.animation.inputs import preview
from magicpose_cli.animation.request import AnimationRequest, DemoRequest, ExtractionRequest, PreviewRequest
from magicpose_cli.animation.run_folder import read_record
from magicpose_cli.core.errors import DeviceError, InputError, IntegrityError, NoPersonError, OutputError, UsageError
from magicpose_cli.core.progress import SILENT
from magicpose_cli.pose.clip_info import ClipInfo
from magicpose_cli.pose.openpose_json import read_poses, write_poses
from magicpose_cli.video.images import write_image
from magicpose_cli.video.probe import probe
from magicpose_cli.video.read import open_clip, read_image


class Listener:
    """Keeps what a user would be told, of stages those that are counted."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[str] = []
        self._open = 0

    def note(self, message: str) -> None:
        self.notes.append(message)

    def plan(self, stages: int) -> None:
        self.planned = len(self.stages) + stages

    @contextmanager
    def stage(self, name, total, unit="frame", done=0):
        if not self._open:
            self.stages.append(name)
        self._open += 1
        with SILENT.stage(name, total, unit) as advance:
            yield advance
        self._open -= 1


@pytest.fixture
def request_here(media, tiny_model: Path, tmp_path: Path) -> AnimationRequest:
    return AnimationRequest(media.photo, media.poses, tmp_path / "out.mp4", model=str(tiny_model), fit="none")


def test_a_video_and_its_record(request_here: AnimationRequest, tmp_path: Path) -> None:
    listener = Listener()
    result = animate(replace(request_here, compare=True), listener)
    info = probe(result.output)
    assert (info.frame_count, info.fps, info.audio_codec) == (12, 10, "aac")
    photo = read_image(request_here.reference)
    assert info.width / info.height == pytest.approx(photo.shape[1] / photo.shape[0], rel=0.04)
    assert len(listener.stages) == listener.planned == 2
    assert sorted(os.listdir(tmp_path)) == ["out.json", "out.mp4", "out_compare.mp4"]
    assert probe(tmp_path / "out_compare.mp4").frame_count == 12

    request, record = read_record(tmp_path / "out.json")
    assert (request.steps, request.guidance, request.scheduler) == (1, 2.0, "dpm++")
    assert (request.device, request.dtype, request.existing) == ("cpu", "float32", "refuse")
    assert record["frames"] == 12 and set(record["sha256"]) == {"reference", "poses", "weights", "output"}

    # Made again from its record, it is the same video.
    again = animate(replace(request, output=tmp_path / "again.mp4", compare=False), earlier=record)
    assert again.output.read_bytes() == result.output.read_bytes()
    # Another seed, another video.
    other = animate(replace(request, output=tmp_path / "other.mp4", compare=False, seed=1))
    assert other.output.read_bytes() != result.output.read_bytes()


def test_changed_inputs_are_told(request_here: AnimationRequest) -> None:
    listener = Listener()
    animate(request_here, listener, earlier={"sha256": {"reference": "another"}})
    assert any("reference changed" in note for note in listener.notes)


@pytest.mark.parametrize("scheduler", ["ddim", "unipc"])
def test_samplers(request_here: AnimationRequest, scheduler: str) -> None:
    assert animate(replace(request_here, scheduler=scheduler, steps=3, end=0.3)).frames == 3


def test_a_driving_video_is_extracted_once(request_here: AnimationRequest, media, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    request = replace(request_here, poses=media.driver, fit="auto", end=0.6)
    first, second = Listener(), Listener()
    result = animate(request, first)
    assert "finding poses" in first.stages
    assert first.planned == len(first.stages) == 2
    assert (result.frames, result.fps, probe(result.output).audio_codec) == (6, "10", "aac")
    animate(replace(request, output=tmp_path / "again.mp4"), second)
    assert "finding poses" not in second.stages
    assert second.planned == len(second.stages) == 1


def test_pose_maps_animate_too(request_here: AnimationRequest, media) -> None:
    result = animate(replace(request_here, poses=media.maps, fps="12", end=0.5, audio=str(media.driver)))
    assert (result.frames, result.fps, result.sound) == (6, "12", "with the sound as it was")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"audio": "gone.mp3"}, InputError),
        ({"reference": Path("gone.png")}, InputError),
        ({"offload": True}, UsageError),
        ({"device": "mps"}, DeviceError),
        ({"start": 100.0}, UsageError),
    ],
)
def test_a_mistake_leaves_nothing(request_here: AnimationRequest, tmp_path: Path, change: dict, error: type) -> None:
    with pytest.raises(error):
        animate(replace(request_here, **change))
    assert os.listdir(tmp_path) == []


def test_an_output_is_refused_before_any_work(request_here: AnimationRequest, tmp_path: Path) -> None:
    request_here.output.write_bytes(b"mine")
    missing = replace(request_here, reference=tmp_path / "gone.png")
    with pytest.raises(OutputError, match="exists"):
        animate(missing)
    assert animate(replace(missing, existing="skip")).skipped
    assert request_here.output.read_bytes() == b"mine"
    animate(replace(request_here, existing="overwrite"))
    assert open_clip(request_here.output).frame_count == 12


def test_a_dry_run_says_it_and_writes_nothing(request_here: AnimationRequest, tmp_path: Path) -> None:
    plan = plan_run(replace(request_here, steps=7, fps="5"))
    assert (plan.frames, plan.fps, plan.steps) == (6, "5", 7)
    assert plan.seconds > 0 and plan.memory_bytes > 0
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("damage", ["no config", "no weights", "no JSON", "odd config", "cut off"])
def test_a_dry_run_tells_a_damaged_model_as_the_run_does(
    request_here: AnimationRequest, tiny_model: Path, tmp_path: Path, damage: str
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    config, weights = folder / "unet" / "config.json", folder / "unet" / "diffusion_pytorch_model.safetensors"
    if damage == "no config":
        config.unlink()
    elif damage == "no weights":
        weights.unlink()
    elif damage == "no JSON":
        config.write_text("{")
    elif damage == "odd config":
        config.write_text(json.dumps({**json.loads(config.read_text()), "block_out_channels": "wide"}))
    else:
        weights.write_bytes(weights.read_bytes()[:1000])
    for run in (plan_run, animate):
        with pytest.raises(IntegrityError, match="unet"):
            run(replace(request_here, model=str(folder)))


def test_a_dry_run_looks_for_the_person_before_any_pose_is_found(media, request_here: AnimationRequest, tmp_path: Path):
    pytest.importorskip("mediapipe", exc_type=ImportError)
    write_image(tmp_path / "grey.png", np.full((96, 96, 3), 128, np.uint8))
    write_image(tmp_path / "frames" / "0.png", read_image(media.photo))
    request = replace(request_here, reference=tmp_path / "grey.png", poses=tmp_path / "frames", detector="mediapipe")
    with pytest.raises(NoPersonError, match="no person was found in the reference photo"):
        plan_run(replace(request, fit="auto"))
    assert plan_run(request).frames == 1  # the poses' whole frame is laid onto the photo


def test_the_result_comes_back_into_the_whole_photo(media, request_here: AnimationRequest, tmp_path: Path) -> None:
    """A small person in a wide photo: the network sees the person, the video is the photo."""
    photo = np.full((499, 1199, 3), 90, np.uint8)
    photo[120:376, 700:876] = read_image(media.photo)
    write_image(tmp_path / "wide.png", photo)
    body = read_poses(media.poses).track[0:1].map_points(1, 660, 120, 1199, 499)
    info = ClipInfo(body.fps, 1199, 499, 1, "photo", None, "figures", "exact")
    write_poses(tmp_path / "there", body, info)
    request = replace(
        request_here,
        reference=tmp_path / "wide.png",
        fit="auto",
        reference_poses=tmp_path / "there",
        paste_back=True,
        output=tmp_path / "out.mkv",
        compare=True,
    )
    plan = plan_run(request)
    listener = Listener()
    result = animate(request, listener)
    assert (result.width, result.height) == (plan.width, plan.height) == (1200, 500)
    assert plan_run(replace(request, paste_back=False, existing="overwrite")).patch is None
    left, top, right, bottom = plan.patch
    assert 600 < left < 760 and 820 < right < 1199 and top < 200 and bottom > 300  # round the person
    (told,) = (sentence for sentence in plan.sentences if "laid back into the photo" in sentence)
    assert f"{right - left}x{bottom - top} pixels, {left} across and {top} down" in told
    assert any(f"from {left} across and {top} down" in note for note in listener.notes)
    record = json.loads(result.record.read_text())
    assert record["request"]["paste_back"] and record["request"]["framing"] == "auto"
    width, height = record["canvas"]
    assert width < 1.5 * height and width % 8 == height % 8 == 0  # the frame is the dancer's, not the photo's
    frame = next(iter(open_clip(result.output).frames())).astype(int)
    assert top > 40 and np.abs(frame[:, : left - 16] - 90).max() <= 3 and np.abs(frame[: top - 16] - 90).max() <= 3
    assert np.abs(frame[200:300, 750:820] - photo[200:300, 750:820]).mean() > 10
    assert probe(result.compare).frame_count == 12


def test_a_preview_is_one_picture(request_here: AnimationRequest, tmp_path: Path) -> None:
    result = preview(PreviewRequest(request_here, tmp_path / "look.png"))
    assert read_image(result.output).shape[2] == 3
    assert result.frames == 12 and result.matched_frame is None  # not fitted
    with pytest.raises(UsageError, match="picture"):
        preview(PreviewRequest(request_here, tmp_path / "look.mp4"))


def test_a_preview_shows_the_canvas_of_animate(media, request_here: AnimationRequest, tmp_path: Path) -> None:
    square = media.maps / "0.png"  # of the shape of the poses' picture
    request = replace(request_here, model="mini", reference=square, fit="auto", reference_poses=media.poses)
    shown = preview(PreviewRequest(request, tmp_path / "look.png"))
    assert shown.canvas == tuple(int(side) for side in plan_run(request).request["size"].split("x"))
    assert min(shown.canvas) == 256
    assert f"matched on frame {shown.matched_frame}," in " ".join(shown.notes)
    for run in (plan_run, lambda odd: preview(PreviewRequest(odd, tmp_path / "odd.png"))):
        with pytest.raises(UsageError, match="multiple of 16"):
            run(replace(request, size="72"))


def test_extraction_writes_poses_maps_and_preview(media, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    request = ExtractionRequest(media.driver, tmp_path / "poses", maps=True, preview=True, end=0.5)
    result = extract(request)
    assert (result.frames, result.fps, result.report["frames"]) == (5, "10", 5)
    names = os.listdir(tmp_path / "poses")
    assert len(names) == 5 + len(("clip.json", "maps", "preview.mp4"))
    assert json.loads((tmp_path / "poses" / "clip.json").read_text())["driver"] == "driver.mp4"
    assert read_image(tmp_path / "poses" / "maps" / "000004.png").shape == (512, 512, 3)
    assert probe(tmp_path / "poses" / "preview.mp4").frame_count == 5
    with pytest.raises(OutputError):
        extract(request)
    assert extract(replace(request, existing="overwrite", maps=False, preview=False)).frames == 5
    assert len(os.listdir(tmp_path / "poses")) == 6


def test_a_second_run_waits_for_the_poses_that_the_first_extracts(media) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    request = ExtractionRequest(media.driver, end=0.2)
    waits = threading.Event()

    class Second(Listener):
        def note(self, message: str) -> None:
            super().note(message)
            waits.set()

    class First(Listener):
        """The other run begins while this one looks at its first frame."""

        def stage(self, name, total, unit="frame", done=0):
            second.start()
            assert waits.wait(60)
            return super().stage(name, total, unit)

    folders, listener = [], Second()
    second = threading.Thread(target=lambda: folders.append(cached_extraction(request, listener)))
    folders.append(cached_extraction(request, First()))
    second.join()
    assert folders[0] == folders[1] and is_extracted(folders[0])
    assert f"process {os.getpid()} is extracting the poses" in listener.notes[0] and listener.stages == []


def test_a_video_without_a_person_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    write_image(tmp_path / "grey" / "0.png", np.full((96, 96, 3), 128, np.uint8))
    with pytest.raises(NoPersonError):
        extract(ExtractionRequest(tmp_path / "grey", tmp_path / "poses"))
    assert os.listdir(tmp_path) == ["grey"]


@pytest.mark.parametrize("name", ["demo_reference.png", "demo_poses/mine", "demo_compare.mp4", "demo.json"])
def test_the_demo_writes_nothing_where_one_of_its_outputs_exists(tiny_model: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError):
        run_demo(DemoRequest(tmp_path, model=str(tiny_model), frames=2))
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / name]


def test_the_demo(tiny_model: Path, tmp_path: Path) -> None:
    result = run_demo(DemoRequest(tmp_path, model=str(tiny_model), frames=6))
    video, compare = probe(result.video), probe(result.compare)
    assert (video.frame_count, video.fps, video.audio_codec) == (6, Fraction(12), "aac")
    assert compare.frame_count == 6 and compare.width > 3.5 * compare.height
    assert open_clip(result.driver).sound is not None
    with pytest.raises(OutputError):
        run_demo(DemoRequest(tmp_path, model=str(tiny_model), frames=6))
