"""Held-out figures: (identity, pose) pairs and clips that training never sees, and the pairs' look-alikes.

Training draws its seeds from ``FIRST_TRAINING_SEED`` up; everything here stays below it. In pictures all people face
the viewer (``motion.FACING``): a reference shows its person's front, and an expression can be told only where a face is
seen. Turned bodies are in the clips, whose motions are of all kinds in turn. Both cameras occur.
"""

from dataclasses import dataclass, replace

from magicpose_cli.figures.figure_pose import EXPRESSION_NAMES
from magicpose_cli.figures.motion import MOTION_KINDS, make_motion, random_pose
from magicpose_cli.figures.render import Rendered, render
from magicpose_cli.figures.scene import random_identity, with_scene

FIRST_TRAINING_SEED = 1_000_000
_CANDIDATES = 16  # true renders that retrieval is among
_SHEET_PEOPLE = 8
_FIRST_DEMO_SEED, _DEMO_SEEDS = 500_000, 400_000


@dataclass(frozen=True)
class HeldOutPair:
    """A person in a reference pose, to be shown in another pose; ``others`` are what retrieval must tell apart.

    All seeds, 15 of each kind: ``other_identities`` are other people in this pose, ``other_poses`` this person in
    other poses, ``other_expressions`` this person in this pose with other faces.
    """

    identity: int
    reference_pose: int
    target_pose: int
    other_identities: tuple[int, ...]
    other_poses: tuple[int, ...]
    other_expressions: tuple[int, ...]


@dataclass(frozen=True)
class HeldOutClip:
    """A person in a reference pose, to move as in a motion of one kind (of ``motion.MOTION_KINDS``). Seeds."""

    identity: int
    reference_pose: int
    motion: int
    kind: str = "dance"


def held_out_pairs(count: int) -> list[HeldOutPair]:
    """The first ``count`` pairs, always the same."""
    if not 1 <= count <= 5000:
        raise ValueError(f"count {count} is not between 1 and 5000")
    stride = 2 * _CANDIDATES
    return [
        HeldOutPair(
            identity=n,
            reference_pose=n * stride,
            target_pose=n * stride + 1,
            other_identities=tuple((n + 1 + k) % 5000 for k in range(_CANDIDATES - 1)),
            other_poses=tuple(n * stride + 2 + k for k in range(_CANDIDATES - 1)),
            other_expressions=tuple(n * stride + 1 + _CANDIDATES + k for k in range(_CANDIDATES - 1)),
        )
        for n in range(count)
    ]


def demo_seed(number: int) -> int:
    """The first of the ten seeds of a demo's people and poses, held out like the pairs."""
    return _FIRST_DEMO_SEED + 10 * number % _DEMO_SEEDS


def held_out_clips(count: int) -> list[HeldOutClip]:
    """The first ``count`` clips, always the same, the kinds of motion in turn."""
    return [
        HeldOutClip(6000 + n, reference_pose=200_000 + n, motion=300_000 + n, kind=MOTION_KINDS[n % len(MOTION_KINDS)])
        for n in range(count)
    ]


def contact_sheet_clips() -> list[list[HeldOutClip]]:
    """For each of eight people, one motion of each of four kinds: what a contact sheet shows."""
    return [
        [HeldOutClip(7000 + n, 210_000 + n, 310_000 + 10 * n + k, kind) for k, kind in enumerate(MOTION_KINDS[:4])]
        for n in range(_SHEET_PEOPLE)
    ]


def show_clip(clip: HeldOutClip, frames: int, fps: int, size: int) -> list[Rendered]:
    """The true renders of a clip."""
    person = random_identity(clip.identity)
    return [render(person, pose, size) for pose in make_motion(clip.motion, frames, fps, clip.kind)]


def show(identity: int, pose: int, size: int, background: int | None = None, expression: int | None = None) -> Rendered:
    """Render a seed's person in a seed's pose; where another seed's person stands (``background``), with the
    face of another pose (``expression``), where named.
    """
    person = random_identity(identity)
    if background is not None:
        person = with_scene(person, random_identity(background))
    shown = random_pose(pose, facing=True)
    if expression is not None:
        other = random_pose(expression)
        shown = replace(shown, **{name: getattr(other, name) for name in EXPRESSION_NAMES})
    return render(person, shown, size)
