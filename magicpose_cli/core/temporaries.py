"""Names of what is half made beside an output, and the removal of what dead processes left of it.

``write_whole`` writes a small file so; outputs have ``video.output`` and ``core.whole_folder``.
"""

import hashlib
import os
import re
import secrets
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from magicpose_cli.core.disk import sync

_OURS = re.compile(r"\.magicpose-(?P<machine>[0-9a-f]{6})-(?P<process>[0-9]+)-[0-9a-f]{8}(\.[a-z.]*tmp)?")


def temporary_beside(target: Path) -> Path:
    """A new hidden name in the folder of ``target``, which says whose it is.

    It does not depend on the target's own name, whose length may already be at the limit.
    """
    return target.parent / f".magicpose-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def write_whole(path: Path, content: bytes) -> None:
    """A small file, on disk whole or not at all, in place of what was there. Raises OSError."""
    temporary = temporary_beside(path).with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    sync(path.parent)


def sweep(folder: Path) -> None:
    """Remove what processes of this machine that are no more left half made in ``folder``.

    What other machines made there (a shared disk) stays: whether their processes live cannot be seen from here.
    """
    if os.name != "posix":  # elsewhere looking for a process by signal 0 would end it
        return
    with suppress(OSError):
        for entry in os.scandir(folder):
            ours = _OURS.fullmatch(entry.name)
            if ours and ours["machine"] == _machine() and not _lives(int(ours["process"])):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink(missing_ok=True)


def _machine() -> str:
    """Containers that share a disk have process numbers of their own, also where they share the host's name."""
    numbers = ""
    with suppress(OSError):  # Linux alone says whose process numbers ours are
        numbers = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{socket.gethostname()} {numbers}".encode()).hexdigest()[:6]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        pass
    return True
