"""The forward diffusion of training: what is asked of the network, and what its answer stands for."""

from pathlib import Path

import pytest
import torch

from magicpose_cli.diffusion.schedulers import published_scheduler
from magicpose_cli.training.config import NoiseOptions, OptimizerOptions, Recipe
from magicpose_cli.training.noise import clean_of, draw_timesteps, target_of
from magicpose_cli.training.optimizer import learning_rate


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_a_perfect_answer_stands_for_the_clean_latent(kind: str):
    scheduler = published_scheduler(kind)
    clean, noise = torch.randn(2, 6, 4, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    t = torch.tensor([0, 100, 400, 700, 900, 999])
    noisy = scheduler.add_noise(clean, noise, t)
    said = target_of(scheduler, clean, noise, t)
    torch.testing.assert_close(clean_of(scheduler, said, noisy, t), clean, rtol=1e-4, atol=1e-4)


def test_v_is_as_in_salimans_and_ho():
    """v = sqrt(alpha_bar) · noise - sqrt(1 - alpha_bar) · clean."""
    scheduler = published_scheduler("v_prediction")
    alpha_bar = scheduler.alphas_cumprod[500]
    v = target_of(scheduler, torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 2.0), torch.tensor([500]))
    assert v.item() == pytest.approx((2 * alpha_bar.sqrt() - (1 - alpha_bar).sqrt()).item(), rel=1e-5)


@pytest.mark.parametrize(("power", "mean"), [(1.0, 500), (0.5, 667)])
def test_timesteps_are_uniform_or_lean_to_high_noise(power: float, mean: float):
    """The mean of u ** p is 1 / (1 + p)."""
    rng = torch.Generator().manual_seed(0)
    t = draw_timesteps(20_000, NoiseOptions(timestep_power=power), published_scheduler(), rng)
    assert t.min() >= 0 and t.max() <= 999
    assert t.float().mean().item() == pytest.approx(mean, rel=0.02)


def test_the_learning_rate_rises_stays_and_falls():
    recipe = Recipe(
        Path("r.toml"), "vae", steps=100, optimizer=OptimizerOptions(learning_rate=1.0, warmup=10, decay=0.2)
    )
    rates = [learning_rate(recipe, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9:80] == [1.0] * 71
    assert rates[90] == pytest.approx(0.5) and 0 < rates[99] < 0.06
