"""Cross-attention to a text that stays: its keys and values are projected once, not at each frame and step.

Shapes: B rows, L tokens of a layer, T text tokens, C channels, D text width.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from magicpose_cli.diffusion.reference_attention import attend, spatial_layers


class TextProcessor:
    """Attends to a text of one row, shared by all B rows; any other call goes to ``original``."""

    def __init__(self, original: Any) -> None:
        self.original = original
        self._text: Tensor | None = None
        self._key_value: tuple[Tensor, Tensor] | None = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        text = encoder_hidden_states
        if text is None or len(text) != 1 or attention_mask is not None or torch.is_grad_enabled():
            return self.original(attn, hidden_states, text, attention_mask)
        if text is not self._text or self._key_value is None:
            self._text, self._key_value = text, (attn.to_k(text), attn.to_v(text))  # (1, T, C)
        return attend(attn, attn.to_q(hidden_states), *self._key_value)


@contextmanager
def attach_text(*networks: nn.Module) -> Iterator[None]:
    """Within the block, each network takes a text of one row, (1, T, D), for any number of rows of its sample.

    For inference: with gradients on, the stock processors run, and the text needs a row for each row of the sample.
    The original processors come back at the end, also after an exception.
    """
    with ExitStack() as stack:
        for network in networks:
            for layer in spatial_layers(network, "attn2").values():
                stack.callback(layer.set_processor, layer.processor)
                layer.set_processor(TextProcessor(layer.processor))
        yield
