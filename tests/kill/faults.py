"""System calls of a run that fail, or in the middle of which it is killed, by strace's injection."""

import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.kill.worker import FILE, FOLDER, MARK, MEMBER, NEW, PARTS, RECORD, part

CALLS = (
    "openat",
    "write",
    "fsync",
    "rename",
    "renameat2",
    "linkat",
    "mkdir",
    "unlink",
    "unlinkat",
    "rmdir",
    "flock",
    "close",
)
ERRORS = ("EIO", "ENOSPC", "EROFS", "EDQUOT", "EMFILE", "EACCES")
KILLED = "SIGKILL"
_CODES = {0, 20, 21}  # done; not writable; disk full
_ROOT = Path(__file__).parents[2]


def can_inject(folder: Path) -> bool:
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-f", "-qq", "-e", "inject=fsync:error=EIO", "-o", "/dev/null", "true"]
    return subprocess.run(probe, capture_output=True, cwd=folder).returncode == 0


def faults(numbers: Iterable[int], folder: Path) -> tuple[Counter[str], list[str]]:
    """One run in small for each number, which is the fault's seed. Returns how they ended, and what was wrong."""
    ends: Counter[str] = Counter()
    bad = []
    calls = _calls(folder)
    whole = b"".join(part(number).tobytes() for number in range(PARTS))
    for number in numbers:
        chance = random.Random(number)
        call, kind = chance.choice(sorted(calls)), chance.choice((*ERRORS, KILLED, KILLED))
        when = f"{chance.choice(calls[call])}{chance.choice(('', '+'))}"
        told = f"fault {number}: {call} {kind} when={when}"
        place = folder / str(number)
        old = chance.random() < 0.5
        _make_old(place) if old else place.mkdir()
        inject = f"{call}:signal={KILLED}" if kind == KILLED else f"{call}:error={kind}"
        run = [sys.executable, "-m", "tests.kill.worker", str(place)]
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={inject}:when={when}"]
        first = subprocess.run([*strace, *run], cwd=_ROOT, capture_output=True, text=True)
        code = first.returncode
        ends["killed" if code in (-9, 137) else f"exit {code}"] += 1
        if code not in (*_CODES, -9, 137):
            bad.append(f"{told}: exit {code}: {first.stderr[-500:]}")
        before = b"old" if old else None
        for path, earlier in ((place / FILE, before), (place / FOLDER / MEMBER, before), (place / NEW, None)):
            there = path.read_bytes() if path.exists() else None
            if there not in (whole, earlier):
                bad.append(f"{told}: {path.name} is neither the old nor the new one")
            elif code == 0 and there != whole:
                bad.append(f"{told}: success is told, but {path.name} is not there")
        again = subprocess.run(run, cwd=_ROOT, capture_output=True, text=True)
        left = sorted(entry.name for entry in place.iterdir())
        # Refused where all was done, and at most a work folder that has lost its name was left.
        done = again.returncode == 0 or (again.returncode == 20 and "exists already" in again.stderr)
        all_there = left == sorted([FILE, FOLDER, NEW, RECORD])
        if not done or not all_there or any((place / name).read_bytes() != whole for name in (FILE, NEW)):
            bad.append(f"{told}: the same command then ended with {again.returncode}, and left {left}: {again.stderr}")
        shutil.rmtree(place)
    return ends, bad


def _make_old(place: Path) -> None:
    (place / FOLDER).mkdir(parents=True)
    for path in (place / FILE, place / FOLDER / MEMBER):
        path.write_bytes(b"old")


def _calls(folder: Path) -> dict[str, list[int]]:
    """For each call by name, which of a run's calls, counted from 1, are not those by which Python starts."""
    place, log = folder / "whole", folder / "log"
    _make_old(place)
    traced = ",".join((*CALLS, "access"))
    run = ["strace", "-f", "-qq", "-e", f"trace={traced}", "-o", str(log), sys.executable, "-m", "tests.kill.worker"]
    subprocess.run([*run, str(place)], cwd=_ROOT, check=True)
    shutil.rmtree(place)
    counted: Counter[str] = Counter()
    found: dict[str, list[int]] = {}
    begun = False
    for line in log.read_text(errors="replace").splitlines():
        begun = begun or MARK in line
        name = re.match(r"[0-9]+ +([a-z0-9]+)\(", line)
        if name and name[1] in CALLS:
            counted[name[1]] += 1
            if begun:
                found.setdefault(name[1], []).append(counted[name[1]])
    return found
