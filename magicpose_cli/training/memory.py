"""How much memory a recipe takes, by arithmetic on sizes alone: nothing is loaded.

Activations follow a rough rule. For the backward pass a network keeps about ``_KEPT`` tensors of each layer's output
size (counted on SD 1.5's UNet: 41, ControlNet: 46, UNet with motion module: 75), with gradient checkpointing
``_KEPT_CHECKPOINTED`` (7, 13, 8) and, for the moment, all of one layer of the largest level. Attention is taken to be
of the kind that never holds its whole matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch

from magicpose_cli.core.disk import amount_of_bytes
from magicpose_cli.core.errors import MemoryLimitError
from magicpose_cli.core.progress import Progress
from magicpose_cli.training.config import Recipe
from magicpose_cli.training.modules import Modules
from magicpose_cli.training.stages.stage import Stage
from magicpose_cli.training.start import choose_trained, held_dtype, prepare_modules

_KEPT, _KEPT_WITH_MOTION, _KEPT_CHECKPOINTED = 45, 75, 10
_ACTIVATION_BYTES = {"float32": 4, "bfloat16": 3}  # norms keep float32
_MOMENT_BYTES = {"adamw": 8, "adamw-8bit": 2}
_LIBRARIES = 1_000_000_000  # what torch takes for itself, and what lies unused between tensors
_SMALLER = (
    "a smaller batch with more accumulation, gradient_checkpointing, average_on_cpu and "
    'optimizer kind "adamw-8bit" take less'
)


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on the device by part; ``average_on_cpu`` and ``window`` lie in the machine's own memory instead."""

    weights: int  # that train, float32
    gradients: int
    moments: int
    average: int
    rounded_copies: int  # of the weights that train, as autocast makes them
    frozen: int
    activations: int
    libraries: int
    average_on_cpu: int
    window: int  # figures kept for reuse

    @property
    def total(self) -> int:
        return sum(bytes_ for _, bytes_ in self.parts())

    def parts(self) -> list[tuple[str, int]]:
        """Name and bytes of what lies on the device."""
        names = [each.name for each in fields(self) if each.name not in ("average_on_cpu", "window")]
        return [(name.replace("_", " "), getattr(self, name)) for name in names]

    def sentences(self) -> list[str]:
        """The total, and a line for each part, for people."""
        lines = [f"about {amount_of_bytes(self.total)} of memory on the device"]
        lines += [f"  {amount_of_bytes(count):>8}  {name}" for name, count in self.parts() if count]
        if self.average_on_cpu:
            lines.append(f"and {amount_of_bytes(self.average_on_cpu)} of the machine's own for the averaged weights")
        if self.window:
            lines.append(f"and {amount_of_bytes(self.window)} of the machine's own for figures that are used again")
        return lines


def estimate_memory(recipe: Recipe, stage: Stage) -> MemoryEstimate:
    """What one process of the stage takes. Raises as ``start_run`` does, but for damaged weights."""
    modules = prepare_modules(recipe, stage, empty=True)
    trained = sum(parameter.numel() for parameter in choose_trained(recipe, stage, modules).values())
    frozen = sum(
        parameter.numel() * held_dtype(recipe, modules, name).itemsize
        for name, network in modules.networks()
        for parameter in network.parameters()
        if not parameter.requires_grad
    )
    average = 4 * trained if recipe.ema else 0
    on_cpu = recipe.memory.average_on_cpu
    return MemoryEstimate(
        weights=4 * trained,
        gradients=4 * trained,
        moments=_MOMENT_BYTES[recipe.optimizer.kind] * trained,
        average=0 if on_cpu else average,
        rounded_copies=2 * trained if recipe.precision == "bfloat16" else 0,
        frozen=frozen,
        activations=_activations(recipe, stage, modules),
        libraries=_LIBRARIES,
        average_on_cpu=average if on_cpu else 0,
        window=0 if recipe.data.shards else _window(recipe),
    )


def warn_of_a_small_gpu(estimate: MemoryEstimate, device: torch.device, progress: Progress) -> None:
    """A note where the GPU has less than the estimate, which is rough: it may still do."""
    if device.type == "cuda":
        there = torch.cuda.get_device_properties(device).total_memory
        if there < estimate.total:
            progress.note(f"the GPU has {amount_of_bytes(there)}: this may run out of memory; {_SMALLER}")


@contextmanager
def tell_what_takes_less() -> Iterator[None]:
    """Running out of memory as MemoryLimitError, with what the recipe can do about it."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        said = str(error).splitlines() or ["an allocation failed"]
        raise MemoryLimitError(f"out of memory: {said[0]}", _SMALLER) from error


def _activations(recipe: Recipe, stage: Stage, modules: Modules) -> int:
    """Of the networks that gradients pass through: what trains, and the denoiser behind it."""
    if not stage.sees_latents:
        rows = recipe.batch + recipe.batch // recipe.data.targets_per_reference
        running = [(modules.vae.config, rows, recipe.data.size)]
    else:
        factor = 2 ** (len(modules.vae.config.block_out_channels) - 1)
        side = recipe.data.size // factor
        running = [(modules.unet.config, recipe.batch, side)]
        for network, rows in (
            (modules.appearance_unet, recipe.batch // recipe.data.targets_per_reference),
            (modules.pose_controlnet, recipe.batch),
        ):
            if network is not None and any(parameter.requires_grad for parameter in network.parameters()):
                running.append((network.config, rows, side))
    layers = [list(_layers(*each)) for each in running]
    values = sum(map(sum, layers))
    if recipe.memory.gradient_checkpointing:
        kept = _KEPT_CHECKPOINTED * values + _KEPT * max(map(max, layers))
    else:
        kept = (_KEPT if modules.motion_adapter is None else _KEPT_WITH_MOTION) * values
    return int(kept * _ACTIVATION_BYTES[recipe.precision])


def _window(recipe: Recipe) -> int:
    """Of all pictures with their pose maps, three bytes a pixel each; latents take less."""
    pictures = recipe.data.window * (1 + recipe.data.targets_per_reference)
    return 6 * pictures * recipe.data.size**2


def _layers(config: Any, rows: int, side: int) -> Iterable[float]:
    """The number of values in each layer's output, down and (where there is one) up again."""
    for level, width in enumerate(config.block_out_channels):
        size = rows * (side / 2**level) ** 2 * width
        yield from [size] * config.layers_per_block
        if "up_block_types" in config:
            yield from [size] * (config.layers_per_block + 1)
