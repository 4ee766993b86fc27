"""A run that is stopped goes on where it was, and its video has the same bytes as an unbroken run's."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.animation.animator import animate
from magicpose_cli.animation.extraction import extract
from magicpose_cli.animation.kept_run import KeptRun, check_room
from magicpose_cli.animation.request import AnimationRequest, ExtractionRequest
from magicpose_cli.core.errors import DiskFullError, InputError, OutputError
from magicpose_cli.core.work_folder import work_folder
from magicpose_cli.pose import track
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video

FRAMES = 80  # two segments


class Stop(BaseException):
    """As a signal does."""


class Listener:
    """Stops the run in the stage ``where`` after ``units``, or as it ends; keeps what a user would be told."""

    def __init__(self, where: str = "", units: int | None = None) -> None:
        self.where, self.units = where, units
        self.notes: list[str] = []
        self.begun_with: dict[str, int] = {}

    def note(self, message: str) -> None:
        self.notes.append(message)

    def plan(self, stages: int) -> None:
        pass

    @contextmanager
    def stage(self, name, total, unit="frame", done=0):
        self.begun_with[name] = count = done

        def advance(steps: int = 1, detail: str = "") -> None:
            nonlocal count
            count += steps
            if name == self.where and self.units is not None and count >= self.units:
                raise Stop

        yield advance
        if name == self.where:
            raise Stop


class AtTheComparison(Listener):
    """Stops when the video is there, and what belongs to it is not."""

    def note(self, message: str) -> None:
        if "side by side" in message:
            raise Stop


class KillsTheDecoder(Listener):
    """As the system does where memory runs out, with the fifth frame."""

    @contextmanager
    def stage(self, name, total, unit="frame", done=0):
        def advance(steps: int = 1, detail: str = "") -> None:
            nonlocal done
            done += steps
            if done == 5:
                for worker in _workers():
                    os.kill(worker, signal.SIGKILL)

        yield advance


def _workers() -> list[int]:
    children = [
        child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [int(child) for child in children if b"confined_worker" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.fixture(scope="module")
def motion_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a motion module."""
    from magicpose_cli.diffusion.load import load_pipeline
    from magicpose_cli.diffusion.stock import MotionAdapter

    torch.manual_seed(1)
    pipeline = load_pipeline(tiny_model, device=torch.device("cpu"), dtype=torch.float32)
    widths = pipeline.unet.config.block_out_channels
    adapter = MotionAdapter(
        block_out_channels=widths,
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
        motion_max_seq_length=16,
    )
    for name, parameter in adapter.named_parameters():
        if "proj_out" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    pipeline.register_modules(motion_adapter=adapter)
    folder = tmp_path_factory.mktemp("model") / "motion"
    pipeline.save_pretrained(folder)
    return folder


@pytest.fixture
def request_of(media, tmp_path: Path) -> Callable[[Path], AnimationRequest]:
    """The dance of 1.2 s, each of its frames several times."""

    def of(model: Path) -> AnimationRequest:
        rate, end = "100", FRAMES / 100
        return AnimationRequest(
            media.photo, media.poses, tmp_path / "out.mp4", model=str(model), fit="none", fps=rate, end=end, steps=3
        )

    return of


def stopped(request: AnimationRequest, where: str, units: int | None = None) -> Stop:
    with pytest.raises(Stop) as caught:
        animate(request, Listener(where, units))
    return caught.value


def unbroken(request: AnimationRequest) -> bytes:
    whole = replace(request, output=request.output.with_name("whole.mp4"))
    animate(whole)
    content = whole.output.read_bytes()
    whole.output.unlink()
    whole.output.with_suffix(".json").unlink()
    return content


@pytest.mark.parametrize("model", ["tiny_model", "motion_model"])
def test_it_goes_on_to_the_same_bytes(request_of, model: str, request: pytest.FixtureRequest) -> None:
    asked = request_of(request.getfixturevalue(model))
    expected = unbroken(asked)
    for units in (1, 100, 200, 3 * FRAMES):
        told = stopped(asked, "animating", units)
        if units >= 100:
            assert "run the same command again to go on from frame" in told.__notes__[0]
    stopped(asked, "writing the video", FRAMES - 1)
    listener = Listener()
    animate(asked, listener)
    assert asked.output.read_bytes() == expected
    assert listener.begun_with["animating"] > 200
    assert sorted(entry.name for entry in asked.output.parent.iterdir()) == ["out.json", "out.mp4"]


def test_a_run_that_ended_between_video_and_record_is_completed(request_of, tiny_model: Path) -> None:
    asked = replace(request_of(tiny_model), compare=True)
    work = asked.output.with_name(".out.mp4.magicpose")
    animate(asked, Listener())
    expected = asked.output.read_bytes()
    for name in ("out.json", "out.mp4", "out_compare.mp4"):
        asked.output.with_name(name).unlink()

    with pytest.raises(Stop):
        animate(asked, AtTheComparison())
    assert asked.output.read_bytes() == expected and work.is_dir()
    with pytest.raises(OutputError, match="exists"):
        animate(replace(asked, seed=1))
    stopped(replace(asked, existing="overwrite"), "animating", 3 * FRAMES)
    result = animate(replace(asked, existing="overwrite"))
    assert asked.output.read_bytes() == expected and result.compare.is_file() and result.record.is_file()
    assert not work.exists()


def test_what_others_put_beside_a_half_done_video_is_left_alone(request_of, tiny_model: Path) -> None:
    asked = replace(request_of(tiny_model), compare=True)
    record, compare = asked.output.with_name("out.json"), asked.output.with_name("out_compare.mp4")

    class Meanwhile(Listener):
        def note(self, message: str) -> None:
            if "side by side" in message:
                record.write_text("mine")

    with pytest.raises(OutputError, match=r"out\.json exists"):  # as the last thing of all
        animate(asked, Meanwhile())
    made = compare.read_bytes()
    with pytest.raises(OutputError, match=r"out\.json exists"):
        animate(asked)
    assert record.read_text() == "mine" and asked.output.is_file()
    record.unlink()
    compare.write_bytes(b"mine too")
    with pytest.raises(OutputError, match=r"out_compare\.mp4 exists"):
        animate(asked)
    assert compare.read_bytes() == b"mine too"
    compare.write_bytes(made)
    assert animate(asked).record.is_file() and compare.read_bytes() == made
    assert sorted(entry.name for entry in asked.output.parent.iterdir()) == ["out.json", "out.mp4", "out_compare.mp4"]


def test_skipping_skips_what_a_half_done_run_with_other_words_made(request_of, tiny_model: Path) -> None:
    asked = replace(request_of(tiny_model), compare=True)

    with pytest.raises(Stop):
        animate(asked, AtTheComparison())
    made = asked.output.read_bytes()
    assert animate(replace(asked, seed=1, existing="skip")).skipped
    assert asked.output.read_bytes() == made


def test_what_is_kept_is_of_one_request_and_sound(request_of, tiny_model: Path) -> None:
    asked = request_of(tiny_model)
    work, other = asked.output.with_name(".out.mp4.magicpose"), asked.output.with_name("kept")
    expected = unbroken(asked)
    stopped(asked, "writing the video", FRAMES - 1)
    assert sorted(file.name for file in work.glob("latents*")) == ["latents-000000000.kept", "latents-000000064.kept"]
    shutil.copytree(work, other)

    def damaged(*names: str) -> Listener:
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(other, work)
        for name in names:
            content = bytearray((work / name).read_bytes())
            content[len(content) // 2] ^= 1
            (work / name).write_bytes(content)
        listener = Listener()
        animate(replace(asked, existing="overwrite"), listener)
        assert asked.output.read_bytes() == expected
        return listener

    whole = 3 * FRAMES
    assert damaged().begun_with["animating"] == whole
    assert damaged("latents-000000064.kept").begun_with["animating"] in range(64 * 3, whole + 1)
    assert damaged("latents-000000064.kept", "under-way.kept").begun_with["animating"] == 64 * 3
    assert damaged("latents-000000000.kept").begun_with["animating"] == 0
    again = damaged("request.json")
    assert again.begun_with["animating"] == 0 and any("other words or inputs" in note for note in again.notes)


def test_out_of_memory_keeps_what_is_done(request_of, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the 8th pass of the denoiser on, the second segment's, the device holds not even one frame."""
    from magicpose_cli.cli.app import as_known_error
    from magicpose_cli.diffusion import denoise

    asked, passes, predict = request_of(tiny_model), [], denoise.predict

    def until_full(*args, **kwargs):
        passes.append(1)
        if len(passes) >= 8:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return predict(*args, **kwargs)

    expected = unbroken(asked)
    monkeypatch.setattr(denoise, "predict", until_full)
    with pytest.raises(torch.OutOfMemoryError) as caught:
        animate(asked)
    assert "--offload" in as_known_error(caught.value).hint
    assert "go on from frame 64 of 80" in caught.value.__notes__[0]
    monkeypatch.undo()
    listener = Listener()
    animate(asked, listener)
    assert listener.begun_with["animating"] >= 64 * 3 and asked.output.read_bytes() == expected


def test_what_a_twin_removed_is_told(tmp_path: Path) -> None:
    """Where locks do nothing, another run of the same output may be done first."""
    with pytest.raises(OutputError, match="went away") as caught, work_folder(tmp_path / "out") as work:
        work.keep("latents-000000000", {}, {"latents": np.zeros((3, 4, 8, 8), np.float32)})
        kept = KeptRun(work, in_turn=False)
        work.drop("latents-000000000")
        list(kept.through([]))
    assert "same command again" in caught.value.hint


def test_a_disk_too_small_is_told_with_numbers(request_of, tiny_model: Path) -> None:
    asked = request_of(tiny_model)
    with work_folder(asked.output) as work:
        check_room(work, 80, 4 * 8 * 8, asked)
        with pytest.raises(DiskFullError, match=r"keeps up to [0-9.]+ GB beside .*out\.mp4 .* are free there"):
            check_room(work, 10**12, 4 * 8 * 8, asked)


def test_an_extraction_goes_on_to_the_same_files(media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    monkeypatch.setattr(track, "STRETCH", 4)
    extract(ExtractionRequest(media.driver, tmp_path / "whole"))
    asked = ExtractionRequest(media.driver, tmp_path / "poses")
    for units in (6, 8):
        with pytest.raises(Stop) as caught:
            extract(asked, Listener("finding poses", units))
        assert caught.value.__notes__ == ["run the same command again to go on from frame 4 of 12"]
    listener = Listener()
    extract(asked, listener)
    assert listener.begun_with["finding poses"] == 4
    for file in (tmp_path / "whole").iterdir():
        assert (tmp_path / "poses" / file.name).read_bytes() == file.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["poses", "whole"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_a_killed_decoder_had_given_is_kept(media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mediapipe", exc_type=ImportError)
    monkeypatch.setattr(track, "STRETCH", 4)
    frames = list(open_clip(media.driver).frames()) * 4  # more than a pipe holds
    write_video(tmp_path / "long.mp4", frames, Fraction(10), width=256, height=256)
    asked = ExtractionRequest(tmp_path / "long.mp4", tmp_path / "poses")
    with pytest.raises(InputError) as caught:
        extract(asked, KillsTheDecoder())
    again = Listener("finding poses", 1)
    with pytest.raises(Stop):
        extract(asked, again)
    kept = again.begun_with["finding poses"]
    assert kept >= 4
    assert caught.value.__notes__ == [f"run the same command again to go on from frame {kept} of 48"]
