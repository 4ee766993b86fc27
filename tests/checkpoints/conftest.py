"""A MagicPose model small enough to convert for real: the same build as SD 1.5, LDM names, random values."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from magicpose_cli.diffusion.checkpoints import ldm_keys
from magicpose_cli.diffusion.checkpoints.sd15_config import (
    CONTROLNET,
    TEXT_ENCODER,
    UNET,
    VAE,
    ModelConfigs,
    empty_module,
)

_SMALL = {"block_out_channels": (32, 64, 64, 96), "layers_per_block": 1, "cross_attention_dim": 48}
_TEXT = {"vocab_size": 515, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 2}
_TOKENS = {"num_attention_heads": 4, "projection_dim": 48, "max_position_embeddings": 77}
_NAMES = {"unet": ldm_keys.unet_key_map, "controlnet": ldm_keys.controlnet_key_map, "vae": ldm_keys.vae_key_map}


@pytest.fixture(scope="session")
def configs() -> ModelConfigs:
    return ModelConfigs(
        unet=UNET | _SMALL,
        controlnet=CONTROLNET | _SMALL,
        vae=VAE | {"block_out_channels": (32, 32, 64, 64), "layers_per_block": 1, "sample_size": 64},
        text_encoder=TEXT_ENCODER | _TEXT | _TOKENS,
    )


def _ldm_tensors(kind: str, config: Mapping[str, Any], prefix: str = "", seed: int = 0) -> dict[str, torch.Tensor]:
    """Random values under the LDM names of a module; the VAE's attention as 1 x 1 convolutions, as LDM has it."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {name: tensor.shape for name, tensor in empty_module(kind, config).state_dict().items()}
    tensors = {}
    for ldm, ours in _NAMES[kind](config).items():
        shape = shapes[ours]
        if kind == "vae" and ".attn_1." in ldm and len(shape) == 2:
            shape = (*shape, 1, 1)
        tensors[prefix + ldm] = torch.randn(shape, generator=generator) * math.prod(shape[1:]) ** -0.5
    return tensors


def _text_tensors(config: Mapping[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """CLIP's text model under the names of a full checkpoint."""
    generator = torch.Generator().manual_seed(seed)
    prefix = "cond_stage_model.transformer.text_model."
    return {
        prefix + name.removeprefix("text_model."): torch.randn(tensor.shape, generator=generator)
        for name, tensor in empty_module("text_encoder", config).state_dict().items()
    }


@pytest.fixture(scope="session")
def ldm_tensors() -> Callable[..., dict[str, torch.Tensor]]:
    return _ldm_tensors


@pytest.fixture(scope="session")
def released(configs: ModelConfigs) -> dict[str, torch.Tensor]:
    """A whole checkpoint as it was released: five networks, schedule buffers, unused tensors."""
    tensors = _ldm_tensors("unet", configs.unet, "model.diffusion_model.", 1)
    appearance = _ldm_tensors("unet", configs.unet, "appearance_control_model.", 2)
    tensors |= {name: values for name, values in appearance.items() if ".out." not in name}
    tensors["appearance_control_model.input_hint_block.0.weight"] = torch.randn(16, 3, 3, 3)
    tensors |= _ldm_tensors("controlnet", configs.controlnet, "pose_control_model.", 3)
    tensors |= _ldm_tensors("vae", configs.vae, "first_stage_model.", 4)
    tensors |= _text_tensors(configs.text_encoder, 5)
    tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    return tensors | {name: torch.rand(1000) for name in ("betas", "alphas_cumprod", "logvar")}


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory) -> Path:
    """A byte-level CLIP vocabulary: each byte, alone and at a word's end, one merge, the two marks."""
    folder = tmp_path_factory.mktemp("tokenizer")
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = [chr(c) for c in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    words = letters + [letter + "</w>" for letter in letters] + ["he", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\nh e\n", encoding="utf-8")
    return folder
