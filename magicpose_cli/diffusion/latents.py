"""Pictures ↔ latents through the VAE in chunks, and the first noise.

Shapes: F pictures, H, W pixels, C latent channels, h, w latent size. Pictures outside are RGB uint8 (F, H, W, 3).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.diffusion.batch_size import BatchSize
from magicpose_cli.diffusion.stock import AutoencoderKL, randn_tensor

DECODED_AT_ONCE = 4  # pictures that go through the VAE together


def as_tensor(pictures: np.ndarray) -> Tensor:
    """RGB uint8 (F, H, W, 3) → float32 (F, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(pictures)).movedim(-1, 1).float() / 255


def encode_pictures(vae: AutoencoderKL, pictures: Tensor, chunk: int = DECODED_AT_ONCE) -> Tensor:
    """Pictures in [-1, 1] (F, 3, H, W) → latents (F, C, h, w): the mean of the VAE's distribution, scaled."""
    latents = [vae.encode(part.to(vae.dtype)).latent_dist.mean for part in pictures.split(chunk)]
    return (torch.cat(latents) - _shift(vae)) * vae.config.scaling_factor


def decode_latents(vae: AutoencoderKL, latents: Tensor, chunk: int = DECODED_AT_ONCE) -> Iterator[np.ndarray]:
    """Latents (F, C, h, w) → RGB uint8 (H, W, 3) one by one, decoded ``chunk`` at a time, or fewer that fit.

    Where half precision cannot hold the VAE's numbers, it goes on in float32. Raises IntegrityError where the pictures
    are not finite all the same.
    """
    for pictures in BatchSize(chunk).run(lambda start, stop: _finite_pictures(vae, latents[start:stop]), len(latents)):
        shown = ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        yield from shown.movedim(1, -1).cpu().numpy()


def decode_to_tensor(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Latents (F, C, h, w) → pictures (F, 3, H, W), about [-1, 1]."""
    return vae.decode((latents / vae.config.scaling_factor + _shift(vae)).to(vae.dtype)).sample


def _finite_pictures(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """As ``decode_to_tensor``, in float32: NaN would become black."""
    pictures = decode_to_tensor(vae, latents).float()
    if vae.dtype != torch.float32 and not torch.isfinite(pictures).all():
        vae.to(torch.float32)
        pictures = decode_to_tensor(vae, latents)
    if not torch.isfinite(pictures).all():
        raise IntegrityError(
            "the pictures that the VAE makes of finite latents are not finite",
            "its weights are damaged: download or convert them again",
        )
    return pictures


def first_noise(
    shape: tuple[int, int, int], seed: int | torch.Generator, *, shared: bool, device: torch.device
) -> Iterator[Tensor]:
    """Without end, the noise of frame after frame: float32 (1, C, h, w) of ``shape`` (C, h, w).

    ``shared``: the same noise in all frames, as published. A number is drawn on the CPU, so a seed gives the same
    noise on every device; drawn one by one, a frame's noise does not depend on how many frames there are.
    """
    generator = torch.Generator().manual_seed(seed) if isinstance(seed, int) else seed
    noise = randn_tensor((1, *shape), generator, device, torch.float32)
    while True:
        yield noise
        if not shared:
            noise = randn_tensor((1, *shape), generator, device, torch.float32)


def _shift(vae: AutoencoderKL) -> float:
    return getattr(vae.config, "shift_factor", None) or 0.0
