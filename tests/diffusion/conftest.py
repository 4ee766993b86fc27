"""Tiny stock diffusers models with random weights: real classes, milliseconds a pass."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

torch.set_num_threads(1)

WIDTHS = (16, 32)
# One level with attention, one without: the shape of the embedded model.
OUTER_PLAIN = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}
# Attention at all but the lowest level: the shape of SD 1.5.
INNER_PLAIN = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
SHARED = {"block_out_channels": WIDTHS, "layers_per_block": 1, "norm_num_groups": 8}
ATTENTION = {"cross_attention_dim": 24, "attention_head_dim": 2}


def tiny_unet(shape=INNER_PLAIN, seed=0):
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    return UNet2DConditionModel(sample_size=8, **SHARED, **ATTENTION, **shape).eval()


def tiny_controlnet(unet, seed=0, order="rgb"):
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    net = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=(8, 16), controlnet_conditioning_channel_order=order
    )
    return without_zeros(net)


def tiny_motion_adapter(zero=False, seed=0):
    from diffusers import MotionAdapter

    torch.manual_seed(seed)
    adapter = MotionAdapter(
        block_out_channels=WIDTHS,
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
        motion_max_seq_length=8,
    )
    for name, parameter in adapter.named_parameters():
        if "proj_out" in name:
            torch.nn.init.zeros_(parameter) if zero else torch.nn.init.normal_(parameter, std=0.5)
    return adapter.eval()


def without_zeros(net):
    """Zero-initialised outputs would hide every fault."""
    for parameter in net.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return net.eval()


def tiny_vae():
    from diffusers import AutoencoderKL

    torch.manual_seed(3)
    return AutoencoderKL(
        **SHARED,
        sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
    ).eval()


def tiny_text():
    """A byte-level CLIP vocabulary and a two-layer text model."""
    from transformers import CLIPTextConfig, CLIPTextModel

    from magicpose_cli.training.stages.base import byte_tokenizer

    tokenizer = byte_tokenizer(8)
    torch.manual_seed(4)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=8,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, CLIPTextModel(config).eval()


@pytest.fixture(params=["outer_plain", "inner_plain"])
def shape(request):
    return {"outer_plain": OUTER_PLAIN, "inner_plain": INNER_PLAIN}[request.param]


@pytest.fixture(scope="session")
def text_parts():
    return tiny_text()


@pytest.fixture(scope="session")
def tiny(text_parts):
    """Builders of tiny models."""
    from magicpose_cli.diffusion.pipeline import MagicPosePipeline
    from magicpose_cli.diffusion.schedulers import published_scheduler

    def pipeline(motion_adapter=None, prediction_type="epsilon", **settings):
        unet = tiny_unet(OUTER_PLAIN, seed=1)
        made = MagicPosePipeline(
            vae=tiny_vae(),
            text_encoder=text_parts[1],
            tokenizer=text_parts[0],
            unet=unet,
            appearance_unet=tiny_unet(OUTER_PLAIN, seed=2),
            pose_controlnet=tiny_controlnet(unet),
            scheduler=published_scheduler(prediction_type),
            motion_adapter=motion_adapter,
            **({"default_steps": 2, "default_guidance": 2.0, "native_size": 16} | settings),
        )
        return made

    return SimpleNamespace(
        unet=tiny_unet, controlnet=tiny_controlnet, motion_adapter=tiny_motion_adapter, vae=tiny_vae, pipeline=pipeline
    )


@pytest.fixture
def reference():
    return np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


@pytest.fixture
def pose_maps():
    return np.random.default_rng(1).integers(0, 256, (5, 16, 24, 3), np.uint8)
