"""Stage ``vae``: a small ``AutoencoderKL`` learns the pictures (SD's stands on disk for full-size models).

Loss: mean absolute error + a little squared error + a faint KL term, which only keeps latents near unit scale.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from magicpose_cli.core.errors import UsageError
from magicpose_cli.diffusion.stock import AutoencoderKL
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.data.open_data import open_data
from magicpose_cli.training.data.plan import BatchPlan
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.samples import as_pictures
from magicpose_cli.training.stages.stage import Stage
from magicpose_cli.training.stages.vae_start import start_from_pictures

KL_WEIGHT = 1e-7
FITTED_PEOPLE = 48  # what the first weights are fitted to
_BEHIND_LATENTS = ("vae.decoder", "vae.post_quant_conv")


def _prepare(modules: Modules, recipe: Recipe) -> None:
    trained = recipe.trains or STAGE.default_trains
    if modules.unet is not None and not all(name.startswith(_BEHIND_LATENTS) for name in trained):
        raise UsageError(
            f"{recipe.path}: the UNet of {recipe.start} knows the latents of this encoder", 'train "vae.decoder" alone'
        )
    if modules.vae is None:
        modules.vae = AutoencoderKL(**recipe.new["vae"])
        if modules.vae.device.type == "meta":
            return  # the sizes alone are asked for
        alone = replace(recipe.data, targets_per_reference=1, workers=0)
        start_from_pictures(modules.vae, next(open_data(alone, BatchPlan(FITTED_PEOPLE, recipe.seed))).images[:, 0])


def _loss(modules: Modules, batch: GroupBatch, recipe: Recipe, rng: torch.Generator) -> torch.Tensor:
    vae = modules.vae
    images = batch.images.flatten(0, 1).to(vae.device)  # (B, 3, S, S)
    latents = vae.encode(images).latent_dist
    noise = torch.randn(latents.mean.shape, generator=rng).to(latents.mean)
    decoded = vae.decode(latents.mean + latents.std * noise).sample
    error = (decoded - images).float()
    return error.abs().mean() + error.square().mean() + KL_WEIGHT * latents.kl().mean()


def _picture(modules: Modules, batch: GroupBatch) -> torch.Tensor:
    """Rows of picture and reconstruction."""
    images = batch.images.flatten(0, 1)[:8].to(modules.vae.device)
    decoded = modules.vae.decode(modules.vae.encode(images).latent_dist.mode()).sample
    return as_pictures(torch.stack([images, decoded]))


def _finish(modules: Modules, batch: GroupBatch) -> None:
    """Tell the scale that gives latents unit variance, as SD's 0.18215 does for its VAE, and each channel's spread."""
    encoder = modules.vae.encoder.parameters()
    if "vae" in modules.folders and not any(parameter.requires_grad for parameter in encoder):
        return  # its latents, and what others learnt of them, are as they were
    images = batch.images.flatten(0, 1).to(modules.vae.device)
    latents = modules.vae.encode(images).latent_dist.mode()
    channels = latents.std((0, 2, 3)).tolist()
    modules.vae.register_to_config(scaling_factor=1 / max(latents.std().item(), 1e-6), latents_std=channels)


STAGE = Stage("vae", (), ("vae",), False, _prepare, _loss, _picture, _finish)
