"""The shared loop on a tiny configuration: every stage runs, a resumed run equals an unbroken one."""

import csv
import errno
import os
import shutil
import signal
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from magicpose_cli.core.errors import DiskFullError, InputError, IntegrityError, OutputError, UsageError
from magicpose_cli.diffusion.load import load_pipeline
from magicpose_cli.training.config import read_recipe
from magicpose_cli.training.data.figures import render_group
from magicpose_cli.training.run import _kept_plainly, in_one_piece
from magicpose_cli.training.stages.registry import stage_of
from magicpose_cli.training.start import make_team, start_run


def test_what_the_last_stage_exports_is_a_pipeline_that_makes_frames(stages: Path):
    pipeline = load_pipeline(stages / "pose" / "model")
    assert (pipeline.config.default_steps, pipeline.config.native_size) == (2, 32)
    picture = np.full((32, 32, 3), 128, np.uint8)
    frames = pipeline(picture, np.stack([picture] * 2)).frames
    assert frames.shape == (2, 32, 32, 3) and frames.dtype == np.uint8


def test_an_exported_model_does_not_tell_where_it_was_made(stages: Path):
    configs = [file for stage in ("base", "pose") for file in (stages / stage / "model").rglob("*.json")]
    assert len(configs) > 8
    for config in configs:
        assert "_name_or_path" not in config.read_text() and str(stages) not in config.read_text()


def test_the_motion_stage_trains_the_temporal_layers_alone(tiny, stages: Path):
    from safetensors.torch import load_file

    tiny.train(stages, "motion", tiny.MOTION)
    before, after = load_pipeline(stages / "pose" / "model"), load_pipeline(stages / "motion" / "model")
    for name in ("unet", "appearance_unet", "pose_controlnet"):
        was, now = getattr(before, name).state_dict(), getattr(after, name).state_dict()
        assert all(torch.equal(was[key], now[key]) for key in was)
    temporal = load_file(stages / "motion/model/motion_adapter/diffusion_pytorch_model.safetensors")
    # the output projections begin at zero, so that an untrained module changes nothing
    assert all(temporal[key].any() for key in temporal if "proj_out" in key)


def test_a_clip_is_one_motion_of_one_person():
    images, _, _ = render_group(1_000_007, 5, 32, clip_fps=24)
    images = images.astype(float)
    steps = [abs(b - a).mean() for a, b in pairwise(images[1:])]
    assert max(steps) < abs(images[0] - images[1]).mean()


def test_the_vae_stage_measures_the_scale_of_its_latents(stages: Path):
    """Latents of other people have about unit spread."""
    vae = load_pipeline(stages / "pose" / "model").vae
    images = np.concatenate([render_group(seed, 2, 32)[0] for seed in range(40)])
    with torch.no_grad():
        latents = vae.encode(torch.from_numpy(images).movedim(-1, 1) / 127.5 - 1).latent_dist.mode()
    assert (latents * vae.config.scaling_factor).std().item() == pytest.approx(1, abs=0.25)
    shares = latents.std((0, 2, 3)) / torch.tensor(vae.config.latents_std)
    assert shares.min() > 0.6 and shares.max() < 1.6


def test_a_decoder_may_train_beside_a_unet_and_an_encoder_may_not(tiny, tiny_model: Path, tmp_path: Path):
    """The UNet knows the encoder's latents and their scale."""
    recipe = f'stage = "vae"\nstart = "{tiny_model}"\nsteps = 2\nbatch = 2\n' + tiny.DATA
    tiny.train(tmp_path, "decoder", 'trains = ["vae.decoder"]\n' + recipe)
    before, after = load_pipeline(tiny_model).vae, load_pipeline(tmp_path / "decoder" / "model").vae
    for name in ("scaling_factor", "latents_std"):
        assert after.config.get(name) == before.config.get(name)
    assert not torch.equal(before.decoder.conv_in.weight, after.decoder.conv_in.weight)
    with pytest.raises(UsageError, match="knows the latents of this encoder"):
        tiny.train(tmp_path, "both", recipe)


def test_a_frozen_module_stays_as_it_was(stages: Path):
    """The published staging: appearance trains the appearance model alone."""
    from safetensors.torch import load_file

    file = "unet/diffusion_pytorch_model.safetensors"
    before, after = load_file(stages / "base/model" / file), load_file(stages / "appearance/model" / file)
    assert all(torch.equal(before[name], after[name]) for name in before)
    appearance = load_file(stages / "appearance/model" / file.replace("unet", "appearance_unet", 1))
    assert any(not torch.equal(before[name], appearance[name]) for name in before)


def test_a_resumed_run_equals_an_unbroken_one(tiny, stages: Path, tmp_path: Path):
    """Also in the averaged weights, and with a rendering process."""
    (tmp_path / "vae").symlink_to(stages / "vae")
    text = tiny.BASE.replace("workers = 0", "workers = 1")
    tiny.train(tmp_path, "whole", text.replace("steps = 4", "steps = 40", 1))
    tiny.train(tmp_path, "broken", text.replace("steps = 4", "steps = 20", 1))
    tiny.train(tmp_path, "broken", text.replace("steps = 4", "steps = 40", 1), resume=True)
    logs = [list(csv.DictReader((tmp_path / name / "log.csv").open())) for name in ("whole", "broken")]
    assert [row["step"] for row in logs[0]] == ["20", "40"]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    assert float(logs[0][1]["loss"]) < float(logs[0][0]["loss"])
    whole, broken = (tiny.weights(tmp_path / name, "unet") for name in ("whole", "broken"))
    assert all(torch.equal(whole[key], broken[key]) for key in whole)


def test_resuming_a_finished_run_tells_its_loss_again(tiny, stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    first = tiny.train(tmp_path, "base", tiny.BASE)
    log = (tmp_path / "base" / "log.csv").read_text()
    again = tiny.train(tmp_path, "base", tiny.BASE, resume=True)
    assert again.loss == first.loss and again.steps == first.steps
    assert (tmp_path / "base" / "log.csv").read_text() == log


def test_steps_logged_after_the_kept_state_are_logged_once(tiny, stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    tiny.train(tmp_path, "base", tiny.BASE)
    log = tmp_path / "base" / "log.csv"
    kept = log.read_text()
    log.write_text(kept + "20,0.1,1e-3,9.0\n")  # as a process leaves it that is killed before it keeps its state
    tiny.train(tmp_path, "base", tiny.BASE, resume=True)
    assert log.read_text() == kept


@pytest.mark.parametrize(("was", "then"), [('trains = ["unet.conv_in"]', 'trains = ["unet.conv_out"]')])
def test_a_run_resumes_with_its_own_recipe_alone(tiny, stages: Path, tmp_path: Path, was: str, then: str):
    (tmp_path / "vae").symlink_to(stages / "vae")
    tiny.train(tmp_path, "base", f"{was}\n{tiny.BASE}")
    with pytest.raises(UsageError, match="belongs to another run: its networks differ"):
        tiny.train(tmp_path, "base", f"{then}\n{tiny.BASE}", resume=True)


def test_a_damaged_state_is_refused(tiny, stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    tiny.train(tmp_path, "base", tiny.BASE)
    state = tmp_path / "base" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(IntegrityError, match=r"state\.safetensors cannot be read"):
        tiny.train(tmp_path, "base", tiny.BASE, resume=True)


def test_a_start_folder_that_lacks_a_tensor_is_refused(tiny, stages: Path, tmp_path: Path):
    from safetensors.torch import save_file

    shutil.copytree(stages / "vae", tmp_path / "vae")
    tensors = tiny.weights(tmp_path / "vae", "vae")
    del tensors["decoder.conv_out.bias"]
    save_file(tensors, tmp_path / "vae" / "model" / "vae" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(IntegrityError, match=r"lacks decoder\.conv_out\.bias"):
        tiny.train(tmp_path, "base", tiny.BASE)


def test_a_folder_of_other_files_is_not_taken_for_a_run(tiny, stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    (tmp_path / "base" / "model").mkdir(parents=True)
    (tmp_path / "base" / "model" / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="holds other files"):
        tiny.train(tmp_path, "base", tiny.BASE)
    assert (tmp_path / "base" / "model" / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), DiskFullError),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFullError),
        (OSError(errno.EACCES, "Permission denied"), OutputError),
    ],
)
def test_a_state_that_cannot_be_kept_is_told(error: Exception, told: type, tmp_path: Path):
    """safetensors wraps the system's error; the number in its text is all there is."""
    with pytest.raises(OutputError) as caught, _kept_plainly(tmp_path):
        raise error
    assert type(caught.value) is told


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_waits_for_the_end_of_an_update(tiny, stages: Path, tmp_path: Path):
    (stages / "again.toml").write_text(tiny.BASE, encoding="utf-8")
    recipe = read_recipe(stages / "again.toml")
    run = start_run(recipe, stage_of(recipe.stage), make_team(recipe, "cpu"), torch.device("cpu"))
    done = []
    with pytest.raises(KeyboardInterrupt), in_one_piece(run):
        os.kill(os.getpid(), signal.SIGINT)
        done.append(run.whole)
    assert done == [False] and run.whole
    with pytest.raises(ZeroDivisionError), in_one_piece(run):
        1 / 0  # noqa: B018
    assert not run.whole


def test_the_published_staging_runs_on_a_model_that_predicts_noise(tiny, tiny_model: Path, tmp_path: Path):
    """A finished pipeline is a start folder too, as Stable Diffusion's parts are: eps, frozen UNet, all stages."""
    (tmp_path / "tiny").symlink_to(tiny_model)
    data = tiny.DATA.replace("size = 32", "size = 64") + "[new.pipeline]\ndefault_steps = 2\n"
    for name, start in (("appearance", "tiny"), ("pose", "appearance/model")):
        tiny.train(
            tmp_path, name, f'stage = "{name}"\nstart = "{start}"\nsteps = 2\nbatch = 2\nprecision = "bfloat16"\n{data}'
        )
    before, after = load_pipeline(tiny_model), load_pipeline(tmp_path / "pose" / "model")
    assert after.scheduler.config.prediction_type == "epsilon"
    was, now = before.unet.state_dict(), after.unet.state_dict()
    assert all(torch.equal(was[key].half().float(), now[key]) for key in was)  # held in bfloat16, exported in float16
    for name in ("appearance_unet", "pose_controlnet"):
        was, now = getattr(before, name).state_dict(), getattr(after, name).state_dict()
        assert any(not torch.allclose(was[key], now[key], atol=1e-3) for key in was)


def test_a_run_is_not_overwritten_and_not_resumed_from_nothing(tiny, stages: Path, tmp_path: Path):
    with pytest.raises(OutputError, match="already holds a run"):
        tiny.train(stages, "vae", tiny.VAE)
    with pytest.raises(InputError, match="no run to resume"):
        tiny.train(tmp_path, "vae", tiny.VAE, resume=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('stage = "pos"\n', "did you mean 'pose'"),
        ('stage = "vae"\n', "lacks 'vae'"),
        ('stage = "vae"\n[new.vae]\nmagic = 1\n', "cannot be made"),
        ('stage = "pose"\n', "needs vae"),
        ('stage = "vae"\n[new.vea]\n', "no [new.vea]"),
        ('stage = "vae"\n[new.pipeline]\ndefault_stepz = 3\n', "no entry 'default_stepz'"),
        ('stage = "base"\nstart = "{start}"\ntrains = ["unet", "uney"]\n', "'trains' names uney"),
        ('stage = "appearance"\nstart = "{start}"\n[noise]\ndrop = 0.1\n', "drop is for a UNet that trains"),
        ('stage = "appearance"\nstart = "{start}"\n[noise]\ndrop_appearance = 0.1\n', "leaves nothing that trains"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(tiny, tiny_model: Path, text: str, told: str, tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        tiny.train(tmp_path, "wrong", text.replace("{start}", str(tiny_model)))
    assert told in f"{caught.value.message} {caught.value.hint}"
