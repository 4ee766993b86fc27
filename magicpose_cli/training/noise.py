"""The forward diffusion of training, whatever the model predicts: eps, x0 (``sample``) or v.

Sources: Ho et al. 2020 (eps); Salimans & Ho 2022, eq. 9 (v). Letters: B rows, C channels, H, W.
"""

import torch

from magicpose_cli.diffusion.stock import DDIMScheduler
from magicpose_cli.training.config import NoiseOptions


def draw_timesteps(rows: int, options: NoiseOptions, scheduler: DDIMScheduler, rng: torch.Generator) -> torch.Tensor:
    """(rows,) whole timesteps: uniform for power 1, leaning to high noise for less."""
    u = torch.rand(rows, generator=rng) ** options.timestep_power
    return (u * scheduler.config.num_train_timesteps).long().clamp_max(scheduler.config.num_train_timesteps - 1)


def target_of(scheduler: DDIMScheduler, clean: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """What the network should say, by the scheduler's prediction type."""
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return noise
    if kind == "sample":
        return clean
    return scheduler.get_velocity(clean, noise, t)


def clean_of(scheduler: DDIMScheduler, said: torch.Tensor, noisy: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The clean latent that the network's answer stands for."""
    alpha_bar = scheduler.alphas_cumprod.to(noisy)[t].view(-1, 1, 1, 1)
    kind = scheduler.config.prediction_type
    if kind == "sample":
        return said
    if kind == "epsilon":
        return (noisy - (1 - alpha_bar).sqrt() * said) / alpha_bar.sqrt()
    return alpha_bar.sqrt() * noisy - (1 - alpha_bar).sqrt() * said
