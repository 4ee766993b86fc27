"""What a process that reads strangers' files gives up: memory, time, writing, the network, other programs.

Each limit is set where the system has it: resource limits on POSIX, system calls on Linux (seccomp, x86-64 and arm64).
Elsewhere the process is still one of its own, so that its crash is not ours.
"""

import ctypes
import platform
import struct
import sys
from dataclasses import dataclass

if sys.platform != "win32":
    import resource


@dataclass(frozen=True)
class Limits:
    """``memory`` and ``file_size`` in bytes, ``seconds`` of computing for one piece of work; None: no limit."""

    memory: int | None = None
    seconds: int | None = None
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
        _refuse_calls()


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


def still_working() -> None:
    """To be called in long work that gets somewhere: it may go on as long again. Does nothing without a limit."""
    allow_seconds(_allowed)


# Linux's numbers, by machine: of the architecture (linux/audit.h), of seccomp(2), and of the calls that reach the
# network, start a program or look into another process: socket, execve, execveat, ptrace, io_uring_setup.
_MACHINES = {
    "x86_64": (0xC000003E, 317, (41, 59, 322, 101, 425)),
    "aarch64": (0xC00000B7, 277, (198, 221, 281, 117, 425)),
}
_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _ALL_THREADS = 38, 1, 1
_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050001  # the last one: the call fails with EPERM
_CALL_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_X32_CALLS = 0x40000000  # the same calls under other numbers


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def _refuse_calls() -> None:
    """A filter of system calls, which an old kernel may not know: then the other limits must do."""
    if platform.machine() not in _MACHINES:
        return
    architecture, seccomp, numbers = _MACHINES[platform.machine()]
    tests = [(_JUMP_AT_LEAST, _X32_CALLS), *((_JUMP_EQUAL, number) for number in numbers)]
    steps = [
        (_LOAD_WORD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD_WORD, 0, 0, _CALL_NUMBER),
        # Each jump leads over the tests that follow it, and over ALLOW, to REFUSE.
        *((code, len(tests) - index, 0, value) for index, (code, value) in enumerate(tests)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    program = _Program(len(steps), b"".join(struct.pack("=HBBI", *step) for step in steps))
    libc = ctypes.CDLL(None)
    number = ctypes.c_long
    libc.prctl(_PR_SET_NO_NEW_PRIVS, number(1), number(0), number(0), number(0))
    libc.syscall(number(seccomp), number(_SET_MODE_FILTER), number(_ALL_THREADS), ctypes.byref(program))
