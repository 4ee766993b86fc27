"""Stage ``motion``: the temporal layers learn clips, everything else stays (AnimateDiff, arXiv 2307.04725, §4.2).

A group is one reference and K consecutive frames of one dance: ``[data] clip_fps`` must be set.
"""

from __future__ import annotations

from functools import partial

from magicpose_cli.core.errors import UsageError
from magicpose_cli.diffusion.stock import MotionAdapter
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.stages.denoising import denoising_loss, denoising_picture
from magicpose_cli.training.stages.stage import Stage


def _prepare(modules: Modules, recipe: Recipe) -> None:
    if not recipe.data.clip_fps:
        raise UsageError(f"{recipe.path}: the stage 'motion' learns clips", "set clip_fps in [data], such as 12")
    if modules.motion_adapter is None:
        modules.motion_adapter = MotionAdapter(**recipe.new["motion_adapter"])
    longest = modules.motion_adapter.config.motion_max_seq_length
    if recipe.data.targets_per_reference > longest:
        raise UsageError(f"{recipe.path}: a clip has at most {longest} frames (targets_per_reference)")


STAGE = Stage(
    "motion",
    ("vae", "unet", "appearance_unet", "pose_controlnet", "text_encoder", "tokenizer", "scheduler"),
    ("motion_adapter",),
    True,
    _prepare,
    partial(denoising_loss, appearance=True, pose=True),
    partial(denoising_picture, appearance=True, pose=True),
)
