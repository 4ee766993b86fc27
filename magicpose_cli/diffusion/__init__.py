"""MagicPose for any diffusers user: appearance bank, pose control, guidance, windows, and the pipeline of them.

Knows torch, diffusers and ``magicpose_cli.core`` alone. The names below load on first use, so that
``import magicpose_cli.diffusion`` costs nothing.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "AttentionBank": "attention_bank",
    "Conditions": "denoise",
    "Guidance": "guidance",
    "MagicPoseOutput": "pipeline",
    "MagicPosePipeline": "pipeline",
    "Networks": "denoise",
    "attach_read": "reference_attention",
    "attach_write": "reference_attention",
    "load_pipeline": "load",
    "make_scheduler": "schedulers",
    "published_scheduler": "schedulers",
    "with_motion": "motion",
    "write_appearance": "appearance",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
