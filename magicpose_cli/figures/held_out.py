"""Held-out figures: the (identity, pose) pairs that training never sees, and their look-alikes.

Training draws its seeds from ``FIRST_TRAINING_SEED`` up; everything here stays below it.
"""

from dataclasses import dataclass

from magicpose_cli.figures.motion import random_pose
from magicpose_cli.figures.render import Rendered, render
from magicpose_cli.figures.scene import random_identity, with_background

FIRST_TRAINING_SEED = 1_000_000


@dataclass(frozen=True)
class HeldOutPair:
    """A person in a reference pose, to be shown in another pose; ``others`` are what retrieval must tell apart.

    All seeds. ``other_identities`` and ``other_poses`` are 15 each: other people, and other poses of this person.
    """

    identity: int
    reference_pose: int
    target_pose: int
    other_identities: tuple[int, ...]
    other_poses: tuple[int, ...]


def held_out_pairs(count: int, candidates: int = 16) -> list[HeldOutPair]:
    """The first ``count`` pairs, always the same; retrieval is among ``candidates`` true renders."""
    if not 1 <= count <= 5000:
        raise ValueError(f"count {count} is not between 1 and 5000")
    stride = 2 * candidates
    return [
        HeldOutPair(
            identity=n,
            reference_pose=n * stride,
            target_pose=n * stride + 1,
            other_identities=tuple((n + 1 + k) % 5000 for k in range(candidates - 1)),
            other_poses=tuple(n * stride + 2 + k for k in range(candidates - 1)),
        )
        for n in range(count)
    ]


def show(identity: int, pose: int, size: int, background: int | None = None) -> Rendered:
    """Render a seed's person in a seed's pose, before another seed's background where one is named."""
    person = random_identity(identity)
    if background is not None:
        person = with_background(person, random_identity(background).background)
    return render(person, random_pose(pose), size)
