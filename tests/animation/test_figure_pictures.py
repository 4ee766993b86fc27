from pathlib import Path

import numpy as np

from magicpose_cli.animation.figure_pictures import CLIP_FRAMES, make_figure_pictures
from magicpose_cli.figures.held_out import held_out_clips, held_out_pairs
from magicpose_cli.video.read import read_image


def test_each_pair_is_shown_with_and_without_the_bank(tiny_model: Path, tmp_path: Path) -> None:
    pairs = held_out_pairs(2)
    pictures = make_figure_pictures(tiny_model, pairs, folder=tmp_path)
    assert len(pictures.generated) == len(pictures.without_bank) == 2
    for picture, bare in zip(pictures.generated, pictures.without_bank, strict=True):
        assert picture.shape == bare.shape == (64, 64, 3)
        assert (picture != bare).any()
    assert read_image(tmp_path / "0001.png").shape == (64, 5 * 64, 3)
    again = make_figure_pictures(tiny_model, pairs[:1])
    np.testing.assert_array_equal(again.generated[0], pictures.generated[0])
    assert read_image(tmp_path / "sheet.png").shape == (2 * 64, 5 * 64, 3)


def test_a_dance_is_made_with_and_without_motion(tiny_model: Path) -> None:
    made = make_figure_pictures(tiny_model, held_out_pairs(1), held_out_clips(1))
    assert made.clips[0].shape == made.clips_frame_by_frame[0].shape == (CLIP_FRAMES, 64, 64, 3)
    assert made.seconds_a_frame > 0
