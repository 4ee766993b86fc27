"""A run that stops after any step goes on from what was kept of it, to the same bits."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from magicpose_cli.diffusion.schedulers import SCHEDULERS, make_scheduler
from magicpose_cli.diffusion.under_way import UnderWay

FRAMES = 7


@pytest.fixture
def pose_maps():
    return np.random.default_rng(1).integers(0, 256, (FRAMES, 16, 24, 3), np.uint8)


def stored(under_way: UnderWay) -> UnderWay:
    """As it comes back from a file."""
    return UnderWay(
        load(save({n: t.clone() for n, t in under_way.tensors.items()})), json.loads(json.dumps(under_way.numbers))
    )


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("motion", [True, False])
def test_it_goes_on_from_every_step(tiny, reference, pose_maps, name, motion):
    pipeline = tiny.pipeline(tiny.motion_adapter() if motion else None)
    pipeline.scheduler = make_scheduler(name, pipeline.scheduler)
    options = {"num_inference_steps": 3, "guidance_scale": 3.0, "shared_noise": False, "frames_per_segment": 3}
    options |= {"window": 4, "window_overlap": 1} if motion else {"frames_per_batch": 2}
    states, told = [], []
    whole = list(
        pipeline.stream_latents(
            reference,
            pose_maps,
            **options,
            on_state=lambda s: states.append(stored(s)),
            on_step=lambda done, total: told.append((done, total)),
        )
    )
    assert len(whole) == 3 and len(states) == 3 * 3
    assert any(len(s.numbers) > 1 for s in states) == motion
    for state in states[1::3]:
        seen = []
        rest = list(
            pipeline.stream_latents(
                reference,
                pose_maps,
                **options,
                begun=state,
                on_step=lambda done, total: seen.append((done, total)),  # noqa: B023
            )
        )
        assert torch.equal(torch.cat(rest), torch.cat(whole)[state.start :])
        assert seen == told[len(told) - len(seen) :], "what was done before counts as done"


def test_without_a_motion_module_it_can_begin_with_any_segment(tiny, reference, pose_maps):
    pipeline = tiny.pipeline()
    options = {"shared_noise": False, "frames_per_segment": 3}
    whole = list(pipeline.stream_latents(reference, pose_maps, **options))
    for number in range(3):
        rest = list(pipeline.stream_latents(reference, pose_maps, **options, first_frame=3 * number))
        assert len(rest) == 3 - number and all(map(torch.equal, rest, whole[number:]))
