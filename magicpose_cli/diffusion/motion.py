"""The motion module in and out of the denoiser.

Shapes: F frames of one window, C latent channels, h, w latent size, T text tokens, D text width.
Source: AnimateDiff (arXiv 2307.04725), whose temporal layers MagicPose uses.
"""

from typing import Any

import torch
from torch import Tensor

from magicpose_cli.diffusion.stock import MotionAdapter, UNet2DConditionModel, UNetMotionModel

Denoiser = UNet2DConditionModel | UNetMotionModel


def with_motion(unet: UNet2DConditionModel, motion_adapter: MotionAdapter) -> UNetMotionModel:
    """The denoiser with temporal layers, on the same weights: nothing is copied where number types agree.

    Its attention processors are fresh, so attach reference attention after. Raises ValueError where the adapter was
    made for another architecture.
    """
    with torch.device("meta"):
        model = UNetMotionModel.from_unet2d(unet, motion_adapter, load_weights=False)
    temporal = {name: tensor.to(unet.device, unet.dtype) for name, tensor in motion_adapter.state_dict().items()}
    try:
        model.load_state_dict({**unet.state_dict(), **temporal}, strict=True, assign=True)
    except RuntimeError as error:
        raise ValueError(f"the motion module does not fit this denoiser: {error}") from None
    return model.requires_grad_(False).eval()


def run_denoiser(
    unet: Denoiser, sample: Tensor, timestep: Tensor | int, text: Tensor, clips: int = 1, **residuals: Any
) -> Tensor:
    """One pass over ``sample`` (F, C, h, w), with or without temporal layers; the prediction has the same shape.

    With them the F frames are ``clips`` windows, one after the other. ``timestep`` is one for all, or (F,) and the same
    within a window. ``text`` is (F, T, D), or (1, T, D) under ``attach_text``.
    """
    if not isinstance(unet, UNetMotionModel):
        return unet(sample, timestep, text, return_dict=False, **residuals)[0]
    if isinstance(timestep, Tensor) and timestep.ndim:
        timestep = timestep.unflatten(0, (clips, -1))[:, 0]
    frames = sample.unflatten(0, (clips, -1)).movedim(1, 2)  # (clips, C, F / clips, h, w)
    return unet(frames, timestep, text, return_dict=False, **residuals)[0].movedim(2, 1).flatten(0, 1)
