"""The name maps against the list of the released checkpoint's tensors and against the diffusers modules."""

import gzip
import json
from pathlib import Path

import pytest

from magicpose_cli.diffusion.checkpoints.ldm_keys import controlnet_key_map, unet_key_map, vae_key_map
from magicpose_cli.diffusion.checkpoints.magicpose_ldm import known_unused
from magicpose_cli.diffusion.checkpoints.sd15_config import CONTROLNET, UNET, VAE, ModelConfigs, empty_module

_OUTPUT_LAYERS = {"conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight", "conv_out.bias"}
_NETWORKS = [
    ("model.diffusion_model.", "unet", UNET, unet_key_map),
    ("appearance_control_model.", "unet", UNET, unet_key_map),
    ("pose_control_model.", "controlnet", CONTROLNET, controlnet_key_map),
    ("first_stage_model.", "vae", VAE, vae_key_map),
]


@pytest.fixture(scope="module")
def released_shapes() -> dict[str, list[int]]:
    file = Path(__file__).parents[1] / "golden" / "checkpoint_keys_sd15.json.gz"
    return json.loads(gzip.decompress(file.read_bytes()))


@pytest.mark.parametrize(("prefix", "kind", "config", "key_map"), _NETWORKS, ids=[n[0] for n in _NETWORKS])
def test_released_checkpoint_fills_the_full_size_module(prefix, kind, config, key_map, released_shapes):
    module = {name: list(tensor.shape) for name, tensor in empty_module(kind, config).state_dict().items()}
    names = key_map(config)
    filled = {}
    for name, shape in released_shapes.items():
        if name.startswith(prefix) and not known_unused(name):
            ours = names[name.removeprefix(prefix)]
            assert ours not in filled, f"{ours} is filled twice"
            filled[ours] = shape if len(shape) == len(module[ours]) else shape[:2]
    missing = module.keys() - filled.keys()
    assert missing == (_OUTPUT_LAYERS if prefix.startswith("appearance") else set())
    assert all(module[name] == shape for name, shape in filled.items())


def test_every_released_tensor_has_a_place_or_is_known_unused(released_shapes):
    placed = {prefix + name for prefix, _, config, key_map in _NETWORKS for name in key_map(config)}
    unused = [name for name in released_shapes if name not in placed]
    assert all(known_unused(name) for name in unused)
    assert {name.split(".")[1] for name in unused} == {"input_hint_block"}
    assert len(released_shapes) == 1972


@pytest.mark.parametrize("channels", [(32,), (32, 64), (32, 32, 64), (64, 32, 96, 96)])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("attention", ["all", "upper", "none"])
def test_maps_hold_at_any_size(channels, layers, attention):
    levels = len(channels)
    crossed = {"all": [True] * levels, "upper": [True] * (levels - 1) + [False], "none": [False] * levels}[attention]
    size = {
        "block_out_channels": channels,
        "layers_per_block": layers,
        "down_block_types": ["CrossAttnDownBlock2D" if c else "DownBlock2D" for c in crossed],
        "cross_attention_dim": 16,
    }
    up_blocks = ["CrossAttnUpBlock2D" if c else "UpBlock2D" for c in reversed(crossed)]
    vae = VAE | {"block_out_channels": channels, "layers_per_block": layers}
    vae |= {"down_block_types": ["DownEncoderBlock2D"] * levels, "up_block_types": ["UpDecoderBlock2D"] * levels}
    for kind, config, key_map in (
        ("unet", UNET | size | {"up_block_types": up_blocks}, unet_key_map),
        ("controlnet", CONTROLNET | size, controlnet_key_map),
        ("vae", vae, vae_key_map),
    ):
        module, names = empty_module(kind, config), key_map(config)
        assert sorted(names.values()) == sorted(module.state_dict())
        assert key_map(module.config) == names


def test_text_encoder_names_are_those_of_the_published_files():
    module = empty_module("text_encoder", ModelConfigs().text_encoder).state_dict()
    names = {name.removeprefix("text_model.") for name in module}
    assert len(names) == 196
    assert {"embeddings.token_embedding.weight", "encoder.layers.11.mlp.fc2.bias", "final_layer_norm.weight"} <= names
