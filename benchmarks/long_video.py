"""How much memory a long video takes against a short one: the peaks of real ``magicpose`` processes, and their ratio.

python benchmarks/long_video.py [--frames 200 5000] [--command animate extract] [--motion] [--compare] [--json -]

``animate`` runs the embedded model on poses of synthetic figures, at a small size and in one step: memory grows with
what is held for each frame, not with the canvas. ``--motion`` gives the model a motion module with random weights, of
its own architecture. ``extract`` finds the poses of a video of figures. Linux and macOS.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from magicpose_cli.animation.models import choose_model
from magicpose_cli.figures.motion import make_motion, random_pose
from magicpose_cli.figures.render import render, track_of
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.pose.openpose_json import ClipInfo, write_poses
from magicpose_cli.video.images import write_image
from magicpose_cli.video.write import write_video

FPS, SIDE = 25, 256
RENDERED = 50  # frames of the driving video that are drawn; they are shown again and again


def main() -> None:
    args = parse()
    report: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="magicpose-") as name:
        folder = Path(name)
        model = with_motion_module(folder / "model") if args.motion else "mini"
        for command in args.command:
            peaks = {}
            for frames in args.frames:
                words = {"animate": animate_words, "extract": extract_words}[command](folder, frames, args, model)
                began = time.monotonic()
                peaks[str(frames)] = peak_mib(words)
                print(
                    f"{command:8} {frames:6} frames: {peaks[str(frames)]:7.0f} MiB at its peak, "
                    f"{time.monotonic() - began:.0f} s",
                    flush=True,
                )
            first, last = peaks[str(args.frames[0])], peaks[str(args.frames[-1])]
            report[command] = {**peaks, "ratio": last / first}
            print(f"{command:8} {args.frames[-1]} against {args.frames[0]} frames: {last / first:.3f} times the memory")
    if args.json == "-":
        print(json.dumps(report))
    elif args.json:
        Path(args.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[200, 5000], help="lengths, the shortest first")
    parser.add_argument("--command", nargs="+", choices=("animate", "extract"), default=["animate"])
    parser.add_argument("--size", type=int, default=64, help="pixels of animate's canvas")
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--motion", action="store_true", help="with a motion module of random weights")
    parser.add_argument("--compare", action="store_true", help="animate writes the comparison too")
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON; - for the terminal")
    return parser.parse_args()


def animate_words(folder: Path, frames: int, args: argparse.Namespace, model: str) -> list[str]:
    person, dancer = random_identity(1), random_identity(2)
    photo, poses, out = folder / "photo.png", folder / f"poses_{frames}", folder / f"animated_{frames}.mp4"
    write_image(photo, render(person, random_pose(1, facing=True), SIDE).image, overwrite=True)
    track = track_of(dancer, make_motion(3, frames, FPS, "dance"), SIDE, FPS)
    write_poses(poses, track, ClipInfo(track.fps, SIDE, SIDE, frames, "figures", None, "figures", "exact"))
    sampling = ["--size", str(args.size), "--steps", str(args.steps), "--fit", "none", "--device", "cpu"]
    compare = ["--compare"] if args.compare else []
    return ["animate", str(photo), str(poses), "-o", str(out), "--model", model, *sampling, *compare]


def extract_words(folder: Path, frames: int, args: argparse.Namespace, model: str) -> list[str]:
    video = folder / f"driver_{frames}.mp4"
    dancer = random_identity(2)
    drawn = [render(dancer, pose, SIDE).image for pose in make_motion(3, RENDERED, FPS, "dance")]

    def shown() -> Iterator[np.ndarray]:
        for index in range(frames):
            yield drawn[index % RENDERED]

    write_video(video, shown(), Fraction(FPS), width=SIDE, height=SIDE)
    return ["extract", str(video), "-o", str(folder / f"found_{frames}")]


def with_motion_module(folder: Path) -> str:
    """The embedded model with temporal layers, saved: the memory of a trained one, without its sense."""
    from magicpose_cli.diffusion.load import load_pipeline
    from magicpose_cli.diffusion.stock import MotionAdapter

    pipeline = load_pipeline(choose_model("mini").folder)
    unet = pipeline.unet.config
    adapter = MotionAdapter(
        block_out_channels=unet.block_out_channels,
        motion_layers_per_block=unet.layers_per_block,
        motion_norm_num_groups=unet.norm_num_groups,
    )
    pipeline.register_modules(motion_adapter=adapter)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return str(folder)


def peak_mib(words: list[str]) -> float:
    """The largest resident memory of a ``magicpose`` process with these words."""
    process = subprocess.Popen([sys.executable, "-m", "magicpose_cli", *words, "--quiet"])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"magicpose {' '.join(words)} ended with {process.returncode}")
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
