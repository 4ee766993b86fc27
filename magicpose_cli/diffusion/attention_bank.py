"""``AttentionBank``: what the appearance model saw of the reference, layer by layer.

Shapes: R references, L tokens (h·w of the layer), C channels.
"""

from collections.abc import Callable, Hashable
from typing import TypeVar

from torch import Tensor

Kept = TypeVar("Kept")


class AttentionBank:
    """Layer name → hidden states (R, L, C); each layer is written once, then read any number of times.

    ``clear`` begins the next step. A bank that was never written is *empty*: a denoiser that reads it is the
    stock one. Source: multi-source self-attention, MagicPose (arXiv 2311.12052), section 3.2.
    """

    def __init__(self) -> None:
        self._hidden: dict[str, Tensor] = {}
        self._kept: dict[Hashable, object] = {}

    def write(self, name: str, hidden: Tensor) -> None:
        """Keep one layer's ``hidden`` (R, L, C). Raises ValueError on a second write, another R or another rank."""
        if name in self._hidden:
            raise ValueError(f"layer {name} was already written; clear the bank before the next appearance pass")
        if hidden.ndim != 3:
            raise ValueError(f"layer {name} wrote {tuple(hidden.shape)}, not (references, tokens, channels)")
        if self._hidden and len(hidden) != self.references:
            raise ValueError(f"layer {name} wrote {len(hidden)} references, the bank holds {self.references}")
        self._hidden[name] = hidden

    def read(self, name: str) -> Tensor:
        """The hidden states (R, L, C) of a layer. Raises KeyError where that layer was not written."""
        if name not in self._hidden:
            raise KeyError(f"layer {name} was not written; the bank holds {len(self)} layers: {', '.join(self.names)}")
        return self._hidden[name]

    def keep(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """``make()`` at the first call, the same result after, until the bank is cleared."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[return-value]

    def clear(self) -> None:
        """Forget all layers and all that was kept."""
        self._hidden.clear()
        self._kept.clear()

    @property
    def names(self) -> tuple[str, ...]:
        """The written layers, in running order."""
        return tuple(self._hidden)

    @property
    def references(self) -> int:
        """R, or 0 for an empty bank."""
        return len(next(iter(self._hidden.values()))) if self._hidden else 0

    def __len__(self) -> int:
        return len(self._hidden)
