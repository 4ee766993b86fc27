"""``python -m tests.kill animate|extract|faults [--count N] [--first N]``: runs that end at the wrong moment."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.kill.faults import can_inject, faults
from tests.kill.kills import kills, load_libraries, make_media


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__)
    parser.add_argument("kind", choices=("animate", "extract", "faults"))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args()
    os.environ["MAGICPOSE_CONSENT"] = "yes"  # the people are synthetic
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.kind == "faults":
            if not can_inject(folder):
                sys.exit("needs a strace that may trace")
            ends, bad = faults(range(chosen.first, chosen.first + chosen.count), folder)
            told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
        else:
            load_libraries()
            make_media(folder)
            killed, bad = kills(chosen.kind, chosen.count, chosen.first, folder)
            told = f"{killed} killed"
    for text in bad:
        sys.stdout.write(f"{text}\n")
    sys.stdout.write(f"{chosen.kind} from {chosen.first}: {told}; {len(bad)} bad; {time.monotonic() - began:.0f} s\n")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
