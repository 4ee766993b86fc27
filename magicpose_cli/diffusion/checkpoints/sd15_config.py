"""The configs of SD 1.5's modules, as shipped with us: a config file from the net is never read.

Source: the published architecture of Stable Diffusion 1.5, ControlNet v1.1 and AnimateDiff.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_CROSS_DOWN, _CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"
_DENOISER = {
    "in_channels": 4,
    "down_block_types": (_CROSS_DOWN, _CROSS_DOWN, _CROSS_DOWN, "DownBlock2D"),
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "transformer_layers_per_block": 1,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,  # diffusers' old name: the number of heads
    "norm_num_groups": 32,
}
UNET = _DENOISER | {
    "sample_size": 64,
    "out_channels": 4,
    "up_block_types": ("UpBlock2D", _CROSS_UP, _CROSS_UP, _CROSS_UP),
}
CONTROLNET = _DENOISER | {
    "conditioning_channels": 3,
    "conditioning_embedding_out_channels": (16, 32, 96, 256),
    "controlnet_conditioning_channel_order": "rgb",
}
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "sample_size": 512,
    "scaling_factor": 0.18215,
    "force_upcast": False,  # SD 1.5's VAE, unlike SDXL's, stays finite in float16
}
TEXT_ENCODER = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "projection_dim": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
PIPELINE = {"default_steps": 50, "default_guidance": 7.0, "native_size": 512}
TOKENIZER_LENGTH = 77
MOTION_HEADS, MOTION_GROUPS = 8, 32


@dataclass(frozen=True)
class ModelConfigs:
    """Constructor arguments of each module of a MagicPose model; the default is SD 1.5's size.

    ``unet`` serves the denoiser and the appearance model. ``pipeline`` holds the values that
    ``MagicPosePipeline`` falls back to where a call leaves them out.
    """

    unet: Mapping[str, Any] = field(default_factory=lambda: dict(UNET))
    controlnet: Mapping[str, Any] = field(default_factory=lambda: dict(CONTROLNET))
    vae: Mapping[str, Any] = field(default_factory=lambda: dict(VAE))
    text_encoder: Mapping[str, Any] = field(default_factory=lambda: dict(TEXT_ENCODER))
    pipeline: Mapping[str, Any] = field(default_factory=lambda: dict(PIPELINE))


def empty_module(kind: str, config: Mapping[str, Any]) -> torch.nn.Module:
    """The module on the meta device: names, shapes and config, without memory.

    ``kind`` is one of ``unet``, ``controlnet``, ``vae``, ``text_encoder``, ``motion_adapter``.
    """
    import torch

    from magicpose_cli.diffusion import stock

    with torch.device("meta"):
        if kind == "text_encoder":
            from transformers import CLIPTextConfig

            return stock.CLIPTextModel(CLIPTextConfig(**config))
        classes = {
            "unet": stock.UNet2DConditionModel,
            "controlnet": stock.ControlNetModel,
            "vae": stock.AutoencoderKL,
            "motion_adapter": stock.MotionAdapter,
        }
        return classes[kind](**config)
