"""The figure benchmark: what perfect, copied and blank pictures score."""

import cv2
import numpy as np
import pytest

from magicpose_cli.evaluation.figures import is_nearest, score_clips, score_figures
from magicpose_cli.figures.held_out import (
    FIRST_TRAINING_SEED,
    demo_seed,
    held_out_clips,
    held_out_pairs,
    show,
    show_clip,
)

PAIRS = held_out_pairs(8)


def test_true_renders_score_perfectly():
    truth = [show(p.identity, p.target_pose, 64).image for p in PAIRS]
    scores = score_figures(PAIRS, truth, truth, truth)
    assert scores.identity_top1 == scores.pose_top1 == scores.expression_top1 == 1
    assert scores.ssim == pytest.approx(1)
    assert scores.psnr == scores.psnr_without_bank == scores.psnr_autoencoder > 90
    assert scores.expression_top1_autoencoder == 1


def test_a_copied_background_earns_nothing():
    """The empty scene is no nearer to the truth than chance allows, however well it is copied."""
    from magicpose_cli.figures.background import background
    from magicpose_cli.figures.scene import random_identity

    pairs = held_out_pairs(24)
    scenes = [background(random_identity(p.identity).background, 64) for p in pairs]
    empty = [cv2.resize(scene, (64, 64), interpolation=cv2.INTER_AREA)[..., :3] for scene in scenes]
    scores = score_figures(pairs, empty, empty, empty)
    assert scores.identity_top1 <= 0.25
    assert scores.pose_top1 <= 0.25


def test_a_copied_reference_has_the_person_but_not_the_pose():
    copied = [show(p.identity, p.reference_pose, 64).image for p in PAIRS]
    scores = score_figures(PAIRS, copied, copied, copied)
    assert scores.psnr == pytest.approx(scores.psnr_copied_reference)
    assert scores.pose_top1 <= 0.4


def test_an_expression_is_told_apart_inside_the_face_alone():
    """The reference shows the right person with another face: no better than chance, however like the rest is."""
    pairs = held_out_pairs(24)
    other = [show(p.identity, p.target_pose, 64, expression=p.reference_pose).image for p in pairs]
    scores = score_figures(pairs, other, other, other)
    assert scores.identity_top1 > 0.9 and scores.pose_top1 > 0.9
    assert scores.expression_top1 <= 0.3


def test_a_tie_is_not_a_hit():
    truth = show(0, 1, 64)
    assert not is_nearest(truth.image, truth, [truth], truth.person_mask)


def test_pairs_are_held_out_and_all_candidates_differ():
    for pair in held_out_pairs(64):
        people = {pair.identity, *pair.other_identities}
        poses = {pair.reference_pose, pair.target_pose, *pair.other_poses}
        assert len(people) == 16 and len(poses) == 17
        assert len({*pair.other_expressions} - poses) == 15
        assert max(people) < FIRST_TRAINING_SEED and max(poses) < FIRST_TRAINING_SEED
    for number in (0, 39_999, 40_000, 2**63):
        assert held_out_pairs(5000)[-1].other_expressions[-1] < demo_seed(number) < FIRST_TRAINING_SEED - 10


def test_a_true_dance_has_no_flicker_and_shuffled_frames_have():
    clips = held_out_clips(2)
    truth = [np.stack([shown.image for shown in show_clip(clip, 6, 12, 64)]) for clip in clips]
    shuffled = [frames[[3, 0, 5, 1, 4, 2]] for frames in truth]
    still = [np.stack([frames[0]] * 6) for frames in truth]
    scores = score_clips(clips, truth, shuffled, still, truth, 12)
    assert scores.flicker == scores.flicker_autoencoder == 0 < scores.flicker_frame_by_frame
    assert scores.flicker_own_noise == scores.flicker_copied_reference > 0
    assert scores.clip_psnr > 90
