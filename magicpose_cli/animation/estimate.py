"""``--dry-run``: what ``animate`` would do, and about how much time, memory and disk it would take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from magicpose_cli.animation.animator import check_outputs, fill_defaults
from magicpose_cli.animation.inputs import open_inputs
from magicpose_cli.animation.kept_run import disk_need
from magicpose_cli.animation.models import ModelFacts, choose_model, model_facts
from magicpose_cli.animation.pose_input import kind_of, must_extract
from magicpose_cli.animation.reference import person_in
from magicpose_cli.animation.request import AnimationRequest, check_request, parse_fps, parse_size
from magicpose_cli.animation.sound import choose_sound
from magicpose_cli.conditions.framing import choose_canvas, fit_framing, unframed_size
from magicpose_cli.conditions.paste_back import patch_of
from magicpose_cli.conditions.retarget import require_person
from magicpose_cli.core.device import choose_device, choose_dtype
from magicpose_cli.core.disk import amount_of_bytes
from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.core.framing import Framing
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.pose.registry import choose_detector
from magicpose_cli.video.read import open_clip, read_image
from magicpose_cli.video.write import written_size
from magicpose_cli.weights.verify import intact_files

_STEADY = 0.6  # what real layers reach of the speed of the one that is timed
_SECONDS_A_LAYER = 40e-6  # to start it, however small it is
_FINDING_POSES = {"mediapipe": 0.07, "openpose": 11.4}  # seconds a frame on a CPU: README, "Speed"; others unmeasured
_BYTES_A_PIXEL = 0.12  # H.264 at our quality, from results
_LIVE_LAYERS = 60  # of the widest latents, held at a time
_LIBRARIES = 700_000_000  # bytes that torch and the other libraries take in the machine's memory


@dataclass(frozen=True)
class RunPlan:
    """What a run would do. ``seconds``, ``memory_bytes`` and ``disk_bytes`` are rough estimates.

    ``patch`` is the part of the photo that ``paste_back`` replaces: left, top, right, bottom in its pixels. It is None
    without paste-back, and before the poses are found.

    Where nobody measured how fast the detector is, ``seconds`` leaves it out, and a sentence says so.
    """

    request: dict[str, Any]
    model: str
    frames: int
    fps: str
    width: int
    height: int
    patch: tuple[int, int, int, int] | None
    steps: int
    device: str
    dtype: str
    seconds: float
    memory_bytes: int
    disk_bytes: int
    sentences: tuple[str, ...]


def plan_run(request: AnimationRequest, progress: Progress = SILENT) -> RunPlan:
    """Look at all that ``animate`` would, but for poses in a driving video, and write nothing.

    Raises what ``animate`` would raise, but for what shows only in those poses.
    """
    check_request(request)
    writes = check_outputs(request)
    device = choose_device(request.device)
    dtype = choose_dtype(request.dtype, device)
    choice = choose_model(request.model, request.device)
    facts = model_facts(choice.folder)
    kind = kind_of(request.poses)
    choose_sound(request.audio, None)  # a wrong file is told now
    frames, fps, framing = _shape(request, facts, progress)
    finding, unmeasured = _finding_poses(request, frames)
    canvas = framing.width, framing.height
    width, height = unframed_size(framing)
    if request.paste_back:
        width, height = framing.source_width, framing.source_height
    width, height = written_size(request.output, width, height)
    patch = patch_of(framing) if request.paste_back and not must_extract(request) else None
    request = replace(fill_defaults(request, choice, facts, canvas), device=str(device), dtype=str(dtype)[6:])
    steps, guided = request.steps or 1, request.guidance != 1
    cost = _network_cost(choice.folder, canvas, device, dtype)
    seconds = finding + frames * steps * cost.seconds_a_frame_step(guided) + frames * cost.decoding
    disk = int(frames * width * height * _BYTES_A_PIXEL * (3 if request.compare else 1))
    disk += disk_need(frames, cost.latent_size, steps, in_turn=request.motion)
    what = f"{frames} frames of {width}x{height} at {fps} a second ({float(frames / fps):.2f} s)"
    sentences = [
        choice.sentence,
        f"would write {request.output}: {what}" if writes else f"would leave {request.output} as it is: it exists",
        f"from {request.reference} and the {kind} in {request.poses}",
        *([_of_paste(patch)] if request.paste_back else []),
        f"{steps} steps of {request.scheduler}, guidance {request.guidance:g}, seed {request.seed}",
        f"on a canvas of {canvas[0]}x{canvas[1]}, in {str(dtype)[6:]} on {device}",
        f"about {_span(seconds)}, {amount_of_bytes(cost.memory)} of memory, {amount_of_bytes(disk)} of disk",
        *unmeasured,
    ]
    return RunPlan(
        request=request.to_json(),
        model=choice.name,
        frames=frames,
        fps=str(fps),
        width=width,
        height=height,
        patch=patch,
        steps=steps,
        device=str(device),
        dtype=str(dtype)[6:],
        seconds=seconds,
        memory_bytes=cost.memory,
        disk_bytes=disk,
        sentences=tuple(sentences),
    )


def _of_paste(patch: tuple[int, int, int, int] | None) -> str:
    """Where the patch lies in the photo; while nobody knows the poses, nobody can tell."""
    if patch is None:
        return (
            "laid back into the photo: which part of it is made anew shows when the poses are found; preview draws it"
        )
    left, top, right, bottom = patch
    return f"laid back into the photo as a patch of {right - left}x{bottom - top} pixels, {left} across and {top} down"


def _finding_poses(request: AnimationRequest, frames: int) -> tuple[float, tuple[str, ...]]:
    """The seconds to find the poses where that must be done first, and a sentence where they are not known."""
    if not must_extract(request):
        return 0.0, ()
    detector = choose_detector(request.detector, intact_files).kind.name
    on_cpu = detector == "mediapipe" or choose_device(request.device).type == "cpu"
    if on_cpu and detector in _FINDING_POSES:
        return frames * _FINDING_POSES[detector], ()
    where = "the CPU" if on_cpu else request.device if request.device != "auto" else "the GPU"
    return 0.0, (f"the time to find the poses comes on top: how fast {detector} is on {where} was not measured",)


def _shape(request: AnimationRequest, facts: ModelFacts, progress: Progress) -> tuple[int, Fraction, Framing]:
    """Frames, rate and framing. While nobody knows the poses, the framing is that of the whole photo."""
    if not must_extract(request):
        inputs = open_inputs(request, facts.native_size, facts.multiple, progress)
        return inputs.poses.frame_count, inputs.poses.fps, inputs.conditions.framing
    clip = open_clip(
        request.poses,
        fps=parse_fps(request.fps) if request.fps else None,
        start=request.start,
        end=request.end,
    )
    for note in clip.notes:
        progress.note(note)
    reference = read_image(request.reference)
    if request.fit == "auto":
        require_person(person_in(reference, request.detector, request.reference_poses, request.device))
    photo = reference.shape[1], reference.shape[0]
    canvas = choose_canvas(*photo, parse_size(request.size) if request.size else facts.native_size, facts.multiple)
    return clip.frame_count, clip.fps, fit_framing(*photo, *canvas)


@dataclass(frozen=True)
class _Cost:
    """Seconds of one pass of each network for one frame, of decoding one; bytes of memory; numbers of a latent."""

    denoiser: float
    controlnet: float
    decoding: float
    memory: int
    latent_size: int

    def seconds_a_frame_step(self, guided: bool) -> float:
        """The conditional branch reads the bank: a tenth more. The appearance pass is shared by many frames."""
        return 1.1 * self.denoiser + self.controlnet + (self.denoiser if guided else 0)


def _network_cost(folder: Path, canvas: tuple[int, int], device: torch.device, dtype: torch.dtype) -> _Cost:
    """Operations are counted on networks without memory, and one layer is timed on the device."""
    from torch.utils.flop_counter import FlopCounterMode

    from magicpose_cli.diffusion.latents import DECODED_AT_ONCE
    from magicpose_cli.diffusion.load import read_configs
    from magicpose_cli.diffusion.pipeline import batch_rows

    configs = read_configs(folder)
    unet, controlnet, vae = (
        _without_memory(folder, name, configs[name]) for name in ("unet", "pose_controlnet", "vae")
    )
    factor = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    width, height = canvas[0] // factor, canvas[1] // factor
    latents = torch.empty(1, configs["vae"]["latent_channels"], height, width, device="meta")
    text = torch.empty(1, 77, configs["unet"]["cross_attention_dim"], device="meta")
    picture = torch.empty(1, 3, canvas[1], canvas[0], device="meta")
    t = torch.empty(1, device="meta")
    passes = {
        "unet": (unet, lambda: unet(latents, t, text)),
        "controlnet": (controlnet, lambda: controlnet(latents, t, text, picture)),
        "vae": (vae, lambda: vae.decode(latents)),
    }
    rate = _operations_a_second(device, dtype)
    rows = batch_rows(device, width * height)
    seconds = {}
    for name, (network, run) in passes.items():
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            run()
        layers = sum(1 for module in network.modules() if not any(module.children()))
        batch = DECODED_AT_ONCE if name == "vae" else rows
        seconds[name] = counter.get_total_flops() / rate + layers * _SECONDS_A_LAYER / batch
    weights = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    weights = weights * dtype.itemsize // _stored_bytes(folder)
    working = rows * width * height * configs["unet"]["block_out_channels"][0] * dtype.itemsize * _LIVE_LAYERS
    libraries = _LIBRARIES if device.type == "cpu" else 0
    memory = weights + working + libraries
    return _Cost(seconds["unet"], seconds["controlnet"], seconds["vae"], memory, latents.numel())


@contextmanager
def _intact(part: Path) -> Iterator[None]:
    """What diffusers and safetensors raise for a damaged part of a model, down to bare Exception, as IntegrityError."""
    try:
        yield
    except Exception as error:
        raise IntegrityError(
            f"{part} cannot be loaded: {error}", "download or convert the model again, or give another folder"
        ) from error


def _without_memory(folder: Path, name: str, config: dict[str, Any]) -> torch.nn.Module:
    """The model's network ``name`` on the meta device."""
    from magicpose_cli.diffusion.checkpoints.sd15_config import empty_module

    with _intact(folder / name):
        plain = {key: value for key, value in config.items() if not key.startswith("_")}
        return empty_module("controlnet" if name == "pose_controlnet" else name, plain)


def _stored_bytes(folder: Path) -> int:
    """Bytes of one number as the denoiser's file stores it."""
    from safetensors import safe_open

    file = next((folder / "unet").glob("*.safetensors"))
    with _intact(file), safe_open(file, framework="pt") as tensors:
        return int(tensors.get_tensor(next(iter(tensors.keys()))).element_size())


def _operations_a_second(device: torch.device, dtype: torch.dtype) -> float:
    """From one convolution of the size that SD 1.5 is made of, timed for about a fifth of a second."""
    channels, side = 320, 32
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1).to(device, dtype)
    values = torch.randn(1, channels, side, side).to(device, dtype)
    operations = 2 * 9 * channels * channels * side * side

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with torch.no_grad():
        layer(values)
        wait()
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < 0.2:
            layer(values)
            wait()
            done += 1
        return _STEADY * operations * done / (time.perf_counter() - began)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
