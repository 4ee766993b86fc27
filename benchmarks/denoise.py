"""Seconds a frame and step, part by part: magicpose's loop against a plain one, on the same weights in the same run.

python benchmarks/denoise.py --config sd15 --size 256 --frames 8 --steps 1 [--device cuda --dtype float16] [--json -]

The plain loop does what the original does: one frame at a time, the appearance pass for each frame, the ControlNet in
both branches, its pose map encoded at each step, the reference's keys and values projected again for each frame.
Weights are random: time does not depend on them. The VAE and the text encoder run once a clip and are left out.
"""

import argparse
import json
import platform
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from magicpose_cli.core.device import choose_device
from magicpose_cli.diffusion.checkpoints.sd15_config import CONTROLNET, UNET
from magicpose_cli.diffusion.denoise import Conditions, Networks, denoise
from magicpose_cli.diffusion.guidance import Guidance
from magicpose_cli.diffusion.pose_control import PoseEmbeddings
from magicpose_cli.diffusion.reference_attention import reference_layers
from magicpose_cli.diffusion.schedulers import published_scheduler
from magicpose_cli.diffusion.stock import ControlNetModel, UNet2DConditionModel
from magicpose_cli.diffusion.windows import batches

SIZES = {"sd15": {}, "tiny": {"block_out_channels": (32, 64, 128, 128), "cross_attention_dim": 64}}
PARTS = ("appearance", "pose control", "conditional", "unconditional")
GUIDANCE = 7.0


def main() -> None:
    args = parse()
    if args.threads:
        torch.set_num_threads(args.threads)
    device, dtype = choose_device(args.device), getattr(torch, args.dtype)
    networks = build(SIZES[args.config], device, dtype)
    scene = Scene.random(args, networks, device, dtype)

    runs = {"ours": lambda frames, steps: ours(scene, frames, steps, args.frames_per_batch)}
    if not args.ours_only:
        runs["plain"] = lambda frames, steps: plain(scene, frames, steps)
    measured, latents = {}, {}
    for name, run in runs.items():
        run(1, 1)  # warm up: kernels chosen, memory mapped
        clock = Clock(networks, device)
        forget_peak(device)
        latents[name] = clock.whole(lambda run=run: run(args.frames, args.steps))
        measured[name] = clock.seconds_a_frame_and_step(args.frames * args.steps)
        measured[name]["peak GiB"] = peak_gib(device)
    report = {
        "config": args.config,
        "size": args.size,
        "frames": args.frames,
        "steps": args.steps,
        "frames_per_batch": args.frames_per_batch,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "dtype": args.dtype,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "seconds_a_frame_and_step": measured,
    }
    if "plain" in measured:
        difference = torch.linalg.vector_norm(latents["ours"] - latents["plain"])
        report["relative_difference"] = float(difference / torch.linalg.vector_norm(latents["plain"]))
        report["times_faster"] = measured["plain"]["total"] / measured["ours"]["total"]
    print_table(report)
    if args.json == "-":
        print(json.dumps(report))
    elif args.json:
        Path(args.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=SIZES, default="sd15")
    parser.add_argument("--size", type=int, default=256, help="pixels of a side, a multiple of 8")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--frames-per-batch", type=int, default=8)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--ours-only", action="store_true", help="leave out the plain loop")
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON; - for the terminal")
    return parser.parse_args()


def build(sizes: dict, device: torch.device, dtype: torch.dtype) -> Networks:
    """Full-size networks in seconds: never initialised twice, filled from one block of random numbers."""
    unet, appearance = (filled(UNet2DConditionModel, UNET | sizes, seed, device, dtype) for seed in (0, 1))
    return Networks(unet, appearance, filled(ControlNetModel, CONTROLNET | sizes, 2, device, dtype))


@torch.no_grad()
def filled(cls: type, config: dict, seed: int, device: torch.device, dtype: torch.dtype) -> torch.nn.Module:
    with torch.device("meta"):
        model = cls(**config)
    model = torch.nn.Module.to(model, dtype).to_empty(device=device)  # past diffusers' own, which warns of nothing
    model = model.eval().requires_grad_(False)
    block = torch.randn(2**20, generator=torch.Generator().manual_seed(seed)).to(device, dtype)
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.fill_(0)
        else:
            flat, scale = parameter.view(-1), prod(parameter.shape[1:]) ** -0.5
            for start in range(0, len(flat), len(block)):
                flat[start : start + len(block)].copy_(block[: len(flat) - start]).mul_(scale)
    for module in model.modules():
        if isinstance(module, (torch.nn.GroupNorm, torch.nn.LayerNorm)):
            module.weight.fill_(1)
    return model


@dataclass(frozen=True)
class Scene:
    """Random inputs: noise and pose maps of each frame, the reference's latent, the text."""

    networks: Networks
    noise: Tensor
    maps: Tensor
    reference: Tensor
    text: Tensor

    @staticmethod
    def random(args: argparse.Namespace, networks: Networks, device: torch.device, dtype: torch.dtype) -> "Scene":
        g, side = torch.Generator().manual_seed(0), args.size // 8
        width = networks.unet.config.cross_attention_dim
        return Scene(
            networks,
            torch.randn(1, 4, side, side, generator=g).expand(args.frames, -1, -1, -1).to(device),
            torch.rand(args.frames, 3, args.size, args.size, generator=g),
            torch.randn(1, 4, side, side, generator=g).to(device, dtype),
            torch.randn(1, 77, width, generator=g).to(device, dtype),
        )


def ours(scene: Scene, frames: int, steps: int, rows: int) -> Tensor:
    device = scene.noise.device
    poses = PoseEmbeddings(
        scene.networks.pose_controlnet, lambda start, stop: scene.maps[start:stop], frames, device=device
    )
    scheduler = published_scheduler()
    scheduler.set_timesteps(max(steps, 2), device=device)
    scheduler.timesteps = scheduler.timesteps[:steps]
    plan = batches(frames, rows)
    conditions = Conditions(scene.reference, scene.text, poses)
    return denoise(scene.networks, conditions, scene.noise[:frames], scheduler, lambda step: plan, Guidance(GUIDANCE))


@torch.no_grad()
def plain(scene: Scene, frames: int, steps: int) -> Tensor:
    n, dtype, device = scene.networks, scene.reference.dtype, scene.noise.device
    scheduler = published_scheduler()
    scheduler.set_timesteps(max(steps, 2), device=device)
    finished = []
    for frame in range(frames):
        x, drawn = scene.noise[frame : frame + 1], scene.maps[frame : frame + 1].to(device, dtype)
        for t in scheduler.timesteps[:steps]:
            noisy = x.to(dtype)
            seen: dict[str, Tensor] = {}
            with replaced(n.appearance_unet, lambda name, layer, seen=seen: Recording(name, seen, layer.processor)):
                n.appearance_unet(scene.reference, t, scene.text)
            down, middle = n.pose_controlnet(noisy, t, scene.text, controlnet_cond=drawn, return_dict=False)
            with replaced(n.unet, lambda name, layer, seen=seen: Joining(name, seen, layer.processor)):
                conditional = n.unet(
                    noisy,
                    t,
                    scene.text,
                    down_block_additional_residuals=down,
                    mid_block_additional_residual=middle,
                ).sample.float()
            n.pose_controlnet(noisy, t, scene.text, controlnet_cond=drawn, return_dict=False)  # not used, but run
            unconditional = n.unet(noisy, t, scene.text).sample.float()
            guided = unconditional + GUIDANCE * (conditional - unconditional)
            x = scheduler.step(guided, t, x).prev_sample
        finished.append(x)
    return torch.cat(finished)


@dataclass
class Recording:
    name: str
    seen: dict[str, Tensor]
    original: Callable

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        self.seen[self.name] = hidden_states
        return self.original(attn, hidden_states)


@dataclass
class Joining(Recording):
    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        return self.original(attn, hidden_states, torch.cat([hidden_states, self.seen[self.name]], dim=1))


@contextmanager
def replaced(unet: torch.nn.Module, make: Callable) -> Iterator[None]:
    """Within the block, each self-attention layer has the processor that ``make(name, layer)`` gives."""
    originals = {name: layer.processor for name, layer in reference_layers(unet).items()}
    try:
        for name, layer in reference_layers(unet).items():
            layer.set_processor(make(name, layer))
        yield
    finally:
        for name, layer in reference_layers(unet).items():
            layer.set_processor(originals[name])


@dataclass
class Clock:
    """Seconds inside each part, told from outside by forward hooks, the same way for both loops."""

    networks: Networks
    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def whole(self, run: Callable[[], Tensor]) -> Tensor:
        n, hooks, started = self.networks, [], [0.0]
        names = {n.appearance_unet: lambda kw: "appearance", n.pose_controlnet: lambda kw: "pose control"}
        names[n.pose_controlnet.controlnet_cond_embedding] = lambda kw: "pose control"
        posed = "down_block_additional_residuals"
        names[n.unet] = lambda kw: "conditional" if kw.get(posed) is not None else "unconditional"
        inside: list[torch.nn.Module] = []

        def before(module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
            inside.append(module)
            if len(inside) == 1:  # the encoder inside the plain ControlNet's own pass is not counted twice
                started[0] = self.now()

        def after(module: torch.nn.Module, args: tuple, kwargs: dict, output: object) -> None:
            inside.pop()
            if not inside:
                self.seconds[names[module](kwargs)] += self.now() - started[0]

        for module in names:
            hooks.append(module.register_forward_pre_hook(before, with_kwargs=True))
            hooks.append(module.register_forward_hook(after, with_kwargs=True))
        begin = self.now()
        try:
            result = run()
        finally:
            for hook in hooks:
                hook.remove()
        self.seconds["total"] = self.now() - begin
        return result

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def seconds_a_frame_and_step(self, frame_steps: int) -> dict[str, float]:
        parts = {part: self.seconds[part] / frame_steps for part in PARTS}
        total = self.seconds["total"] / frame_steps
        return parts | {"the rest": total - sum(parts.values()), "total": total}


def forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_gib(device: torch.device) -> float:
    """Of the GPU's memory, or of the process (weights included)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def print_table(report: dict) -> None:
    measured = report["seconds_a_frame_and_step"]
    print(
        f"{report['config']}, {report['size']}x{report['size']}, {report['frames']} frames, {report['steps']} steps, "
        f"{report['dtype']}, {report['device']}, {report['threads']} threads, torch {report['torch']}\n"
        "seconds a frame and step\n"
    )
    print(f"{'part':<16}" + "".join(f"{name:>10}" for name in measured))
    for part in next(iter(measured.values())):
        print(f"{part:<16}" + "".join(f"{figures[part]:>10.4f}" for figures in measured.values()))
    if "times_faster" in report:
        print(
            f"\n{report['times_faster']:.2f} times faster; "
            f"the results differ by {report['relative_difference']:.1e} of their norm"
        )


if __name__ == "__main__":
    main()
