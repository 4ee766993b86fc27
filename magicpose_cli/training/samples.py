"""What the network makes of people it never saw: a grid of pictures, and a dance where the model is complete."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from magicpose_cli.conditions.draw import draw_person
from magicpose_cli.figures.held_out import held_out_clips, show, show_clip
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.modules import Modules, make_pipeline
from magicpose_cli.video.images import write_image
from magicpose_cli.video.write import write_video

PICTURE_FOLDER, VIDEO_FOLDER = "pictures", "videos"
_FPS = Fraction(12)


def write_grid(folder: Path, step: int, pictures: torch.Tensor) -> torch.Tensor:
    """Write uint8 (rows, columns, S, S, 3) as one PNG; returns it (H, W, 3)."""
    rows, columns, height, width, _ = pictures.shape
    sheet = pictures.permute(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    write_image(folder / PICTURE_FOLDER / f"{step:07d}.png", sheet.numpy(), overwrite=True)
    return sheet


def write_sample_video(folder: Path, step: int, modules: Modules, recipe: Recipe) -> None:
    """A held-out figure dances for ``video_frames`` frames: reference, pose, result and truth side by side."""
    size, frames = recipe.data.size, recipe.video_frames
    clip = held_out_clips(1)[0]
    reference = show(clip.identity, clip.reference_pose, size).image
    truth = show_clip(clip, frames, int(_FPS), size)
    maps = np.stack([draw_person(shown.keypoints, size) for shown in truth])
    pipeline = make_pipeline(modules, recipe.new.get("pipeline", {}))
    window = {}
    if modules.motion_adapter is not None:
        window["window"] = min(16, modules.motion_adapter.config.motion_max_seq_length)
    made = pipeline(reference, maps, **window).frames
    rows = (
        np.concatenate((reference, drawn, frame, shown.image), axis=1)
        for drawn, frame, shown in zip(maps, made, truth, strict=True)
    )
    write_video(
        folder / VIDEO_FOLDER / f"{step:07d}.mp4",
        rows,
        _FPS,
        width=4 * size,
        height=size,
        expected_frames=frames,
        overwrite=True,
    )
