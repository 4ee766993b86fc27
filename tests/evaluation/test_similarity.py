"""PSNR, SSIM and flicker: known values and what they must not notice."""

import numpy as np
import pytest

from magicpose_cli.evaluation.similarity import flicker, psnr, ssim

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 32, 3), dtype=np.uint8)


def test_psnr_of_a_known_difference():
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr(black, grey) == pytest.approx(0)
    assert psnr(black, black) > 90


def test_ssim_of_flat_pictures_is_its_luminance_term():
    """Without variance SSIM is (2 x y + C1) / (x² + y² + C1), with C1 = (0.01 · 255)²."""
    dark, light = (np.full((20, 20, 3), level, np.uint8) for level in (50, 100))
    c1 = (0.01 * 255) ** 2
    assert ssim(dark, light) == pytest.approx((2 * 50 * 100 + c1) / (50**2 + 100**2 + c1))


def test_ssim_knows_the_picture_from_a_worse_one():
    worse = np.clip(PICTURE + RNG.normal(0, 20, PICTURE.shape), 0, 255).astype(np.uint8)
    worst = np.clip(PICTURE + RNG.normal(0, 80, PICTURE.shape), 0, 255).astype(np.uint8)
    assert ssim(PICTURE, PICTURE) == pytest.approx(1)
    assert 1 > ssim(worse, PICTURE) > ssim(worst, PICTURE)
    assert ssim(worse, PICTURE) == pytest.approx(ssim(PICTURE, worse))


def test_ssim_agrees_with_torchmetrics():
    metrics = pytest.importorskip("torchmetrics.functional.image")
    import torch

    worse = np.clip(PICTURE + RNG.normal(0, 30, PICTURE.shape), 0, 255).astype(np.uint8)
    grey = [torch.from_numpy(p @ np.array([0.299, 0.587, 0.114]))[None, None] for p in (worse, PICTURE)]
    theirs = metrics.structural_similarity_index_measure(*grey, data_range=255.0)
    assert ssim(worse, PICTURE) == pytest.approx(float(theirs), abs=0.02)  # they pad at the edges


def test_ssim_refuses_a_picture_smaller_than_its_window():
    with pytest.raises(ValueError, match="smaller"):
        ssim(PICTURE[:10], PICTURE[:10])


def test_flicker_sees_what_moves_by_itself_alone():
    truth = [np.full((4, 4, 3), level, np.uint8) for level in (10, 20, 40)]
    assert flicker(truth, truth) == 0
    darker = [frame - 10 for frame in truth]  # wrong, but steady
    assert flicker(darker, truth) == 0
    shaking = [truth[0], truth[1] + 6, truth[2]]
    assert flicker(shaking, truth) == pytest.approx(6)
