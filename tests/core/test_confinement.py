"""What a confined process is refused: tried in real processes, each on a folder that must stay as it was."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from magicpose_cli.core.confinement import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="system calls of Linux")
_TOP = Path(__file__).parents[2]

_START = """
import ctypes, errno, fcntl, json, mmap, os, resource, signal, socket, subprocess, sys, tempfile, threading
from magicpose_cli.core.confinement import Limits, allow_seconds, confine
libc = ctypes.CDLL(None, use_errno=True)
def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result
def attempt(name, action):
    try:
        action()
        print(name, "allowed", flush=True)
    except MemoryError:
        print(name, "MemoryError", flush=True)
    except OSError as error:
        print(name, errno.errorcode[error.errno], flush=True)
limits, parent = Limits(**json.loads(sys.argv[1])), os.getppid()
"""

_OTHERS = """
confine(limits)
word = ctypes.create_string_buffer(8)
class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))
mine = ctypes.byref(Vector(ctypes.addressof(word), 8))
attempt("read", lambda: open("kept").read())
attempt("thread", lambda: threading.Thread(target=int).start())
attempt("own_signal", lambda: os.kill(os.getpid(), 0))
attempt("own_limits", lambda: resource.prlimit(0, resource.RLIMIT_AS))
attempt("network", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
attempt("datagrams", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("local", lambda: socket.socket(socket.AF_UNIX))
attempt("program", lambda: subprocess.run(["true"]))
attempt("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}))
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("fork", lambda: os.fork() or os._exit(0))
attempt("clone3", lambda: checked(libc.syscall(435, None, 0)))
attempt("kill", lambda: os.kill(parent, signal.SIGCONT))
attempt("kill_group", lambda: os.kill(0, signal.SIGCONT))
attempt("tgkill", lambda: checked(libc.tgkill(parent, parent, signal.SIGCONT)))
attempt("pidfd", lambda: os.pidfd_open(parent))
attempt("sigqueue", lambda: checked(libc.sigqueue(parent, 0, None)))
attempt("owner", lambda: fcntl.fcntl(0, fcntl.F_SETOWN, parent))
attempt("owner_signal", lambda: fcntl.fcntl(0, 10, signal.SIGCONT))
attempt("ptrace", lambda: checked(libc.ptrace(0x4206, parent, None, None)))
attempt("read_memory", lambda: checked(libc.process_vm_readv(parent, mine, 1, mine, 1, 0)))
attempt("write_memory", lambda: checked(libc.process_vm_writev(parent, mine, 1, mine, 1, 0)))
attempt("others_limits", lambda: resource.prlimit(parent, resource.RLIMIT_CORE))
attempt("more_memory", lambda: checked(libc.setrlimit(resource.RLIMIT_AS, (ctypes.c_ulong * 2)(6 << 30, 6 << 30))))
attempt("shared_memory", lambda: checked(libc.shmget(0, 4096, 0o600)))
attempt("typing", lambda: fcntl.ioctl(0, 0x5412, b"x"))
attempt("file_flags", lambda: fcntl.ioctl(os.open("kept", os.O_RDONLY), 0x40086602, bytes(8)))
attempt("mount", lambda: checked(libc.mount(b"none", b"folder", b"tmpfs", 0, None)))
attempt("namespace", lambda: checked(libc.unshare(0x20000)))
attempt("by_handle", lambda: checked(libc.open_by_handle_at(3, mine, os.O_RDWR)))
attempt("unknown", lambda: checked(libc.syscall(500)))
attempt("memory", lambda: bytearray(5 << 30))
attempt("files", lambda: [os.open("kept", os.O_RDONLY) for _ in range(50)])
os.abort()
"""

_LOOKS = """
from magicpose_cli.core.system_calls import stay_apart
stay_apart()
def in_a_thread(action):
    caught = []
    def run():
        try:
            action()
        except OSError as error:
            caught.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    for error in caught:
        raise error
attempt("own_memory", lambda: os.open("/proc/self/mem", os.O_RDWR))
attempt("memory", lambda: os.open(f"/proc/{parent}/mem", os.O_RDWR))
attempt("memory_by_thread", lambda: in_a_thread(lambda: os.open(f"/proc/{parent}/mem", os.O_RDWR)))
attempt("working_folder", lambda: os.readlink(f"/proc/{parent}/cwd"))
os.chdir(tempfile.mkdtemp(dir=".."))
os.mkdir("made")
attempt("write", lambda: open("made/new", "w").close())
attempt("move", lambda: os.rename("made/new", "new"))
attempt("remove", lambda: os.unlink("new"))
"""

_WRITES = """
already_open = os.open("kept", os.O_RDWR)
confine(limits)
here = os.open(".", os.O_RDONLY)
attempt("read", lambda: open("kept").read())
attempt("list", lambda: os.listdir("folder"))
attempt("write", lambda: os.write(already_open, b"x"))
attempt("open_w", lambda: os.open("kept", os.O_WRONLY))
attempt("open_rw_and_map", lambda: mmap.mmap(os.open("kept", os.O_RDWR), 4, mmap.MAP_SHARED).__setitem__(0, 7))
attempt("open_by_proc", lambda: os.open(f"/proc/self/fd/{os.open('kept', os.O_RDONLY)}", os.O_RDWR))
attempt("open_at", lambda: os.open("kept", os.O_WRONLY, dir_fd=here))
attempt("truncating", lambda: os.open("kept", os.O_RDONLY | os.O_TRUNC))
attempt("creating", lambda: os.open("new", os.O_RDONLY | os.O_CREAT, 0o600))
attempt("nameless", lambda: os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600))
attempt("openat2", lambda: checked(libc.syscall(437, here, b"kept", bytes(24), 24)))
attempt("creat", lambda: checked(libc.creat(b"kept", 0o600)))
attempt("parent_memory", lambda: os.open(f"/proc/{parent}/mem", os.O_RDWR))
attempt("truncate", lambda: os.truncate("kept", 1))
attempt("unlink", lambda: os.unlink("kept"))
attempt("unlink_at", lambda: os.unlink("kept", dir_fd=here))
attempt("rmdir", lambda: os.rmdir("folder"))
attempt("rename", lambda: os.rename("kept", ".bashrc"))
attempt("rename_at", lambda: os.rename("kept", ".bashrc", src_dir_fd=here, dst_dir_fd=here))
attempt("renameat2", lambda: checked(libc.renameat2(here, b"kept", here, b".bashrc", 0)))
attempt("link", lambda: os.link("kept", "new"))
attempt("symlink", lambda: os.symlink("kept", "new"))
attempt("symlink_at", lambda: os.symlink("kept", "new", dir_fd=here))
attempt("mkdir", lambda: os.mkdir("new"))
attempt("mkdir_at", lambda: os.mkdir("new", dir_fd=here))
attempt("mkfifo", lambda: os.mkfifo("new"))
attempt("chmod", lambda: os.chmod("kept", 0o777))
attempt("fchmod", lambda: os.fchmod(here, 0o777))
attempt("chmod_at", lambda: os.chmod("kept", 0o777, dir_fd=here))
attempt("chown", lambda: os.chown("kept", os.getuid(), os.getgid()))
attempt("lchown", lambda: os.lchown("kept", os.getuid(), os.getgid()))
attempt("fchown", lambda: os.fchown(here, os.getuid(), os.getgid()))
attempt("chown_at", lambda: os.chown("kept", os.getuid(), os.getgid(), dir_fd=here))
attempt("times", lambda: os.utime("kept", (0, 0)))
attempt("set_attribute", lambda: os.setxattr("kept", "user.x", b"x"))
attempt("remove_attribute", lambda: os.removexattr("kept", "user.x"))
allow_seconds(1)
while True: pass
"""


def _attempts(script: str, limits: Limits, folder: Path) -> tuple[int, dict[str, str]]:
    """How the process ended, and what became of each attempt. Asserts that the folder is as it was."""
    (folder / "kept").write_bytes(b"kept")
    (folder / "folder").mkdir()
    before = _state(folder)
    told = subprocess.run(
        [sys.executable, "-c", _START + script, json.dumps(asdict(limits))],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_TOP)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    lines = [line.split() for line in told.stdout.split("\n") if line]
    assert len(lines) == script.count('attempt("'), told.stderr
    assert _state(folder) == before
    return told.returncode, dict(lines)


def _state(folder: Path) -> dict[str, object]:
    paths = [folder, *folder.rglob("*")]
    stats = {path.name: path.lstat() for path in paths}
    known = {
        name: (s.st_mode, s.st_ino, s.st_nlink, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in stats.items()
    }
    return {**known, "content": (folder / "kept").read_bytes()}


def _landlock_version() -> int:
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


def _apart(outcomes: dict[str, str]) -> dict[str, str]:
    """Those that were not refused as most are."""
    return {name: outcome for name, outcome in outcomes.items() if outcome != "EPERM"}


def test_a_reader_changes_no_file(tmp_path: Path) -> None:
    code, outcomes = _attempts(_WRITES, Limits(file_size=0), tmp_path)
    assert code == -signal.SIGXCPU
    assert _apart(outcomes) == {"read": "allowed", "list": "allowed", "write": "EFBIG", "openat2": "ENOSYS"}


@pytest.mark.parametrize("file_size", [0, None])
def test_readers_and_writers_reach_no_other_process(file_size: int | None, tmp_path: Path) -> None:
    limits = Limits(memory=4 << 30, file_size=file_size, open_files=20)
    code, outcomes = _attempts(_OTHERS, limits, tmp_path)
    assert code == -signal.SIGABRT, outcomes  # an abort signals the own process: it may
    assert _apart(outcomes) == {
        "read": "allowed",
        "thread": "allowed",
        "own_signal": "allowed",
        "own_limits": "allowed",
        "clone3": "ENOSYS",
        "unknown": "ENOSYS",
        "memory": "MemoryError",
        "files": "EMFILE",
    }


def test_a_writer_looks_into_no_other_process_and_still_writes(tmp_path: Path) -> None:
    if _landlock_version() < 4:
        pytest.skip("a Linux without Landlock, or before 6.7")
    code, outcomes = _attempts(_LOOKS, Limits(), tmp_path)
    assert code == 0
    refused = {"memory", "memory_by_thread", "working_folder"}
    assert {name for name, outcome in outcomes.items() if outcome == "EACCES"} == refused
    assert {outcome for name, outcome in outcomes.items() if name not in refused} == {"allowed"}
