"""The denoising loop. It knows no files, prompts or progress bars.

Shapes: F frames, C latent channels, h, w latent size, T text tokens, D text width.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from magicpose_cli.diffusion.appearance import write_appearance
from magicpose_cli.diffusion.attention_bank import AttentionBank
from magicpose_cli.diffusion.guidance import APPEARANCE, CONDITIONS, POSE, Guidance
from magicpose_cli.diffusion.motion import Denoiser, run_denoiser
from magicpose_cli.diffusion.pose_control import PoseEmbeddings, pose_residuals
from magicpose_cli.diffusion.reference_attention import attach_read
from magicpose_cli.diffusion.stock import ControlNetModel, SchedulerMixin, UNet2DConditionModel
from magicpose_cli.diffusion.text_attention import attach_text
from magicpose_cli.diffusion.windows import Window


@dataclass(frozen=True)
class Networks:
    """The three networks of a step. ``unet`` may hold temporal layers (``motion.with_motion``)."""

    unet: Denoiser
    appearance_unet: UNet2DConditionModel
    pose_controlnet: ControlNetModel


@dataclass(frozen=True)
class Conditions:
    """What is fixed over all steps: the clean reference latent (1, C, h, w), the text (1, T, D), the encoded poses."""

    reference: Tensor
    text: Tensor
    poses: PoseEmbeddings


@torch.no_grad()
def denoise(
    networks: Networks,
    conditions: Conditions,
    latents: Tensor,
    scheduler: SchedulerMixin,
    windows_at: Callable[[int], list[Window]],
    guidance: Guidance,
    on_window: Callable[[Window], None] = lambda window: None,
) -> Tensor:
    """Noise (F, C, h, w) → latents, over ``scheduler.timesteps``; the scheduler knows what the network predicts.

    ``windows_at(step)`` says which frames go through the networks together; they cover all frames, with weights
    that add up to 1. Latents stay in their own number type (float32), networks run in theirs.
    """
    bank = AttentionBank()
    with attach_text(networks.unet, networks.appearance_unet, networks.pose_controlnet):
        for step, t in enumerate(scheduler.timesteps):
            write_appearance(networks.appearance_unet, conditions.reference, t, conditions.text, bank)
            prediction = torch.zeros_like(latents)
            for window in windows_at(step):
                frames = slice(window.start, window.stop)
                noisy = scheduler.scale_model_input(latents[frames], t).to(networks.unet.dtype)
                guided = predict(networks, conditions, noisy, t, window, bank, CONDITIONS)
                if guidance.has_unconditional:
                    kept = CONDITIONS - guidance.drops
                    guided = guidance.combine(guided, predict(networks, conditions, noisy, t, window, bank, kept))
                prediction[frames] += latents.new_tensor(window.weights).view(-1, 1, 1, 1) * guided
                on_window(window)
            latents = scheduler.step(prediction, t, latents, return_dict=False)[0]
    return latents


def predict(
    networks: Networks,
    conditions: Conditions,
    noisy: Tensor,
    timestep: Tensor,
    window: Window,
    bank: AttentionBank,
    kept: frozenset[str],
) -> Tensor:
    """One branch's prediction for ``noisy`` (F, C, h, w) in float32; it pays for the conditions ``kept`` alone."""
    residuals = {}
    if POSE in kept:
        encoded = conditions.poses.read(window.start, window.stop)
        down, middle = pose_residuals(networks.pose_controlnet, noisy, timestep, conditions.text, encoded)
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
    with attach_read(networks.unet, bank if APPEARANCE in kept else AttentionBank()):
        return run_denoiser(networks.unet, noisy, timestep, conditions.text, **residuals).float()
