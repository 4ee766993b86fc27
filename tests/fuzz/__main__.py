"""``python -m tests.fuzz KIND [--count N] [--first N] [--keep FOLDER]``: damaged files, and how reading them ends."""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.cases import KINDS
from tests.fuzz.fuzz import fuzz

_MEMORY = 4 << 30  # bytes that this process may take; the workers have limits of their own


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file; a number is its seed")
    parser.add_argument("--keep", type=Path, help="where files that end badly stay")
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
    began = time.monotonic()
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        ends, bad = fuzz(chosen.kind, range(chosen.first, chosen.first + chosen.count), Path(folder), chosen.keep)
    for text in bad:
        sys.stdout.write(f"{text}\n")
    told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{chosen.count} {chosen.kind} from {chosen.first}: {told}; {len(bad)} bad; "
        f"{time.monotonic() - began:.0f} s, {peak:.0f} MiB at most in this process\n"
    )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
