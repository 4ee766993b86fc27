"""The appearance of the reference at one step: clean reference latent → bank.

Source: MagicPose (arXiv 2311.12052), section 3.2. The appearance model sees the reference without noise, at the
denoiser's timestep; so a bank depends on reference, timestep and text, and serves all frames of a clip.

Shapes: R references, C latent channels, h, w latent size, T text tokens, D text width.
"""

from torch import Tensor

from magicpose_cli.diffusion.attention_bank import AttentionBank
from magicpose_cli.diffusion.reference_attention import attach_write
from magicpose_cli.diffusion.stock import UNet2DConditionModel


def write_appearance(
    appearance_unet: UNet2DConditionModel, reference: Tensor, timestep: Tensor | int, text: Tensor, bank: AttentionBank
) -> None:
    """Replace what ``bank`` holds by the appearance of ``reference`` (R, C, h, w) at ``timestep``.

    ``text`` is (R, T, D), or (1, T, D) under ``attach_text``. The pass's output is thrown away.
    """
    bank.clear()
    with attach_write(appearance_unet, bank):
        appearance_unet(reference, timestep, text, return_dict=False)
