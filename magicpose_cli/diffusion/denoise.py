"""The denoising loop. It knows no files, prompts or progress bars.

Shapes: F frames, C latent channels, h, w latent size, T text tokens, D text width.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from magicpose_cli.diffusion.appearance import write_appearance
from magicpose_cli.diffusion.attention_bank import AttentionBank
from magicpose_cli.diffusion.batch_size import BatchSize
from magicpose_cli.diffusion.guidance import APPEARANCE, CONDITIONS, POSE, Guidance
from magicpose_cli.diffusion.motion import Denoiser, run_denoiser
from magicpose_cli.diffusion.pose_control import PoseEmbeddings, pose_residuals
from magicpose_cli.diffusion.reference_attention import attach_read
from magicpose_cli.diffusion.stock import ControlNetModel, SchedulerMixin, UNet2DConditionModel, UNetMotionModel
from magicpose_cli.diffusion.text_attention import attach_text
from magicpose_cli.diffusion.windows import Window


@dataclass(frozen=True)
class Networks:
    """The three networks of a step. ``unet`` may hold temporal layers (``motion.with_motion``)."""

    unet: Denoiser
    appearance_unet: UNet2DConditionModel
    pose_controlnet: ControlNetModel


@dataclass(frozen=True)
class Conditions:
    """What is fixed over all steps: the clean reference latent (1, C, h, w), the text (1, T, D), the encoded poses."""

    reference: Tensor
    text: Tensor
    poses: PoseEmbeddings


def denoise(
    networks: Networks,
    conditions: Conditions,
    latents: Tensor,
    scheduler: SchedulerMixin,
    windows_at: Callable[[int], list[Window]],
    guidance: Guidance,
    on_window: Callable[[Window], None] = lambda window: None,
) -> Tensor:
    """Noise (F, C, h, w) of a whole clip → latents: ``denoise_stream`` with the clip as its only segment."""
    segment = begin(0, latents, scheduler)
    (whole,) = denoise_stream(
        networks,
        conditions,
        [segment],
        scheduler.timesteps,
        lambda step, start, stop: windows_at(step),
        guidance,
        on_window,
    )
    return whole


@dataclass(eq=False)
class Segment:
    """The frames from ``start`` on, after ``step`` steps; ``prediction`` adds up what windows said of them so far."""

    start: int
    latents: Tensor  # (F, C, h, w)
    prediction: Tensor  # (F, C, h, w)
    scheduler: SchedulerMixin  # its own: multistep samplers remember
    step: int = 0

    @property
    def stop(self) -> int:
        return self.start + len(self.latents)

    def advance(self, t: Tensor) -> None:
        self.latents = self.scheduler.step(self.prediction, t, self.latents, return_dict=False)[0]
        self.prediction = torch.zeros_like(self.latents)
        self.step += 1


def begin(start: int, noise: Tensor, scheduler: SchedulerMixin) -> Segment:
    """The frames from ``start`` on before the first step, with a sampler like ``scheduler``."""
    return Segment(start, noise, torch.zeros_like(noise), copy.deepcopy(scheduler))


@torch.no_grad()
def denoise_stream(
    networks: Networks,
    conditions: Conditions,
    segments: Iterable[Segment],
    timesteps: Tensor,
    windows_at: Callable[[int, int, int], list[Window]],
    guidance: Guidance,
    on_window: Callable[[Window], None] = lambda window: None,
    on_step: Callable[[Sequence[Segment]], None] = lambda held: None,
) -> Iterator[Tensor]:
    """Segments that follow each other, begun or under way → their latents (F, C, h, w) after all ``timesteps``.

    ``windows_at(step, start, stop)`` says which frames go through the networks together at a step: all windows that
    show one of the frames start … stop - 1, in order. They lie at places of the clip, not of a segment, and their
    weights add up to 1 at each frame.

    A segment takes a step as soon as all windows that show it can be run, so segments follow each other through the
    steps, each so far behind as windows reach. The result is that of all frames at once, and what is held does not
    grow with the clip: with windows that end within their segment one segment, else about one for each step.
    The schedulers know what the network predicts. Latents stay in their own number type (float32), networks run in
    theirs. Raises torch.OutOfMemoryError where one frame, or with temporal layers one window, is too much.

    ``on_step(held)`` is told after each step of a segment, with the segments that are under way: given these, and then
    those that were not begun, another call goes on from there to the same result. Their tensors change afterwards.
    """
    bank, held, batch_size = AttentionBank(), deque[Segment](), BatchSize()
    for newest in segments:
        held.append(newest)
        with attach_text(networks.unet, networks.appearance_unet, networks.pose_controlnet):
            for step, t in enumerate(timesteps):
                waiting = [segment for segment in held if segment.step == step]
                ready = _ready(waiting, windows_at)
                if ready:
                    write_appearance(networks.appearance_unet, conditions.reference, t, conditions.text, bank)
                for segment in ready:
                    for window in windows_at(step, segment.start, segment.stop):
                        if window.start >= segment.start:  # else it was run for the segment before
                            _run(networks, conditions, waiting, window, t, bank, guidance, batch_size)
                            on_window(window)
                    segment.advance(t)
                    waiting.remove(segment)
                    on_step(held)
        while held and held[0].step == len(timesteps):
            conditions.poses.forget(held[0].stop)
            yield held.popleft().latents


def _ready(waiting: Sequence[Segment], windows_at: Callable[[int, int, int], list[Window]]) -> list[Segment]:
    """Of consecutive segments before the same step, those whose windows all end within the last of them."""
    return [s for s in waiting if windows_at(s.step, s.start, s.stop)[-1].stop <= waiting[-1].stop]


def _run(
    networks: Networks,
    conditions: Conditions,
    segments: Sequence[Segment],
    window: Window,
    t: Tensor,
    bank: AttentionBank,
    guidance: Guidance,
    batch_size: BatchSize,
) -> None:
    """Add what the networks say of ``window``, which lies within the consecutive ``segments``, to their predictions.

    Frames that do not see each other go through in smaller batches where the device's memory wants it.
    """
    parts = [
        (
            segment,
            slice(max(window.start, segment.start) - segment.start, min(window.stop, segment.stop) - segment.start),
        )
        for segment in segments
        if segment.start < window.stop and window.start < segment.stop
    ]
    scheduler = parts[0][0].scheduler
    noisy = torch.cat([segment.latents[frames] for segment, frames in parts])
    noisy = scheduler.scale_model_input(noisy, t).to(networks.unet.dtype)

    def guided_part(first: int, last: int) -> Tensor:
        part = replace(window, start=window.start + first, stop=window.start + last, weights=window.weights[first:last])
        said = predict(networks, conditions, noisy[first:last], t, part, bank, CONDITIONS)
        if guidance.has_unconditional:
            kept = CONDITIONS - guidance.drops
            said = guidance.combine(said, predict(networks, conditions, noisy[first:last], t, part, bank, kept))
        return said

    if isinstance(networks.unet, UNetMotionModel):
        guided = guided_part(0, len(window))
    else:
        guided = torch.cat(list(batch_size.run(guided_part, len(window))))
    weighted = guided.new_tensor(window.weights).view(-1, 1, 1, 1) * guided
    for (segment, frames), part in zip(parts, weighted.split([f.stop - f.start for _, f in parts]), strict=True):
        segment.prediction[frames] += part


def predict(
    networks: Networks,
    conditions: Conditions,
    noisy: Tensor,
    timestep: Tensor,
    window: Window,
    bank: AttentionBank,
    kept: frozenset[str],
) -> Tensor:
    """One branch's prediction for ``noisy`` (F, C, h, w) in float32; it pays for the conditions ``kept`` alone."""
    residuals = {}
    if POSE in kept:
        encoded = conditions.poses.read(window.start, window.stop)
        down, middle = pose_residuals(networks.pose_controlnet, noisy, timestep, conditions.text, encoded)
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
    with attach_read(networks.unet, bank if APPEARANCE in kept else AttentionBank()):
        return run_denoiser(networks.unet, noisy, timestep, conditions.text, **residuals).float()
