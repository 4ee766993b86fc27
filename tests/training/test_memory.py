"""The memory of a recipe, by arithmetic: the published stages 1 and 2 fit a GPU of 24 GB."""

import json
import tomllib
from pathlib import Path

import pytest
import torch

from magicpose_cli.diffusion.checkpoints import sd15_config
from magicpose_cli.diffusion.schedulers import published_scheduler
from magicpose_cli.training.loop import plan_recipe
from magicpose_cli.training.memory import MemoryEstimate
from magicpose_cli.training.stages.base import byte_tokenizer

ROOT = Path(__file__).parents[2]
START = {
    "sd15_appearance": {"unet": sd15_config.UNET, "vae": sd15_config.VAE, "text_encoder": sd15_config.TEXT_ENCODER},
}
START["sd15_pose"] = START["sd15_appearance"] | {"appearance_unet": sd15_config.UNET}
START["sd15_motion"] = START["sd15_pose"] | {"pose_controlnet": sd15_config.CONTROLNET}
WEIGHTS = {
    "pose_controlnet": sd15_config.CONTROLNET,
    "motion_adapter": {"motion_max_seq_length": 32, "use_motion_mid_block": True},
}


def _configs(folder: Path, networks: dict[str, dict[str, object]]) -> Path:
    """The configs of networks, as a model folder has them: an estimate reads no weights."""
    for name, config in networks.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config))
    return folder


def _estimate(name: str, folder: Path, start: Path, **changed: str) -> MemoryEstimate:
    """Of a shipped recipe, with configs in place of the weights that it names, and other lines changed."""
    weights = _configs(folder / "weights", WEIGHTS)
    places = {
        "start": start,
        "pose_controlnet": weights / "pose_controlnet",
        "motion_adapter": weights / "motion_adapter",
    }
    values = {key: json.dumps(str(place)) for key, place in places.items()} | changed
    lines = (ROOT / "examples" / "training" / f"{name}.toml").read_text().splitlines()
    kept = [
        f"{key} = {values[key]}" if (key := line.split(" = ")[0]) in values else line
        for line in lines
        if not line.startswith("shards")
    ]
    recipe = folder / f"{name}.toml"
    recipe.write_text("\n".join(kept))
    return plan_recipe(recipe)[1]


@pytest.mark.parametrize(("name", "millions"), [("sd15_appearance", 860), ("sd15_pose", 1221), ("sd15_motion", 453)])
def test_the_published_stages_fit_a_gpu_of_24_gb(name: str, millions: int, tmp_path: Path):
    """Of 860 M parameters is the appearance model, of 361 M the ControlNet, of 453 M the motion module."""
    start = _configs(tmp_path / "start", START[name])
    published_scheduler().save_pretrained(start / "scheduler")
    byte_tokenizer(77).save_pretrained(start / "tokenizer")
    estimate = _estimate(name, tmp_path, start)
    assert estimate.weights == pytest.approx(4e6 * millions, rel=0.01)
    assert estimate.gradients == estimate.weights
    assert estimate.average == 0 and estimate.average_on_cpu == estimate.weights
    assert estimate.total < 24e9


def test_each_way_to_save_memory_saves_what_it_says(tiny_model: Path, tmp_path: Path):
    def pose(number: int, **changed: str) -> MemoryEstimate:
        text = (ROOT / "examples" / "training" / "sd15_pose.toml").read_text()
        there = {"pose_controlnet": json.dumps(str(tiny_model / "pose_controlnet"))}
        (tmp_path / str(number)).mkdir()
        assert all(f"\n{key} = " in text for key in changed if key != "start")
        return _estimate("sd15_pose", tmp_path / str(number), tiny_model, **there, **changed)

    saving = pose(0)
    assert 2 * saving.moments == saving.weights
    wide = pose(1, gradient_checkpointing="false", average_on_cpu="false")
    assert wide.activations > saving.activations
    assert (wide.average, wide.average_on_cpu) == (saving.weights, 0)
    exact = pose(2, precision='"float32"', kind='"adamw"', ema="0")
    assert exact.moments == 2 * saving.weights and exact.average_on_cpu == 0
    assert exact.rounded_copies == 0 and exact.frozen > saving.frozen


def test_a_step_of_the_published_stages_sees_the_published_number_of_images():
    published = {"sd15_appearance": (64, 10_000), "sd15_pose": (16, 20_000), "sd15_motion": (8 * 16, 30_000)}
    for name, expected in published.items():
        table = tomllib.loads((ROOT / "examples" / "training" / f"{name}.toml").read_text())
        assert (table["batch"] * table["accumulation"], table["steps"]) == expected
        optimizer = table["optimizer"]
        assert (optimizer["learning_rate"], optimizer["weight_decay"], optimizer["clip"]) == (1e-5, 0, 0.5)
        assert "trains" not in table and table["data"]["size"] == 512


def test_the_rule_for_activations_is_near_what_a_network_keeps():
    """Counted on SD 1.5's own UNet at 256 pixels, without memory (the meta device)."""
    from magicpose_cli.training import memory

    unet = sd15_config.empty_module("unet", sd15_config.UNET)
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        whole_attention = tensor.ndim > 2 and tensor.shape[-3] == 8 and tensor.shape[-2] == tensor.shape[-1]
        if not whole_attention and not isinstance(tensor if tensor._base is None else tensor._base, torch.nn.Parameter):
            kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    sample, text = torch.zeros(1, 4, 32, 32, device="meta"), torch.zeros(1, 77, 768, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        unet(sample, torch.zeros(1, device="meta"), text)
    counted = sum(storage.nbytes() for storage in kept.values()) / 4
    assert counted == pytest.approx(memory._KEPT * sum(memory._layers(unet.config, 1, 32)), rel=0.15)
