"""The loss on people whom training never sees, with the same noise each time, so that two steps can be compared."""

from __future__ import annotations

import torch

from magicpose_cli.training.config import Recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.run import Run
from magicpose_cli.training.stages.stage import Stage


def validate(stage: Stage, run: Run, recipe: Recipe, batches: list[GroupBatch]) -> float:
    """The mean loss over ``validate_batches`` batches, of which ``batches`` are this process's; call it in all.

    Meant for within ``averaged``: evaluation mode, no gradients.
    """
    index, processes = run.share
    total = torch.zeros((), device=run.parameters[0].device)
    for number, batch in enumerate(batches):
        rng = torch.Generator().manual_seed(number * processes + index)
        total += stage.loss(run.modules, batch, recipe, rng).float()
    return run.team.reduce(total, "sum").item() / recipe.validate_batches
