"""Batches of synthetic figures, rendered while training runs: no disk, no download, the same for a seed.

A *group* is one person before one background in several poses: the first is the reference, the rest are targets
(the paper's two random frames of the same video). Letters: R groups, K targets each, S size in pixels.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from magicpose_cli.conditions.draw import draw_person
from magicpose_cli.figures.held_out import FIRST_TRAINING_SEED
from magicpose_cli.figures.motion import make_motion, random_pose
from magicpose_cli.figures.render import render
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.training.config import DataOptions
from magicpose_cli.training.data.batch import MASK_CELL, GroupBatch, as_pixels
from magicpose_cli.training.data.motions import Motion, read_motions
from magicpose_cli.training.data.plan import BatchPlan


def facing_pictures(pictures: int) -> int:
    """How many of a group's pictures face the viewer: those that may serve as the reference."""
    return (pictures + 1) // 2


def render_group(
    seed: int, pictures: int, size: int, clip_fps: int = 0, motions: Sequence[Motion] = ()
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One person in ``pictures`` poses: images uint8 (n, S, S, 3), pose maps alike, masks float (n, S/8, S/8).

    The first ``facing_pictures(n)`` face the viewer, as a reference photo does; the rest are turned as they come. With
    ``clip_fps`` all but the first are consecutive frames of one motion, from somewhere within it. Where there are
    ``motions`` of drivers, about every other person moves as in one of them.
    """
    identity = random_identity(seed)
    rng = np.random.default_rng(seed)
    if motions and rng.random() < 0.5:
        driven = motions[rng.integers(len(motions))].choose(pictures - 1, clip_fps, rng)
        poses = [random_pose(seed * 64, facing=True), *driven]
    elif clip_fps:
        before = int(rng.integers(3 * clip_fps))
        poses = [random_pose(seed * 64, facing=True), *make_motion(seed, before + pictures - 1, clip_fps)[before:]]
    else:
        poses = [random_pose(seed * 64 + k, facing=k < facing_pictures(pictures)) for k in range(pictures)]
    images, maps, masks = [], [], []
    for pose in poses:
        shown = render(identity, pose, size)
        images.append(shown.image)
        maps.append(draw_person(shown.keypoints, size))
        cells = shown.person_mask.reshape(size // MASK_CELL, MASK_CELL, size // MASK_CELL, MASK_CELL)
        masks.append(cells.mean((1, 3), dtype=np.float32))
    return np.stack(images), np.stack(maps), np.stack(masks)


class FigureGroups(IterableDataset):
    """Batches by step number, so that a resumed run sees what an unbroken one would have seen.

    Groups are drawn from a window that slides on: each is used about ``reuse`` times, and encoded once. Each process
    has people of its own.
    """

    def __init__(self, options: DataOptions, plan: BatchPlan) -> None:
        self.options, self.plan = options, plan
        self._lanes = max(1, options.workers)
        self._window = max(plan.groups, options.window // self._lanes)
        self._kept: OrderedDict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = OrderedDict()

    def __iter__(self) -> Iterator[GroupBatch]:
        worker = get_worker_info()
        index = worker.id if worker else 0
        for step in count(self.plan.first_step + index, self._lanes):
            yield self.batch(step)

    def batch(self, step: int) -> GroupBatch:
        """The batch of one step: a function of (seed, step, share) alone."""
        rng = np.random.default_rng([self.plan.seed, step, self.plan.share[0]])
        # Each worker draws from groups of its own, so that none is rendered twice.
        turn, lane = divmod(step, self._lanes)
        newest = int((turn + 1) * self.plan.groups / self.options.reuse) + self.plan.groups
        oldest = max(0, newest - self._window)
        chosen = rng.choice(np.arange(oldest, newest), self.plan.groups, replace=False)
        parts = [self._group(int(n) * self._lanes + lane) for n in chosen]
        order = np.tile(np.arange(self.options.targets_per_reference + 1), (self.plan.groups, 1))
        if not self.options.clip_fps:
            # Any picture that faces the viewer may be the reference: it changes places with the first one.
            chosen_first = rng.integers(facing_pictures(order.shape[1]), size=self.plan.groups)
            order[np.arange(self.plan.groups), chosen_first], order[:, 0] = 0, chosen_first
        images, maps, person = (
            torch.stack([tensor[torch.from_numpy(o)] for tensor, o in zip(tensors, order, strict=True)])
            for tensors in zip(*parts, strict=True)
        )
        if self.plan.encode is None:  # pixels are held in bytes
            images = as_pixels(images)
        return GroupBatch(images, maps, person)

    def _group(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if number not in self._kept:
            index, processes = self.plan.share
            seed = FIRST_TRAINING_SEED * (1 + self.plan.seed) + number * processes + index
            shown, maps, masks = render_group(
                seed,
                self.options.targets_per_reference + 1,
                self.options.size,
                self.options.clip_fps,
                read_motions(self.options.motions),
            )
            images = torch.from_numpy(shown).permute(0, 3, 1, 2)
            if self.plan.encode is not None:
                images = self.plan.encode(as_pixels(images))
            self._kept[number] = (images, torch.from_numpy(maps), torch.from_numpy(masks))
            while len(self._kept) > self._window:
                self._kept.popitem(last=False)
        return self._kept[number]
