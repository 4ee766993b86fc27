"""``Stage``: what the shared loop asks of a stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from magicpose_cli.training.config import Recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.modules import Modules


@dataclass(frozen=True)
class Stage:
    """``prepare`` makes what the stage adds; ``loss`` is one step's loss; ``picture`` shows how far it is.

    ``loss(modules, batch, recipe, rng)`` → scalar tensor; ``rng`` is a CPU generator of that step alone.
    ``picture(modules, batch)`` → uint8 (rows, columns, S, S, 3), drawn as a grid.
    ``default_trains`` are the module names that train where the recipe names none.
    ``finish(modules, batch)`` runs before an export (None: nothing to do).
    """

    name: str
    needs: tuple[str, ...]
    default_trains: tuple[str, ...]
    sees_latents: bool
    prepare: Callable[[Modules, Recipe], None]
    loss: Callable[[Modules, GroupBatch, Recipe, torch.Generator], torch.Tensor]
    picture: Callable[[Modules, GroupBatch], torch.Tensor]
    finish: Callable[[Modules, GroupBatch], None] | None = None
