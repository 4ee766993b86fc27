"""Which device and which number type to use. torch loads on the first call."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from magicpose_cli.core.errors import DeviceError, UsageError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cuda", "mps", "cpu")  # and cuda:N
DTYPES = ("auto", "float32", "float16", "bfloat16")


def parse_device(name: str) -> tuple[str, int | None]:
    """``cuda:1`` → kind and index; the index is None where none is given. Raises UsageError on any other words."""
    kind, colon, index = name.partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and index.isascii() and index.isdecimal())):
        raise UsageError(f"--device does not know '{name}'", f"use one of: {', '.join(DEVICES)}, cuda:N")
    return kind, int(index) if colon else None


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` takes CUDA, then MPS, then the CPU.

    Raises UsageError on what is no device's name, DeviceError where the named one does not work.
    """
    import torch

    kind, index = parse_device(name)
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if kind == "auto":
        return torch.device(next(k for k, works in available.items() if works))
    if not available[kind]:
        raise DeviceError(
            f"the device '{name}' does not work here: torch {torch.__version__} sees none",
            "run 'magicpose doctor' to see why, or use --device cpu",
        )
    if index is not None and index >= torch.cuda.device_count():
        raise DeviceError(
            f"the device '{name}' is not there: the GPUs are numbered from 0 to {torch.cuda.device_count() - 1}",
            "run 'magicpose doctor' to see them, or use --device cuda",
        )
    return torch.device(kind) if index is None else torch.device(kind, index)


def has_nvidia_driver() -> bool:
    """True where NVIDIA's driver is installed, whether or not torch can use it. Does not load torch."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is float16 on CUDA (as the published weights) and float32 elsewhere."""
    import torch

    if name not in DTYPES:
        raise UsageError(f"unknown dtype '{name}'", f"use one of {', '.join(DTYPES)}")
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, name)
    return dtype
