"""The autoencoder's first weights already see: no training, and the picture is there."""

import numpy as np
import pytest
import torch

from magicpose_cli.diffusion.stock import AutoencoderKL
from magicpose_cli.evaluation.figures import psnr
from magicpose_cli.figures.held_out import show
from magicpose_cli.training.stages.vae_start import start_as_pyramid

CONFIG = {
    "latent_channels": 12,
    "block_out_channels": [16, 24, 48, 64],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 1,
    "norm_num_groups": 2,
}


def test_an_untrained_pyramid_shows_the_picture():
    torch.manual_seed(0)
    vae = AutoencoderKL(**CONFIG)
    start_as_pyramid(vae)
    for seed in range(4):
        picture = show(seed, seed, 128).image
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            decoded = vae.decode(vae.encode(pixels).latent_dist.mode()).sample
        seen = ((decoded[0].permute(1, 2, 0).numpy().clip(-1, 1) + 1) * 127.5).round().astype(np.uint8)
        assert psnr(seen, picture) > 20


@pytest.mark.parametrize(
    "wrong",
    [{"latent_channels": 4}, {"block_out_channels": [16, 16, 48, 64]}, {"norm_num_groups": 8}],
    ids=["too few latents", "no shortcut", "no room for pairs"],
)
def test_a_configuration_that_does_not_fit_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"pyramid|no room"):
        start_as_pyramid(AutoencoderKL(**{**CONFIG, **wrong}))
