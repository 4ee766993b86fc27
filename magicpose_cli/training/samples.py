"""What the network makes of people it never saw: a grid of pictures, and a video where the model is complete."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from magicpose_cli.training.config import Recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.modules import Modules, make_pipeline
from magicpose_cli.video.images import write_image
from magicpose_cli.video.write import write_video

PICTURE_FOLDER, VIDEO_FOLDER = "pictures", "videos"
SAMPLE_FPS = 12


def as_pictures(images: torch.Tensor) -> torch.Tensor:
    """Float (rows, columns, 3, S, S) in [-1, 1] → uint8 (rows, columns, S, S, 3)."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().byte().movedim(2, -1).cpu()


def write_grid(folder: Path, step: int, pictures: torch.Tensor) -> torch.Tensor:
    """Write uint8 (rows, columns, S, S, 3) as one PNG; returns it (H, W, 3)."""
    rows, columns, height, width, _ = pictures.shape
    sheet = pictures.permute(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    write_image(folder / PICTURE_FOLDER / f"{step:07d}.png", sheet.numpy(), overwrite=True)
    return sheet


def write_sample_video(folder: Path, step: int, modules: Modules, recipe: Recipe, clip: GroupBatch) -> None:
    """The person of ``clip`` moves as there: reference, pose, result and truth side by side.

    ``clip`` is one group in pixels, whose targets are frames at ``SAMPLE_FPS``.
    """
    reference, *truth = as_pictures(clip.images)[0].numpy()
    maps = clip.pose_maps[0, 1:].numpy()
    size, frames = reference.shape[0], len(truth)
    pipeline = make_pipeline(modules, recipe.new.get("pipeline", {}))
    window = {}
    if modules.motion_adapter is not None:
        window["window"] = min(16, modules.motion_adapter.config.motion_max_seq_length)
    made = pipeline(reference, maps, **window).frames
    rows = (
        np.concatenate((reference, drawn, frame, shown), axis=1)
        for drawn, frame, shown in zip(maps, made, truth, strict=True)
    )
    write_video(
        folder / VIDEO_FOLDER / f"{step:07d}.mp4",
        rows,
        Fraction(SAMPLE_FPS),
        width=4 * size,
        height=size,
        expected_frames=frames,
        overwrite=True,
    )
