"""Stage ``pose``: appearance-disentangled pose control, ControlNet and appearance model jointly (MagicPose §3.3)."""

from __future__ import annotations

from functools import partial

from magicpose_cli.diffusion.stock import ControlNetModel
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.stages.appearance import add_appearance_model
from magicpose_cli.training.stages.denoising import denoising_loss, denoising_picture
from magicpose_cli.training.stages.stage import Stage


def _prepare(modules: Modules, recipe: Recipe) -> None:
    add_appearance_model(modules, recipe)  # where the stage before was skipped: joint training in one stage
    if modules.pose_controlnet is None:
        modules.pose_controlnet = ControlNetModel.from_unet(modules.unet, **recipe.new.get("pose_controlnet", {}))


STAGE = Stage(
    "pose",
    ("vae", "unet", "text_encoder", "tokenizer", "scheduler"),
    ("appearance_unet", "pose_controlnet"),
    True,
    _prepare,
    partial(denoising_loss, appearance=True, pose=True),
    partial(denoising_picture, appearance=True, pose=True),
)
