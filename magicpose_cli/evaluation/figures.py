"""Scores of generated figures against their true renders, which only synthetic people have.

Retrieval: is the generated picture nearer to its own true render than to 15 others that differ in one thing alone?
*Identity*: 16 people in the same pose before the same background. *Pose*: the same person in 16 poses. *Expression*:
the same person in the same pose with 16 faces. Distance is the mean squared difference over the region where any of
the 16 shows a person (for expressions: a face), the same region for all, so a copied background earns nothing.
Chance is 1 in 16.

``…_autoencoder`` is what the truth itself scores after it went through the model's autoencoder: the most that a
denoiser can reach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from magicpose_cli.evaluation.similarity import flicker, psnr, ssim
from magicpose_cli.figures.held_out import HeldOutClip, HeldOutPair, show, show_clip
from magicpose_cli.figures.render import Rendered


@dataclass(frozen=True)
class _Scores:
    def to_json(self) -> dict[str, float | int]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class FigureScores(_Scores):
    """Means over the pairs. Retrieval in [0, 1]; PSNR in dB against the true render, the whole picture."""

    pairs: int
    size: int
    identity_top1: float
    pose_top1: float
    expression_top1: float
    psnr: float
    psnr_person: float
    ssim: float
    psnr_copied_reference: float
    identity_top1_without_bank: float
    pose_top1_without_bank: float
    psnr_without_bank: float
    expression_top1_autoencoder: float
    psnr_autoencoder: float


@dataclass(frozen=True)
class ClipScores(_Scores):
    """Means over the held-out clips. Flicker in levels of 255 (``similarity.flicker``).

    ``flicker_frame_by_frame`` is the same model's without its motion module, all frames from one noise; it equals
    ``flicker`` where there is no module. ``flicker_own_noise`` is the same with a noise for each frame.
    ``flicker_copied_reference`` is that of a picture that stays: how much the truth moves.
    """

    clips: int
    clip_psnr: float
    flicker: float
    flicker_frame_by_frame: float
    flicker_own_noise: float
    flicker_autoencoder: float
    flicker_copied_reference: float


def score_figures(
    pairs: Sequence[HeldOutPair],
    generated: Sequence[np.ndarray],
    without_bank: Sequence[np.ndarray],
    autoencoded: Sequence[np.ndarray],
) -> FigureScores:
    """Score RGB uint8 (S, S, 3) pictures, one a pair.

    They were made with and without the appearance model's bank; ``autoencoded`` is the truth, encoded and decoded.
    Raises ValueError where one is missing.
    """
    if not len(pairs) == len(generated) == len(without_bank) == len(autoencoded):
        raise ValueError(
            f"{len(pairs)} pairs, {[len(made) for made in (generated, without_bank, autoencoded)]} pictures"
        )
    size = generated[0].shape[0]
    rows = []
    for pair, picture, bare, best in zip(pairs, generated, without_bank, autoencoded, strict=True):
        truth = show(pair.identity, pair.target_pose, size)
        people = [show(n, pair.target_pose, size, background=pair.identity) for n in pair.other_identities]
        poses = [show(pair.identity, n, size) for n in pair.other_poses]
        faces = [show(pair.identity, pair.target_pose, size, expression=n) for n in pair.other_expressions]
        reference = show(pair.identity, pair.reference_pose, size)
        among_people, among_poses = _people([truth, *people]), _people([truth, *poses])
        among_faces = _faces([truth, *faces])
        rows.append(
            {
                "identity_top1": is_nearest(picture, truth, people, among_people),
                "pose_top1": is_nearest(picture, truth, poses, among_poses),
                "expression_top1": is_nearest(picture, truth, faces, among_faces),
                "psnr": psnr(picture, truth.image),
                "psnr_person": psnr(picture, truth.image, truth.person_mask),
                "ssim": ssim(picture, truth.image),
                "psnr_copied_reference": psnr(reference.image, truth.image),
                "identity_top1_without_bank": is_nearest(bare, truth, people, among_people),
                "pose_top1_without_bank": is_nearest(bare, truth, poses, among_poses),
                "psnr_without_bank": psnr(bare, truth.image),
                "expression_top1_autoencoder": is_nearest(best, truth, faces, among_faces),
                "psnr_autoencoder": psnr(best, truth.image),
            }
        )
    return FigureScores(len(pairs), size, **_means(rows))


def score_clips(
    clips: Sequence[HeldOutClip],
    generated: Sequence[np.ndarray],
    frame_by_frame: Sequence[np.ndarray],
    own_noise: Sequence[np.ndarray],
    autoencoded: Sequence[np.ndarray],
    fps: int,
) -> ClipScores:
    """Score clips, RGB uint8 (F, S, S, 3) each, made in the ways that ``ClipScores`` names."""
    rows = []
    for clip, frames, alone, noisy, best in zip(clips, generated, frame_by_frame, own_noise, autoencoded, strict=True):
        truth = [shown.image for shown in show_clip(clip, len(frames), fps, frames.shape[1])]
        likeness = np.mean([psnr(frame, true) for frame, true in zip(frames, truth, strict=True)])
        rows.append(
            {
                "clip_psnr": likeness,
                "flicker": flicker(frames, truth),
                "flicker_frame_by_frame": flicker(alone, truth),
                "flicker_own_noise": flicker(noisy, truth),
                "flicker_autoencoder": flicker(best, truth),
                "flicker_copied_reference": flicker([truth[0]] * len(truth), truth),
            }
        )
    return ClipScores(len(clips), **_means(rows))


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def is_nearest(picture: np.ndarray, truth: Rendered, others: Sequence[Rendered], region: np.ndarray) -> bool:
    """True where no other render is as near to the picture as the truth, inside ``region`` (bool (S, S))."""
    seen = picture[region].astype(np.float32)
    own = np.square(seen - truth.image[region]).mean()
    return all(own < np.square(seen - other.image[region]).mean() for other in others)


def _people(shown: Sequence[Rendered]) -> np.ndarray:
    return np.logical_or.reduce([one.person_mask for one in shown])


def _faces(shown: Sequence[Rendered]) -> np.ndarray:
    """The box round the face points of all."""
    size = shown[0].image.shape[0]
    points = np.concatenate([one.keypoints.face[:, :2] for one in shown])
    left, top = np.clip(np.floor(points.min(0)), 0, size - 1).astype(int)
    right, bottom = np.clip(np.ceil(points.max(0)), 0, size - 1).astype(int)
    region = np.zeros((size, size), bool)
    region[top : bottom + 1, left : right + 1] = True
    return region
