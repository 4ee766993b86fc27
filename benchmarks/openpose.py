"""Seconds a frame of one person, both hands and the face: magicpose's OpenPose detector against controlnet_aux's.

python benchmarks/openpose.py [--frames 1] [--size 512] [--hand-scales 1] [--device cpu --threads 1] [--json -]

Needs the extra 'openpose' and no weights: they are random, and time does not depend on them. The body network then
finds nobody, so both sides get the same boxes of hands and face, where a person in the middle of the picture has them.
controlnet_aux takes frames and crops one by one, each hand at four scales, as it always does.
On the CPU the time is that of the processor, which other programs on the machine change little.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from magicpose_cli.core.device import choose_device
from magicpose_cli.pose.crops import Square
from magicpose_cli.pose.openpose import FACE_SIDE, HAND_SIDE, OpenPoseDetector
from magicpose_cli.pose.openpose_networks import Networks, controlnet_aux_module, empty_networks

SHARES = {"hands": ((0.25, 0.5, 0.2), (0.55, 0.5, 0.2)), "face": ((0.4, 0.1, 0.2),)}  # left, top, side of the frame


def main() -> None:
    args = parse()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    device = choose_device(args.device)
    networks = empty_networks()
    for network in vars(networks).values():
        network.eval().requires_grad_(False).to(device)
    frames = list(np.random.default_rng(0).integers(0, 256, (args.frames, args.size, args.size, 3), np.uint8))
    squares = {
        part: [Square(*(round(share * args.size) for share in box)) for box in boxes] for part, boxes in SHARES.items()
    }
    measured = {
        "magicpose": ours(networks, device, frames, squares, args.hand_scales),
        "controlnet_aux": theirs(networks, frames, squares),
    }
    totals = {name: sum(parts.values()) for name, parts in measured.items()}
    report = {
        "frames": args.frames,
        "size": args.size,
        "hand_scales": args.hand_scales,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "threads": args.threads,
        "torch": torch.__version__,
        "seconds_a_frame": {name: {**parts, "total": totals[name]} for name, parts in measured.items()},
        "times_faster": totals["controlnet_aux"] / totals["magicpose"],
    }
    print(f"{'':16}" + "".join(f"{part:>10}" for part in ("body", "hands", "face", "total")) + "   seconds a frame")
    for name, parts in report["seconds_a_frame"].items():
        print(f"{name:16}" + "".join(f"{seconds:10.2f}" for seconds in parts.values()))
    print(f"{report['times_faster']:.1f} times faster")
    if args.json == "-":
        print(json.dumps(report))
    elif args.json:
        Path(args.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def ours(
    networks: Networks,
    device: torch.device,
    frames: list[np.ndarray],
    squares: dict[str, list[Square]],
    hand_scales: list[float],
) -> dict[str, float]:
    detector = OpenPoseDetector(networks, device, tuple(hand_scales))
    batches = [frames[i : i + detector.batch_size] for i in range(0, len(frames), detector.batch_size)]

    def parts(part: str, batch: list[np.ndarray]) -> None:
        boxes = squares[part] * len(batch)
        pictures = [frame for frame in batch for _ in squares[part]]
        if part == "hands":
            detector.points_in(pictures, boxes, HAND_SIDE, 21, detector.hand_maps)
        else:
            detector.points_in(pictures, boxes, FACE_SIDE, 70, detector.face_maps)

    with torch.inference_mode():
        return {
            "body": clocked(lambda: [detector.bodies(batch) for batch in batches], device) / len(frames),
            "hands": clocked(lambda: [parts("hands", batch) for batch in batches], device) / len(frames),
            "face": clocked(lambda: [parts("face", batch) for batch in batches], device) / len(frames),
        }


def theirs(networks: Networks, frames: list[np.ndarray], squares: dict[str, list[Square]]) -> dict[str, float]:
    modules = {name: controlnet_aux_module(name) for name in ("body", "hand", "face")}
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, network in vars(networks).items():
            paths[name] = str(Path(folder) / f"{name}.pth")
            names = {key: key if name == "face" else key.split(".", 1)[1] for key in network.state_dict()}
            torch.save({names[key]: value for key, value in network.state_dict().items()}, paths[name])
        device = next(networks.body.parameters()).device
        body = modules["body"].Body(paths["body"]).to(device)
        hand = modules["hand"].Hand(paths["hand"]).to(device)
        face = modules["face"].Face(paths["face"]).to(device)

    def crops(part: str) -> list[np.ndarray]:
        return [
            np.ascontiguousarray(frame[s.top : s.top + s.side, s.left : s.left + s.side, ::-1])
            for frame in frames
            for s in squares[part]
        ]

    def faces() -> None:
        for crop in crops("face"):
            face.compute_peaks_from_heatmaps(face(crop))

    with torch.no_grad():
        return {
            "body": clocked(lambda: [body(frame[:, :, ::-1].copy()) for frame in frames], device) / len(frames),
            "hands": clocked(lambda: [hand(crop) for crop in crops("hands")], device) / len(frames),
            "face": clocked(faces, device) / len(frames),
        }


def clocked(work: Callable[[], object], device: torch.device) -> float:
    """Seconds: of the processor on one CPU thread, else of the clock, after a first run that is not counted."""
    if device.type == "cuda":
        work()
        torch.cuda.synchronize(device)
    clock = time.process_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - began


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--size", type=int, default=512, help="of the square frames, in pixels")
    parser.add_argument("--hand-scales", type=float, nargs="+", default=[1.0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="'-': to the terminal")
    return parser.parse_args()


if __name__ == "__main__":
    main()
