"""A folder that appears whole or not at all."""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from magicpose_cli.core.errors import DiskFullError, OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def check_output_folder(folder: Path, owned: re.Pattern[str], *, overwrite: bool) -> None:
    """Raise OutputError where ``folder`` may not be written: call it before the long work, too.

    An existing folder that is not empty needs ``overwrite``, and may hold nothing but entries whose names match
    ``owned``: a mistyped ``-o ~`` must not cost anybody their files.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: is there already and is no folder", "choose another output name")
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read: {error.strerror}", "choose another output folder") from error
    if names and not overwrite:
        raise OutputError(f"{folder}: the folder exists and is not empty", "use --overwrite, or another output name")
    foreign = [name for name in names if not owned.fullmatch(name)]
    if foreign:
        raise OutputError(
            f"{folder}: will not be replaced, for it holds other things too, such as '{foreign[0]}'",
            "choose another output folder",
        )


@contextmanager
def whole_folder(folder: Path, owned: re.Pattern[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Gives a temporary folder beside ``folder`` to fill; after the block it takes the place of ``folder``.

    What is there stays untouched until the new one is complete and on disk, and if anything fails. A link is
    followed. Raises OutputError (see ``check_output_folder``), and DiskFullError where the disk is full.
    """
    folder = Path(os.path.realpath(folder))
    check_output_folder(folder, owned, overwrite=overwrite)
    # Short names: the final name may be as long as the file system allows.
    new = folder.parent / f".magicpose-{os.getpid()}-{secrets.token_hex(4)}"
    old = new.with_name(f"{new.name}-old")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        yield new
        for path in sorted(new.rglob("*")):
            _sync(path)
        _sync(new)
        if os.path.lexists(folder):
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
        _sync(folder.parent)
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(f"{folder}: the disk is full", "make room, or choose another output folder") from error
        raise OutputError(f"{folder}: cannot be written: {error.strerror}", "choose another output folder") from error
    finally:
        for left_over in (new, old):
            with suppress(OSError):
                shutil.rmtree(left_over)


def _sync(path: Path) -> None:
    if os.name != "posix" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
