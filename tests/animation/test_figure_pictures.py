from pathlib import Path

import numpy as np

from magicpose_cli.animation.figure_pictures import make_figure_pictures
from magicpose_cli.figures.held_out import held_out_pairs
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
