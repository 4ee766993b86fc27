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

    ``pose_maps(start, stop)`` gives drawn maps, in [0, 1]. Encodings are kept where the clip has at most ``keep``
    frames; a longer clip's are made anew at each read (2 % of a step), because at 512² each takes 5 MB in float32.
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
        self._kept: list[Tensor | None] | None = [None] * frame_count if frame_count <= keep else None

    def read(self, start: int, stop: int) -> Tensor:
        """The embeddings (stop - start, C, h, w) of the frames start … stop - 1."""
        if self._kept is None:
            return self._encode(start, stop)
        if any(embedding is None for embedding in self._kept[start:stop]):
            self._kept[start:stop] = self._encode(start, stop).unbind()
        return torch.stack([e for e in self._kept[start:stop] if e is not None])

    def _encode(self, start: int, stop: int) -> Tensor:
        return encode_pose_maps(self._controlnet, self._pose_maps(start, stop)).to(self._device)


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
