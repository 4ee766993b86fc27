"""``animate`` and ``extract`` killed at random moments, and started again until they are done."""

import hashlib
import os
import random
import select
import shutil
import signal
import time
from fractions import Fraction
from pathlib import Path

FRAMES, SIDE, FPS = 24, 128, 10
_KILLS_AT_MOST = 8  # of one output; then it may finish


def make_media(folder: Path) -> None:
    """photo.png, driver.mp4 and poses/ of synthetic figures in ``folder``."""
    from magicpose_cli.figures.motion import make_motion, random_pose
    from magicpose_cli.figures.render import render, track_of
    from magicpose_cli.figures.scene import random_identity
    from magicpose_cli.pose.openpose_json import ClipInfo, write_poses
    from magicpose_cli.video.images import write_image
    from magicpose_cli.video.write import write_video

    dancer, dance = random_identity(9), make_motion(9, FRAMES, fps=FPS, kind="dance")
    write_image(folder / "photo.png", render(random_identity(7), random_pose(3), SIDE).image)
    frames = (render(dancer, pose, SIDE).image for pose in dance)
    write_video(folder / "driver.mp4", frames, Fraction(FPS), width=SIDE, height=SIDE)
    track = track_of(dancer, dance, SIDE, FPS)
    write_poses(
        folder / "poses", track, ClipInfo(track.fps, SIDE, SIDE, FRAMES, "driver.mp4", None, "figures", "exact")
    )


def words(command: str) -> list[str]:
    """The arguments of magicpose, and the output's name last."""
    if command == "extract":
        return ["extract", "driver.mp4", "-o", "out"]
    sampling = ["--fit", "none", "--size", "64", "--steps", "3", "--fps", "40"]
    return ["animate", "photo.png", "poses", "--model", "mini", *sampling, "-o", "out.mp4"]


def kills(command: str, count: int, seed: int, folder: Path) -> tuple[int, list[str]]:
    """Kill runs of ``command`` in ``folder`` until ``count`` are killed. Returns how many outputs came, and faults."""
    chance = random.Random(seed)
    arguments = words(command)
    output = folder / arguments[-1]
    began = time.monotonic()
    code = _wait(_start(arguments, folder), None)
    took = time.monotonic() - began
    expected = digest(output)
    bad = [f"the unbroken run ended with {code}: {_said(folder)}"] if code else []
    killed = outputs = 0
    _remove(output)
    while killed < count and not bad:
        for kill in range(_KILLS_AT_MOST + 1):
            process = _start(arguments, folder)
            code = _wait(process, chance.uniform(0, took) if kill < _KILLS_AT_MOST else None)
            killed += code == -signal.SIGKILL
            if code != -signal.SIGKILL:
                break
        outputs += 1
        left = [e.name for e in folder.iterdir() if e.name.startswith(".") or e.name.endswith(".tmp")]
        # A kill when all was done but the removal of the work folder, which has lost its name already.
        complete = code == 20 and ("exists already" in _said(folder) or "exists and is not empty" in _said(folder))
        if not (code == 0 or complete) or digest(output) != expected or left:
            bad.append(f"output {outputs}: exit {code}, left {left}: {_said(folder)}")
        _remove(output)
    return killed, bad


def digest(output: Path) -> str:
    """The sha256 of a file, or of a folder's files and their names."""
    files = sorted(f for f in output.rglob("*") if f.is_file()) if output.is_dir() else [output]
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + hashlib.sha256(file.read_bytes() if file.exists() else b"").digest())
    return total.hexdigest()


def _start(arguments: list[str], folder: Path) -> int:
    """A process that has loaded the libraries already: that takes longer than all the rest."""
    process = os.fork()
    if process:
        return process
    try:
        os.chdir(folder)
        log = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        from magicpose_cli.cli.app import main

        main(arguments)
    except SystemExit as leaving:
        os._exit(leaving.code if isinstance(leaving.code, int) else 1)
    finally:
        os._exit(1)


def _wait(process: int, seconds: float | None) -> int:
    """The exit code, negative for a signal; killed after ``seconds``."""
    descriptor = os.pidfd_open(process)
    try:
        if not select.select([descriptor], [], [], seconds)[0]:
            os.kill(process, signal.SIGKILL)
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _said(folder: Path) -> str:
    return (folder / "said").read_text(errors="replace")[-500:]


def _remove(output: Path) -> None:
    shutil.rmtree(output, ignore_errors=True)
    output.unlink(missing_ok=True)
    output.with_suffix(".json").unlink(missing_ok=True)
    for work in output.parent.glob(".*.magicpose"):
        shutil.rmtree(work)


def load_libraries() -> None:
    """What both commands load, once for all forks."""
    import mediapipe  # noqa: F401

    import magicpose_cli.animation.animator
    import magicpose_cli.animation.extraction
    import magicpose_cli.diffusion.pipeline  # noqa: F401
    from magicpose_cli.pose import track

    track.STRETCH = 4
