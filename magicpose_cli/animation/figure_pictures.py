"""Pictures and clips of held-out figures as a model makes them: what ``evaluation.figures`` scores."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from magicpose_cli.animation.models import choose_model, model_facts
from magicpose_cli.animation.request import EvaluationRequest
from magicpose_cli.conditions.draw import draw_person
from magicpose_cli.conditions.framing import resize
from magicpose_cli.core.device import choose_device, choose_dtype
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.whole_folder import check_folder_place, whole_folder
from magicpose_cli.figures.held_out import (
    HeldOutClip,
    HeldOutPair,
    contact_sheet_clips,
    held_out_clips,
    held_out_pairs,
    show,
    show_clip,
)
from magicpose_cli.video.images import write_image

if TYPE_CHECKING:
    from magicpose_cli.diffusion.pipeline import MagicPosePipeline

CLIP_FRAMES, CLIP_FPS = 16, 12
_SHEET_ROWS = 12
_SHEET_FRAME = 9  # of each motion: well after its start
_SHEET_TILE = 128
_OURS = re.compile(r"([0-9]+|sheet|motions)\.png|\.DS_Store")


class Scores(Protocol):
    """What a scoring function of ``evaluation`` gives."""

    def to_json(self) -> dict[str, float | int]: ...


@dataclass(frozen=True)
class PairPictures:
    """RGB uint8 (S, S, 3), one a pair: with the model, with the pose alone (without the appearance bank), and the truth
    through the model's autoencoder."""

    generated: tuple[np.ndarray, ...]
    without_bank: tuple[np.ndarray, ...]
    autoencoded: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class ClipPictures:
    """RGB uint8 (F, S, S, 3), one a motion: with the model, and without its motion module from one noise for all
    frames, and from a noise for each; and the truth through the model's autoencoder."""

    generated: tuple[np.ndarray, ...] = ()
    frame_by_frame: tuple[np.ndarray, ...] = ()
    own_noise: tuple[np.ndarray, ...] = ()
    autoencoded: tuple[np.ndarray, ...] = ()
    seconds_a_frame: float = 0.0  # of ``generated``


@dataclass(frozen=True)
class FigurePictures:
    """What a model makes of the held-out pairs and motions."""

    pairs: PairPictures
    clips: ClipPictures
    contact_sheet: np.ndarray | None  # people down; across a reference, then pose map and picture of each motion


def evaluate_figures(
    request: EvaluationRequest,
    score_pictures: Callable[..., Scores],
    score_clips: Callable[..., Scores],
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Make a model's pictures and clips of held-out figures and score them: plain data, the model's name first.

    The two functions are those of ``evaluation.figures``, which never generates, as this room never scores. Where the
    request names an output folder, the pictures are written there (``write_figure_pictures``).
    """
    overwrite = request.existing == "overwrite"
    if request.output is not None:
        check_folder_place(request.output, ours=_OURS, overwrite=overwrite)
    choice = choose_model(request.model)
    pairs, clips = held_out_pairs(request.pairs), held_out_clips(request.clips)
    sheet = request.output is not None
    made = make_figure_pictures(
        choice.folder,
        pairs,
        clips,
        sheet=sheet,
        steps=request.steps,
        guidance=request.guidance,
        device=request.device,
        progress=progress,
    )
    if request.output is not None:
        write_figure_pictures(request.output, pairs, made, overwrite=overwrite)
    scores: dict[str, Any] = {"model": choice.name}
    scores |= score_pictures(pairs, made.pairs.generated, made.pairs.without_bank, made.pairs.autoencoded).to_json()
    if clips:
        shown = made.clips
        ways = (shown.generated, shown.frame_by_frame, shown.own_noise, shown.autoencoded)
        scores |= score_clips(clips, *ways, CLIP_FPS).to_json()
        scores["seconds_a_frame"] = round(shown.seconds_a_frame, 3)
    return scores


def write_figure_pictures(
    folder: Path, pairs: Sequence[HeldOutPair], made: FigurePictures, *, overwrite: bool = False
) -> None:
    """Each pair's reference, pose map, pictures and truth as one row, ``0000.png`` and so on.

    The first rows are one ``sheet.png``, too; the contact sheet is ``motions.png``. Raises OutputError where the folder
    is not empty (without ``overwrite``) or holds other things.
    """
    sheet = []
    with whole_folder(folder, ours=_OURS, overwrite=overwrite) as fresh:
        shown = zip(pairs, made.pairs.generated, made.pairs.without_bank, strict=True)
        for number, (pair, picture, bare) in enumerate(shown):
            size = picture.shape[0]
            reference = show(pair.identity, pair.reference_pose, size).image
            truth = show(pair.identity, pair.target_pose, size)
            row = np.concatenate((reference, draw_person(truth.keypoints, size), picture, bare, truth.image), axis=1)
            write_image(fresh / f"{number:04d}.png", row)
            if number < _SHEET_ROWS:
                sheet.append(row)
        write_image(fresh / "sheet.png", np.concatenate(sheet))
        if made.contact_sheet is not None:
            write_image(fresh / "motions.png", made.contact_sheet)


def make_figure_pictures(
    model: Path,
    pairs: Sequence[HeldOutPair],
    clips: Sequence[HeldOutClip] = (),
    *,
    sheet: bool = False,
    steps: int | None = None,
    guidance: float | None = None,
    device: str = "auto",
    progress: Progress = SILENT,
) -> FigurePictures:
    """Show each pair's person in its target pose, with and without the bank, from the same noise; and each motion.

    ``sheet`` asks for the contact sheet too.

    ``steps`` and ``guidance`` None take the model's own.
    """
    from magicpose_cli.diffusion.guidance import APPEARANCE, Guidance
    from magicpose_cli.diffusion.load import load_pipeline

    chosen = choose_device(device)
    pipeline = load_pipeline(model, device=chosen, dtype=choose_dtype("auto", chosen))
    show_with = partial(pipeline, num_inference_steps=steps, guidance_scale=guidance)
    size = model_facts(model).native_size
    # The branch that drops the appearance, alone: what the networks make of the pose without a reference.
    pose_alone = Guidance(scale=0.0, drops=frozenset({APPEARANCE}))
    generated, without_bank, autoencoded = [], [], []
    with progress.stage("making pictures", len(pairs), "pair") as advance:
        for number, pair in enumerate(pairs):
            reference = show(pair.identity, pair.reference_pose, size).image
            truth = show(pair.identity, pair.target_pose, size)
            pose_map = draw_person(truth.keypoints, size)
            generated.append(show_with(reference, pose_map[None], seed=number).frames[0])
            without_bank.append(show_with(reference, pose_map[None], seed=number, guidance=pose_alone).frames[0])
            autoencoded.append(_autoencoded(pipeline, truth.image[None])[0])
            advance()
    pictures = PairPictures(tuple(generated), tuple(without_bank), tuple(autoencoded))
    moved = _make_clips(show_with, pipeline, clips, size, progress) if clips else ClipPictures()
    drawn = _contact_sheet(show_with, size, progress) if sheet else None
    return FigurePictures(pictures, moved, drawn)


def _autoencoded(pipeline: "MagicPosePipeline", pictures: np.ndarray) -> np.ndarray:
    """RGB uint8 (F, S, S, 3), encoded and decoded."""
    import torch

    from magicpose_cli.diffusion.latents import as_tensor, decode_latents, encode_pictures

    with torch.no_grad():
        pixels = (as_tensor(pictures) * 2 - 1).to(pipeline.device)
        return np.stack(list(decode_latents(pipeline.vae, encode_pictures(pipeline.vae, pixels))))


def _contact_sheet(show_with: Callable[..., Any], size: int, progress: Progress) -> np.ndarray:
    """Eight people in four motions: RGB uint8, a row a person."""
    people = contact_sheet_clips()
    rows = []
    with progress.stage("making the contact sheet", len(people), "person") as advance:
        for number, clips in enumerate(people):
            reference = show(clips[0].identity, clips[0].reference_pose, size).image
            maps = [
                draw_person(show_clip(clip, _SHEET_FRAME + 1, CLIP_FPS, size)[-1].keypoints, size) for clip in clips
            ]
            frames = show_with(reference, np.stack(maps), seed=number, use_motion=False).frames
            tiles = [reference, *(tile for pair in zip(maps, frames, strict=True) for tile in pair)]
            rows.append(np.concatenate([resize(tile, _SHEET_TILE, _SHEET_TILE) for tile in tiles], axis=1))
            advance()
    return np.concatenate(rows)


def _make_clips(
    show_with: Callable[..., Any],
    pipeline: "MagicPosePipeline",
    clips: Sequence[HeldOutClip],
    size: int,
    progress: Progress,
) -> ClipPictures:
    """Each clip in each of the ways; the first two are one where the model has no motion module."""
    rows = []
    seconds = 0.0
    with progress.stage("making clips", len(clips), "clip") as advance:
        for number, clip in enumerate(clips):
            reference = show(clip.identity, clip.reference_pose, size).image
            shown = show_clip(clip, CLIP_FRAMES, CLIP_FPS, size)
            show_clip_with = partial(
                show_with, reference, np.stack([draw_person(one.keypoints, size) for one in shown]), seed=number
            )
            began = time.perf_counter()
            moved = show_clip_with().frames
            seconds += time.perf_counter() - began
            alone = moved if pipeline.motion_adapter is None else show_clip_with(use_motion=False).frames
            own_noise = show_clip_with(use_motion=False, shared_noise=False).frames
            rows.append((moved, alone, own_noise, _autoencoded(pipeline, np.stack([one.image for one in shown]))))
            advance()
    ways = (tuple(way) for way in zip(*rows, strict=True))
    return ClipPictures(*ways, seconds_a_frame=seconds / (len(clips) * CLIP_FRAMES))
