"""Every stage trains on shards, at tiny width with every network of the full model, and its loss goes down."""

import csv
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("webdataset", reason="webdataset comes with the extra 'train'")

from magicpose_cli.core.errors import UsageError
from magicpose_cli.training.loop import run_recipe

RECIPE = """
stage = "{stage}"
start = "{start}"
steps = {steps}
batch = 4
ema = 0.9
{more}
[data]
shards = "{shards}"
size = 64
targets_per_reference = {targets}
workers = 0
{data}
[optimizer]
learning_rate = 2e-3
[noise]
person_weight = 1.0
"""
MOTION = """
[new.motion_adapter]
block_out_channels = [16, 32]
motion_layers_per_block = 1
motion_num_attention_heads = 2
motion_norm_num_groups = 8
motion_max_seq_length = 8
"""


def trained(folder: Path, name: str, *, resume: bool = False, extra: str = "", **fields) -> list[float]:
    """The logged losses of a run."""
    recipe = folder / f"{name}.toml"
    recipe.write_text(RECIPE.format(**{"more": "", "data": "", "targets": 2, **fields}) + extra, encoding="utf-8")
    run_recipe(recipe, folder / name, resume=resume)
    return [float(row["loss"]) for row in csv.DictReader((folder / name / "log.csv").open())]


def test_the_loss_goes_down(tiny_model: Path, training_set, tmp_path: Path):
    losses = trained(
        tmp_path, "pose", stage="pose", start=tiny_model, shards=training_set.folder, steps=40,
        more='trains = ["unet", "appearance_unet", "pose_controlnet"]',
    )  # fmt: skip
    assert losses[-1] < 0.8 * losses[0]
    assert (tmp_path / "pose" / "pictures" / "0000040.png").is_file()
    with av.open(str(tmp_path / "pose" / "videos" / "0000040.mp4")) as video:  # of a held-out video, not of figures
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert np.stack(frames).shape == (8, 64, 4 * 64, 3)


def test_a_resumed_run_equals_an_unbroken_one(tiny_model: Path, training_set, tmp_path: Path):
    fields = dict(stage="appearance", start=tiny_model, shards=training_set.folder)
    whole = trained(tmp_path, "whole", steps=40, **fields)
    trained(tmp_path, "broken", steps=20, **fields)
    assert trained(tmp_path, "broken", steps=40, resume=True, **fields) == whole


@pytest.mark.parametrize(
    ("stage", "fields", "extra"),
    [
        ("vae", {"more": 'trains = ["vae.decoder"]'}, ""),
        ("base", {}, ""),
        ("motion", {"targets": 4, "data": "clip_fps = 15"}, MOTION),
    ],
)
def test_each_stage_reads_shards(stage: str, fields: dict, extra: str, tiny_model: Path, training_set, tmp_path: Path):
    fields = {"start": tiny_model, "shards": training_set.folder, "steps": 2, **fields}
    assert len(trained(tmp_path, stage, stage=stage, extra=extra, **fields)) == 1


def test_a_stream_trains(tiny_model: Path, training_set, tmp_path: Path):
    (shard,) = training_set.folder.glob("train-000000.tar")
    held_out = f'validation_shards = "pipe:cat {training_set.folder}/validation-000000.tar"'
    fields = dict(stage="pose", start=tiny_model, shards=f"pipe:cat {shard}", data=held_out, steps=2)
    assert len(trained(tmp_path, "pose", **fields)) == 1


def test_clips_that_the_set_does_not_hold_are_told(tiny_model: Path, training_set, tmp_path: Path):
    fields = dict(stage="motion", start=tiny_model, shards=training_set.folder, steps=2)
    with pytest.raises(UsageError, match="no stretch of"):
        trained(tmp_path, "motion", targets=4, data="clip_fps = 1", extra=MOTION, **fields)
