"""A video that shows nothing is an error, a frame that shows nothing a word."""

from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.animation.animator import animate
from magicpose_cli.animation.black_frames import black_told
from magicpose_cli.animation.request import AnimationRequest
from magicpose_cli.core.errors import IntegrityError


class Notes:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def test_black_frames_are_told_by_number() -> None:
    told = Notes()
    frames = [np.full((4, 4, 3), level, np.uint8) for level in (0, 90, 3, 8, 9)]
    assert list(map(np.mean, black_told(frames, told))) == [0, 90, 3, 8, 9]
    assert told.notes == ["frames 0, 2-3 came out black"]


def test_a_model_that_paints_black_leaves_no_video(media, tiny_model: Path, tmp_path: Path) -> None:
    """Its last layer says -1, black, whatever comes."""
    from magicpose_cli.diffusion.load import load_pipeline

    pipeline = load_pipeline(tiny_model, device=torch.device("cpu"), dtype=torch.float32)
    torch.nn.init.zeros_(pipeline.vae.decoder.conv_out.weight)
    torch.nn.init.constant_(pipeline.vae.decoder.conv_out.bias, -1.0)
    pipeline.save_pretrained(tmp_path / "model")
    made = tmp_path / "made"
    with pytest.raises(IntegrityError, match="nothing but black frames, all 12"):
        animate(AnimationRequest(media.photo, media.poses, made / "out.mp4", model=str(tmp_path / "model"), fit="none"))
    assert not made.exists()
