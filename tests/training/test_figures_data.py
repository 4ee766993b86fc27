"""Batches of figures: the same for a seed, shared out among workers and processes without repeats."""

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from magicpose_cli.core.errors import InputError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.figures.motion import make_motion
from magicpose_cli.figures.render import track_of
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.pose.clip_info import ClipInfo
from magicpose_cli.pose.openpose_json import write_poses
from magicpose_cli.training.config import DataOptions, read_recipe
from magicpose_cli.training.data.batch import batch_loader
from magicpose_cli.training.data.figures import FigureGroups, render_group
from magicpose_cli.training.data.motions import read_motions
from magicpose_cli.training.data.plan import BatchPlan


def _batches(workers: int, first: int, count: int, share: tuple[int, int] = (0, 1)) -> list[torch.Tensor]:
    options = DataOptions(size=32, targets_per_reference=1, workers=workers, window=8)
    return [
        batch.images
        for batch in islice(batch_loader(FigureGroups(options, BatchPlan(2, 7, first, share=share))), count)
    ]


def test_a_batch_depends_on_its_step_alone():
    for workers in (0, 2):
        through, later = _batches(workers, 0, 5), _batches(workers, 3, 2)
        assert all(torch.equal(a, b) for a, b in zip(through[3:], later, strict=True))


def test_workers_render_no_group_twice():
    """A reference tells its person: each is seen in the batches of one lane alone."""
    options = DataOptions(size=32, targets_per_reference=1, workers=3, window=30)
    rendered: list[set[bytes]] = []
    for lane in range(3):
        groups = FigureGroups(options, BatchPlan(2, 7))
        batches = (groups.batch(step) for step in range(lane, 60, 3))
        rendered.append({min(picture.numpy().tobytes() for picture in group) for b in batches for group in b.images})
    assert sum(map(len, rendered)) == len(set.union(*rendered)) > 30


def test_processes_see_different_people():
    mine, theirs = _batches(0, 0, 1, (0, 2)), _batches(0, 0, 1, (1, 2))
    assert not torch.equal(mine[0], theirs[0])


def _info(frames: int) -> ClipInfo:
    return ClipInfo(Fraction(12), 64, 64, frames, "driver.mp4", None, "known", "1")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The poses of a small, far-off driver who walks through the picture, as magicpose extract writes them."""
    track = track_of(random_identity(5), make_motion(8, 40, 12, "wave"), 64, 12)
    folder = tmp_path_factory.mktemp("driver") / "poses"
    write_poses(folder, track, _info(40))
    return folder


def test_about_every_other_figure_moves_as_a_driver_in_each_lane(driver: Path):
    motions = read_motions((str(driver),))
    moved = []
    for seed in range(1_000_000, 1_000_016):
        plain, driven = (render_group(seed, 4, 32, motions=given)[0] for given in ((), motions))
        np.testing.assert_array_equal(plain[0], driven[0])  # the reference stays
        moved.append((plain[1:] != driven[1:]).any())
    assert 4 <= sum(moved) <= 12
    assert len({tuple(moved[lane::2]) for lane in range(2)}) == 2 and any(moved[::2]) and any(moved[1::2])


def test_a_drivers_clip_is_consecutive_at_the_asked_rate(driver: Path):
    (motion,) = read_motions((str(driver),))
    chosen = motion.choose(6, 6, np.random.default_rng(0))
    first = motion.poses.index(chosen[0])
    assert [motion.poses.index(pose) - first for pose in chosen] == [0, 2, 4, 6, 8, 10]
    assert len(motion.choose(200, 24, np.random.default_rng(0))) == 200  # longer than the motion: the last is held


def test_a_driver_far_off_moves_a_figure_in_its_own_place(driver: Path):
    (motion,) = read_motions((str(driver),))
    assert all(0.8 < pose.scale < 1.2 and abs(pose.root_x) < 0.25 for pose in motion.poses)


def test_recipes_name_motions_beside_them(tmp_path: Path, driver: Path):
    (tmp_path / "r.toml").write_text('stage = "vae"\n[data]\nmotions = ["poses"]\n')
    assert read_recipe(tmp_path / "r.toml").data.motions == (str(tmp_path / "poses"),)


def test_a_driver_without_a_person_is_refused(tmp_path: Path):
    write_poses(tmp_path / "p", PoseTrack.empty(3, 64, 64, Fraction(12)), _info(3))
    with pytest.raises(InputError, match="shows no person"):
        read_motions((str(tmp_path / "p"),))
