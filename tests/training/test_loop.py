"""The shared loop on a tiny configuration: every stage runs, a resumed run equals an unbroken one."""

import csv
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from magicpose_cli.core.errors import InputError, OutputError, UsageError
from magicpose_cli.diffusion.load import load_pipeline
from magicpose_cli.training.config import read_recipe
from magicpose_cli.training.loop import run_recipe

DATA = "[data]\nsize = 32\ntargets_per_reference = 2\nworkers = 0\n[optimizer]\nlearning_rate = 1e-3\nclip = 1.0\n"
VAE = """
stage = "vae"
steps = 4
batch = 2
""" + DATA + """
[new.vae]
latent_channels = 12
block_out_channels = [8, 16, 24, 32]
down_block_types = ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"]
up_block_types = ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
norm_num_groups = 1
"""  # fmt: skip
BASE = """
stage = "base"
start = "vae/model"
steps = 4
batch = 4
""" + DATA + """
[new.unet]
sample_size = 4
in_channels = 12
out_channels = 12
block_out_channels = [16, 32]
layers_per_block = 1
down_block_types = ["CrossAttnDownBlock2D", "DownBlock2D"]
up_block_types = ["UpBlock2D", "CrossAttnUpBlock2D"]
cross_attention_dim = 8
attention_head_dim = 2
norm_num_groups = 8
[new.text_encoder]
hidden_size = 8
intermediate_size = 16
projection_dim = 8
num_hidden_layers = 1
num_attention_heads = 2
max_position_embeddings = 8
[new.scheduler]
beta_schedule = "scaled_linear"
clip_sample = false
prediction_type = "sample"
"""  # fmt: skip
APPEARANCE = 'stage = "appearance"\nstart = "base/model"\nsteps = 3\nbatch = 4\n' + DATA
POSE = (
    'stage = "pose"\nstart = "appearance/model"\nsteps = 3\nbatch = 4\n'
    + DATA
    + "[noise]\ndrop = 0.3\nperson_weight = 1.0\n"
    + "[new.pose_controlnet]\nconditioning_embedding_out_channels = [4, 4, 8, 8]\n"
    + "[new.pipeline]\ndefault_steps = 2\ndefault_guidance = 1.5\nnative_size = 32\n"
)
MOTION = (
    'stage = "motion"\nstart = "pose/model"\nsteps = 2\nbatch = 6\n'
    + DATA.replace("= 2", "= 3\nclip_fps = 12", 1)
    + "[new.motion_adapter]\nblock_out_channels = [16, 32]\nmotion_layers_per_block = 1\n"
    + "motion_num_attention_heads = 2\nmotion_norm_num_groups = 8\nmotion_max_seq_length = 4\n"
    + "[new.pipeline]\ndefault_steps = 2\ndefault_guidance = 1.5\nnative_size = 32\n"
)


def _train(folder: Path, name: str, text: str, *, resume: bool = False):
    recipe = folder / f"{name}.toml"
    recipe.write_text(text, encoding="utf-8")
    return run_recipe(recipe, folder / name, resume=resume)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages")
    for name, text in (("vae", VAE), ("base", BASE), ("appearance", APPEARANCE), ("pose", POSE)):
        _train(folder, name, text)
    return folder


def test_what_the_last_stage_exports_is_a_pipeline_that_makes_frames(stages: Path):
    import numpy as np

    pipeline = load_pipeline(stages / "pose" / "model")
    assert (pipeline.config.default_steps, pipeline.config.native_size) == (2, 32)
    picture = np.full((32, 32, 3), 128, np.uint8)
    frames = pipeline(picture, np.stack([picture] * 2)).frames
    assert frames.shape == (2, 32, 32, 3) and frames.dtype == np.uint8


def test_the_motion_stage_trains_the_temporal_layers_alone(stages: Path):
    from safetensors.torch import load_file

    _train(stages, "motion", MOTION)
    before, after = load_pipeline(stages / "pose" / "model"), load_pipeline(stages / "motion" / "model")
    for name in ("unet", "appearance_unet", "pose_controlnet"):
        was, now = getattr(before, name).state_dict(), getattr(after, name).state_dict()
        assert all(torch.equal(was[key], now[key]) for key in was)
    temporal = load_file(stages / "motion/model/motion_adapter/diffusion_pytorch_model.safetensors")
    # the output projections begin at zero, so that an untrained module changes nothing
    assert all(temporal[key].any() for key in temporal if "proj_out" in key)


def test_a_clip_is_one_dance_of_one_person():
    from magicpose_cli.training.data.figures import render_group

    images, _, _ = render_group(1_000_007, 5, 32, clip_fps=24)
    images = images.astype(float)
    steps = [abs(b - a).mean() for a, b in pairwise(images[1:])]
    assert max(steps) < abs(images[0] - images[1]).mean()


def test_the_vae_stage_measures_the_scale_of_its_latents(stages: Path):
    vae = load_pipeline(stages / "pose" / "model").vae
    assert vae.config.scaling_factor != 0.18215


def test_a_frozen_module_stays_as_it_was(stages: Path):
    """The published staging: appearance trains the appearance model alone."""
    from safetensors.torch import load_file

    file = "unet/diffusion_pytorch_model.safetensors"
    before, after = load_file(stages / "base/model" / file), load_file(stages / "appearance/model" / file)
    assert all(torch.equal(before[name], after[name]) for name in before)
    appearance = load_file(stages / "appearance/model" / file.replace("unet", "appearance_unet", 1))
    assert any(not torch.equal(before[name], appearance[name]) for name in before)


def test_a_resumed_run_equals_an_unbroken_one(stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    _train(tmp_path, "whole", BASE.replace("steps = 4", "steps = 40", 1))
    _train(tmp_path, "broken", BASE.replace("steps = 4", "steps = 20", 1))
    _train(tmp_path, "broken", BASE.replace("steps = 4", "steps = 40", 1), resume=True)
    logs = [list(csv.DictReader((tmp_path / name / "log.csv").open())) for name in ("whole", "broken")]
    assert [row["step"] for row in logs[0]] == ["20", "40"]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    assert float(logs[0][1]["loss"]) < float(logs[0][0]["loss"])


def _train_in_two_processes(folder: Path, name: str, text: str, *more: str) -> None:
    recipe = folder / f"{name}.toml"
    recipe.write_text(text, encoding="utf-8")
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "magicpose_cli", "train"]
    options = [str(recipe), "--out", str(folder / name), "--device", "cpu", *more]
    done = subprocess.run([sys.executable, "-m", *command, *options], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_processes_share_one_gradient_and_resume(stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    text = BASE.replace("steps = 4", "steps = 40", 1)
    _train_in_two_processes(tmp_path, "whole", text)
    _train_in_two_processes(tmp_path, "broken", BASE.replace("steps = 4", "steps = 20", 1))
    _train_in_two_processes(tmp_path, "broken", text, "--resume")
    _train(tmp_path, "alone", text)
    logs = {name: list(csv.DictReader((tmp_path / name / "log.csv").open())) for name in ("whole", "broken", "alone")}
    losses = {name: [row["loss"] for row in log] for name, log in logs.items()}
    assert [row["step"] for row in logs["whole"]] == ["20", "40"]
    assert losses["whole"] == losses["broken"]
    assert losses["whole"] != losses["alone"]


def test_a_run_is_not_overwritten_and_not_resumed_from_nothing(stages: Path, tmp_path: Path):
    with pytest.raises(OutputError, match="already holds a run"):
        _train(stages, "vae", VAE)
    with pytest.raises(InputError, match="no run to resume"):
        _train(tmp_path, "vae", VAE, resume=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('stage = "pos"\n', "did you mean 'pose'"),
        ("seed = 1\n", "names no stage"),
        ('stage = "vae"\nsteppes = 1\n', "no entry 'steppes'"),
        ('stage = "vae"\nbatch = 3\n', "not a multiple"),
        ('stage = "vae"\n', "new.vae"),
        ('stage = "pose"\n', "needs vae"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(text: str, told: str, tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        _train(tmp_path, "wrong", text)
    assert told in f"{caught.value.message} {caught.value.hint}"


def test_a_file_that_is_not_toml_is_named(tmp_path: Path):
    (tmp_path / "r.toml").write_text("stage = = 1", encoding="utf-8")
    with pytest.raises(InputError, match=r"r\.toml is not a TOML file"):
        read_recipe(tmp_path / "r.toml")
