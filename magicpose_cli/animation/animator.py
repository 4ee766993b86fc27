"""``animate``: the one place that knows the order of the flow, from a request to a video."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magicpose_cli.animation.black_frames import black_told
from magicpose_cli.animation.inputs import Inputs, open_inputs
from magicpose_cli.animation.kept_run import KeptRun, check_room, what_latents_hang_on
from magicpose_cli.animation.marking import Marks, choose_marks
from magicpose_cli.animation.models import ModelChoice, ModelFacts, choose_model, model_facts
from magicpose_cli.animation.pose_input import PoseInput, must_extract
from magicpose_cli.animation.request import PRESETS, AnimationRequest, check_request
from magicpose_cli.animation.run_folder import (
    changed_since,
    check_place,
    check_record_place,
    compare_path,
    is_one_of,
    record_path,
    sha256_of,
    write_record,
)
from magicpose_cli.animation.sound import choose_sound
from magicpose_cli.animation.versions import versions
from magicpose_cli.conditions.framing import unframe, unframed_size
from magicpose_cli.conditions.paste_back import paste_back
from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.condition_set import ConditionSet
from magicpose_cli.core.device import choose_device, choose_dtype
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.work_folder import WorkFolder, work_folder
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.side_by_side import panel_size, side_by_side
from magicpose_cli.video.write import VideoReport, check_writable, write_video

if TYPE_CHECKING:
    import torch

    from magicpose_cli.diffusion.pipeline import MagicPosePipeline

COMPARE_HEIGHT = 512  # pixels; smaller results are shown enlarged to half of it
_CHUNK = 16  # pose maps drawn at a time

Panel = tuple[str, Iterable[np.ndarray] | np.ndarray]


@dataclass(frozen=True)
class Prepared:
    """All that is known before the model runs: the request with every default filled in, and what was opened."""

    request: AnimationRequest
    choice: ModelChoice
    inputs: Inputs
    sound: SoundSource | None

    @property
    def poses(self) -> PoseInput:
        return self.inputs.poses

    @property
    def conditions(self) -> ConditionSet:
        return self.inputs.conditions


@dataclass(frozen=True)
class AnimationResult:
    """What was written. ``sound`` is a word for the user; ``skipped`` is True where the output was there already."""

    output: Path
    record: Path
    compare: Path | None = None
    frames: int = 0
    fps: str = ""
    width: int = 0
    height: int = 0
    sound: str = ""
    seconds: float = 0.0
    skipped: bool = False


def animate(
    request: AnimationRequest,
    progress: Progress = SILENT,
    *,
    earlier: dict[str, Any] | None = None,
    truth: Sequence[np.ndarray] | None = None,
) -> AnimationResult:
    """Make the video that ``request`` asks for, and its record beside it.

    ``earlier`` is the record the request came from: changed inputs are told. ``truth`` are the frames that would be
    right, where they are known; they become a fourth panel of the comparison.
    """
    started = time.monotonic()
    check_request(request)
    if request.audio not in ("auto", "none"):
        choose_sound(request.audio, None)  # a wrong file is told now, not after the work
    check_writable(request.output, overwrite=True)  # whether it may be replaced is asked below
    with work_folder(request.output) as work:
        return _animate(request, work, progress, earlier or {}, truth, started)


def _animate(
    request: AnimationRequest,
    work: WorkFolder,
    progress: Progress,
    earlier: dict[str, Any],
    truth: Sequence[np.ndarray] | None,
    started: float,
) -> AnimationResult:
    # What a process made that ended before the record was there, is made again as if it were not there.
    if not check_outputs(request, work.results):
        return AnimationResult(request.output, record_path(request.output), skipped=True)
    device = choose_device(request.device)
    if request.offload and device.type == "cpu":
        raise UsageError("--offload moves the model between GPU and memory: it needs a GPU", "leave --offload out")
    dtype = choose_dtype(request.dtype, device)
    prepared = prepare(request, progress)
    timings = {"preparing": time.monotonic() - started}
    request = replace(prepared.request, device=str(device), dtype=str(dtype).removeprefix("torch."))
    hashes = {"reference": sha256_of(request.reference), "poses": prepared.poses.sha256}
    for sentence in changed_since(earlier, hashes):
        progress.note(sentence)
    marks = choose_marks(request, {**hashes, "weights": sha256_of(prepared.choice.folder)}, progress)
    if work.clear_unless(what_latents_hang_on(request, prepared.choice.folder, hashes, prepared.poses.track)):
        progress.note("what an interrupted run with other words or inputs had done is removed")
    if not check_outputs(request, work.results):  # the results of other words or inputs do not give way
        return AnimationResult(request.output, record_path(request.output), skipped=True)

    began = time.monotonic()
    pipeline = _load(request, prepared, device, dtype)
    height, width = (side // pipeline.vae_scale_factor for side in prepared.conditions.reference.shape[:2])
    latent_size = pipeline.vae.config.latent_channels * height * width
    check_room(work, prepared.conditions.frame_count, latent_size, request)
    timings["loading"] = time.monotonic() - began
    began = time.monotonic()
    show, (width, height) = _shown(prepared, prepared.inputs.reference)
    with _sampled(pipeline, request, prepared, work, progress) as frames:
        report = write_video(
            request.output,
            marks.watermarked(map(show, black_told(frames, progress))),
            prepared.poses.fps,
            width=width,
            height=height,
            sound=prepared.sound,
            metadata={"comment": marks.comment},
            expected_frames=prepared.conditions.frame_count,
            progress=progress,
            overwrite=may_replace(request.output, request, work),
            seal=marks.seal,
            on_complete=work.note_result,
        )
    timings["animating"] = time.monotonic() - began
    for note in report.notes:
        progress.note(note)
    compare = None
    if request.compare:
        began = time.monotonic()
        progress.note("putting reference, pose and result side by side")
        compare = compare_path(request.output)
        write_comparison(compare, request, prepared, marks, truth, work, progress)
        timings["comparing"] = time.monotonic() - began
    seconds = timings["total"] = time.monotonic() - started
    check_record_place(request.output, request.existing)  # what came there meanwhile
    write_record(record_path(request.output), _record(request, prepared, report, marks, timings))
    return AnimationResult(
        output=request.output,
        record=record_path(request.output),
        compare=compare,
        frames=report.frame_count,
        fps=str(report.fps),
        width=report.width,
        height=report.height,
        sound={"none": "silent", "copied": "with the sound as it was", "encoded": "with sound"}[report.audio],
        seconds=seconds,
    )


def check_outputs(request: AnimationRequest, made: frozenset[str] = frozenset()) -> bool:
    """False where the output exists and is to be skipped; OutputError where one of the outputs may not be written.

    ``made`` are the sha256 of what an unfinished run had put in its place: that gives way.
    """
    if not check_place(request.output, request.existing, made):
        return False
    existing = "overwrite" if request.existing == "overwrite" else "refuse"
    check_record_place(request.output, existing)
    if request.compare:
        check_place(compare_path(request.output), existing, made)
    return True


def may_replace(output: Path, request: AnimationRequest, work: WorkFolder) -> bool:
    """Whether the request says so, or an unfinished run of the same words made what is there."""
    return request.existing == "overwrite" or is_one_of(output, work.results)


def prepare(request: AnimationRequest, progress: Progress = SILENT) -> Prepared:
    """Open the inputs, choose the model, fit and frame the poses: all the work that needs no network.

    ``progress`` is told what a user should know. Raises InputError, NoPersonError, UsageError, OfflineError.
    """
    choice = choose_model(request.model, request.device)
    facts = model_facts(choice.folder)
    progress.note(choice.sentence)
    progress.plan(must_extract(request) + 1 + request.compare)
    inputs = open_inputs(request, facts.native_size, facts.multiple, progress)
    conditions = inputs.conditions
    filled = fill_defaults(request, choice, facts, (conditions.width, conditions.height))
    if request.motion and not facts.has_motion:
        progress.note("the model has no motion module: each frame is sampled by itself, from one shared noise")
    return Prepared(filled, choice, inputs, choose_sound(request.audio, inputs.poses.sound))


def fill_defaults(
    request: AnimationRequest, choice: ModelChoice, facts: ModelFacts, canvas: tuple[int, int]
) -> AnimationRequest:
    """The request with what it left to the preset and the model."""
    preset = PRESETS[request.preset]
    return replace(
        request,
        model=choice.name,
        steps=request.steps or max(1, round(facts.default_steps * preset.steps_share)),
        guidance=facts.default_guidance if request.guidance is None else request.guidance,
        scheduler=request.scheduler or preset.scheduler,
        size=f"{canvas[0]}x{canvas[1]}",
        motion=request.motion and facts.has_motion,
    )


def _load(request: AnimationRequest, prepared: Prepared, device: torch.device, dtype: torch.dtype) -> MagicPosePipeline:
    """The pipeline, with the request's sampler, on the device or ready to move there part by part."""
    from magicpose_cli.diffusion.load import load_pipeline
    from magicpose_cli.diffusion.schedulers import make_scheduler

    pipeline = load_pipeline(prepared.choice.folder, device="cpu" if request.offload else device, dtype=dtype)
    pipeline.scheduler = make_scheduler(request.scheduler, pipeline.scheduler)
    if request.offload:
        pipeline.enable_model_cpu_offload(device=device)
    return pipeline


@contextmanager
def _sampled(
    pipeline: MagicPosePipeline, request: AnimationRequest, prepared: Prepared, work: WorkFolder, progress: Progress
) -> Iterator[Iterator[np.ndarray]]:
    """The frames of the canvas, one by one. The first one is there when the block begins.

    What ``work`` holds is not made again; what is made is kept there.
    """
    count, steps = prepared.conditions.frame_count, request.steps or 1
    kept = KeptRun(work, in_turn=request.motion)
    whole, shown = count * steps, kept.frame_steps(steps)

    def frames_done() -> float:
        return KeptRun(work, in_turn=request.motion).frame_steps(steps) / steps

    with work.told(progress, frames_done, count), ExitStack() as stage:
        advance = stage.enter_context(progress.stage("animating", whole, "frame-step", done=shown))

        def tell(done: int, total: int) -> None:
            nonlocal shown
            now = max(shown, whole * done // total)
            advance(now - shown)
            shown = now

        latents = pipeline.stream_latents(
            prepared.conditions.reference,
            prepared.conditions.pose_maps,
            frame_count=count,
            num_inference_steps=steps,
            guidance_scale=request.guidance,
            prompt=request.prompt,
            seed=request.seed,
            use_motion=request.motion,
            on_step=tell,
            first_frame=kept.first,
            begun=kept.begun,
            on_state=kept.note_state,
        )
        frames = pipeline.decode(kept.through(latents))
        first = next(frames)

        def all_frames() -> Iterator[np.ndarray]:
            yield first
            yield from frames
            stage.close()

        yield all_frames()


def _shown(prepared: Prepared, photo: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], tuple[int, int]]:
    """What makes a frame of the canvas a frame of the video, and its size: laid into ``photo`` where so asked."""
    framing = prepared.conditions.framing
    if prepared.request.paste_back:
        return paste_back(photo, framing), (framing.source_width, framing.source_height)
    return partial(unframe, framing=framing), unframed_size(framing)


def write_comparison(
    path: Path,
    request: AnimationRequest,
    prepared: Prepared,
    marks: Marks,
    truth: Sequence[np.ndarray] | None,
    work: WorkFolder,
    progress: Progress = SILENT,
) -> VideoReport:
    """Reference | pose | result (| truth), in sync, with the result's sound, and marked as a whole."""
    result = open_clip(request.output)
    count = prepared.conditions.frame_count
    show, pose_size = _shown(prepared, np.zeros_like(prepared.inputs.reference))

    def poses() -> Iterator[np.ndarray]:
        for start in range(0, count, _CHUNK):
            for pose_map in prepared.conditions.pose_maps(start, min(start + _CHUNK, count)):
                yield show(pose_map)

    panels: list[Panel] = [
        ("reference", prepared.inputs.reference),
        ("pose", poses()),
        ("result", result.frames()),
    ]
    sizes = [prepared.inputs.reference.shape[1::-1], pose_size, (result.width, result.height)]
    if truth is not None:
        panels.append(("truth", iter(truth)))
        sizes.append(truth[0].shape[1::-1])
    height = min(COMPARE_HEIGHT, max(result.height, COMPARE_HEIGHT // 2))
    width, whole = panel_size(sizes, height)
    return write_video(
        path,
        marks.watermarked(side_by_side(panels, height)),
        result.fps,
        width=width,
        height=whole,
        sound=prepared.sound,
        metadata={"comment": marks.comment},
        expected_frames=count,
        progress=progress,
        overwrite=may_replace(path, request, work),
        seal=marks.seal_composite,
        on_complete=work.note_result,
    )


def _record(
    request: AnimationRequest,
    prepared: Prepared,
    report: VideoReport,
    marks: Marks,
    timings: dict[str, float],
) -> dict[str, Any]:
    conditions = prepared.conditions
    return {
        "request": replace(request, existing="refuse").to_json(),
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": versions(),
        "device": device_name(request.device),
        "sha256": {**marks.hashes, "output": report.sha256},
        "marks": marks.to_json(),
        "poses": prepared.poses.kind,
        "frames": report.frame_count,
        "fps": str(report.fps),
        "size": [report.width, report.height],
        "canvas": [conditions.width, conditions.height],
        "duration": float(Fraction(report.frame_count) / report.fps),
        "sound": report.audio,
        "notes": [*prepared.poses.notes, *conditions.notes, *report.notes],
        "seconds": {name: round(value, 3) for name, value in timings.items()},
    }


def device_name(device: str) -> str:
    """``cuda:0`` → the card's name; the CPU's architecture and its threads else."""
    import platform

    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{device} ({platform.machine()}, {torch.get_num_threads()} threads)"
