"""``MagicPosePipeline``: a reference photo and pose maps → frames. Saving, loading, offload and dtype are diffusers'.

Source: MagicPose (arXiv 2311.12052).
Shapes: F frames, H, W pixels, C latent channels, h, w latent size. Pictures are RGB uint8 (H, W, 3).
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.diffusion.denoise import Conditions, Networks, Segment, begin, denoise_stream
from magicpose_cli.diffusion.guidance import Guidance
from magicpose_cli.diffusion.latents import DECODED_AT_ONCE, as_tensor, decode_latents, encode_pictures, first_noise
from magicpose_cli.diffusion.motion import with_motion
from magicpose_cli.diffusion.packed_maps import PackedMaps
from magicpose_cli.diffusion.pose_control import PoseEmbeddings
from magicpose_cli.diffusion.stock import (
    AutoencoderKL,
    BaseOutput,
    CLIPTextModel,
    CLIPTokenizer,
    ControlNetModel,
    DiffusionPipeline,
    MotionAdapter,
    SchedulerMixin,
    UNet2DConditionModel,
)
from magicpose_cli.diffusion.under_way import UnderWay, pack_segments, unpack_segments
from magicpose_cli.diffusion.windows import Window, batches, windows

PoseMaps = np.ndarray | Sequence[Any] | Callable[[int, int], np.ndarray]
# Latent positions in one pass: 8 frames of 256² or 2 of 512² on a CPU, where a larger batch gains nothing.
_POSITIONS_PER_BATCH = {"cpu": 8 * 32 * 32}
_POSITIONS_PER_BATCH_ON_A_GPU = 8 * 64 * 64
_SEGMENT = 64  # frames that go through all steps together where they do not see each other


@dataclass
class MagicPoseOutput(BaseOutput):
    """``frames``: uint8 (F, H, W, 3), a list of F PIL images, or latents (F, C, h, w), by ``output_type``."""

    frames: np.ndarray | list[Any] | Tensor


class MagicPosePipeline(DiffusionPipeline):
    """Animates the person of a reference photo by pose maps.

    ``default_steps``, ``default_guidance``, ``native_size`` (pixels of a side) and ``motion_shares_noise`` (whether the
    motion module learnt clips that begin with one noise) belong to the weights: they stand in the model folder and
    serve where a call leaves them out.
    """

    model_cpu_offload_seq = "text_encoder->unet->vae"  # the two others stay on the device: all three run in each step
    _optional_components = ["motion_adapter"]  # noqa: RUF012 (diffusers' own name and type)

    def __init__(
        self,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        unet: UNet2DConditionModel,
        appearance_unet: UNet2DConditionModel,
        pose_controlnet: ControlNetModel,
        scheduler: SchedulerMixin,
        motion_adapter: MotionAdapter | None = None,
        default_steps: int = 50,
        default_guidance: float = 7.0,
        native_size: int = 512,
        motion_shares_noise: bool = False,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            unet=unet,
            appearance_unet=appearance_unet,
            pose_controlnet=pose_controlnet,
            scheduler=scheduler,
            motion_adapter=motion_adapter,
        )
        self.register_to_config(
            default_steps=default_steps,
            default_guidance=default_guidance,
            native_size=native_size,
            motion_shares_noise=motion_shares_noise,
        )

    @property
    def vae_scale_factor(self) -> int:
        """Pixels of a side for each latent position."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def __call__(
        self, reference: Any, pose_maps: PoseMaps, *, output_type: str = "np", **options: Any
    ) -> MagicPoseOutput:
        """All frames at once. ``output_type`` is ``np``, ``pil`` or ``latent``; ``options`` as in ``stream``."""
        if output_type == "latent":
            options.pop("decode_chunk", None)
            return MagicPoseOutput(frames=torch.cat(list(self.stream_latents(reference, pose_maps, **options))))
        if output_type not in ("np", "pil"):
            raise UsageError(f"unknown output type '{output_type}'", "use np, pil or latent")
        frames = np.stack(list(self.stream(reference, pose_maps, **options)))
        if output_type == "np":
            return MagicPoseOutput(frames=frames)
        from PIL import Image

        return MagicPoseOutput(frames=[Image.fromarray(frame) for frame in frames])

    @torch.no_grad()
    def stream(
        self, reference: Any, pose_maps: PoseMaps, *, decode_chunk: int = DECODED_AT_ONCE, **options: Any
    ) -> Iterator[np.ndarray]:
        """Yield the frames, RGB uint8 (H, W, 3), one by one; the VAE decodes ``decode_chunk`` at a time.

        ``options`` are the arguments of ``stream_latents``: steps, guidance, seed, motion, memory, progress.
        """
        yield from self.decode(self.stream_latents(reference, pose_maps, **options), decode_chunk)

    @torch.no_grad()
    def decode(self, segments: Iterable[Tensor], decode_chunk: int = DECODED_AT_ONCE) -> Iterator[np.ndarray]:
        """Yield the frames of ``stream_latents``' segments, RGB uint8 (H, W, 3), one by one."""
        for latents in segments:
            yield from decode_latents(self.vae, latents.to(self._execution_device), decode_chunk)
        self.maybe_free_model_hooks()

    @torch.no_grad()
    def stream_latents(
        self,
        reference: Any,
        pose_maps: PoseMaps,
        *,
        frame_count: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance: Guidance | None = None,
        prompt: str = "",
        seed: int | torch.Generator = 0,
        shared_noise: bool | None = None,
        use_motion: bool = True,
        window: int = 16,
        window_overlap: int | None = None,
        frames_per_batch: int | None = None,
        frames_per_segment: int | None = None,
        on_step: Callable[[int, int], None] | None = None,
        first_frame: int = 0,
        begun: UnderWay | None = None,
        on_state: Callable[[UnderWay], None] | None = None,
    ) -> Iterator[Tensor]:
        """Yield the finished latents (F of the segment, C, h, w), float32, segment by segment.

        ``reference`` is a picture (uint8 array or PIL), on the same canvas as the pose maps; both sides a multiple
        of ``vae_scale_factor``. ``pose_maps`` are drawn maps, uint8 (F, H, W, 3) or a sequence of pictures, or a
        function of (start, stop) that draws them, with ``frame_count``: it is asked for each frame once, in order.

        Without a motion module (none loaded, or ``use_motion`` false) frames do not see each other: they go through
        ``frames_per_batch`` at a time, a segment of ``frames_per_segment`` (default: 64) after the other. With one they
        go through in windows of ``window`` frames that share ``window_overlap`` (default: a quarter of a window), and
        segments (default: a window long) follow each other step by step (``denoise_stream``): about one for each
        step is held. Either way memory does not grow with the clip's length, and segments do not show in the result.
        ``shared_noise`` begins all frames with one noise (default: where there is no motion module, and where that
        learnt it so).
        ``guidance`` replaces ``guidance_scale`` and says which conditions its unconditional branch drops.
        ``on_step(done, total)`` is told after each batch or window, in frames times steps.

        ``on_state(under_way)`` is told after each step of a segment where the run is. Given that as ``begun``, another
        call with the same arguments goes on from there, gives out the segments from ``begun.start`` on, and ends with
        the same bits. Without a motion module a call can also begin with a later segment, at ``first_frame``.

        Raises UsageError on arguments that do not fit each other, IntegrityError where a result is not finite.
        """
        device, has_motion = self._execution_device, use_motion and self.motion_adapter is not None
        steps = self.config.default_steps if num_inference_steps is None else num_inference_steps
        scale = self.config.default_guidance if guidance_scale is None else guidance_scale
        picture = self._checked_picture(reference)
        overlap = window // 4 if window_overlap is None else window_overlap
        draw, count = _drawing(pose_maps, frame_count, picture.shape)
        self._check(count, steps, window, overlap, frames_per_batch, frames_per_segment, has_motion)

        pixels = (as_tensor(picture[None]) * 2 - 1).to(device)  # (1, 3, H, W) in [-1, 1]
        clean = encode_pictures(self.vae, pixels).to(self.unet.dtype)  # (1, C, h, w)
        text = self.encode_text(prompt)
        rows = frames_per_batch or batch_rows(device, clean.shape[-2] * clean.shape[-1])
        unet = with_motion(self.unet, self.motion_adapter).to(device) if has_motion else self.unet
        networks = Networks(unet, self.appearance_unet, self.pose_controlnet)
        shared = self.config.motion_shares_noise or not has_motion if shared_noise is None else shared_noise
        noise = first_noise(tuple(clean.shape[1:]), seed, shared=shared, device=device)
        scheduler = copy.deepcopy(self.scheduler)
        scheduler.set_timesteps(steps, device=device)
        length = frames_per_segment or (window if has_motion else _SEGMENT)
        maps = PackedMaps(draw, picture.shape)

        def read(start: int, stop: int) -> Tensor:
            return as_tensor(maps.read(start, stop))

        poses = PoseEmbeddings(self.pose_controlnet, read, count, device=device, keep=max(length, _SEGMENT))

        def windows_at(step: int, start: int, stop: int) -> list[Window]:
            if has_motion:
                return windows(count, window, overlap, step, start=start, stop=stop)
            return batches(stop - start, rows, start)

        def frames_run(step: int, stop: int) -> int:
            """Frames that went through the networks at a step when all before ``stop`` have taken it."""
            return sum(len(w) for w in windows_at(step, 0, count) if w.start < stop) if has_motion else stop

        under_way = unpack_segments(begun, scheduler, device) if begun else []
        start_at = begun.start if begun else first_frame
        total = sum(frames_run(step, count) for step in range(steps))
        done = sum(frames_run(step, _reached(under_way, step, start_at)) for step in range(steps))

        def tell(w: Window) -> None:
            nonlocal done
            done += len(w)
            if on_step is not None:
                on_step(done, total)

        def fresh() -> Iterator[Segment]:
            first = under_way[-1].stop if under_way else start_at
            rest = islice(noise, first, None)
            for start in range(first, count, length):
                latents = torch.cat([*islice(rest, min(length, count - start))])
                yield begin(start, latents * scheduler.init_noise_sigma, scheduler)

        segments = denoise_stream(
            networks,
            Conditions(clean, text, poses),
            chain(under_way, fresh()),
            scheduler.timesteps,
            windows_at,
            guidance or Guidance(scale),
            tell,
            lambda held: on_state(pack_segments(held)) if on_state else None,
        )
        starts = range(start_at, count, length)
        for start, latents in zip(starts, segments, strict=True):
            maps.forget(start + len(latents))
            if not torch.isfinite(latents).all():
                raise IntegrityError(
                    f"the denoiser's result for the frames {start} to {start + len(latents) - 1} is not finite",
                    "try --dtype float32; if that does not help, the weights are damaged",
                )
            yield latents

    @torch.no_grad()
    def encode_text(self, prompt: str = "") -> Tensor:
        """The text encoder's output (1, T, D) for ``prompt``, on the device and in the type of the networks."""
        length = self.tokenizer.model_max_length
        ids = self.tokenizer(prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        text = self.text_encoder(ids.input_ids.to(self._execution_device)).last_hidden_state
        return text.to(self._execution_device, self.unet.dtype)

    def _checked_picture(self, reference: Any) -> np.ndarray:
        picture = _picture(reference)
        side = self.vae_scale_factor
        if picture.shape[0] % side or picture.shape[1] % side:
            raise UsageError(
                f"the canvas is {picture.shape[1]}x{picture.shape[0]} pixels, not a multiple of {side} on both sides",
                "frame the reference and the poses on such a canvas",
            )
        return picture

    def _check(
        self,
        count: int,
        steps: int,
        window: int,
        overlap: int,
        rows: int | None,
        segment: int | None,
        has_motion: bool,
    ) -> None:
        if count < 1:
            raise UsageError("there are no pose maps", "give at least one")
        if not 1 <= steps <= self.scheduler.config.num_train_timesteps:
            most = self.scheduler.config.num_train_timesteps
            raise UsageError(f"{steps} steps are not possible", f"use 1 to {most}")
        if any(number is not None and number < 1 for number in (segment, rows)):
            raise UsageError("a batch and a segment need at least one frame each")
        if has_motion:
            longest = self.motion_adapter.config.motion_max_seq_length
            if not 0 <= overlap < window <= longest:
                raise UsageError(
                    f"a window of {window} frames with {overlap} shared is not possible",
                    f"use a window of at most {longest} frames, and share fewer than that",
                )


def _reached(under_way: Sequence[Segment], step: int, finished: int) -> int:
    """The frame up to which this step is done."""
    return max((segment.stop for segment in under_way if segment.step > step), default=finished)


def batch_rows(device: torch.device, positions: int) -> int:
    """How many frames of so many latent positions go through a network at a time."""
    return max(1, _POSITIONS_PER_BATCH.get(device.type, _POSITIONS_PER_BATCH_ON_A_GPU) // positions)


def _picture(image: Any) -> np.ndarray:
    if hasattr(image, "convert"):  # PIL
        image = image.convert("RGB")
    picture = np.asarray(image)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3:
        raise UsageError(f"a picture is {picture.dtype} {picture.shape}, not RGB uint8 (height, width, 3)")
    return picture


def _drawing(
    pose_maps: PoseMaps, frame_count: int | None, shape: tuple[int, ...]
) -> tuple[Callable[[int, int], np.ndarray], int]:
    """One way to draw pose maps, checked against the reference's canvas, and how many there are."""
    if callable(pose_maps):
        if frame_count is None:
            raise UsageError("pose maps given as a function need frame_count")
        draw, count = pose_maps, frame_count
    else:
        drawn = pose_maps
        count = len(drawn) if frame_count is None else frame_count
        if count > len(drawn):
            raise UsageError(f"frame_count is {count}, but there are {len(drawn)} pose maps")

        def draw(start: int, stop: int) -> np.ndarray:
            return np.stack([_picture(drawn[i]) for i in range(start, stop)])

    def checked(start: int, stop: int) -> np.ndarray:
        maps = draw(start, stop)
        if maps.dtype != np.uint8:
            raise UsageError(f"pose maps are {maps.dtype}, not RGB uint8")
        if maps.shape != (stop - start, *shape):
            raise UsageError(
                f"the pose maps {start} to {stop - 1} have shape {maps.shape}, "
                f"but the reference is {shape[1]}x{shape[0]} pixels",
                "frame the reference and the poses on one canvas",
            )
        return maps

    return checked, count
