"""What the loop pays for, and what must not change its result."""

from types import SimpleNamespace

import pytest
import torch

from magicpose_cli.diffusion.denoise import Conditions, Networks, denoise
from magicpose_cli.diffusion.guidance import APPEARANCE, CONDITIONS, POSE, Guidance
from magicpose_cli.diffusion.motion import with_motion
from magicpose_cli.diffusion.pose_control import PoseEmbeddings
from magicpose_cli.diffusion.reference_attention import reference_layers
from magicpose_cli.diffusion.schedulers import SCHEDULERS, make_scheduler, published_scheduler
from magicpose_cli.diffusion.text_attention import attach_text
from magicpose_cli.diffusion.windows import batches, windows

FRAMES = 5


@pytest.fixture
def setting(tiny, shape):
    unet = tiny.unet(shape, seed=1)
    networks = Networks(unet, tiny.unet(shape, seed=2), tiny.controlnet(unet))
    g = torch.Generator().manual_seed(0)
    maps = torch.rand(FRAMES, 3, 16, 16, generator=g)
    poses = PoseEmbeddings(networks.pose_controlnet, lambda i, j: maps[i:j], FRAMES, device=torch.device("cpu"))
    reference, text = torch.randn(1, 4, 8, 8, generator=g), torch.randn(1, 5, 24, generator=g)
    noise = torch.randn(FRAMES, 4, 8, 8, generator=g)
    return SimpleNamespace(
        networks=networks, conditions=Conditions(reference, text, poses), noise=noise, maps=maps, unet=unet
    )


def run(setting, windows_at, *, networks=None, guidance=None, steps=2, scheduler=None, on_window=lambda w: None):
    scheduler = scheduler or published_scheduler()
    scheduler.set_timesteps(steps)
    return denoise(
        networks or setting.networks,
        setting.conditions,
        setting.noise,
        scheduler,
        windows_at,
        guidance or Guidance(3.0),
        on_window,
    )


def each_alone(step):
    return batches(FRAMES, 1)


def all_together(step):
    return batches(FRAMES, FRAMES)


def count_calls(*networks):
    counts = [0] * len(networks)
    for i, network in enumerate(networks):

        def add(*_, i=i):
            counts[i] += 1

        network.register_forward_hook(add)
    return counts


def test_batches_do_not_change_the_result(setting):
    alone = run(setting, each_alone)
    torch.testing.assert_close(run(setting, all_together), alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(run(setting, lambda step: batches(FRAMES, 2)), alone, rtol=1e-4, atol=1e-5)


def test_a_zero_motion_module_is_frame_by_frame(setting, tiny):
    motion = with_motion(setting.unet, tiny.motion_adapter(zero=True))
    networks = Networks(motion, setting.networks.appearance_unet, setting.networks.pose_controlnet)
    still = run(setting, all_together, networks=networks)
    torch.testing.assert_close(still, run(setting, each_alone), rtol=1e-4, atol=1e-5)
    overlapping = run(setting, lambda step: windows(FRAMES, 3, 1, step), networks=networks)
    torch.testing.assert_close(overlapping, still, rtol=1e-4, atol=1e-5)


def test_a_motion_module_joins_the_frames_and_shares_the_weights(setting, tiny):
    motion = with_motion(setting.unet, tiny.motion_adapter())
    assert list(reference_layers(motion)) == list(reference_layers(setting.unet))
    pointers = {p.data_ptr() for p in motion.parameters()}
    assert {p.data_ptr() for p in setting.unet.parameters()} <= pointers
    networks = Networks(motion, setting.networks.appearance_unet, setting.networks.pose_controlnet)
    joined = run(setting, all_together, networks=networks)
    assert not torch.allclose(joined, run(setting, each_alone), atol=1e-3)
    one_window = run(setting, lambda step: windows(FRAMES, 8, 2, step), networks=networks)
    assert torch.equal(one_window, joined)


def test_a_motion_module_of_another_architecture_is_refused(setting, tiny):
    from magicpose_cli.diffusion.stock import MotionAdapter

    adapter = MotionAdapter(
        block_out_channels=(8, 16), motion_layers_per_block=1, motion_num_attention_heads=2, motion_norm_num_groups=8
    )
    with pytest.raises(ValueError, match="does not fit"):
        with_motion(setting.unet, adapter)


def test_nothing_is_paid_for_twice(setting):
    n = setting.networks
    counts = count_calls(n.unet, n.appearance_unet, n.pose_controlnet, n.pose_controlnet.controlnet_cond_embedding)
    run(setting, lambda step: batches(FRAMES, 2), steps=3)
    # Three batches of three steps, both branches; one appearance pass a step; no ControlNet in the other branch.
    # A map is encoded once.
    assert counts == [18, 3, 9, FRAMES]


def test_guidance_of_one_runs_no_unconditional_branch(setting):
    counts = count_calls(setting.networks.unet)
    guided = run(setting, all_together, guidance=Guidance(1.0))
    assert counts == [2]
    nothing_dropped = run(setting, all_together, guidance=Guidance(5.0, frozenset()))
    assert torch.equal(guided, nothing_dropped)
    assert counts == [4]


def test_guidance_is_linear_between_the_branches(setting):
    zero, one, two = (run(setting, all_together, guidance=Guidance(s), steps=1) for s in (0.0, 1.0, 2.0))
    torch.testing.assert_close(two - one, one - zero, rtol=1e-4, atol=1e-5)


def test_the_unconditional_branch_drops_what_is_named(setting):
    n, guidance = setting.networks, Guidance(0.0)
    both = run(setting, all_together, guidance=guidance)
    other = torch.rand_like(setting.maps)
    poses = PoseEmbeddings(n.pose_controlnet, lambda i, j: other[i:j], FRAMES, device=torch.device("cpu"))
    setting.conditions = Conditions(setting.conditions.reference, setting.conditions.text, poses)
    assert torch.equal(run(setting, all_together, guidance=guidance), both)
    keeps_pose = Guidance(0.0, frozenset({APPEARANCE}))
    keeps_appearance = Guidance(0.0, frozenset({POSE}))
    assert not torch.allclose(run(setting, all_together, guidance=keeps_pose), both)
    assert not torch.allclose(run(setting, all_together, guidance=keeps_appearance), both)
    assert Guidance().drops == CONDITIONS
    with pytest.raises(ValueError, match="cannot drop"):
        Guidance(2.0, frozenset({"text"}))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_each_scheduler_lands_where_the_network_points(tiny, name):
    """With a network that always predicts the same clean sample, every sampler and prediction type ends there."""
    target = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    for prediction_type in ("epsilon", "sample", "v_prediction"):
        scheduler = make_scheduler(name, published_scheduler(prediction_type))
        scheduler.set_timesteps(8)
        x = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(2))
        for t in scheduler.timesteps:
            alpha = scheduler.alphas_cumprod[t]
            noise = (x - alpha.sqrt() * target) / (1 - alpha).sqrt()
            velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * target
            said = {"epsilon": noise, "sample": target, "v_prediction": velocity}[prediction_type]
            x = scheduler.step(said, t, x).prev_sample
        assert (x - target).square().mean() < 0.01


@torch.no_grad()
def test_a_text_of_one_row_serves_all_rows_and_is_projected_once(setting):
    unet, text = setting.unet, setting.conditions.text
    stock = unet(setting.noise, 7, text.expand(FRAMES, -1, -1)).sample
    layer = unet.mid_block.attentions[0].transformer_blocks[0].attn2
    before = unet.attn_processors
    counts = count_calls(layer.to_k)
    with attach_text(unet):
        for _ in range(3):
            torch.testing.assert_close(unet(setting.noise, 7, text).sample, stock, rtol=1e-5, atol=1e-6)
    assert counts == [1]
    assert unet.attn_processors == before
    with pytest.raises(RuntimeError, match="on purpose"), attach_text(unet):
        raise RuntimeError("on purpose")
    assert unet.attn_processors == before
