"""Gradient checkpointing under attention processors: a block runs again, in the backward pass, as it ran before.

diffusers' own would run it with the processors that its layers have by then; ours are attached for the forward pass
alone. Source: Chen et al. 2016 (arXiv 1604.06174).
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from magicpose_cli.diffusion.reference_attention import WriteProcessor
from magicpose_cli.diffusion.stock import AnimateDiffTransformer3D


def enable_checkpointing(network: Any) -> None:
    """Keep only the inputs of ``network``'s blocks for the backward pass. Gradients stay the same.

    ``network`` is a diffusers model. Its attention may read or write a bank; the backward pass may come after the
    processors were taken off, but the bank must not be cleared before it.
    """
    network.enable_gradient_checkpointing(_checkpointed)
    for module in network.modules():
        if isinstance(module, AnimateDiffTransformer3D):  # diffusers leaves these out, and a clip has many frames
            module.forward = partial(checkpoint, module.forward, use_reentrant=False)  # type: ignore[method-assign]


def _checkpointed(block: nn.Module, *inputs: Any) -> Tensor:
    layers = {layer: layer.processor for layer in block.modules() if hasattr(layer, "processor")}
    return checkpoint(block, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _running_again(layers)))  # type: ignore[no-any-return]


@contextmanager
def _running_again(layers: dict[Any, Any]) -> Iterator[None]:
    """The processors of the forward pass, but for writing: what was written is in the bank, and in the graph."""
    now = {layer: layer.processor for layer in layers}
    try:
        for layer, then in layers.items():
            layer.set_processor(then.original if isinstance(then, WriteProcessor) else then)
        yield
    finally:
        for layer, processor in now.items():
            layer.set_processor(processor)
