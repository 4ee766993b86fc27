"""What a long run has done so far, in a hidden folder beside its output: the same command, given again, goes on there.

A process may end at any moment, and so may the machine: each file appears whole or not at all, and bears a checksum.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.errors import DiskFullError, IntegrityError, NoPersonError, OutputError
from magicpose_cli.core.progress import Progress
from magicpose_cli.core.temporaries import sweep, temporary_beside, write_whole

if TYPE_CHECKING:
    from filelock import BaseFileLock

_LONGEST_NAME = 255  # bytes, of most file systems
_LOCK, _OWNER, _REQUEST, _RESULT = "lock", "owner", "request.json", "result.json"
_KEPT = ".kept"
_LOOK_EVERY = 0.2  # seconds


class WorkFolder:
    """The folder at ``path``, held by this process. ``work_folder`` makes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def clear_unless(self, request: dict[str, Any]) -> bool:
        """Take the folder for ``request``, plain data that names all that the work hangs on.

        What another request kept is removed. Returns True where there was something to remove.
        """
        text = json.dumps(request, indent=2, sort_keys=True) + "\n"
        with suppress(OSError, ValueError):
            if (self.path / _REQUEST).read_text(encoding="utf-8") == text:
                return False
        found = bool(self.names())
        self._clear()
        self._write(_REQUEST, text.encode())
        return found

    def keep(self, name: str, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Keep plain data and arrays under ``name``, in place of what was there. Raises OutputError, DiskFullError."""
        from safetensors.numpy import save

        said = np.frombuffer(json.dumps(header).encode(), np.uint8)
        content = save({"": said, **{key: np.ascontiguousarray(array) for key, array in arrays.items()}})
        self._write(name + _KEPT, hashlib.sha256(content).digest() + content)

    def kept(self, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """What ``keep`` was given, or None where nothing whole is there: then it is removed."""
        from safetensors.numpy import load

        try:
            found = (self.path / (name + _KEPT)).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(found[32:]).digest() != found[:32]:
            self.drop(name)
            return None
        arrays = load(found[32:])
        return json.loads(arrays.pop("").tobytes()), arrays

    def names(self) -> list[str]:
        """What is kept, in order."""
        return sorted(file.name.removesuffix(_KEPT) for file in self.path.glob(f"*{_KEPT}"))

    @property
    def size(self) -> int:
        """Bytes of what is kept."""
        return sum(file.stat().st_size for file in self.path.glob(f"*{_KEPT}"))

    def drop(self, name: str) -> None:
        (self.path / (name + _KEPT)).unlink(missing_ok=True)

    @contextmanager
    def told(self, progress: Progress, done: Callable[[], float], count: int) -> Iterator[None]:
        """Says with which of ``count`` frames the block goes on, and, when it is stopped, the same command will.

        ``done()`` is how many frames' work is kept. It is removed only where the error is about that work itself:
        nobody was found in it, or it is not sound.
        """
        if before := done():
            progress.note(f"going on with an earlier run from frame {int(before)} of {count}")
        try:
            yield
        except (IntegrityError, NoPersonError):
            self._clear()
            raise
        except BaseException as error:
            if after := done():
                error.add_note(f"run the same command again to go on from frame {int(after)} of {count}")
            raise

    def note_result(self, sha256: str) -> None:
        """Call before an output takes its place: from then on it is known as ours (``results``)."""
        self._write(_RESULT, json.dumps({"sha256": sorted({*self.results, sha256})}).encode())

    @property
    def results(self) -> frozenset[str]:
        """The sha256 of the outputs of a run that ended when they were there, and what belongs to them was not."""
        try:
            return frozenset(map(str, json.loads((self.path / _RESULT).read_bytes())["sha256"]))
        except (OSError, ValueError, KeyError, TypeError):
            return frozenset()

    def _clear(self) -> None:
        for name in self.names():
            self.drop(name)
        (self.path / _RESULT).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        with _told_plainly(self.path):
            self.path.mkdir(exist_ok=True)  # where locks do nothing, another process may have finished with it
            write_whole(self.path / name, content)


@contextmanager
def work_folder(output: Path, waiting: Callable[[int | None], None] | None = None) -> Iterator[WorkFolder]:
    """The work folder of ``output``, for one process at a time. It goes away where the block succeeds or kept nothing.

    Another process with this output: OutputError, or where ``waiting`` is given it is called once, with that process's
    number, and the block begins when the other is done. Raises OutputError, DiskFullError.
    """
    target = Path(os.path.realpath(output))
    place = target.parent / _name(target.name)
    missing = [folder for folder in (target.parent, *target.parent.parents) if not folder.exists()]
    with _told_plainly(place):
        lock = _take(place, output, waiting)
    sweep(place.parent)
    try:
        for left in place.glob("*.tmp"):
            left.unlink(missing_ok=True)
        with suppress(OSError):  # it is only for the word to others
            (place / _OWNER).write_text(str(os.getpid()), encoding="ascii")
        work = WorkFolder(place)
        succeeded = False
        try:
            yield work
            succeeded = True
        finally:
            if succeeded or not work.names():
                if os.name != "posix" and lock:
                    lock.release()  # there, no file goes away while it is open
                _remove(place)
                for folder in missing:
                    with suppress(OSError):  # not empty
                        folder.rmdir()
    finally:
        if lock:
            with suppress(OSError):  # the work is done, and the lock ends with the process
                lock.release()


def _take(place: Path, output: Path, waiting: Callable[[int | None], None] | None) -> "BaseFileLock | None":
    """The lock of the work folder, or None where the file system has no locks: it saves work, nothing hangs on it."""
    from filelock import FileLock, Timeout

    while True:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / _LOCK)
        try:
            with _unchanged(place) as is_unchanged:
                lock.acquire(timeout=0)
                if is_unchanged():
                    return lock
        except Timeout:
            owner = _owner(place)
            if waiting is None:
                who = f"process {owner}" if owner else "another process"
                raise OutputError(f"{output} is in use by {who}", "wait for it, or choose another name") from None
            waiting(owner)
            waiting = lambda owner: None  # noqa: E731
            time.sleep(_LOOK_EVERY)
            continue
        except NotImplementedError:
            return None
        except FileNotFoundError:
            continue  # the other process finished, and removed the folder
        lock.release()


@contextmanager
def _unchanged(place: Path) -> Iterator[Callable[[], bool]]:
    """Gives what says whether ``place`` is still the same folder, not one that others made after they removed it.

    While the folder is open, no other gets its number.
    """
    if os.name != "posix":  # no folder can be opened there, and none goes away while a file in it is open
        yield place.exists
        return
    folder = os.open(place, os.O_RDONLY)
    try:
        yield lambda: place.exists() and os.path.samestat(os.fstat(folder), place.stat())
    finally:
        os.close(folder)


def _remove(place: Path) -> None:
    """In one step, so that no half of it is ever taken for a whole; what a killed process leaves is swept."""
    gone = temporary_beside(place)
    with suppress(OSError):
        os.rename(place, gone)
        shutil.rmtree(gone, ignore_errors=True)


def _owner(place: Path) -> int | None:
    try:
        return int((place / _OWNER).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _name(output: str) -> str:
    name = f".{output}.magicpose"
    if len(os.fsencode(name)) <= _LONGEST_NAME:
        return name
    return f".{hashlib.sha256(os.fsencode(output)).hexdigest()[:32]}.magicpose"


@contextmanager
def _told_plainly(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"the disk is full: what was done so far could not be kept in {place}",
                f"make room in {place.parent} and run the same command again: it goes on where it was",
            ) from error
        raise OutputError(
            f"cannot write {place}: {error.strerror or error}", "check the folder, or choose another place"
        ) from error
