"""How well the watermark is found again, and that it is not found where it is not.

    python benchmarks/provenance.py [--marked 20] [--unmarked 200] [--media FOLDER]

Makes clips of synthetic figures (24 frames of 256 x 256 and of 512 x 512), marks them, writes them as the tool does
(H.264, crf 18), changes each as the web would, and looks for the watermark. Then the same search on clips that are not
marked. ``--media`` adds the videos of a folder to both, scaled to the same number of pixels.
"""

import argparse
import itertools
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from magicpose_cli.core.errors import MagicPoseError
from magicpose_cli.figures.motion import make_motion
from magicpose_cli.figures.render import render
from magicpose_cli.figures.scene import random_identity
from magicpose_cli.provenance.detection import Detection, Detector
from magicpose_cli.provenance.watermark import Watermark
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video

FRAMES, SHORT = 24, 8
SIDES = (256, 512)
KINDS = ("dance", "talk", "wave", "turn")
H264 = ("-c:v", "libx264", "-an")
CHANGES = {
    "as written (crf 18)": None,
    "remuxed (-c copy)": ("-c", "copy"),
    "again at crf 18": (*H264, "-crf", "18"),
    "again at crf 28": (*H264, "-crf", "28"),
    "again at crf 35": (*H264, "-crf", "35"),
    "half size, crf 18": (*H264, "-crf", "18", "-vf", "scale=2*trunc(iw/4):-2"),
    "half size, crf 28": (*H264, "-crf", "28", "-vf", "scale=2*trunc(iw/4):-2"),
    "cropped to 90 %, crf 18": (*H264, "-crf", "18", "-vf", "crop=2*floor(iw*0.45):2*floor(ih*0.45):iw*0.06:ih*0.03"),
    "cropped to 90 %, crf 28": (*H264, "-crf", "28", "-vf", "crop=2*floor(iw*0.45):2*floor(ih*0.45):iw*0.06:ih*0.03"),
}


def figure(seed: int, side: int, count: int) -> list[np.ndarray]:
    """A clip of a person of this seed."""
    person = random_identity(seed)
    motion = make_motion(seed, count, fps=12, kind=KINDS[seed % len(KINDS)])
    return [render(person, pose, side).image for pose in motion]


def recorded(folder: Path, side: int, count: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The beginnings of the videos of a folder, with about side x side pixels."""
    for path in sorted(folder.rglob("*.*")):
        try:
            frames = list(itertools.islice(open_clip(path).frames(), count))
        except MagicPoseError:
            continue
        height, width = frames[0].shape[:2]
        scale = side / (height * width) ** 0.5
        size = (round(width * scale / 2) * 2, round(height * scale / 2) * 2)
        yield path.name, [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]


def detect(frames: Iterator[np.ndarray] | list[np.ndarray]) -> Detection:
    detector = Detector()
    for frame in frames:
        detector.add(frame)
    return detector.result()


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((first.astype(float) - second) ** 2)))


def measure_marked(name: str, side: int, clips: list[list[np.ndarray]], folder: Path) -> None:
    """A table of what is found of ``clips`` after each change."""
    distances, seconds, found = [], [], {change: [] for change in CHANGES}
    for number, frames in enumerate(clips):
        height, width = frames[0].shape[:2]
        payload = number * 37 % 4096
        watermark = Watermark(payload, width, height)
        began = time.process_time()
        marked = [watermark.mark(frame) for frame in frames]
        seconds.append((time.process_time() - began) / len(frames))
        distances += [psnr(*pair) for pair in zip(frames, marked, strict=True)]
        written = folder / "written.mp4"
        write_video(written, marked, Fraction(12), width=width, height=height, overwrite=True)
        for change, options in CHANGES.items():
            file = written
            if options is not None:
                file = folder / "changed.mp4"
                command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", written, *options, file]
                subprocess.run(command, check=True)
            detection = detect(open_clip(file).frames())
            found[change].append((detection, detection.payload == payload))
    print(f"\n{name}, {len(clips)} clips of about {side} x {side}: ", end="")
    print(f"PSNR {min(distances):.1f} to {max(distances):.1f} dB, ", end="")
    print(f"{1000 * statistics.median(seconds):.1f} ms a frame (CPU)")
    print(f"{'':26}{'found':>9}{'id read':>9}{'median z':>10}{'lowest z':>10}")
    for change, results in found.items():
        z = [detection.z for detection, _ in results]
        count, read = sum(detection.found for detection, _ in results), sum(right for _, right in results)
        row = f"{count:>5}/{len(results)}{read:>6}/{len(results)}{statistics.median(z):>10.1f}{min(z):>10.1f}"
        print(f"{change:26}{row}", flush=True)


def measure_unmarked(name: str, clips: Iterator[list[np.ndarray]]) -> None:
    results = [detect(frames) for frames in clips]
    z = [detection.z for detection in results]
    false = sum(detection.found for detection in results)
    print(f"\n{name}, {len(results)} clips without a watermark: found in {false}; lowest chance ", end="")
    print(f"{min(detection.chance for detection in results):.2g}, highest z {max(z):.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--marked", type=int, default=20, help="clips of figures at each size")
    parser.add_argument("--unmarked", type=int, default=200, help="clips of figures")
    parser.add_argument("--media", type=Path, help="a folder of videos to add")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for side in SIDES:
            if asked.marked:
                clips = [figure(seed, side, FRAMES) for seed in range(asked.marked)]
                measure_marked("figures", side, clips, Path(scratch))
            if asked.media:
                clips = [frames for _, frames in recorded(asked.media, side, FRAMES)]
                measure_marked("recorded", side, clips, Path(scratch))
    if asked.unmarked:
        measure_unmarked("figures", (figure(1000 + seed, SIDES[0], SHORT) for seed in range(asked.unmarked)))
    if asked.media:
        measure_unmarked("recorded", (frames for _, frames in recorded(asked.media, SIDES[1], SHORT)))


if __name__ == "__main__":
    main()
