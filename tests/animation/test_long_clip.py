"""A long clip of a tiny model: what is made of it, with and without a motion module."""

from pathlib import Path

import pytest

from magicpose_cli.animation.long_clip import evaluate_long, seams_by_step
from magicpose_cli.animation.request import LongEvaluationRequest
from magicpose_cli.core.errors import UsageError


class Found:
    def __init__(self, **values: object) -> None:
        self.values = values

    def to_json(self) -> dict[str, object]:
        return self.values


def background(reference, truth, frames):
    assert list(truth) == list(frames)
    return Found(looked_at=[len(part) for part in frames.values()], numbers=list(frames))


def seams(changes, true_changes, by_step):
    return Found(changes=len(changes), true=len(true_changes), steps=len(by_step))


def test_only_frames_that_are_looked_at_are_made(tiny_model: Path) -> None:
    request = LongEvaluationRequest(str(tiny_model), frames=205, steps=1)
    scores = evaluate_long(request, background, lambda a, b: 0.0, seams)
    assert scores["numbers"] == [10, 100, 200] and scores["looked_at"] == [9, 9, 9]
    assert "changes" not in scores
    with pytest.raises(UsageError, match="no long video"):
        evaluate_long(LongEvaluationRequest(str(tiny_model), frames=20), background, lambda a, b: 0.0, seams)


def test_with_a_motion_module_all_frames_are_made(tiny_model: Path, tmp_path: Path) -> None:
    from magicpose_cli.diffusion.load import load_pipeline
    from magicpose_cli.diffusion.stock import MotionAdapter

    pipeline = load_pipeline(tiny_model)
    adapter = MotionAdapter(
        block_out_channels=(16, 32), motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=8
    )
    pipeline.register_modules(motion_adapter=adapter)
    pipeline.save_pretrained(tmp_path / "model", safe_serialization=True)
    request = LongEvaluationRequest(str(tmp_path / "model"), frames=40, steps=2)
    scores = evaluate_long(request, background, lambda a, b: 1.0, seams)
    assert (scores["changes"], scores["true"], scores["steps"]) == (39, 39, 2)
    assert scores["numbers"] == [10]


def test_seams_are_where_windows_begin_and_end() -> None:
    (step,) = seams_by_step(40, 1)
    assert step == [12, 16, 24, 28]
    assert seams_by_step(16, 3) == [[], [], []]
