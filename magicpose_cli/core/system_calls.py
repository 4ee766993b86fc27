"""A filter of system calls (seccomp(2), Linux on x86-64 and arm64): a process gives up what decoding never needs.

The kernel refuses, for good and for all threads: the network, other programs and processes, the administrator's calls;
with ``read_only`` also all that makes, changes or removes a file. A filter sees numbers and flags, no path: what may be
read, may be read everywhere. Landlock (landlock(7)), where the kernel has it, keeps other processes' memory closed.
"""

import ctypes
import os
import platform
import struct
import sys
from typing import Any

# Linux's numbers on x86-64 and arm64 (asm/unistd_64.h, asm-generic/unistd.h); "-": that machine has no such call.
_NEVER = """
socket 41 198, execve 59 221, execveat 322 281, io_uring_setup 425 425
fork 57 -, vfork 58 -, unshare 272 97, setns 308 268
ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, kcmp 312 272, process_madvise 440 440
process_mrelease 448 448, pidfd_open 434 434, pidfd_send_signal 424 424, pidfd_getfd 438 438
tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240
shmget 29 194, shmat 30 196, semget 64 190, msgget 68 186, mq_open 240 180, mq_unlink 241 181
setrlimit 160 164, add_key 248 217, request_key 249 218, keyctl 250 219
bpf 321 280, perf_event_open 298 241, userfaultfd 323 282
mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, open_tree 428 428, move_mount 429 429, fsopen 430 430
fsconfig 431 431, fsmount 432 432, fspick 433 433, mount_setattr 442 442, open_tree_attr 467 467
open_by_handle_at 304 265, quotactl 179 60, quotactl_fd 443 443, swapon 167 224, swapoff 168 225, acct 163 89
init_module 175 105, finit_module 313 273, delete_module 176 106, kexec_load 246 104, kexec_file_load 320 294
reboot 169 142, settimeofday 164 170, clock_settime 227 112, clock_adjtime 305 266, adjtimex 159 171
sethostname 170 161, setdomainname 171 162, ioperm 173 -, iopl 172 -
"""
_WRITING = """
creat 85 -, truncate 76 45, unlink 87 -, unlinkat 263 35, rmdir 84 -
rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36
mkdir 83 -, mkdirat 258 34, mknod 133 -, mknodat 259 33
chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452
chown 92 -, lchown 94 -, fchown 93 55, fchownat 260 54
utime 132 -, utimes 235 -, futimesat 261 -, utimensat 280 88
setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, setxattrat 463 463
removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16, removexattrat 466 466, file_setattr 469 469
"""
# These are allowed or not by an argument. clone3 and openat2 hide theirs behind an address: they are "not there", and
# the C library takes the older call.
_BY_ARGUMENT = """
clone 56 220, clone3 435 435, kill 62 129, tgkill 234 131, ioctl 16 29, fcntl 72 25, prlimit64 302 261
open 2 -, openat 257 56, openat2 437 437
"""
_FIRST_UNKNOWN = 470  # later calls, and x86-64's second set of numbers (x32): not there
_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}  # column, linux/audit.h, seccomp(2)

_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF, _ALL_TCP = 444, 446, 3  # the last one: to bind and to connect
_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _ALL_THREADS = 38, 1, 1
_LOAD, _RETURN, _EQUAL, _AT_LEAST, _ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45  # struct sock_filter's codes
_KILL, _ALLOW, _EPERM, _ENOSYS = 0x80000000, 0x7FFF0000, 0x00050001, 0x00050026
_CALL, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD = 0x10000
_O_CREAT, _O_TRUNC, _O_TMPFILE = 0o100, 0o1000, 0o20000000
_OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | _O_CREAT | _O_TRUNC | _O_TMPFILE
# ioctl reaches into every driver: no TIOCSTI (typing into a terminal), no FS_IOC_SETFLAGS, no disk.
# Allowed: TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX.
_HARMLESS_IOCTLS = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15  # they make the kernel signal another process

_Step = tuple[int, int, int, int]  # code, steps to skip where it holds, steps to skip where not, value


def refuse_calls(*, read_only: bool) -> None:
    """Set the filter. An old kernel may not know it: then the other limits must do."""
    if platform.machine() not in _MACHINES:
        return
    column, architecture, seccomp = _MACHINES[platform.machine()]
    steps = _program(column, architecture, os.getpid(), read_only)
    program = _Program(len(steps), b"".join(struct.pack("=HBBI", *step) for step in steps))
    _renounce_privileges()
    _call(seccomp, _SET_MODE_FILTER, _ALL_THREADS, ctypes.byref(program))


def stay_apart() -> None:
    """Close other processes' memory in /proc to this thread and those that it starts, also where it runs as root.

    So it must come before any library starts threads. Does nothing before Linux 6.7 (Landlock's version 4).
    """
    if sys.platform != "linux":
        return
    _renounce_privileges()
    # Who gives up anything at all may no longer look into those who did not. Files it still needs: so it gives up TCP.
    ruleset = _call(_LANDLOCK_CREATE_RULESET, struct.pack("=QQ", 0, _ALL_TCP), 16, 0)
    if ruleset >= 0:
        _call(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
        os.close(ruleset)


def _renounce_privileges() -> None:
    number = ctypes.c_long
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, number(1), number(0), number(0), number(0))


def _call(number: int, *arguments: Any) -> int:
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return int(ctypes.CDLL(None).syscall(ctypes.c_long(number), *wide))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def _program(column: int, architecture: int, pid: int, read_only: bool) -> list[_Step]:
    known = _numbers(_BY_ARGUMENT, column)
    rules = {
        "clone": _only_bits(0, _CLONE_THREAD),
        "clone3": [(_RETURN, 0, 0, _ENOSYS)],
        "kill": _only(0, pid),
        "tgkill": _only(0, pid),
        "ioctl": _only(1, *_HARMLESS_IOCTLS),
        "fcntl": _none_of(1, _F_SETOWN, _F_SETSIG, _F_SETOWN_EX),
        "prlimit64": _own_time_alone(pid),
    }
    never = _numbers(_NEVER, column)
    if read_only:
        never |= _numbers(_WRITING, column)
        rules["open"] = _no_bits(1, _OPEN_TO_WRITE)
        rules["openat"] = _no_bits(2, _OPEN_TO_WRITE)
        rules["openat2"] = [(_RETURN, 0, 0, _ENOSYS)]
    steps: list[_Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _CALL),
        (_AT_LEAST, 0, 1, _FIRST_UNKNOWN),
        (_RETURN, 0, 0, _ENOSYS),
    ]
    for number in never.values():
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _EPERM)]
    for name, rule in rules.items():
        if name in known:  # a rule ends in RETURN: what comes after it still has the call's number at hand
            steps += [(_EQUAL, 0, len(rule), known[name]), *rule]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _numbers(table: str, column: int) -> dict[str, int]:
    calls = [entry.split() for line in table.split("\n") for entry in line.split(",") if entry.strip()]
    return {name: int(numbers[column]) for name, *numbers in calls if numbers[column] != "-"}


def _argument(index: int) -> _Step:
    """Load the lower half of an argument (both machines are little-endian): the kernel takes an int there."""
    return _LOAD, 0, 0, _ARGUMENTS + 8 * index


def _only(index: int, *values: int) -> list[_Step]:
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), *tests, (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]


def _none_of(index: int, *values: int) -> list[_Step]:
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), *tests, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]


def _only_bits(index: int, bits: int) -> list[_Step]:
    return [_argument(index), (_ANY_BIT, 1, 0, bits), (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]


def _no_bits(index: int, bits: int) -> list[_Step]:
    return [_argument(index), (_ANY_BIT, 1, 0, bits), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]


def _own_time_alone(pid: int) -> list[_Step]:
    """prlimit64 may ask, and set this process's RLIMIT_CPU (0): an administrator's could raise the other limits."""
    new_limit = _ARGUMENTS + 8 * 2  # an address, none where it asks: both halves count
    return [
        _argument(0),
        (_EQUAL, 1, 0, 0),
        (_EQUAL, 0, 6, pid),
        _argument(1),
        (_EQUAL, 5, 0, 0),
        (_LOAD, 0, 0, new_limit),
        (_EQUAL, 0, 2, 0),
        (_LOAD, 0, 0, new_limit + 4),
        (_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
