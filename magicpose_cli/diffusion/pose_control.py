"""Pose maps → residuals for the denoiser, by a ControlNet. A map is encoded once, not at each step.

Shapes: F frames, H, W pixels, h, w latent size, C the ControlNet's first width, T text tokens, D text width.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from magicpose_cli.diffusion.stock import ControlNetModel


def encode_pose_maps(controlnet: ControlNetModel, pose_maps: Tensor) -> Tensor:
    """Drawn maps, RGB in [0, 1] (F, 3, H, W) → what the ControlNet adds to its first layer: (F, C, h, w)."""
    encoder = controlnet.controlnet_cond_embedding
    weight = encoder.conv_in.weight  # where it lies: under offload, not where the whole network will run
    if controlnet.config.controlnet_conditioning_channel_order == "bgr":
        pose_maps = pose_maps.flip(1)
    return encoder(pose_maps.to(weight.device, weight.dtype))


def pose_residuals(
    controlnet: ControlNetModel, sample: Tensor, timestep: Tensor | int, text: Tensor, encoded: Tensor
) -> tuple[list[Tensor], Tensor]:
    """The residuals of the skip connections (12 for SD 1.5) and of the middle block.

    ``sample`` (F, 4, h, w) is noisy, ``encoded`` (F, C, h, w) comes from ``encode_pose_maps``.
    """
    with _takes_encoded_maps(controlnet):
        return controlnet(sample, timestep, text, controlnet_cond=encoded, return_dict=False)


class PoseEmbeddings:
    """The encoded pose maps of a clip's frames, each encoded when it is first read.

    ``pose_maps(start, stop)`` gives drawn maps, in [0, 1]. Encodings are kept while they are at most ``keep`` frames'
    (at 512² each takes 5 MB in float32), until ``forget``; others are encoded anew at each read (2 % of a step).
    """

    def __init__(
        self,
        controlnet: ControlNetModel,
        pose_maps: Callable[[int, int], Tensor],
        frame_count: int,
        *,
        device: torch.device,
        keep: int = 64,
    ) -> None:
        self._controlnet, self._pose_maps, self._device = controlnet, pose_maps, device
        self._frame_count, self._keep = frame_count, keep
        self._kept: dict[int, Tensor] = {}

    def read(self, start: int, stop: int) -> Tensor:
        """The embeddings (stop - start, C, h, w) of the frames start … stop - 1."""
        if not 0 <= start < stop <= self._frame_count:
            raise ValueError(f"frames {start} to {stop - 1} lie outside of 0 to {self._frame_count - 1}")
        frames = range(start, stop)
        if all(frame in self._kept for frame in frames):
            return torch.stack([self._kept[frame] for frame in frames])
        # One by one, so that to the last bit it does not matter which others a frame is read with.
        maps = self._pose_maps(start, stop).split(1)
        encoded = torch.cat([encode_pose_maps(self._controlnet, one) for one in maps]).to(self._device)
        new = [frame for frame in frames if frame not in self._kept]
        if len(self._kept) + len(new) <= self._keep:
            self._kept.update((frame, encoded[frame - start].clone()) for frame in new)
        return encoded

    def forget(self, before: int) -> None:
        """Keep nothing of the frames before this one: they will not be read again."""
        self._kept = {frame: embedding for frame, embedding in self._kept.items() if frame >= before}


class _Encoded(nn.Module):
    """Stands in for the ControlNet's encoder where the maps are already encoded."""

    def __init__(self, flipped: bool) -> None:
        super().__init__()
        self.flipped = flipped

    def forward(self, encoded: Tensor) -> Tensor:
        # A "bgr" ControlNet turns the channels of its input around before it comes here.
        return encoded.flip(1) if self.flipped else encoded


@contextmanager
def _takes_encoded_maps(controlnet: ControlNetModel) -> Iterator[None]:
    encoder = controlnet.controlnet_cond_embedding
    controlnet.controlnet_cond_embedding = _Encoded(controlnet.config.controlnet_conditioning_channel_order == "bgr")
    try:
        yield
    finally:
        controlnet.controlnet_cond_embedding = encoder
