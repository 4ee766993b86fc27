"""Stage name → stage. A new stage is one file beside this one and one line here."""

from __future__ import annotations

import difflib

from magicpose_cli.core.errors import UsageError
from magicpose_cli.training.stages import appearance, base, motion, pose, vae
from magicpose_cli.training.stages.stage import Stage

STAGES = {stage.name: stage for stage in (vae.STAGE, base.STAGE, appearance.STAGE, pose.STAGE, motion.STAGE)}


def stage_of(name: str) -> Stage:
    """The stage of that name. Raises UsageError with the nearest name."""
    if name not in STAGES:
        near = difflib.get_close_matches(name, STAGES, 1)
        raise UsageError(
            f"there is no training stage '{name}'",
            f"did you mean '{near[0]}'?" if near else f"the stages are {', '.join(STAGES)}",
        )
    return STAGES[name]
