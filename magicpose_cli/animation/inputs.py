"""From a request to what the network sees: photo and poses read, fitted and framed. No model runs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from magicpose_cli.animation.models import choose_model, model_facts
from magicpose_cli.animation.pose_input import PoseInput, open_pose_input
from magicpose_cli.animation.reference import person_in
from magicpose_cli.animation.request import AnimationRequest, PreviewRequest, check_request, parse_size
from magicpose_cli.animation.run_folder import check_place
from magicpose_cli.conditions.build import build_condition_set
from magicpose_cli.conditions.preview import draw_preview
from magicpose_cli.core.condition_set import ConditionSet
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.progress import SILENT, Progress, ToldOnce
from magicpose_cli.video.images import write_image
from magicpose_cli.video.read import read_image


@dataclass(frozen=True)
class Inputs:
    """The reference photo as read (RGB uint8 HWC), the poses as given, and both on the model's canvas."""

    reference: np.ndarray
    poses: PoseInput
    conditions: ConditionSet


@dataclass(frozen=True)
class PreviewResult:
    """The picture that was written, sentences on fit and framing, and the frame in which poses and photo were matched
    (None where nothing was fitted).
    """

    output: Path
    frames: int
    canvas: tuple[int, int]
    notes: tuple[str, ...]
    matched_frame: int | None


def open_inputs(request: AnimationRequest, native_size: int, multiple: int, progress: Progress = SILENT) -> Inputs:
    """Read photo and poses (a driving video's are extracted), fit them to each other and frame them.

    ``native_size`` is the model's, where the request names no size; the canvas's sides are multiples of ``multiple``.
    Raises InputError, NoPersonError, UsageError.
    """
    progress = ToldOnce(progress)  # the same detector looks at the driving video and at the photo
    reference = read_image(request.reference)
    poses = open_pose_input(request, progress)
    for note in poses.notes:
        progress.note(note)
    person = None
    if request.fit == "auto":
        person = person_in(reference, request.detector, request.reference_poses, request.device, progress)
    conditions = build_condition_set(
        reference,
        track=poses.track,
        pose_maps=poses.pose_maps,
        reference_pose=person,
        size=parse_size(request.size) if request.size else native_size,
        multiple=multiple,
        fit=request.fit,
        framing=request.framing,
        paste_back=request.paste_back,
    )
    for note in conditions.notes:
        progress.note(note)
    return Inputs(reference, poses, conditions)


def preview(request: PreviewRequest, progress: Progress = SILENT) -> PreviewResult:
    """Write one picture: the fitted skeleton over the photo, the framing, and a strip of poses.

    The canvas is the one on which the request's model would work; no network is loaded.
    """
    check_request(request.animation)
    if request.output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise UsageError(f"the output '{request.output}' is not named as a picture", "end its name in .png")
    check_place(request.output, request.existing)
    choice = choose_model(request.animation.model, request.animation.device)
    facts = model_facts(choice.folder)
    progress.note(choice.sentence)
    found = open_inputs(request.animation, facts.native_size, facts.multiple, progress)
    picture = draw_preview(found.conditions, found.reference, title=request.animation.reference.name)
    write_image(request.output, picture, overwrite=request.existing == "overwrite")
    return PreviewResult(
        request.output,
        found.conditions.frame_count,
        (found.conditions.width, found.conditions.height),
        (*found.poses.notes, *found.conditions.notes),
        found.conditions.matched,
    )
