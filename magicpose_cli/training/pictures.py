"""Grids of small pictures as one PNG."""

from pathlib import Path

import torch

from magicpose_cli.video.images import write_image


def write_grid(path: Path, pictures: torch.Tensor) -> None:
    """Write uint8 (rows, columns, S, S, 3) as one PNG."""
    rows, columns, height, width, _ = pictures.shape
    sheet = pictures.permute(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    write_image(path, sheet.numpy(), overwrite=True)
