"""What a run leaves behind: the best model, the log, TensorBoard's scalars, pictures and a dance; and it learns."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from magicpose_cli.cli.console import Console
from magicpose_cli.cli.train import train
from magicpose_cli.core.progress import SILENT
from magicpose_cli.training.log import Board, LogRow

LEARNS = "seed = 5\nvalidate_steps = 5\npicture_steps = 1000\nema = 0.5\n"


def _longer(text: str, steps: int) -> str:
    head, rest = text.split("steps = ", 1)
    return LEARNS + f"{head}steps = {steps}\n{rest.split(chr(10), 1)[1]}".replace("[data]", "[data]\nreuse = 10")


def _validations(folder: Path) -> list[float]:
    return [float(row["validation"]) for row in csv.DictReader((folder / "log.csv").open()) if row["validation"]]


def test_every_stage_learns_and_animate_reads_the_last(tiny, tmp_path: Path):
    """vae → base → appearance → pose → motion: each stage's loss on held-out people falls."""
    for name, steps in (("vae", 10), ("base", 30), ("appearance", 20), ("pose", 20), ("motion", 15)):
        # a base this small is no prior: it stays open, as in the embedded model's recipes
        own = {"appearance": "appearance_unet", "pose": "pose_controlnet", "motion": "motion_adapter"}
        opened = f'trains = ["unet", "{own[name]}"]\n' if name in own else ""
        result = tiny.train(tmp_path, name, opened + _longer(getattr(tiny, name.upper()), steps))
        losses = _validations(tmp_path / name)
        assert len(losses) == steps // 5
        assert min(losses) < 0.97 * losses[0] and result.best_step > 5, (name, losses)
        assert result.validation == pytest.approx(min(losses), abs=1e-6)
    from magicpose_cli.training.data.figures import render_group
    from magicpose_cli.video.images import write_image

    images, maps, _ = render_group(0, 4, 128, clip_fps=12)
    for number, drawn in enumerate(maps[1:]):
        write_image(tmp_path / "maps" / f"{number}.png", drawn)
    write_image(tmp_path / "me.png", images[0])
    command = [sys.executable, "-m", "magicpose_cli", "animate", str(tmp_path / "me.png"), str(tmp_path / "maps")]
    command += ["-o", str(tmp_path / "out.mp4"), "--model", str(tmp_path / "motion" / "model"), "--device", "cpu"]
    done = subprocess.run([*command, "--fps", "12"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "out.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 3


def test_the_model_is_the_best_so_far_also_over_a_resume(tiny, stages: Path, tmp_path: Path):
    """A learning rate that ruins the weights leaves the model as it was."""
    (tmp_path / "vae").symlink_to(stages / "vae")
    good = _longer(tiny.BASE, 20)
    first = tiny.train(tmp_path, "base", good)
    best = tiny.weights(tmp_path / "base", "unet")
    ruined = tiny.train(
        tmp_path, "base", good.replace("steps = 20", "steps = 30").replace("= 1e-3", "= 0.3"), resume=True
    )
    assert (ruined.validation, ruined.best_step) == (first.validation, first.best_step)
    assert ruined.loss > 2 * first.loss
    kept = tiny.weights(tmp_path / "base", "unet")
    assert all(torch.equal(best[name], kept[name]) for name in best)
    assert len(_validations(tmp_path / "base")) == 6


def test_without_validation_the_model_is_the_newest(tiny, stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    result = tiny.train(tmp_path, "base", "validate_steps = 0\n" + tiny.BASE)
    assert (result.validation, result.best_step) == (float("inf"), 0)
    state = load_file(tmp_path / "base" / "state.safetensors")
    with safe_open(tmp_path / "base" / "state.safetensors", framework="pt") as file:
        names = json.loads(file.metadata()["run"])["networks"]
    model = tiny.weights(tmp_path / "base", "unet")
    for number, name in enumerate(names):
        assert torch.equal(model[name.removeprefix("unet.")], state[f"average.{number}"].half())


def test_a_complete_model_dances(stages: Path):
    """Reference, pose, result and truth beside each other; stages before the pose have no such video."""
    (video,) = (stages / "pose" / "videos").iterdir()
    assert video.name == "0000003.mp4"
    with av.open(str(video)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert np.stack(frames).shape == (2, 32, 4 * 32, 3)
    assert not (stages / "appearance" / "videos").exists()
    assert (stages / "appearance" / "pictures" / "0000003.png").is_file()


def test_tensorboard_has_scalars_and_pictures(stages: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(stages / "base" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert set(tags["scalars"]) == {"loss", "validation", "learning_rate", "gradient_norm", "seconds_a_step"}
    assert tags["images"] == ["pictures"]
    (row,) = csv.DictReader((stages / "base" / "log.csv").open())
    (loss,) = events.Scalars("loss")
    assert (loss.step, loss.value) == (4, pytest.approx(float(row["loss"]), abs=1e-5))


def test_without_tensorboard_one_note_is_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    notes: list[str] = []

    class Listener(type(SILENT)):
        def note(self, message: str) -> None:
            notes.append(message)

    board = Board(tmp_path, 0, Listener())
    board.row(LogRow(1, 0.5, float("nan"), 1e-3, 1.0, 2.0))
    board.picture(1, torch.zeros(2, 2, 3, dtype=torch.uint8))
    board.close()
    assert len(notes) == 1 and "magicpose-cli[train]" in notes[0]
    assert not list(tmp_path.iterdir())


def test_gradient_checkpointing_gives_the_same_run(tiny, stages: Path, tmp_path: Path):
    """With bank, residuals and dropped conditions, up to rounding."""
    (tmp_path / "appearance").symlink_to(stages / "appearance")
    opened = 'trains = ["unet", "appearance_unet", "pose_controlnet"]\n'
    pose = opened + tiny.POSE.replace("[noise]", "[noise]\ndrop = 0.5")
    plain = tiny.train(tmp_path, "plain", pose)
    less = tiny.train(tmp_path, "less", pose + "[memory]\ngradient_checkpointing = true\n")
    assert less.loss == pytest.approx(plain.loss, rel=1e-4)
    assert less.validation == pytest.approx(plain.validation, rel=1e-4)


def test_a_clip_trains_with_all_that_saves_memory(tiny, stages: Path, tmp_path: Path):
    (tmp_path / "pose").symlink_to(stages / "pose")
    text = 'precision = "bfloat16"\n' + tiny.MOTION
    text += "[memory]\ngradient_checkpointing = true\naverage_on_cpu = true\n"
    assert tiny.train(tmp_path, "motion", text).validation > 0
    assert list((tmp_path / "motion" / "videos").iterdir())
    before, after = tiny.weights(stages / "pose", "unet"), tiny.weights(tmp_path / "motion", "unet")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_dry_run_tells_the_memory_and_writes_nothing(tiny, stages: Path, tmp_path: Path):
    recipe = tmp_path / "pose.toml"
    recipe.write_text(tiny.POSE.replace('"appearance/model"', f'"{stages / "appearance" / "model"}"'))
    told = train(Console(quiet=True), recipe, out=tmp_path / "run", dry_run=True)
    assert (told["stage"], told["images"]) == ("pose", 4)
    assert told["memory"]["gradients"] == told["memory"]["weights"] > 0
    assert not (tmp_path / "run").exists()
