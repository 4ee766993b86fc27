"""``mux`` and ``compare``: frames and clips that exist already become one video."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from magicpose_cli.animation.request import CompareRequest, MuxRequest, check_compare, check_mux, parse_fps
from magicpose_cli.animation.run_folder import check_place
from magicpose_cli.animation.sound import choose_sound
from magicpose_cli.core.clip import DEFAULT_RATE, Clip
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.side_by_side import panel_size, side_by_side
from magicpose_cli.video.write import VideoReport, write_video


def mux(request: MuxRequest, progress: Progress = SILENT) -> VideoReport:
    """Write a folder of frames, a GIF or a video as a video of constant rate, with sound."""
    check_mux(request)
    check_place(request.output, request.existing)
    fps = parse_fps(request.fps) if request.fps else None
    clip = open_clip(request.frames, fps=fps, lenient=request.lenient)
    _tell(clip, progress)
    progress.plan(1)
    report = write_video(
        request.output,
        clip.frames(),
        clip.fps,
        width=clip.width,
        height=clip.height,
        sound=choose_sound(request.audio, clip.sound),
        expected_frames=clip.frame_count,
        progress=progress,
        overwrite=request.existing == "overwrite",
    )
    return replace(report, partial=clip.partial)


def compare(request: CompareRequest, progress: Progress = SILENT) -> VideoReport:
    """Write the inputs side by side at one rate: that of the fastest clip, or ``fps``. Images are held still."""
    check_compare(request)
    check_place(request.output, request.existing)
    clips = [open_clip(path) for path in request.inputs]
    moving = [clip for clip in clips if clip.frame_count > 1]
    timed = [clip for clip, path in zip(clips, request.inputs, strict=True) if clip in moving and not path.is_dir()]
    # A folder of images has no rate of its own: it follows the videos.
    fps = parse_fps(request.fps) if request.fps else max((clip.fps for clip in timed or moving), default=DEFAULT_RATE)
    at_rate = [open_clip(clip.path, fps=fps) if clip in moving and clip.fps != fps else clip for clip in clips]
    for clip in clips:
        _tell(clip, progress)
    labels = request.labels or tuple(_label(path) for path in request.inputs)
    panels: list[tuple[str, Iterable[np.ndarray] | np.ndarray]] = [
        (label, clip.frames() if clip.frame_count > 1 else next(clip.frames()))
        for label, clip in zip(labels, at_rate, strict=True)
    ]
    width, height = panel_size([(clip.width, clip.height) for clip in at_rate], request.height)
    own = next((clip.sound for clip in clips if clip.sound is not None), None)
    progress.plan(1)
    return write_video(
        request.output,
        side_by_side(panels, request.height),
        fps,
        width=width,
        height=height,
        sound=choose_sound(request.audio, own),
        expected_frames=min((clip.frame_count for clip in at_rate if clip.frame_count > 1), default=1),
        progress=progress,
        overwrite=request.existing == "overwrite",
    )


def _label(path: Path) -> str:
    return path.stem or path.resolve().name


def _tell(clip: Clip, progress: Progress) -> None:
    for note in clip.notes:
        progress.note(note)
