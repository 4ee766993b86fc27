"""Long clips: a background that stays, one that drifts, and seams."""

import numpy as np
import pytest

from magicpose_cli.evaluation.long_videos import score_background, score_seams
from magicpose_cli.figures.held_out import held_out_clips, show, show_clip

CLIP = held_out_clips(1)[0]


def test_a_background_that_stays_and_one_that_drifts():
    reference = show(CLIP.identity, CLIP.reference_pose, 64)
    truth = show_clip(CLIP, 6, 12, 64)
    parts = {1: truth[:3], 4: truth[3:]}
    right = {number: [true.image for true in part] for number, part in parts.items()}
    same = score_background(reference, parts, right)
    assert max(same.by_frame.values()) < 1  # the person's soft edge and shadow
    dark = {number: [np.maximum(image, number * 8) - number * 8 for image in part] for number, part in right.items()}
    drifted = score_background(reference, parts, dark)
    assert drifted.by_frame[4] > 1.5 * drifted.by_frame[1] > 0
    assert drifted.late_to_early == pytest.approx(drifted.by_frame[4] / drifted.by_frame[1])
    assert drifted.colour_shift > 5
    json = drifted.to_json()
    assert set(json["background_by_frame"]) == {"1", "4"}


def test_a_jump_at_a_seam_shows():
    changes, true = [2.0] * 30, [2.0] * 30
    assert score_seams(changes, true, [[4, 16], [9]]).seam_ratio == pytest.approx(1)
    changes[8] = 3.0  # from frame 8 to 9
    worst = score_seams(changes, true, [[4, 16], [9]])
    assert (worst.seams, worst.change_at_seams, worst.change_elsewhere) == (1, 3.0, 2.0)
    assert worst.seam_ratio == pytest.approx(1.5)
    true[8] = 3.0  # the motion's own
    assert score_seams(changes, true, [[9]]).seam_ratio == pytest.approx(1)
