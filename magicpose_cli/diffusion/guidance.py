"""Classifier-free guidance: what the unconditional branch drops, by name, and how the branches combine.

Source: MagicPose (arXiv 2311.12052), image guidance. The text is the same in both branches and never dropped.
"""

from dataclasses import dataclass

from torch import Tensor

APPEARANCE, POSE = "appearance", "pose"
CONDITIONS = frozenset({APPEARANCE, POSE})


@dataclass(frozen=True)
class Guidance:
    """``scale`` 7.0 and both conditions dropped is as published; 1.0 is the conditional branch alone."""

    scale: float = 7.0
    drops: frozenset[str] = CONDITIONS

    def __post_init__(self) -> None:
        if unknown := self.drops - CONDITIONS:
            raise ValueError(f"guidance cannot drop {sorted(unknown)}, only {sorted(CONDITIONS)}")

    @property
    def has_unconditional(self) -> bool:
        """False where the unconditional branch would change nothing, and is not run."""
        return self.scale != 1.0 and bool(self.drops)

    def combine(self, conditional: Tensor, unconditional: Tensor) -> Tensor:
        """u + scale · (c - u). Linear, so it holds for predictions of noise, sample and velocity alike."""
        return unconditional + self.scale * (conditional - unconditional)
