"""The loop: each damaged file ends in success or in one of our errors, within a bounded time."""

import signal
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np

from magicpose_cli.core.errors import MagicPoseError
from tests.fuzz.cases import KINDS
from tests.fuzz.mutate import mutated

LONGEST = 300  # seconds of the clock for one file, on a machine that may be busy


def fuzz(kind: str, numbers: range, folder: Path, keep: Path | None = None) -> tuple[Counter[str], list[str]]:
    """Read the damaged files of these numbers, made in ``folder``.

    Returns how they ended, and a text for each that ended badly; that file goes to ``keep``.
    """
    case = KINDS[kind]
    seeds = case.seeds(folder)
    ends: Counter[str] = Counter()
    bad = []
    for number in numbers:
        random = np.random.default_rng((number, len(kind)))
        name, whole = seeds[number % len(seeds)]
        data = mutated(whole, [content for _, content in seeds], random, text=case.text)
        path = folder / name
        path.write_bytes(data)
        try:
            with _within(LONGEST):
                case.read(path, number)
            ends["read"] += 1
        except MagicPoseError as error:
            ends[type(error).__name__] += 1
            if not error.message or len(error.message) > 2000:
                bad.append(f"{kind} {number} ({name}): its sentence has {len(error.message)} characters")
        except Exception:
            ends["bad"] += 1
            bad.append(f"{kind} {number} ({name}):\n{traceback.format_exc()}")
            if keep:
                (keep / f"{number}-{name}").write_bytes(data)
    return ends, bad


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
