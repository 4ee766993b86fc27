"""Samplers by name: DDIM as published, and two that need fewer steps."""

from magicpose_cli.core import names
from magicpose_cli.diffusion.stock import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)

_CLASSES = (DDIMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler)  # in the order of the names
SCHEDULERS: dict[str, type[SchedulerMixin]] = dict(zip(names.SCHEDULERS, _CLASSES, strict=True))


def published_scheduler(prediction_type: str = "epsilon") -> DDIMScheduler:
    """DDIM with SD 1.5's noise and MagicPose's steps: 50 of them are 1, 21, …, 981, landing on alpha_bar[0]."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
        prediction_type=prediction_type,
    )


def make_scheduler(name: str, like: SchedulerMixin) -> SchedulerMixin:
    """A fresh scheduler by ``name``, with the noise, spacing and prediction type of ``like``.

    Raises ValueError on an unknown name.
    """
    if name not in SCHEDULERS:
        raise ValueError(f"unknown scheduler '{name}': use one of {', '.join(SCHEDULERS)}")
    return SCHEDULERS[name].from_config(like.config)
