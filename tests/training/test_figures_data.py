"""Batches of figures: the same for a seed, shared out among workers and processes without repeats."""

from itertools import islice

import torch

from magicpose_cli.training.config import DataOptions
from magicpose_cli.training.data.figures import FigureGroups, figure_loader


def _batches(workers: int, first: int, count: int, share: tuple[int, int] = (0, 1)) -> list[torch.Tensor]:
    options = DataOptions(size=32, targets_per_reference=1, workers=workers, window=8)
    return [batch.images for batch in islice(figure_loader(FigureGroups(options, 2, 7, first, None, share)), count)]


def test_a_batch_depends_on_its_step_alone():
    for workers in (0, 2):
        through, later = _batches(workers, 0, 5), _batches(workers, 3, 2)
        assert all(torch.equal(a, b) for a, b in zip(through[3:], later, strict=True))


def test_workers_render_no_group_twice():
    options = DataOptions(size=32, targets_per_reference=1, workers=3, window=30)
    rendered: list[set[int]] = []
    for lane in range(3):
        groups = FigureGroups(options, 2, 7, 0)
        seen: set[int] = set()
        groups._group = lambda number, seen=seen: seen.add(number) or (torch.zeros(2, 3, 4, 4),) * 3
        for step in range(lane, 60, 3):
            groups.batch(step)
        rendered.append(seen)
    assert sum(map(len, rendered)) == len(set.union(*rendered)) > 30


def test_processes_see_different_people():
    mine, theirs = _batches(0, 0, 1, (0, 2)), _batches(0, 0, 1, (1, 2))
    assert not torch.equal(mine[0], theirs[0])
