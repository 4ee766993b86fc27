"""A folder that appears whole or not at all: the one way in which a folder is written or replaced."""

import ctypes
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from magicpose_cli.core.disk import is_disk_full, sync
from magicpose_cli.core.errors import DiskFullError, OutputError
from magicpose_cli.core.temporaries import sweep, temporary_beside

_HERE, _EXCHANGE = -100, 2  # Linux: AT_FDCWD, RENAME_EXCHANGE


def check_folder_place(folder: Path, *, ours: re.Pattern[str], overwrite: bool = False) -> None:
    """Raise OutputError where ``folder`` may not be written: call it before the long work, too.

    An existing folder that is not empty needs ``overwrite``, and may hold nothing but entries (files and folders, at
    any depth) whose paths within it, such as ``unet/config.json``, match ``ours`` in full: a mistyped ``-o ~`` must not
    cost anybody their files.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise OutputError(f"{folder}: is there already and is no folder", "choose another output name")
    try:
        empty = not os.listdir(folder)
        foreign = _first_foreign(folder, ours)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be read: {error.strerror}", "choose another output folder") from error
    if not empty and not overwrite:
        raise OutputError(f"{folder}: the folder exists and is not empty", "use --overwrite, or another output name")
    if foreign:
        raise OutputError(
            f"{folder}: will not be replaced, for it holds other things too, such as '{foreign}'",
            "choose another output folder",
        )


@contextmanager
def whole_folder(folder: Path, *, ours: re.Pattern[str], overwrite: bool = False) -> Iterator[Path]:
    """Gives a temporary folder beside ``folder`` to fill; after the block it takes the place of ``folder``.

    What is there stays untouched until the new one is complete and on disk, and is put back where the change of places
    fails. A link is followed. Raises OutputError (see ``check_folder_place``), DiskFullError where the disk is full.
    """
    folder = Path(os.path.realpath(folder))
    check_folder_place(folder, ours=ours, overwrite=overwrite)
    new = temporary_beside(folder)
    sweep(folder.parent)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        yield new
        for path in sorted(new.rglob("*")):
            sync(path)
        sync(new)
        check_folder_place(folder, ours=ours, overwrite=overwrite)  # what came there meanwhile
        _change_places(new, folder, overwrite)
    except Exception as error:
        if is_disk_full(error):
            raise DiskFullError(f"{folder}: the disk is full", "make room, or choose another output folder") from error
        if isinstance(error, OSError):
            raise OutputError(
                f"{folder}: cannot be written: {error.strerror or error}", "choose another output folder"
            ) from error
        raise
    finally:
        with suppress(OSError):  # the next run sweeps it
            shutil.rmtree(new, ignore_errors=True)


def _first_foreign(folder: Path, ours: re.Pattern[str]) -> str | None:
    """The first entry, by its path within the folder, that is none of ours."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=fail):
        for name in sorted(folders + files):
            inside = Path(place, name).relative_to(folder).as_posix()
            if not ours.fullmatch(inside):
                return inside
    return None


def _change_places(new: Path, folder: Path, overwrite: bool) -> None:
    if overwrite and os.path.lexists(folder) and _exchange(new, folder):
        sync(folder.parent)
        return
    # In two steps. A process killed between them leaves the old folder under this name, which nobody sweeps.
    old = new.with_name(f"{new.name}-old")
    try:
        if overwrite and os.path.lexists(folder):
            folder.rename(old)
        else:  # an empty folder may be there: Windows does not rename onto it
            with suppress(OSError):
                folder.rmdir()
        new.rename(folder)
    except BaseException:
        if old.exists() and not os.path.lexists(folder):
            _put_back(old, folder)
        raise
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step, where system and file system can."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def _put_back(old: Path, folder: Path) -> None:
    try:
        old.rename(folder)
    except OSError as error:
        raise OutputError(
            f"{folder}: could be neither replaced nor put back: {error.strerror}", f"what it held is now in {old}"
        ) from error
