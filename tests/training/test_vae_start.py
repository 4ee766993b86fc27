"""The autoencoder's first weights already see: no training, and the picture is there."""

import numpy as np
import pytest
import torch

from magicpose_cli.diffusion.stock import AutoencoderKL
from magicpose_cli.evaluation.similarity import psnr
from magicpose_cli.figures.held_out import FIRST_TRAINING_SEED, show
from magicpose_cli.training.stages.vae_start import start_from_pictures

CONFIG = {
    "latent_channels": 24,
    "block_out_channels": [16, 24, 48, 64],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 1,
    "norm_num_groups": 2,
}


def pictures(first: int, count: int) -> torch.Tensor:
    shown = np.stack([show(first + n, first + n, 64).image for n in range(count)])
    return torch.from_numpy(shown).movedim(-1, 1).float() / 127.5 - 1


@pytest.mark.parametrize("depth", [3, 4])
def test_an_untrained_autoencoder_shows_pictures_that_it_was_not_fitted_to(depth: int):
    torch.manual_seed(0)
    levels = {"block_out_channels": CONFIG["block_out_channels"][-depth:]}
    levels |= {name: CONFIG[name][:depth] for name in ("down_block_types", "up_block_types")}
    vae = AutoencoderKL(**{**CONFIG, **levels})
    start_from_pictures(vae, pictures(FIRST_TRAINING_SEED, 12))
    seen = pictures(0, 4)
    with torch.no_grad():
        latents = vae.encode(seen).latent_dist.mode()
        decoded = vae.decode(latents).sample
    assert latents.shape[2] == 64 // 2 ** (depth - 1)
    for one, truth in zip(decoded, seen, strict=True):
        as_bytes = [((x.movedim(0, -1).numpy().clip(-1, 1) + 1) * 127.5).round().astype(np.uint8) for x in (one, truth)]
        assert psnr(*as_bytes) > 20


def test_latents_hold_more_than_means():
    torch.manual_seed(0)
    vae = AutoencoderKL(**CONFIG)
    start_from_pictures(vae, pictures(FIRST_TRAINING_SEED, 12))
    with torch.no_grad():
        spread = vae.encode(pictures(0, 4)).latent_dist.mode().std((0, 2, 3))
    assert spread.argmax() < 3  # the means come first
    assert (spread > 0.02).all()  # and no latent is silent


@pytest.mark.parametrize(
    "wrong",
    [{"latent_channels": 60}, {"block_out_channels": [16, 16, 48, 64]}, {"norm_num_groups": 8}],
    ids=["too many latents", "no shortcut", "no room for pairs"],
)
def test_a_configuration_that_does_not_fit_is_refused(wrong: dict[str, object]):
    with pytest.raises(ValueError, match=r"must differ|no room|leaves"):
        start_from_pictures(AutoencoderKL(**{**CONFIG, **wrong}), pictures(0, 2))
