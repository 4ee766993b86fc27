"""Two processes, one file: the second waits, and finds it there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_EVERY = 0.2  # seconds


class StopError(Exception):
    """The work was called off while it waited or ran."""


@contextmanager
def locked(path: Path, stop: threading.Event, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock of ``path`` (a hidden file beside it, freed by the system however the process ends).

    ``waiting`` is called once where another process holds it. The lock saves a second download. Where a file system's
    locks do nothing, the file is right all the same if both processes are sent the right bytes; if one is sent others,
    they may stand in what the other has found right, until it is hashed again. Raises StopError once ``stop`` is set,
    OSError.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        while not lock.is_locked:
            if stop.wait(_LOOK_EVERY):
                raise StopError from None
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
    try:
        yield
    finally:
        lock.release()
