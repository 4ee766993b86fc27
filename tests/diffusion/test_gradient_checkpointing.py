"""Gradient checkpointing changes memory, not gradients: also where the processors are gone when the pass runs again."""

import pytest
import torch

from magicpose_cli.diffusion.attention_bank import AttentionBank
from magicpose_cli.diffusion.gradient_checkpointing import enable_checkpointing
from magicpose_cli.diffusion.motion import run_denoiser, with_motion
from magicpose_cli.diffusion.reference_attention import attach_read, attach_write, reference_layers

_RANDOM = torch.Generator().manual_seed(0)
REFERENCE, CLIP = torch.randn(2, 4, 8, 8, generator=_RANDOM), torch.randn(6, 4, 8, 8, generator=_RANDOM)
TEXT = torch.randn(6, 5, 24, generator=_RANDOM)
MAPS = torch.rand(6, 3, 16, 16, generator=_RANDOM)


def _gradients(appearance, controlnet, unet) -> dict[str, torch.Tensor]:
    """One loss through a bank and residuals; the backward pass runs when the processors are gone."""
    networks = {"appearance": appearance, "controlnet": controlnet, "unet": unet}
    for network in networks.values():
        network.zero_grad(set_to_none=True)
    bank = AttentionBank()
    with attach_write(appearance, bank):
        appearance(REFERENCE, 7, TEXT[:2])
    down, mid = controlnet(CLIP, 7, TEXT, controlnet_cond=MAPS, return_dict=False)
    with attach_read(unet, bank):
        said = run_denoiser(
            unet, CLIP, 7, TEXT, clips=2, down_block_additional_residuals=down, mid_block_additional_residual=mid
        )
    said.square().mean().backward()
    return {
        f"{title}.{name}": parameter.grad.clone()
        for title, network in networks.items()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


@pytest.mark.parametrize("motion", [False, True], ids=["pictures", "clips"])
@pytest.mark.parametrize("frozen", [False, True], ids=["denoiser open", "denoiser frozen"])
def test_gradients_are_the_same(motion: bool, frozen: bool, shape, tiny):
    unet, appearance = tiny.unet(shape, seed=1), tiny.unet(shape, seed=2)
    controlnet = tiny.controlnet(unet)
    denoiser = with_motion(unet, tiny.motion_adapter()) if motion else unet
    denoiser.requires_grad_(not frozen)
    plain = _gradients(appearance, controlnet, denoiser)
    for network in (appearance, controlnet, denoiser):
        enable_checkpointing(network)
    checkpointed = _gradients(appearance, controlnet, denoiser)
    assert plain.keys() == checkpointed.keys()
    assert any("appearance" in name and values.any() for name, values in plain.items())
    for name, values in plain.items():
        torch.testing.assert_close(checkpointed[name], values, rtol=1e-5, atol=1e-7, msg=name)
    assert len({type(layer.processor) for layer in reference_layers(appearance).values()}) == 1  # taken off again


def test_less_is_kept_for_the_backward_pass(tiny):
    unet, kept = tiny.unet(), []
    for _ in range(2):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: s.append(t.numel()) or t, lambda t: t):
            unet(CLIP, 7, TEXT)
        kept.append(sum(sizes))
        enable_checkpointing(unet)
    assert kept[1] < kept[0] / 2
