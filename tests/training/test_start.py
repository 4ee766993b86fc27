"""What a run begins with: parts from the start folder and from elsewhere, number types, the optimizer."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from magicpose_cli.core.errors import InputError, UsageError
from magicpose_cli.training.config import read_recipe
from magicpose_cli.training.loop import _step
from magicpose_cli.training.stages.registry import stage_of
from magicpose_cli.training.start import make_team, prepare_modules, start_run


def _recipe(folder: Path, text: str):
    (folder / "r.toml").write_text(text, encoding="utf-8")
    return read_recipe(folder / "r.toml")


def _run(folder: Path, text: str):
    recipe = _recipe(folder, text)
    return recipe, start_run(recipe, stage_of(recipe.stage), make_team(recipe, "cpu"), torch.device("cpu"))


@pytest.fixture
def plain(tiny_model: Path, tmp_path: Path) -> Path:
    """Stable Diffusion's own folder at tiny size: no appearance model, no ControlNet, PNDM for a sampler."""
    folder = tmp_path / "sd"
    for name in ("vae", "unet", "text_encoder", "tokenizer", "scheduler"):
        shutil.copytree(tiny_model / name, folder / name)
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    config |= {"_class_name": "PNDMScheduler", "skip_prk_steps": True}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    (folder / "safety_checker").mkdir()
    file = folder / "text_encoder" / "model.safetensors"
    positions = {"text_model.embeddings.position_ids": torch.arange(16)[None]}  # as old CLIP files have them
    save_file(load_file(file) | positions, file, {"format": "pt"})
    return folder


def test_stable_diffusions_own_folder_is_a_start(plain: Path, tmp_path: Path):
    recipe = _recipe(tmp_path, f'stage = "appearance"\nstart = "{plain}"\n')
    modules = prepare_modules(recipe, stage_of("appearance"))
    assert type(modules.scheduler).__name__ == "DDIMScheduler"
    assert (modules.scheduler.config.steps_offset, modules.scheduler.config.beta_end) == (1, 0.012)
    unet, appearance = modules.unet.state_dict(), modules.appearance_unet.state_dict()
    assert all(torch.equal(unet[name], appearance[name]) for name in unet)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_pose_controlnet_comes_from_given_weights(kind: str, tiny_model: Path, tmp_path: Path):
    """A folder in diffusers layout of any name, or a file with a ControlNet's tensors."""
    given = tmp_path / "openpose"
    shutil.copytree(tiny_model / "pose_controlnet", given)
    tensors = load_file(given / "diffusion_pytorch_model.safetensors")
    tensors = {name: values + 1 for name, values in tensors.items()}
    save_file(tensors, given / "diffusion_pytorch_model.safetensors")
    place = given if kind == "folder" else given / "diffusion_pytorch_model.safetensors"
    new = "[new.pose_controlnet]\nconditioning_embedding_out_channels = [8, 8, 8, 8]\n"
    recipe = _recipe(tmp_path, f'stage = "pose"\nstart = "{tiny_model}"\n[weights]\npose_controlnet = "{place}"\n{new}')
    loaded = prepare_modules(recipe, stage_of("pose")).pose_controlnet.state_dict()
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_the_motion_module_comes_from_given_weights(tiny_model: Path, tmp_path: Path):
    """A file's sizes are its own; heads and norm groups are those of SD 1.5's modules."""
    from magicpose_cli.diffusion.stock import MotionAdapter

    adapter = MotionAdapter(
        block_out_channels=(32, 64), motion_layers_per_block=1, motion_max_seq_length=8, use_motion_mid_block=False
    )
    tensors = adapter.state_dict()
    save_file(tensors, tmp_path / "mm.safetensors")
    recipe = _recipe(
        tmp_path,
        f'stage = "motion"\nstart = "{tiny_model}"\n[weights]\nmotion_adapter = "mm.safetensors"\n'
        "[data]\nclip_fps = 12\n",
    )
    loaded = prepare_modules(recipe, stage_of("motion")).motion_adapter
    assert loaded.config.motion_max_seq_length == 8
    assert all(torch.equal(loaded.state_dict()[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    ("entry", "error", "told"),
    [
        ('hands = "x"', UsageError, "has no part 'hands'"),
        ('pose_controlnet = "nowhere.pth"', InputError, "is not there"),
        ('motion_adapter = "p.pth"', InputError, "is a pickle"),
        ('unet = "r.toml"', UsageError, "is a file, not a folder"),
    ],
)
def test_wrong_weights_are_one_sentence(entry: str, error: type, told: str, tiny_model: Path, tmp_path: Path):
    torch.save({"a": torch.ones(1)}, tmp_path / "p.pth")
    recipe = _recipe(tmp_path, f'stage = "pose"\nstart = "{tiny_model}"\n[weights]\n{entry}\n')
    with pytest.raises(error, match=told):
        prepare_modules(recipe, stage_of("pose"))


def test_what_is_frozen_may_be_rounded_and_what_trains_may_not(tiny_model: Path, tmp_path: Path):
    _, run = _run(tmp_path, f'stage = "appearance"\nstart = "{tiny_model}"\nprecision = "bfloat16"\n')
    held = {name: network.dtype for name, network in run.modules.networks()}
    rounded = {name for name, dtype in held.items() if dtype == torch.bfloat16}
    assert rounded == {"unet", "text_encoder", "pose_controlnet"}
    assert all(parameter.dtype == torch.float32 for parameter in run.parameters)


def test_accumulated_batches_give_the_mean_of_their_gradients(tiny_model: Path, tmp_path: Path):
    text = f'stage = "appearance"\nstart = "{tiny_model}"\nbatch = 2\n[data]\nsize = 64\ntargets_per_reference = 2\n'
    text += "workers = 0\n[optimizer]\nclip = 1e9\n"
    from magicpose_cli.training.batches import training_batches

    gradients = []
    for text_ in (f"accumulation = 2\n{text}", text):
        recipe, run = _run(tmp_path, text_)
        stage = stage_of(recipe.stage)
        batches = training_batches(recipe, run.modules, 0, (0, 1), latents=True)
        if recipe.accumulation == 2:
            _step(recipe, stage, run, batches)
            # the first moment of Adam is a tenth of the first gradient
            gradients.append(
                [run.optimizer.state[p]["exp_avg"] * 10 for p in run.parameters if p in run.optimizer.state]
            )
        else:
            for number in range(2):
                rng = torch.Generator().manual_seed(recipe.seed * 1_000_003 + number)
                (stage.loss(run.modules, next(batches), recipe, rng) / 2).backward()
            gradients.append([p.grad for p in run.parameters if p.grad is not None])
    accumulated, summed = gradients
    assert len(accumulated) == len(summed) > 0
    for mine, theirs in zip(accumulated, summed, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kept_on", ["device", "cpu", "nowhere"])
def test_the_average_is_where_the_recipe_says(kept_on: str, tiny, stages: Path, tmp_path: Path):
    """On a CPU both places are one; without an average the model is the last weights."""
    (tmp_path / "vae").symlink_to(stages / "vae")
    entry = {"device": "", "cpu": "", "nowhere": "ema = 0\n"}[kept_on]
    section = "[memory]\naverage_on_cpu = true\n" if kept_on == "cpu" else ""
    tiny.train(tmp_path, "base", entry + tiny.BASE + section)
    model = tiny.weights(tmp_path / "base", "unet")["conv_in.weight"]
    state = load_file(tmp_path / "base" / "state.safetensors")
    assert ("average.0" in state) == (kept_on != "nowhere")
    expected = state["weights.0" if kept_on == "nowhere" else "average.0"].half()
    assert torch.equal(model, expected)


def test_8_bit_moments_need_cuda(tiny_model: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="works on CUDA alone"):
        _run(tmp_path, f'stage = "appearance"\nstart = "{tiny_model}"\n[optimizer]\nkind = "adamw-8bit"\n')


def test_8_bit_moments_need_bitsandbytes(monkeypatch: pytest.MonkeyPatch):
    from types import SimpleNamespace

    from magicpose_cli.training.config import OptimizerOptions, Recipe
    from magicpose_cli.training.optimizer import make_optimizer

    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    recipe = Recipe(Path("r.toml"), "pose", optimizer=OptimizerOptions(kind="adamw-8bit"))
    on_cuda = SimpleNamespace(device=torch.device("cuda"))
    with pytest.raises(UsageError, match="needs bitsandbytes"):
        make_optimizer([on_cuda], recipe)
