"""Where a device's memory or half precision does not hold a batch: the same result in smaller ones, or a word."""

import numpy as np
import pytest
import torch

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.diffusion.latents import decode_latents

FRAMES = 5


def holds(network: torch.nn.Module, rows: int) -> list[int]:
    """From now on ``network`` is on a device that holds so many rows; returns how many each pass brings."""
    seen: list[int] = []

    def look(module, args, kwargs):
        seen.append(len(args[0] if args else kwargs["sample"]))
        if seen[-1] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    network.register_forward_pre_hook(look, with_kwargs=True)
    return seen


def test_frames_that_do_not_fit_together_go_in_smaller_batches(tiny, reference, pose_maps):
    expected = torch.cat(list(tiny.pipeline().stream_latents(reference, pose_maps, frames_per_batch=FRAMES)))
    pipeline = tiny.pipeline()
    seen = holds(pipeline.unet, 1)
    done = []
    found = list(
        pipeline.stream_latents(
            reference, pose_maps, frames_per_batch=FRAMES, on_step=lambda now, whole: done.append((now, whole))
        )
    )
    torch.testing.assert_close(torch.cat(found), expected, rtol=1e-4, atol=1e-5)
    assert seen[:2] == [FRAMES, 2] and set(seen[2:]) == {1}, "what was too much is not tried again"
    assert len(seen) == 2 + 2 * 2 * FRAMES, "two steps of two branches"
    assert done[-1] == (2 * FRAMES, 2 * FRAMES)


@pytest.mark.parametrize("motion", [False, True])
def test_what_cannot_be_made_smaller_is_an_error(tiny, reference, pose_maps, motion):
    pipeline = tiny.pipeline(motion_adapter=tiny.motion_adapter() if motion else None)
    holds(pipeline.pose_controlnet, 4 if motion else 0)  # a window's frames see each other: all five, or none
    with pytest.raises(torch.OutOfMemoryError):
        pipeline(reference, pose_maps, window=FRAMES)


def test_pictures_that_do_not_fit_together_are_decoded_one_by_one(tiny):
    latents = torch.randn(FRAMES, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = np.stack(list(decode_latents(tiny.vae(), latents)))
        vae = tiny.vae()
        seen = holds(vae.decoder, 1)
        found = np.stack(list(decode_latents(vae, latents)))
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert seen == [4, 2] + [1] * FRAMES


def outgrowing_half(vae):
    """With weights that half precision holds, and products that it does not; the norm behind brings them back."""
    with torch.no_grad():
        vae.decoder.conv_in.weight.mul_(60_000 / vae.decoder.conv_in.weight.abs().max())
    return vae


def test_where_half_precision_makes_black_pictures_the_vae_goes_on_in_full(tiny):
    latents = torch.randn(FRAMES, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = np.stack(list(decode_latents(outgrowing_half(tiny.vae()), latents)))
        half = outgrowing_half(tiny.vae()).to(torch.float16)
        assert not torch.isfinite(half.decode(latents.half()).sample).all(), "it does outgrow it"
        found = np.stack(list(decode_latents(half, latents.half())))
    assert expected.std() > 5 and np.abs(found.astype(int) - expected).max() <= 6


def test_pictures_that_are_not_finite_are_an_error(tiny):
    vae = tiny.vae()
    torch.nn.init.constant_(vae.decoder.conv_out.bias, float("nan"))
    with torch.no_grad(), pytest.raises(IntegrityError, match="not finite"):
        next(decode_latents(vae, torch.zeros(1, 4, 8, 12)))
