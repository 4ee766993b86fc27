"""Files as such: when the disk is full, how a file gets onto it for sure, and what it holds."""

import errno
import hashlib
import os
import re
from pathlib import Path

from magicpose_cli.core.progress import Advance

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CHUNK = 4 << 20
_OF_RUST = re.compile(r"\(os error ([0-9]+)\)")  # safetensors and tokenizers raise errors with the number in the text


def is_disk_full(error: BaseException) -> bool:
    """True where the disk, a quota or a limit on file sizes stopped a write, in whichever library."""
    said = _OF_RUST.search(str(error))
    number = int(said[1]) if said else getattr(error, "errno", None)
    return number in _FULL


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on disk."""
    posix = os.name == "posix"
    if path.is_dir() and not posix:
        return
    descriptor = os.open(path, os.O_RDONLY if posix else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path, advance: Advance | None = None) -> str:
    """The sha256 of a file, in hex; ``advance`` is told each stretch of bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            if advance:
                advance(len(chunk))
    return digest.hexdigest()


def amount_of_bytes(count: float) -> str:
    """``999 B``, ``1.5 MB``, ``3.4 GB``: decimal units."""
    for name in ("B", "kB", "MB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if name == "B" else f"{count:.1f} {name}"
        count /= 1000
    return f"{count:.1f} GB"
