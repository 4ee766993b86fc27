"""Pictures of held-out figures as a model makes them: what ``evaluation.figures`` scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magicpose_cli.animation.models import model_facts
from magicpose_cli.conditions.draw import draw_pose_map, stroke_for
from magicpose_cli.core.device import choose_device, choose_dtype
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.figures.held_out import HeldOutPair, show
from magicpose_cli.video.images import write_image


@dataclass(frozen=True)
class FigurePictures:
    """RGB uint8 (S, S, 3), one a pair: made with the model, and with the pose alone, without the appearance bank."""

    generated: tuple[np.ndarray, ...]
    without_bank: tuple[np.ndarray, ...]


def make_figure_pictures(
    model: Path,
    pairs: Sequence[HeldOutPair],
    *,
    device: str = "auto",
    dtype: str = "auto",
    folder: Path | None = None,
    progress: Progress = SILENT,
) -> FigurePictures:
    """Show each pair's person in its target pose, twice: with and without the bank, from the same noise.

    The model's own steps and guidance are used. Where ``folder`` is given, each pair's reference, pose map, pictures
    and truth are written there as one row: ``0000.png``.
    """
    from magicpose_cli.diffusion.guidance import APPEARANCE, Guidance
    from magicpose_cli.diffusion.load import load_pipeline

    chosen = choose_device(device)
    pipeline = load_pipeline(model, device=chosen, dtype=choose_dtype(dtype, chosen))
    size = model_facts(model).native_size
    # The branch that drops the appearance, alone: what the networks make of the pose without a reference.
    pose_alone = Guidance(scale=0.0, drops=frozenset({APPEARANCE}))
    generated, without_bank = [], []
    with progress.stage("making pictures", len(pairs), "pair") as advance:
        for number, pair in enumerate(pairs):
            reference = show(pair.identity, pair.reference_pose, size).image
            truth = show(pair.identity, pair.target_pose, size)
            points = truth.keypoints
            pose_map = draw_pose_map(
                points.body, points.left_hand, points.right_hand, points.face, size, size, stroke=stroke_for(size)
            )
            generated.append(pipeline(reference, pose_map[None], seed=number).frames[0])
            without_bank.append(pipeline(reference, pose_map[None], seed=number, guidance=pose_alone).frames[0])
            if folder is not None:
                row = (reference, pose_map, generated[-1], without_bank[-1], truth.image)
                write_image(folder / f"{number:04d}.png", np.concatenate(row, axis=1), overwrite=True)
            advance()
    return FigurePictures(tuple(generated), tuple(without_bank))
