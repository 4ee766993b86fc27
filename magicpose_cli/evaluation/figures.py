"""Scores of generated figures against their true renders, which only synthetic people have.

Retrieval: is the generated picture nearer to its own true render than to 15 others that differ in one thing alone?
*Identity*: 16 people in the same pose before the same background. *Pose*: the same person in 16 poses. Distance is
the mean squared difference over the region where any of the 16 shows a person, the same region for all, so a copied
background earns nothing. Chance is 1 in 16.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from magicpose_cli.figures.held_out import HeldOutPair, show
from magicpose_cli.figures.render import Rendered


@dataclass(frozen=True)
class FigureScores:
    """Means over the pairs. Retrieval in [0, 1]; PSNR in dB against the true render, the whole picture."""

    pairs: int
    size: int
    identity_top1: float
    pose_top1: float
    psnr: float
    psnr_person: float
    psnr_copied_reference: float
    psnr_without_bank: float

    def to_json(self) -> dict[str, float | int]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


def score_figures(
    pairs: Sequence[HeldOutPair], generated: Sequence[np.ndarray], without_bank: Sequence[np.ndarray]
) -> FigureScores:
    """Score RGB uint8 (S, S, 3) pictures, one a pair, made with and without the appearance model's bank."""
    if not len(pairs) == len(generated) == len(without_bank):
        raise ValueError(f"{len(pairs)} pairs, {len(generated)} pictures, {len(without_bank)} without bank")
    size = generated[0].shape[0]
    rows = []
    for pair, picture, bare in zip(pairs, generated, without_bank, strict=True):
        truth = show(pair.identity, pair.target_pose, size)
        people = [show(n, pair.target_pose, size, background=pair.identity) for n in pair.other_identities]
        poses = [show(pair.identity, n, size) for n in pair.other_poses]
        reference = show(pair.identity, pair.reference_pose, size)
        rows.append(
            (
                is_nearest(picture, truth, people),
                is_nearest(picture, truth, poses),
                psnr(picture, truth.image),
                psnr(picture, truth.image, truth.person_mask),
                psnr(reference.image, truth.image),
                psnr(bare, truth.image),
            )
        )
    return FigureScores(len(pairs), size, *(float(value) for value in np.mean(rows, axis=0)))


def is_nearest(picture: np.ndarray, truth: Rendered, others: Sequence[Rendered]) -> bool:
    """True where no other render is as near to the picture as the truth, inside the region of all their people."""
    region = np.logical_or.reduce([shown.person_mask for shown in (truth, *others)])
    seen = picture[region].astype(np.float32)
    own = np.square(seen - truth.image[region]).mean()
    return all(own < np.square(seen - other.image[region]).mean() for other in others)


def psnr(picture: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of uint8 pictures, over ``mask`` where one is given."""
    difference = picture.astype(np.float64) - truth
    if mask is not None:
        difference = difference[mask]
    return float(10 * np.log10(255**2 / max(np.square(difference).mean(), 1e-10)))
