"""An output appears whole or not at all: a temporary file beside it, synced, then renamed."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av.error

from magicpose_cli.core.disk import is_disk_full, sync
from magicpose_cli.core.errors import DiskFullError, OutputError
from magicpose_cli.core.temporaries import sweep, temporary_beside


def check_writable(path: Path, overwrite: bool = False) -> Path:
    """Call before long work: would ``path`` take an output? Makes nothing.

    Returns the real target (a link is followed once, so that the link itself stays). Raises OutputError where the
    output exists (without ``overwrite``), is a folder or a device, or its folder cannot be written.
    """
    path = Path(path)
    is_link = os.path.islink(path)
    info = None
    try:
        target = path.resolve(strict=True) if is_link else path.absolute()
        info = os.stat(target)
    except (OSError, RuntimeError, ValueError) as error:
        if is_link:
            raise OutputError(f"{path} is a link that leads nowhere", "remove it or choose another name") from None
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            reason = getattr(error, "strerror", None) or str(error)
            raise OutputError(f"cannot write {path}: {reason}", "choose another name") from None
    if info is not None:
        if stat.S_ISDIR(info.st_mode):
            raise OutputError(f"{path} is a folder", "name a file in it")
        if not stat.S_ISREG(info.st_mode):
            raise OutputError(f"{path} is not a regular file", "write to a file on disk")
        if not overwrite:
            raise OutputError(f"{path} exists already", "add --overwrite to replace it, or choose another name")
    folder = target.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: {folder} is not a folder", "choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {path}: the folder {folder} is not writable", "choose another place")
    return target


@contextmanager
def whole_output(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yields a temporary path in the output's folder (made where missing); renamed to ``path`` if the block succeeds.

    Whatever stops the block, KeyboardInterrupt too, leaves no temporary file and the old output as it was.
    Raises OutputError, and DiskFullError where the disk is full.
    """
    target = check_writable(path, overwrite)
    temporary = temporary_beside(target).with_suffix(".tmp")
    sweep(target.parent)
    try:
        with told_plainly(path):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        with told_plainly(path):
            sync(temporary)
            _publish(temporary, target, overwrite)
    finally:
        with suppress(OSError):  # it is swept by the next run
            temporary.unlink(missing_ok=True)


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Errors of the operating system and of FFmpeg while ``path`` is written, as OutputError or DiskFullError."""
    try:
        yield
    except (OSError, av.error.FFmpegError) as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"the disk is full: {path} could not be written", f"make room in {Path(path).absolute().parent}"
            ) from error
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}", "check the folder, or choose another place"
        ) from error


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
    else:
        _rename_without_replacing(temporary, target)
    sync(target.parent)


def _rename_without_replacing(temporary: Path, target: Path) -> None:
    try:
        os.link(temporary, target)  # unlike a rename, never replaces
    except FileExistsError:
        kept = next(p for n in range(1, 10_000) if not (p := target.with_stem(f"{target.stem}-{n}")).exists())
        os.replace(temporary, kept)
        raise OutputError(
            f"{target} appeared while this ran and was left as it is; the new file is {kept}",
            "choose which one to keep",
        ) from None
    except OSError:  # a file system without hard links
        os.replace(temporary, target)
