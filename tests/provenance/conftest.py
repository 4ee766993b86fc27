"""Clips of synthetic figures, and what happens to videos on the web."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video

Frames = list[np.ndarray]


@pytest.fixture(scope="session")
def figure() -> Callable[..., Frames]:
    """``figure(seed, side, count)``: a clip of a person, RGB uint8."""
    from magicpose_cli.figures.motion import make_motion
    from magicpose_cli.figures.render import render
    from magicpose_cli.figures.scene import random_identity

    def make(seed: int, side: int = 256, count: int = 8) -> Frames:
        person = random_identity(seed)
        return [render(person, pose, side).image for pose in make_motion(seed, count, fps=12, kind="dance")]

    return make


@pytest.fixture
def recoded(tmp_path: Path) -> Callable[..., Frames]:
    """``recoded(frames, crf, scale)``: the frames after H.264, scaled down before."""

    def encode(frames: Frames, crf: int, scale: float = 1.0) -> Frames:
        if scale != 1:
            frames = [cv2.resize(f, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for f in frames]
        height, width = frames[0].shape[:2]
        path = tmp_path / "recoded.mp4"
        write_video(path, frames, Fraction(12), width=width, height=height, crf=crf, overwrite=True)
        return list(open_clip(path).frames())

    return encode
