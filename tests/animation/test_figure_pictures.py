import os
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.animation.figure_pictures import (
    CLIP_FRAMES,
    evaluate_figures,
    make_figure_pictures,
    write_figure_pictures,
)
from magicpose_cli.animation.request import EvaluationRequest
from magicpose_cli.core.errors import OutputError
from magicpose_cli.evaluation.figures import score_clips, score_figures
from magicpose_cli.figures.held_out import held_out_clips, held_out_pairs
from magicpose_cli.video.read import read_image


def test_each_pair_is_shown_with_and_without_the_bank(tiny_model: Path, tmp_path: Path) -> None:
    pairs = held_out_pairs(2)
    made = make_figure_pictures(tiny_model, pairs)
    pictures = made.pairs
    assert len(pictures.generated) == len(pictures.without_bank) == len(pictures.autoencoded) == 2
    for picture, bare in zip(pictures.generated, pictures.without_bank, strict=True):
        assert picture.shape == bare.shape == (64, 64, 3)
        assert (picture != bare).any()
    again = make_figure_pictures(tiny_model, pairs[:1])
    np.testing.assert_array_equal(again.pairs.generated[0], pictures.generated[0])
    write_figure_pictures(tmp_path / "out", pairs, made)
    row = read_image(tmp_path / "out" / "0001.png")
    assert row.shape == (64, 5 * 64, 3)
    np.testing.assert_array_equal(row[:, 128:192], pictures.generated[1])
    assert read_image(tmp_path / "out" / "sheet.png").shape == (2 * 64, 5 * 64, 3)


def test_a_dance_is_made_with_and_without_motion(tiny_model: Path) -> None:
    made = make_figure_pictures(tiny_model, held_out_pairs(1), held_out_clips(1))
    clips = made.clips
    for way in (clips.generated, clips.frame_by_frame, clips.own_noise, clips.autoencoded):
        assert way[0].shape == (CLIP_FRAMES, 64, 64, 3)
    assert (clips.frame_by_frame[0] != clips.own_noise[0]).any()
    assert clips.seconds_a_frame > 0


def test_an_evaluation_and_its_pictures(tiny_model: Path, tmp_path: Path) -> None:
    request = EvaluationRequest(str(tiny_model), pairs=1, clips=0, output=tmp_path / "out")
    scores = evaluate_figures(request, score_figures, score_clips)
    assert next(iter(scores)) == "model"
    assert {"identity_top1", "psnr"} <= set(scores) and "flicker" not in scores
    assert sorted(os.listdir(tmp_path / "out")) == ["0000.png", "motions.png", "sheet.png"]


@pytest.mark.parametrize(("mine", "existing"), [("0000.png", "refuse"), ("me.png", "overwrite")])
def test_pictures_of_others_are_not_overwritten(tiny_model: Path, tmp_path: Path, mine: str, existing: str) -> None:
    (tmp_path / mine).write_bytes(b"mine")
    request = EvaluationRequest(str(tiny_model), pairs=1, clips=0, output=tmp_path, existing=existing)
    with pytest.raises(OutputError):
        evaluate_figures(request, score_figures, score_clips)
    assert (tmp_path / mine).read_bytes() == b"mine"
    assert os.listdir(tmp_path) == [mine]
