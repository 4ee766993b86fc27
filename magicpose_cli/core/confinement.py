"""What a process that reads strangers' files gives up: memory, time, writing, the network, other programs.

Each limit is set where the system has it: resource limits on POSIX, system calls on Linux (``core/system_calls.py``).
Elsewhere the process is still one of its own, so that its crash is not ours.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from magicpose_cli.core.system_calls import refuse_calls

if sys.platform != "win32":
    import resource


@dataclass(frozen=True)
class Limits:
    """``memory`` and ``file_size`` in bytes, ``seconds`` of computing for one piece of work; None: no limit.

    ``file_size`` 0: no file is written, made, renamed or removed at all. ``silence``: seconds by the clock that we wait
    for a word of the process.
    """

    memory: int | None = None
    seconds: int | None = None
    silence: int | None = None
    file_size: int | None = None
    open_files: int = 256


def confine(limits: Limits) -> None:
    """Set the limits for this process and all it starts. None of it can be taken back."""
    if sys.platform != "win32":
        _lower(resource.RLIMIT_CORE, 0)
        _lower(resource.RLIMIT_NOFILE, limits.open_files)
        _lower(resource.RLIMIT_FSIZE, limits.file_size)
        _lower(resource.RLIMIT_AS, limits.memory)
    if sys.platform == "linux":
        refuse_calls(read_only=limits.file_size == 0)


def _lower(kind: int, wanted: int | None) -> None:
    if wanted is None or sys.platform == "win32":
        return
    hard = resource.getrlimit(kind)[1]
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(kind, (most, most))
    except (ValueError, OSError):
        pass  # macOS knows RLIMIT_AS by name and refuses it


_allowed: int | None = None


def allow_seconds(seconds: int | None) -> None:
    """From now on this process may compute so long, all its threads together; then SIGXCPU ends it."""
    global _allowed
    _allowed = seconds
    if seconds is None or sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    until = int(used.ru_utime + used.ru_stime) + seconds
    if hard == resource.RLIM_INFINITY or until < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


_SIGN_EVERY = 10  # seconds
_signs: list[Callable[[], None]] = []
_last_sign = 0.0


def tell_of_work(sign: Callable[[], None]) -> None:
    """From now on ``still_working`` calls ``sign`` every few seconds: who waits for us shall go on waiting."""
    _signs[:] = [sign]


def still_working() -> None:
    """To be called in long work that gets somewhere: it may go on as long again. Does nothing without a limit."""
    global _last_sign
    allow_seconds(_allowed)
    if _signs and time.monotonic() - _last_sign > _SIGN_EVERY:
        _last_sign = time.monotonic()
        _signs[0]()
