"""What the denoising stages share: noise, branches, the loss, and a picture of what the network sees in noise.

Letters: R references, K targets each, B = R·K rows, C latent channels, h, w latent size, S picture size.
Row r·K + k is target k of reference r.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
import torch.nn.functional as F

from magicpose_cli.diffusion.attention_bank import AttentionBank
from magicpose_cli.diffusion.latents import DECODED_AT_ONCE
from magicpose_cli.diffusion.motion import run_denoiser
from magicpose_cli.diffusion.reference_attention import attach_read, attach_write
from magicpose_cli.training.config import NoiseOptions, Recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.noise import clean_of, draw_timesteps, target_of
from magicpose_cli.training.samples import as_pictures

FACE_POINT = 80  # of 255 in each colour: a face's point, even a thin one; limbs and hands have colours


def denoising_loss(
    modules: Modules,
    batch: GroupBatch,
    recipe: Recipe,
    rng: torch.Generator,
    *,
    appearance: bool,
    pose: bool,
) -> torch.Tensor:
    """Mean squared error on the model's own prediction type (Stable Diffusion's: the noise), one t for a group.

    The appearance model sees the clean reference at the targets' t, so all targets of a group share one bank. With
    ``flicker_weight`` the error's change between neighbouring frames counts too: an error that stays does not flicker.
    """
    device = modules.unet.device
    scale = modules.vae.config.scaling_factor
    latents = batch.images.to(device) * scale  # (R, 1 + K, C, h, w)
    groups, pictures = latents.shape[:2]
    reference, clean = latents[:, 0], latents[:, 1:].flatten(0, 1)  # (R, C, h, w), (B, C, h, w)
    noise = torch.randn(clean.shape, generator=rng).to(device)
    if recipe.noise.shared:
        noise = noise[:: pictures - 1].repeat_interleave(pictures - 1, 0)
    t_group = draw_timesteps(groups, recipe.noise, modules.scheduler, rng).to(device)
    t = t_group.repeat_interleave(pictures - 1)
    noisy = modules.scheduler.add_noise(clean, noise, t)
    # Validation sees all conditions that training ever does.
    learns = torch.is_grad_enabled()
    dropped = learns and torch.rand((), generator=rng).item() < recipe.noise.drop
    bankless = torch.rand((), generator=rng).item() < recipe.noise.drop_appearance
    banked = appearance and not (bankless if learns else recipe.noise.drop_appearance == 1)
    said = predict(
        modules,
        noisy,
        t,
        reference if banked and not dropped else None,
        batch.pose_maps[:, 1:].flatten(0, 1) if pose and not dropped else None,
        groups,
    )
    error = said.float() - target_of(modules.scheduler, clean, noise, t)  # (B, C, h, w)
    if modules.vae.config.latents_std is not None:
        # In a latent space with strong and faint channels each counts as much as it changes the picture.
        spread = torch.tensor(modules.vae.config.latents_std, device=device)
        error = error * (spread / spread.square().mean().sqrt()).view(-1, 1, 1)
    weight = loss_weight(batch, recipe.noise, clean.shape[-2:]).to(device)
    loss = _weighted_mean(error.square(), weight)
    if recipe.noise.flicker_weight:
        changes, places = (rows.unflatten(0, (groups, pictures - 1)) for rows in (error, weight))
        changes = changes.diff(dim=1).flatten(0, 1)  # (R·(K - 1), C, h, w)
        places = torch.maximum(places[:, 1:], places[:, :-1]).flatten(0, 1)
        loss = loss + recipe.noise.flicker_weight * _weighted_mean(changes.square(), places)
    return loss


def _weighted_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Of (B, C, h, w) by (B, 1, h, w)."""
    return (values * weight).sum() / (weight.sum() * values.shape[1])


def loss_weight(batch: GroupBatch, options: NoiseOptions, size: torch.Size) -> torch.Tensor:
    """How much each latent place of the targets counts: float (B, 1, h, w), 1 where nothing special is.

    The face is where the pose maps show its white points, so that drawn maps without keypoints tell it too.
    """
    person = F.interpolate(batch.person[:, 1:].flatten(0, 1).unsqueeze(1), size=size, mode="area")
    white = batch.pose_maps[:, 1:].flatten(0, 1).amin(-1) > FACE_POINT  # (B, S, S)
    face = F.adaptive_max_pool2d(white.unsqueeze(1).float(), size)
    return 1 + options.person_weight * person + options.face_weight * face


def predict(
    modules: Modules,
    noisy: torch.Tensor,
    t: torch.Tensor,
    reference: torch.Tensor | None,
    pose_maps: torch.Tensor | None,
    groups: int,
) -> torch.Tensor:
    """What the denoiser says for ``noisy`` (B, C, h, w) at ``t`` (B,), the same t within each of R = ``groups``.

    Where there is a motion module a group's rows are one clip. ``reference`` clean latents (R, C, h, w) or None for no
    bank; ``pose_maps`` uint8 (B, S, S, 3) or None.
    """
    text = modules.empty_prompt(len(noisy))
    bank = AttentionBank()
    if reference is not None:
        stride = len(noisy) // groups
        with attach_write(modules.appearance_unet, bank):
            modules.appearance_unet(reference, t[::stride], text[:groups])
    residuals = {}
    if pose_maps is not None:
        maps = pose_maps.to(noisy.device).movedim(-1, 1).to(noisy.dtype) / 255  # (B, 3, S, S)
        down, mid = modules.pose_controlnet(noisy, t, text, controlnet_cond=maps, return_dict=False)
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
    unet = modules.denoiser()
    with attach_read(unet, bank) if reference is not None else nullcontext():
        return run_denoiser(unet, noisy, t, text, clips=groups, **residuals)


def denoising_picture(modules: Modules, batch: GroupBatch, *, appearance: bool, pose: bool) -> torch.Tensor:
    """Rows: reference, pose map, truth, and what is seen in pure noise and in half noise."""
    scale = modules.vae.config.scaling_factor
    latents = batch.images[:8].to(modules.unet.device) * scale
    reference, clean = latents[:, 0], latents[:, 1]
    maps = batch.pose_maps[:8, 1]
    noise = torch.randn(clean[:1].shape, generator=torch.Generator().manual_seed(0)).to(clean).expand_as(clean)
    seen = []
    for step in (999, 500):
        t = torch.full((len(clean),), step, device=clean.device)
        noisy = modules.scheduler.add_noise(clean, noise, t)
        said = predict(modules, noisy, t, reference if appearance else None, maps if pose else None, len(clean))
        seen.append(clean_of(modules.scheduler, said, noisy, t))
    decoded = [
        torch.cat([modules.vae.decode(part / scale).sample for part in x.split(DECODED_AT_ONCE)])
        for x in (reference, clean, *seen)
    ]
    drawn = maps.movedim(-1, 1).to(decoded[0]) / 127.5 - 1
    return as_pictures(torch.stack([decoded[0], drawn, *decoded[1:]]))
