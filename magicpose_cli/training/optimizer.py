"""The optimizer and its learning rate, as a recipe says."""

from __future__ import annotations

import torch

from magicpose_cli.core.errors import UsageError
from magicpose_cli.training.config import Recipe


def make_optimizer(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Fused AdamW on the parameters where they lie. Raises UsageError where 8-bit moments are not possible."""
    options, device = recipe.optimizer, parameters[0].device
    if options.kind == "adamw":
        return torch.optim.AdamW(parameters, options.learning_rate, weight_decay=options.weight_decay, fused=True)
    if device.type != "cuda":
        raise UsageError(
            f"{recipe.path}: [optimizer] kind 'adamw-8bit' works on CUDA alone, not on {device.type}",
            'use kind = "adamw" there',
        )
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise UsageError(
            f"{recipe.path}: [optimizer] kind 'adamw-8bit' needs bitsandbytes, which is not installed",
            "pip install 'magicpose-cli[train]', or use kind = \"adamw\"",
        ) from error
    return AdamW8bit(parameters, options.learning_rate, weight_decay=options.weight_decay)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over ``warmup`` steps, constant, linear fall to zero over the last ``decay`` of the run."""
    options = recipe.optimizer
    rise = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    left = (recipe.steps - step) / (options.decay * recipe.steps) if options.decay else 1.0
    return options.learning_rate * min(rise, left, 1.0)
