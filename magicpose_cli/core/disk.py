"""The disk itself: when it is full, and how a file gets onto it for sure."""

import errno
import os
import re
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
