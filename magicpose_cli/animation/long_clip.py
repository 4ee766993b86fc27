"""A long clip of a held-out figure as a model makes it: what ``evaluation.long_videos`` scores."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from magicpose_cli.animation.models import choose_model, model_facts
from magicpose_cli.animation.request import LongEvaluationRequest
from magicpose_cli.conditions.draw import draw_person
from magicpose_cli.core.device import choose_device, choose_dtype
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.diffusion.windows import windows
from magicpose_cli.figures.held_out import held_out_clips, show
from magicpose_cli.figures.motion import make_motion
from magicpose_cli.figures.render import render
from magicpose_cli.figures.scene import random_identity

FPS = 12
_FIRST, _EVERY, _ROUND = 10, 100, 4  # samples round the frames 10, 100, 200, …, and so many frames to either side
_WINDOW, _OVERLAP = 16, 4


class Scores(Protocol):
    """What a scoring function of ``evaluation`` gives."""

    def to_json(self) -> dict[str, Any]: ...


def evaluate_long(
    request: LongEvaluationRequest,
    score_background: Callable[..., Scores],
    change: Callable[[np.ndarray, np.ndarray], float],
    score_seams: Callable[..., Scores],
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Make a long clip and score it: plain data, the model's name first.

    The functions are those of ``evaluation.long_videos``. Without a motion module frames do not see each other: only
    those that are looked at are made, and there are no seams.
    """
    from magicpose_cli.diffusion.load import load_pipeline

    choice = choose_model(request.model)
    facts = model_facts(choice.folder)
    size, steps = facts.native_size, request.steps or facts.default_steps
    if request.frames < 2 * (_FIRST + _ROUND):
        raise UsageError(
            f"--frames is {request.frames}, which is no long video", f"use {2 * (_FIRST + _ROUND)} or more"
        )
    clip = held_out_clips(1)[0]
    person, reference = random_identity(clip.identity), show(clip.identity, clip.reference_pose, size)
    motion = make_motion(clip.motion, request.frames, FPS, clip.kind)
    middles = [_FIRST, *range(_EVERY, request.frames - _ROUND, _EVERY)]
    near = {middle: range(middle - _ROUND, middle + _ROUND + 1) for middle in middles}
    looked_at = sorted({number for numbers in near.values() for number in numbers})
    device = choose_device(request.device)
    pipeline = load_pipeline(choice.folder, device=device, dtype=choose_dtype("auto", device))
    made = list(range(request.frames)) if facts.has_motion else looked_at

    def pose_maps(start: int, stop: int) -> np.ndarray:
        return np.stack([draw_person(render(person, motion[n], size).keypoints, size) for n in made[start:stop]])

    kept: dict[int, np.ndarray] = {}
    changes: list[float] = []
    true_changes: list[float] = []
    before: tuple[np.ndarray, np.ndarray] | None = None
    with progress.stage("making frames", len(made)) as advance:
        stream = pipeline.stream(
            reference.image,
            pose_maps,
            frame_count=len(made),
            num_inference_steps=steps,
            guidance_scale=request.guidance,
            window=_WINDOW,
            window_overlap=_OVERLAP,
        )
        for number, frame in zip(made, stream, strict=True):
            if number in looked_at:
                kept[number] = frame
            if facts.has_motion:
                true = render(person, motion[number], size).image
                if before is not None:
                    changes.append(change(before[0], frame))
                    true_changes.append(change(before[1], true))
                before = frame, true
            advance()
    truth = {middle: [render(person, motion[n], size) for n in numbers] for middle, numbers in near.items()}
    shown = {middle: [kept[n] for n in numbers] for middle, numbers in near.items()}
    scores: dict[str, Any] = {"model": choice.name, "frames": request.frames, "size": size, "steps": steps}
    scores |= score_background(reference, truth, shown).to_json()
    if facts.has_motion:
        scores |= score_seams(changes, true_changes, seams_by_step(request.frames, steps)).to_json()
    return scores


def seams_by_step(frame_count: int, steps: int) -> list[list[int]]:
    """For each step, the frames at which a window begins or ends, the clip's own ends left out."""
    ends = [
        {end for w in windows(frame_count, _WINDOW, _OVERLAP, step) for end in (w.start, w.stop)}
        for step in range(steps)
    ]
    return [sorted(each - {0, frame_count}) for each in ends]
