"""Tiny stock diffusers models with random weights: real classes, milliseconds a pass."""

from types import SimpleNamespace

import pytest
import torch

torch.set_num_threads(1)

# One level with attention, one without: the shape of the embedded model.
OUTER_PLAIN = dict(
    block_out_channels=(16, 32),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
)
# Attention at all but the lowest level: the shape of SD 1.5.
INNER_PLAIN = dict(
    block_out_channels=(16, 32),
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
)
SHARED = dict(layers_per_block=1, cross_attention_dim=24, attention_head_dim=2, norm_num_groups=8)


def tiny_unet(shape=INNER_PLAIN, seed=0):
    from diffusers import UNet2DConditionModel

    torch.manual_seed(seed)
    return UNet2DConditionModel(sample_size=8, **SHARED, **shape).eval()


def tiny_controlnet(unet, seed=0):
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 16, 32)).eval()
    for parameter in net.parameters():  # the zero convolutions would hide every fault
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return net


@pytest.fixture(params=["outer_plain", "inner_plain"])
def shape(request):
    return {"outer_plain": OUTER_PLAIN, "inner_plain": INNER_PLAIN}[request.param]


@pytest.fixture(scope="session")
def tiny():
    """Builders of tiny models."""
    return SimpleNamespace(unet=tiny_unet, controlnet=tiny_controlnet)
