"""Multi-source self-attention: two attention processors, and the context managers that attach them.

Source: MagicPose (arXiv 2311.12052), section 3.2. *Write*: the appearance model's self-attention inputs go into the
bank. *Read*: the denoiser's queries look at its own tokens and at the bank's; projections are the denoiser's own.

Shapes: B rows of the denoiser, R references, L own tokens, M bank tokens, C channels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from magicpose_cli.diffusion.attention_bank import AttentionBank


def spatial_layers(unet: nn.Module, kind: str) -> dict[str, Any]:
    """The attention layers of one kind, ``attn1`` (to itself) or ``attn2`` (to the text): name → module.

    In running order. Chosen by name, because a motion module's ``attn1`` and ``attn2`` are self-attention over time.
    """
    layers = {n: m for n, m in unet.named_modules() if ".attentions." in n and n.endswith(f".{kind}")}
    # The middle block is registered after the up blocks, but runs before them.
    running = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
    return dict(sorted(layers.items(), key=lambda item: running[item[0].split(".")[0]]))


def reference_layers(unet: nn.Module) -> dict[str, Any]:
    """The self-attention layers that write or read. Raises ValueError where the network has none."""
    layers = spatial_layers(unet, "attn1")
    if not layers:
        raise ValueError(f"{type(unet).__name__} has no spatial self-attention layer to attach to")
    return layers


class WriteProcessor:
    """Puts the layer's input into the bank, then attends as ``original`` does."""

    def __init__(self, name: str, bank: AttentionBank, original: Any) -> None:
        self.name, self.bank, self.original = name, bank, original

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        self.bank.write(self.name, hidden_states)
        return self.original(attn, hidden_states, encoder_hidden_states, attention_mask)


class ReadProcessor:
    """Attends to [own tokens ; bank tokens]; with an empty bank, exactly as ``original`` does.

    B rows read R references where R divides B: row r·K + k reads reference r, with K = B / R.
    Without gradients the bank's keys and values are projected once for the life of the bank's content.
    """

    def __init__(self, name: str, bank: AttentionBank, original: Any) -> None:
        self.name, self.bank, self.original = name, bank, original

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> Tensor:
        if not len(self.bank):
            return self.original(attn, hidden_states, encoder_hidden_states, attention_mask)
        if encoder_hidden_states is not None or attention_mask is not None:
            raise ValueError(f"{self.name} cannot read a bank: it is masked or not self-attention")
        query = attn.to_q(hidden_states)  # (B, L, C)
        bank_key, bank_value = self._bank_key_value(attn)  # (R, M, C)
        key = _append(attn.to_k(hidden_states), bank_key, self.name)  # (B, L + M, C)
        value = _append(attn.to_v(hidden_states), bank_value, self.name)
        return attend(attn, query, key, value)

    def _bank_key_value(self, attn: Any) -> tuple[Tensor, Tensor]:
        def project() -> tuple[Tensor, Tensor]:
            hidden = self.bank.read(self.name)
            return attn.to_k(hidden), attn.to_v(hidden)

        return project() if torch.is_grad_enabled() else self.bank.keep((self.name, attn), project)


def _append(own: Tensor, bank: Tensor, name: str) -> Tensor:
    """(B, L, C) and (R, M, C) → (B, L + M, C) in one copy."""
    rows, references = len(own), len(bank)
    if rows % references:
        raise ValueError(f"{name}: {rows} denoiser rows cannot share {references} references evenly")
    each = rows // references
    own = own.unflatten(0, (references, each))  # (R, K, L, C)
    bank = bank.unsqueeze(1).expand(-1, each, -1, -1)  # (R, K, M, C), a view
    return torch.cat([own, bank.to(own.dtype)], dim=2).flatten(0, 1)


def attend(attn: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention of projected (B, tokens, C) and ``attn``'s output projection → (B, L, C).

    Key and value may have one row for all of the query's.
    """
    rows = len(query)

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2).expand(rows, -1, -1, -1)  # (B, heads, tokens, C/heads)

    query, key = heads(query), heads(key)
    if attn.norm_q is not None:
        query = attn.norm_q(query)
    if attn.norm_k is not None:
        key = attn.norm_k(key)
    hidden = F.scaled_dot_product_attention(query, key, heads(value), scale=attn.scale)
    hidden = hidden.transpose(1, 2).flatten(2)  # (B, L, C)
    hidden = attn.to_out[1](attn.to_out[0](hidden))
    return hidden / attn.rescale_output_factor


@contextmanager
def attach_write(unet: nn.Module, bank: AttentionBank) -> Iterator[AttentionBank]:
    """Within the block, a forward pass of ``unet`` writes each self-attention input into ``bank``.

    The bank must be clear before each pass. The original processors come back at the end, also after an exception.
    """
    with _attached(unet, bank, WriteProcessor):
        yield bank


@contextmanager
def attach_read(unet: nn.Module, bank: AttentionBank) -> Iterator[AttentionBank]:
    """Within the block, the self-attention of ``unet`` also reads ``bank``; an empty bank changes nothing.

    ``unet`` is a UNet2DConditionModel or a UNetMotionModel. Gradients flow into the bank. For gradient checkpointing
    see ``gradient_checkpointing.py``: diffusers' own would run the layers again without the bank.
    The original processors come back at the end, also after an exception.
    """
    with _attached(unet, bank, ReadProcessor):
        yield bank


@contextmanager
def _attached(unet: nn.Module, bank: AttentionBank, processor: type[WriteProcessor | ReadProcessor]) -> Iterator[None]:
    layers = reference_layers(unet)
    originals = {name: layer.processor for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.set_processor(processor(name, bank, originals[name]))
        yield
    finally:
        for name, layer in layers.items():
            layer.set_processor(originals[name])
