"""Pictures and dances of held-out figures as a model makes them: what ``evaluation.figures`` scores."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from magicpose_cli.animation.models import model_facts
from magicpose_cli.conditions.draw import draw_pose_map, stroke_for
from magicpose_cli.core.device import choose_device, choose_dtype
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.figures.held_out import HeldOutClip, HeldOutPair, show, show_clip
from magicpose_cli.figures.render import Rendered
from magicpose_cli.video.images import write_image

CLIP_FRAMES, CLIP_FPS = 16, 12
_SHEET_ROWS = 12


@dataclass(frozen=True)
class FigurePictures:
    """RGB uint8 (S, S, 3), one a pair: made with the model, and with the pose alone, without the appearance bank.

    ``clips`` are (F, S, S, 3), one a dance; ``clips_frame_by_frame`` the same without the motion module.
    """

    generated: tuple[np.ndarray, ...]
    without_bank: tuple[np.ndarray, ...]
    clips: tuple[np.ndarray, ...]
    clips_frame_by_frame: tuple[np.ndarray, ...]
    seconds_a_frame: float  # of the clips, with the motion module where there is one


def make_figure_pictures(
    model: Path,
    pairs: Sequence[HeldOutPair],
    clips: Sequence[HeldOutClip] = (),
    *,
    device: str = "auto",
    dtype: str = "auto",
    folder: Path | None = None,
    progress: Progress = SILENT,
) -> FigurePictures:
    """Show each pair's person in its target pose, with and without the bank, from the same noise; and each dance.

    The model's own steps and guidance are used. Where ``folder`` is given, each pair's reference, pose map, pictures
    and truth are written there as one row, ``0000.png`` and so on, and the first rows as one ``sheet.png``.
    """
    from magicpose_cli.diffusion.guidance import APPEARANCE, Guidance
    from magicpose_cli.diffusion.load import load_pipeline

    chosen = choose_device(device)
    pipeline = load_pipeline(model, device=chosen, dtype=choose_dtype(dtype, chosen))
    size = model_facts(model).native_size
    # The branch that drops the appearance, alone: what the networks make of the pose without a reference.
    pose_alone = Guidance(scale=0.0, drops=frozenset({APPEARANCE}))
    generated, without_bank, rows = [], [], []
    with progress.stage("making pictures", len(pairs), "pair") as advance:
        for number, pair in enumerate(pairs):
            reference = show(pair.identity, pair.reference_pose, size).image
            truth = show(pair.identity, pair.target_pose, size)
            pose_map = _pose_map(truth, size)
            generated.append(pipeline(reference, pose_map[None], seed=number).frames[0])
            without_bank.append(pipeline(reference, pose_map[None], seed=number, guidance=pose_alone).frames[0])
            if folder is not None:
                row = (reference, pose_map, generated[-1], without_bank[-1], truth.image)
                rows.append(np.concatenate(row, axis=1))
                write_image(folder / f"{number:04d}.png", rows[-1], overwrite=True)
            advance()
    if folder is not None:
        write_image(folder / "sheet.png", np.concatenate(rows[:_SHEET_ROWS]), overwrite=True)
    danced, alone, seconds = _dance(pipeline, clips, size, progress)
    return FigurePictures(tuple(generated), tuple(without_bank), danced, alone, seconds)


def _dance(
    pipeline: Any, clips: Sequence[HeldOutClip], size: int, progress: Progress
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], float]:
    """Each dance with the motion module (where there is one) and frame by frame, and the seconds a frame."""
    danced: list[np.ndarray] = []
    alone: list[np.ndarray] = []
    seconds = 0.0
    with progress.stage("making clips", len(clips), "clip") as advance:
        for number, clip in enumerate(clips):
            reference = show(clip.identity, clip.reference_pose, size).image
            maps = np.stack([_pose_map(shown, size) for shown in show_clip(clip, CLIP_FRAMES, CLIP_FPS, size)])
            began = time.perf_counter()
            danced.append(pipeline(reference, maps, seed=number).frames)
            seconds += time.perf_counter() - began
            has_motion = pipeline.motion_adapter is not None
            alone.append(pipeline(reference, maps, seed=number, use_motion=False).frames if has_motion else danced[-1])
            advance()
    return tuple(danced), tuple(alone), seconds / max(1, len(clips) * CLIP_FRAMES)


def _pose_map(shown: Rendered, size: int) -> np.ndarray:
    points = shown.keypoints
    return draw_pose_map(
        points.body, points.left_hand, points.right_hand, points.face, size, size, stroke=stroke_for(size)
    )
