"""The loss of the denoising stages: which places and which channels count, and which frames share their noise."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from magicpose_cli.training.config import DataOptions, NoiseOptions, Recipe
from magicpose_cli.training.data.batch import GroupBatch
from magicpose_cli.training.data.figures import FigureGroups
from magicpose_cli.training.data.plan import BatchPlan
from magicpose_cli.training.modules import load_modules
from magicpose_cli.training.stages.denoising import denoising_loss, loss_weight


def recipe(**noise: float) -> Recipe:
    return Recipe(Path("r.toml"), "base", noise=NoiseOptions(**noise))


def batch_of(targets: int, latents: torch.Tensor | None = None) -> GroupBatch:
    batch = FigureGroups(DataOptions(size=64, targets_per_reference=targets), BatchPlan(2, 0)).batch(0)
    return batch if latents is None else replace(batch, images=latents)


def test_a_face_counts_more_than_a_body_and_a_body_more_than_the_background():
    batch = batch_of(2)
    weight = loss_weight(batch, NoiseOptions(person_weight=1.0, face_weight=2.0), torch.Size((16, 16)))
    assert weight.shape == (4, 1, 16, 16)
    assert weight.min() == 1 and 3 <= weight.max() <= 4
    body = (weight > 1.5) & (weight <= 2)
    assert body.any() and (weight == 1).float().mean() > 0.3
    plain = loss_weight(batch, NoiseOptions(), torch.Size((16, 16)))
    assert (plain == 1).all()


@pytest.fixture(scope="module")
def base(stages: Path):
    return load_modules(stages / "base" / "model")


def loss_of(modules, batch: GroupBatch, **noise: float) -> float:
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return denoising_loss(modules, batch, recipe(**noise), rng, appearance=False, pose=False).item()


def test_a_faint_channel_counts_little(base):
    """An error in a channel counts with that channel's variance; equal spreads change nothing."""
    modules = base
    latents = torch.randn(2, 2, 12, 8, 8, generator=torch.Generator().manual_seed(1))
    batch = batch_of(1, latents)
    channels = modules.vae.config.latents_std
    losses = {}
    for name, spreads in {"none": None, "equal": [0.3] * 12, "first": [1.0] + [1e-3] * 11}.items():
        modules.vae.register_to_config(latents_std=spreads)
        losses[name] = loss_of(modules, batch)
    modules.vae.register_to_config(latents_std=channels)
    assert losses["none"] == pytest.approx(losses["equal"], rel=1e-5)
    assert losses["first"] != pytest.approx(losses["none"], rel=1e-3)


def test_the_autoencoder_tells_how_far_its_channels_spread(base):
    spreads = base.vae.config.latents_std
    assert len(spreads) == base.vae.config.latent_channels and min(spreads) > 0


def test_frames_of_a_clip_may_share_their_noise(base):
    """Equal frames stay equal under one noise, and not under one each."""
    seen = []
    base.scheduler.add_noise, kept = (
        lambda clean, noise, t: seen.append(noise) or kept(clean, noise, t),
        base.scheduler.add_noise,
    )
    try:
        for shared in (True, False):
            loss_of(base, batch_of(3, torch.zeros(2, 4, 12, 8, 8)), shared=shared)
    finally:
        base.scheduler.add_noise = kept
    one, own = (noise.unflatten(0, (2, 3)) for noise in seen)
    assert torch.equal(one[:, 0], one[:, 2]) and not torch.equal(one[0], one[1])
    assert not torch.equal(own[:, 0], own[:, 2])


def test_an_error_that_changes_between_frames_costs_more_and_one_that_stays_does_not(base):
    generator = torch.Generator().manual_seed(2)
    still = torch.randn(2, 1, 12, 8, 8, generator=generator).repeat(1, 4, 1, 1, 1)
    moving = torch.randn(2, 4, 12, 8, 8, generator=generator)
    costs = {
        name: [loss_of(base, batch_of(3, latents), shared=True, flicker_weight=weight) for weight in (0.0, 1.0, 2.0)]
        for name, latents in (("still", still), ("moving", moving))
    }
    assert costs["still"] == pytest.approx([costs["still"][0]] * 3, rel=1e-4)
    plain, once, twice = costs["moving"]
    assert once > 1.1 * plain and twice - once == pytest.approx(once - plain, rel=1e-4)
