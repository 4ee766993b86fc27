"""Tensors out of a checkpoint file, without running anything that the file says. torch loads on the first load.

The type is told by the first bytes, never by the name. Pickles go through ``torch.load(weights_only=True)`` alone;
a file that asks for more is refused, and nothing ever falls back to a full unpickler.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicpose_cli.core.errors import InputError, IntegrityError

if TYPE_CHECKING:
    import torch

_LEGACY_TORCH = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."  # torch's own magic number, pickled
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_FETCH_AGAIN = "get the file again: from the Hub's 'download' button, or with 'magicpose download'"


def file_format(path: Path) -> str:
    """``safetensors``, ``torch`` (ZIP archive) or ``torch-legacy``.

    Raises InputError for what is no checkpoint at all, IntegrityError for a bare pickle.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"no such file: {path}", "check the path") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "give the path of one checkpoint file") from error

    if not start:
        raise InputError(f"{path} is empty", _FETCH_AGAIN)
    if start.startswith(b"PK\x03\x04"):
        return "torch"
    if start.startswith(_LEGACY_TORCH):
        return "torch-legacy"
    if start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= size - 8:
        return "safetensors"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        raise InputError(f"{path} is a web page, not a checkpoint: a login or error page?", _FETCH_AGAIN)
    if start.startswith(_LFS_POINTER):
        raise InputError(f"{path} is a Git LFS pointer, not the weights themselves", "run 'git lfs pull' there")
    if start[:1] == b"\x80":
        raise IntegrityError(f"{path} is a Python pickle, not a torch checkpoint: refused", _FETCH_AGAIN)
    raise InputError(
        f"{path} is no checkpoint that is known here: it starts with {start[:8].hex(' ')}",
        "give a .safetensors file or a torch checkpoint (.th, .pth, .ckpt, .bin)",
    )


def is_pickle(path: Path) -> bool:
    """Whether the checkpoint's names and shapes are a pickle, which can hold programs. Raises as ``file_format``."""
    return file_format(path) != "safetensors"


def load_tensors(path: Path | str) -> dict[str, torch.Tensor]:
    """Name → tensor on the CPU, mapped from the disk where the format allows, so that it costs memory when read.

    A Lightning-style ``state_dict`` inside is taken out of its shell. Raises InputError where the file cannot be
    read or is no checkpoint, and IntegrityError where it is damaged, asks to run code, or holds other things than
    tensors.
    """
    import torch

    path = Path(path)
    kind = file_format(path)
    content = _load_safetensors(path) if kind == "safetensors" else _load_torch(path, mmap=kind == "torch")
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not content:
        raise IntegrityError(f"{path} holds no named tensors", "give a checkpoint of weights")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise IntegrityError(
                f"{path} holds {str(name)[:200]!r}, which is no tensor: it is not a plain checkpoint of weights",
                "give the checkpoint of weights, not a training state",
            )
        if value.layout != torch.strided or value.is_quantized or value.device.type != "cpu":
            raise IntegrityError(f"{path}: the tensor '{name}' is sparse, quantized or without values", _FETCH_AGAIN)
    return {name: value.detach() for name, value in content.items()}


def _load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise IntegrityError(f"{path} is a damaged safetensors file: {_one_line(error)}", _FETCH_AGAIN) from error


def _load_torch(path: Path, mmap: bool) -> Any:
    import torch

    if mmap:
        _check_archive(path)
    try:
        if path.suffix == ".safetensors":  # torch.load goes by this name, wrongly: hand it the bytes instead
            with open(path, "rb") as file:
                return torch.load(file, map_location="cpu", weights_only=True)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except MemoryError:
        raise
    except Exception as error:  # a hostile or torn pickle can fail in any way; all of them mean "do not use it"
        # torch names what the pickle wanted ("GLOBAL posix.system", "Unsupported class os.system")
        asked = re.search(r"(?:GLOBAL|class|function)\s+([\w.]+\.[\w.]+)", str(error))
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            what = f" ({asked.group(1)})" if asked else ""
            raise IntegrityError(
                f"{path} wants to run code while it loads{what}: refused",
                "use a file from the model's authors; checkpoints of weights need nothing of the kind",
            ) from error
        raise IntegrityError(f"{path} is damaged or cut off: {_one_line(error)}", _FETCH_AGAIN) from error


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise IntegrityError(f"{path} is damaged or cut off: {_one_line(error)}", _FETCH_AGAIN) from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise IntegrityError(f"{path} is a TorchScript program, not weights: refused", "give a checkpoint of weights")
    if not any(name.endswith("data.pkl") for name in names):
        raise InputError(f"{path} is a ZIP archive, not a torch checkpoint", "unpack it and give the file inside")


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
