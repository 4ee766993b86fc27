"""Which batches a stage trains on, and which ones it never sees: latents where the stage wants them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import islice

import torch

from magicpose_cli.core.errors import UsageError
from magicpose_cli.diffusion.stock import AutoencoderKL
from magicpose_cli.training.config import DataOptions, Recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.data.open_data import holds_validation, open_data
from magicpose_cli.training.data.plan import BatchPlan, Encode
from magicpose_cli.training.modules import Modules

SHOWN = 8  # groups in a grid of pictures
_ENCODED_AT_ONCE = 4


def training_batches(
    recipe: Recipe, modules: Modules, first: int, share: tuple[int, int], *, latents: bool
) -> Generator[GroupBatch]:
    """The batches from number ``first`` on, without end; to be closed.

    ``share`` is this process's number, and how many there are.
    """
    encode = encoder(modules) if latents else None
    plan = BatchPlan(_groups(recipe), recipe.seed, first, encode, share)
    if encode is None or modules.vae.device.type == "cpu":
        return open_data(recipe.data, plan)
    # A worker is another process, which cannot use this one's GPU: there the pictures are encoded as they arrive.
    return _encoded(open_data(recipe.data, replace(plan, encode=None)), encode, plan.groups)


def _encoded(batches: Generator[GroupBatch], encode: Encode, groups: int) -> Generator[GroupBatch]:
    with closing(batches):
        for batch in batches:
            yield replace(batch, images=encode(batch.images.flatten(0, 1)).unflatten(0, (groups, -1)))


def held_out_batches(recipe: Recipe, modules: Modules, share: tuple[int, int], *, latents: bool) -> list[GroupBatch]:
    """This process's share of the ``validate_batches`` batches, the same in every run of the recipe.

    Raises UsageError where the data holds nothing back.
    """
    if not holds_validation(recipe.data):
        raise UsageError(
            f"{recipe.path}: {recipe.data.shards} holds nothing back for validation",
            "make it of two videos or more, name validation_shards, or set validate_steps = 0",
        )
    encode = encoder(modules) if latents else None
    batches = _held_out(recipe.data, BatchPlan(_groups(recipe), recipe.seed, encode=encode))
    return list(islice(batches, recipe.validate_batches))[share[0] :: share[1]]


def shown_batch(recipe: Recipe, modules: Modules, *, latents: bool) -> GroupBatch:
    """One batch of ``SHOWN`` groups for pictures, held out where the data holds anything back."""
    encode = encoder(modules) if latents else None
    return next(_held_out(recipe.data, BatchPlan(SHOWN, recipe.seed, encode=encode)))


def shown_clip(recipe: Recipe, fps: int) -> GroupBatch:
    """One group in pixels, whose targets are ``video_frames`` frames at ``fps``; held out where anything is.

    Raises UsageError where the data holds no stretch that is long enough.
    """
    data = replace(recipe.data, targets_per_reference=recipe.video_frames, clip_fps=fps)
    return next(_held_out(data, BatchPlan(1, recipe.seed)))


def encoder(modules: Modules) -> Encode:
    """Pictures (N, 3, S, S) → unscaled latents (N, C, h, w) on the CPU."""
    vae = modules.vae
    if any(parameter.requires_grad for parameter in vae.parameters()):
        vae = deepcopy(vae).requires_grad_(False).eval()  # what a stage trains on stays as it was at its start
    return partial(_encode, vae)


def _groups(recipe: Recipe) -> int:
    return recipe.batch // recipe.data.targets_per_reference


def _held_out(data: DataOptions, plan: BatchPlan) -> Generator[GroupBatch]:
    """From what is held back; from the training data where nothing is."""
    split = "validation" if holds_validation(data) else "train"
    return open_data(replace(data, workers=0), plan, split=split)


def _encode(vae: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        parts = images.to(vae.device).split(_ENCODED_AT_ONCE)
        return torch.cat([vae.encode(part).latent_dist.mode() for part in parts]).cpu()
