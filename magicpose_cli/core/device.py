"""Which device and which number type to use. torch loads on the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicpose_cli.core.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cuda", "mps", "cpu")
DTYPES = ("auto", "float32", "float16", "bfloat16")


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` takes CUDA, then MPS, then the CPU. Raises DeviceError where the named one does not work."""
    import torch

    kind = name.split(":")[0]
    if kind not in DEVICES:
        raise UsageError(f"unknown device '{name}'", f"use one of {', '.join(DEVICES)}, or cuda:N")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if kind == "auto":
        return torch.device(next(k for k, works in available.items() if works))
    if not available[kind]:
        raise DeviceError(
            f"the device '{name}' does not work here: torch {torch.__version__} sees none",
            "run 'magicpose doctor' to see why, or use --device cpu",
        )
    return torch.device(name)


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is float16 on CUDA (as the published weights) and float32 elsewhere."""
    import torch

    if name not in DTYPES:
        raise UsageError(f"unknown dtype '{name}'", f"use one of {', '.join(DTYPES)}")
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype
