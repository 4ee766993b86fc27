"""Stage ``appearance``: appearance control pretraining, no pose ControlNet in the graph (MagicPose §3.2)."""

from __future__ import annotations

from functools import partial

from magicpose_cli.diffusion.stock import UNet2DConditionModel
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.stages.denoising import denoising_loss, denoising_picture
from magicpose_cli.training.stages.stage import Stage


def add_appearance_model(modules: Modules, recipe: Recipe) -> None:
    """Where there is none yet: a copy of the denoiser, as published."""
    if modules.appearance_unet is None:
        modules.appearance_unet = UNet2DConditionModel.from_config(modules.unet.config)
        modules.appearance_unet.load_state_dict(modules.unet.state_dict())


STAGE = Stage(
    "appearance",
    ("vae", "unet", "text_encoder", "tokenizer", "scheduler"),
    ("appearance_unet",),
    True,
    add_appearance_model,
    partial(denoising_loss, appearance=True, pose=False),
    partial(denoising_picture, appearance=True, pose=False),
)
