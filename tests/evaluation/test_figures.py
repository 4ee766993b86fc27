"""The figure benchmark: what perfect, copied and blank pictures score."""

import numpy as np
import pytest

from magicpose_cli.evaluation.figures import is_nearest, psnr, score_figures
from magicpose_cli.figures.held_out import FIRST_TRAINING_SEED, held_out_pairs, show

PAIRS = held_out_pairs(8)


def test_true_renders_score_perfectly():
    truth = [show(p.identity, p.target_pose, 64).image for p in PAIRS]
    scores = score_figures(PAIRS, truth, truth)
    assert scores.identity_top1 == scores.pose_top1 == 1
    assert scores.psnr == scores.psnr_without_bank > 90


def test_a_copied_background_earns_nothing():
    """The empty scene is no nearer to the truth than chance allows, however well it is copied."""
    from magicpose_cli.figures.background import empty_scene
    from magicpose_cli.figures.scene import random_identity

    pairs = held_out_pairs(24)
    empty = [empty_scene(random_identity(p.identity).background, 64) for p in pairs]
    scores = score_figures(pairs, empty, empty)
    assert scores.identity_top1 <= 0.25
    assert scores.pose_top1 <= 0.25


def test_a_copied_reference_has_the_person_but_not_the_pose():
    copied = [show(p.identity, p.reference_pose, 64).image for p in PAIRS]
    scores = score_figures(PAIRS, copied, copied)
    assert scores.psnr == pytest.approx(scores.psnr_copied_reference)
    assert scores.pose_top1 <= 0.4


def test_a_tie_is_not_a_hit():
    truth = show(0, 1, 64)
    assert not is_nearest(truth.image, truth, [truth])


def test_pairs_are_held_out_and_all_candidates_differ():
    for pair in held_out_pairs(64):
        people = {pair.identity, *pair.other_identities}
        poses = {pair.reference_pose, pair.target_pose, *pair.other_poses}
        assert len(people) == 16 and len(poses) == 17
        assert max(people) < FIRST_TRAINING_SEED and max(poses) < FIRST_TRAINING_SEED


def test_psnr_of_a_known_difference():
    black, grey = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr(black, grey) == pytest.approx(0)
    assert psnr(black, black) > 90
