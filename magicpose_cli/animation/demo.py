"""The main job on made media: one figure dances as another one did, and the truth is known."""

import time
import wave
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from magicpose_cli.animation.animator import animate, check_outputs
from magicpose_cli.animation.models import choose_model, model_facts
from magicpose_cli.animation.request import AnimationRequest, DemoRequest
from magicpose_cli.animation.run_folder import check_place, sha256_of
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.figures.figure_pose import FigurePose
from magicpose_cli.figures.held_out import demo_seed
from magicpose_cli.figures.identity import Identity
from magicpose_cli.figures.motion import make_motion, random_pose
from magicpose_cli.figures.render import render, track_of
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.figures.sound import made_sound
from magicpose_cli.pose.openpose_json import ClipInfo, check_poses_output, write_poses
from magicpose_cli.video.audio import sound_of
from magicpose_cli.video.images import write_image
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video

_RATE = 44100  # samples a second


@dataclass(frozen=True)
class DemoResult:
    """The files of a finished demo."""

    video: Path
    compare: Path
    driver: Path
    reference: Path
    poses: Path
    seconds: float
    next_command: str


def run_demo(request: DemoRequest, progress: Progress = SILENT) -> DemoResult:
    """Make a reference, a driving video with sound and its exact poses; animate; set the result beside the truth.

    The dancer has the reference's build and camera, so that the truth, the reference's figure in the dancer's poses,
    is exact.
    """
    started = time.monotonic()
    folder, overwrite = request.output, request.existing == "overwrite"
    names = ("demo_reference.png", "demo_driver.mp4", "demo_poses", "demo.mp4")
    reference, driver, poses, video = (folder / name for name in names)
    animation = AnimationRequest(
        reference=reference,
        poses=poses,
        output=video,
        model=request.model,
        fit="none",
        compare=True,
        existing=request.existing,
    )
    for path in (reference, driver):
        check_place(path, request.existing)
    check_poses_output(poses, overwrite=overwrite)
    check_outputs(animation)
    size = model_facts(choose_model(request.model).folder).native_size

    seed = demo_seed(request.seed)
    person = random_identity(seed)
    dancer = replace(random_identity(seed + 1), proportions=person.proportions, view=person.view)
    dance = make_motion(seed + 2, request.frames, fps=request.fps, kind="dance")
    write_image(reference, render(person, random_pose(seed + 3, facing=True), size).image, overwrite=overwrite)
    _write_driver(driver, dancer, dance, size, request.fps, overwrite)
    _write_exact_poses(poses, dancer, dance, size, request.fps, driver, overwrite)
    result = animate(
        animation,
        progress,
        truth=[render(person, pose, size).image for pose in dance],
    )
    assert result.compare is not None
    return DemoResult(
        video,
        result.compare,
        driver,
        reference,
        poses,
        time.monotonic() - started,
        "magicpose animate PHOTO VIDEO -o out.mp4",
    )


def _write_driver(path: Path, dancer: Identity, dance: list[FigurePose], size: int, fps: int, overwrite: bool) -> None:
    with TemporaryDirectory(prefix="magicpose-") as scratch:
        tune = Path(scratch) / "tune.wav"
        _write_wave(tune, made_sound(len(dance) / fps, _RATE))
        write_video(
            path,
            (render(dancer, pose, size).image for pose in dance),
            Fraction(fps),
            width=size,
            height=size,
            sound=sound_of(tune),
            expected_frames=len(dance),
            overwrite=overwrite,
        )


def _write_wave(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def _write_exact_poses(
    folder: Path, dancer: Identity, dance: list[FigurePose], size: int, fps: int, driver: Path, overwrite: bool
) -> None:
    track = track_of(dancer, dance, size, fps)
    info = ClipInfo(
        fps=track.fps,
        width=size,
        height=size,
        frame_count=len(track),
        driver=driver.name,
        driver_sha256=sha256_of(driver),
        detector="figures",
        detector_version="exact",
        sound=open_clip(driver.absolute()).sound,
        source_path=driver.absolute(),
    )
    write_poses(folder, track, info, overwrite=overwrite)
