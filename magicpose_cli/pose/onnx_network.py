"""An ONNX file as a network: on CUDA where onnxruntime can, else on the CPU; what goes in and out is checked."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from magicpose_cli.core.device import parse_device
from magicpose_cli.core.errors import IntegrityError, UsageError

_ERRORS_ONLY = 3  # onnxruntime's log level


class OnnxNetwork:
    """One picture batch (N, 3, ``height``, ``width``) float32 → the outputs of the names in ``outputs``, in that order.

    ``device``: ``cpu``, or ``cuda:N`` where onnxruntime runs it there. A file may take any number of pictures at a time
    or, as YOLOX's, a fixed one.
    """

    def __init__(self, path: Path, device: str, outputs: Sequence[str] | None = None) -> None:
        """``outputs`` None: all of the file's.

        Raises UsageError where onnxruntime does not load, IntegrityError where the file is damaged or another network.
        """
        self._session = _open(path, device)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else []
        if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
            raise _another(path, f"takes {[each.shape for each in inputs]}, not pictures (N, 3, height, width)")
        there = [each.name for each in self._session.get_outputs()]
        if lacking := sorted(set(outputs or there) - set(there)):
            raise _another(path, f"has no output '{lacking[0]}', but {', '.join(there)}")
        self._input = inputs[0].name
        self._outputs = list(outputs or there)
        self.path = path
        self._batch: int | None = shape[0] if isinstance(shape[0], int) else None
        self.height, self.width = shape[2:]
        self.device = _device_of(self._session)

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        size = self._batch or len(pictures)
        rows = []
        for start in range(0, len(pictures), size):
            batch = pictures[start : start + size]
            full = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), np.float32)])
            rows.append([found[: len(batch)] for found in self._session.run(self._outputs, {self._input: full})])
        return [np.concatenate(parts) for parts in zip(*rows, strict=True)]

    def refuse(self, what: str) -> IntegrityError:
        """The error for outputs that are none of this network's: ``what`` they are."""
        return _another(self.path, what)


def import_onnxruntime() -> Any:
    """The package. Raises UsageError where it does not load."""
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise UsageError(
            f"the detector 'dwpose' does not load on this machine: {error}", "run: pip install 'magicpose-cli[dwpose]'"
        ) from error


def _open(path: Path, device: str) -> Any:
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    if hasattr(os, "sched_getaffinity"):  # by itself it counts the machine's cores, and pins threads to those of others
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
    try:
        return runtime.InferenceSession(str(path), options, providers=_providers(runtime, device))
    except Exception as error:  # its exceptions share no base class; all mean that the file cannot be used
        text = (str(error).splitlines() or [""])[0][:200]
        raise IntegrityError(
            f"{path} is damaged, or no ONNX network: {text}", "fetch it again: magicpose download dwpose"
        ) from error


def _providers(runtime: Any, device: str) -> list[Any]:
    kind, index = parse_device(device)
    if kind in ("auto", "cuda") and "CUDAExecutionProvider" in runtime.get_available_providers():
        return [("CUDAExecutionProvider", {"device_id": index or 0}), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


def _device_of(session: Any) -> str:
    """What it runs on: onnxruntime falls back to the CPU by itself where CUDA does not start."""
    if "CUDAExecutionProvider" not in session.get_providers():
        return "cpu"
    return f"cuda:{session.get_provider_options()['CUDAExecutionProvider'].get('device_id', '0')}"


def _another(path: Path, what: str) -> IntegrityError:
    return IntegrityError(f"{path} is another network: it {what}", "fetch it again: magicpose download dwpose")
