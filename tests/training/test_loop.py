"""The shared loop on a tiny configuration: every stage runs, a resumed run equals an unbroken one."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from magicpose_cli.core.errors import DiskFullError, InputError, IntegrityError, OutputError, UsageError
from magicpose_cli.diffusion.load import load_pipeline
from magicpose_cli.training.loop import run_recipe
from magicpose_cli.training.run import told_plainly

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


def _weights(folder: Path, part: str) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model" / part / "diffusion_pytorch_model.safetensors")


def test_a_resumed_run_equals_an_unbroken_one(stages: Path, tmp_path: Path):
    """Also in the averaged weights, and with a rendering process."""
    (tmp_path / "vae").symlink_to(stages / "vae")
    text = BASE.replace("workers = 0", "workers = 1")
    _train(tmp_path, "whole", text.replace("steps = 4", "steps = 40", 1))
    _train(tmp_path, "broken", text.replace("steps = 4", "steps = 20", 1))
    _train(tmp_path, "broken", text.replace("steps = 4", "steps = 40", 1), resume=True)
    logs = [list(csv.DictReader((tmp_path / name / "log.csv").open())) for name in ("whole", "broken")]
    assert [row["step"] for row in logs[0]] == ["20", "40"]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    assert float(logs[0][1]["loss"]) < float(logs[0][0]["loss"])
    whole, broken = (_weights(tmp_path / name, "unet") for name in ("whole", "broken"))
    assert all(torch.equal(whole[key], broken[key]) for key in whole)


def test_resuming_a_finished_run_tells_its_loss_again(stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    first = _train(tmp_path, "base", BASE)
    log = (tmp_path / "base" / "log.csv").read_text()
    again = _train(tmp_path, "base", BASE, resume=True)
    assert again.loss == first.loss and again.steps == first.steps
    assert (tmp_path / "base" / "log.csv").read_text() == log


def test_steps_logged_after_the_kept_state_are_logged_once(stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    _train(tmp_path, "base", BASE)
    log = tmp_path / "base" / "log.csv"
    kept = log.read_text()
    log.write_text(kept + "20,0.1,1e-3,9.0\n")  # as a process leaves it that is killed before it keeps its state
    _train(tmp_path, "base", BASE, resume=True)
    assert log.read_text() == kept


@pytest.mark.parametrize(("was", "then"), [('trains = ["unet.conv_in"]', 'trains = ["unet.conv_out"]')])
def test_a_run_resumes_with_its_own_recipe_alone(stages: Path, tmp_path: Path, was: str, then: str):
    (tmp_path / "vae").symlink_to(stages / "vae")
    _train(tmp_path, "base", f"{was}\n{BASE}")
    with pytest.raises(UsageError, match="belongs to another run: its networks differ"):
        _train(tmp_path, "base", f"{then}\n{BASE}", resume=True)


def test_a_damaged_state_is_refused(stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    _train(tmp_path, "base", BASE)
    state = tmp_path / "base" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(IntegrityError, match=r"state\.safetensors cannot be read"):
        _train(tmp_path, "base", BASE, resume=True)


def test_a_start_folder_that_lacks_a_tensor_is_refused(stages: Path, tmp_path: Path):
    from safetensors.torch import save_file

    shutil.copytree(stages / "vae", tmp_path / "vae")
    tensors = _weights(tmp_path / "vae", "vae")
    del tensors["decoder.conv_out.bias"]
    save_file(tensors, tmp_path / "vae" / "model" / "vae" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(IntegrityError, match=r"lacks decoder\.conv_out\.bias"):
        _train(tmp_path, "base", BASE)


def test_a_folder_of_other_files_is_not_taken_for_a_run(stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")
    (tmp_path / "base" / "model").mkdir(parents=True)
    (tmp_path / "base" / "model" / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="holds other files"):
        _train(tmp_path, "base", BASE)
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
    with pytest.raises(OutputError) as caught, told_plainly(tmp_path):
        raise error
    assert type(caught.value) is told


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_the_last_whole_step(stages: Path, tmp_path: Path):
    """The signal reaches the rendering process too, as a terminal sends it."""
    (tmp_path / "vae").symlink_to(stages / "vae")
    recipe = tmp_path / "base.toml"
    recipe.write_text(BASE.replace("workers = 0", "workers = 1").replace("steps = 4", "steps = 100000", 1))
    command = [sys.executable, "-m", "magicpose_cli", "train", str(recipe), "--out", str(tmp_path / "base")]
    with subprocess.Popen(
        [*command, "--device", "cpu"], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "of 100,000" in line:  # the first line that tells of steps done
                os.killpg(process.pid, signal.SIGINT)
                break
        said.append(process.stderr.read())
    assert process.returncode == -signal.SIGINT, "".join(said)
    assert "Traceback" not in "".join(said)
    result = _train(tmp_path, "base", BASE.replace("steps = 4", "steps = 1", 1), resume=True)
    assert result.steps > 1


SHARED = """
import sys
import torch
from accelerate import Accelerator
from magicpose_cli.training.loop import share_gradients
team = Accelerator(cpu=True)
n = team.process_index
weights = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(2, 2))]
weights[0].grad = torch.full((3,), float(n + 1))
if n == 0:
    weights[1].grad = torch.full((2, 2), 8.0)
loss = share_gradients(weights, torch.tensor(10.0 * n), team)
assert loss == 5, loss
assert torch.equal(weights[0].grad, torch.full((3,), 1.5))
assert torch.equal(weights[1].grad, torch.full((2, 2), 4.0))
"""


def _in_two_processes(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def test_processes_share_the_mean_gradient(tmp_path: Path):
    """A process that dropped the conditions has no gradient for some weights, and takes part all the same."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED, encoding="utf-8")
    _in_two_processes(str(script))


@pytest.mark.slow
def test_two_processes_train_and_resume(stages: Path, tmp_path: Path):
    (tmp_path / "vae").symlink_to(stages / "vae")

    def train(name: str, steps: int, *more: str) -> dict[str, object]:
        recipe = tmp_path / f"{name}.toml"
        recipe.write_text(BASE.replace("steps = 4", f"steps = {steps}", 1), encoding="utf-8")
        options = [str(recipe), "--out", str(tmp_path / name), "--device", "cpu", "--json", *more]
        return json.loads(_in_two_processes("-m", "magicpose_cli", "train", *options).stdout)

    train("whole", 40)
    train("broken", 20)
    assert train("broken", 40, "--resume")["steps"] == 40
    whole, broken = (_weights(tmp_path / name, "unet") for name in ("whole", "broken"))
    assert all(torch.equal(whole[key], broken[key]) for key in whole)
    with pytest.raises(UsageError, match="its processes differs"):
        _train(tmp_path, "broken", BASE, resume=True)


def test_the_published_staging_runs_on_a_model_that_predicts_noise(tiny_model: Path, tmp_path: Path):
    """A finished pipeline is a start folder too, as Stable Diffusion's parts are: eps, frozen UNet, all stages."""
    (tmp_path / "tiny").symlink_to(tiny_model)
    data = DATA.replace("size = 32", "size = 64")
    for name, start in (("appearance", "tiny"), ("pose", "appearance/model")):
        _train(
            tmp_path, name, f'stage = "{name}"\nstart = "{start}"\nsteps = 2\nbatch = 2\nprecision = "bfloat16"\n{data}'
        )
    before, after = load_pipeline(tiny_model), load_pipeline(tmp_path / "pose" / "model")
    assert after.scheduler.config.prediction_type == "epsilon"
    was, now = before.unet.state_dict(), after.unet.state_dict()
    assert all(torch.allclose(was[key], now[key], atol=1e-3) for key in was)  # float16 on the way
    for name in ("appearance_unet", "pose_controlnet"):
        was, now = getattr(before, name).state_dict(), getattr(after, name).state_dict()
        assert any(not torch.allclose(was[key], now[key], atol=1e-3) for key in was)


def test_a_run_is_not_overwritten_and_not_resumed_from_nothing(stages: Path, tmp_path: Path):
    with pytest.raises(OutputError, match="already holds a run"):
        _train(stages, "vae", VAE)
    with pytest.raises(InputError, match="no run to resume"):
        _train(tmp_path, "vae", VAE, resume=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('stage = "pos"\n', "did you mean 'pose'"),
        ('stage = "vae"\n', "lacks 'vae'"),
        ('stage = "vae"\n[new.vae]\nmagic = 1\n', "cannot be made"),
        ('stage = "pose"\n', "needs vae"),
    ],
)
def test_a_wrong_recipe_is_one_sentence(text: str, told: str, tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        _train(tmp_path, "wrong", text)
    assert told in f"{caught.value.message} {caught.value.hint}"
