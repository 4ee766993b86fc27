"""A long run in small: ``python -m tests.kill.worker FOLDER`` keeps four parts, then writes a file and a folder.

All that it does on the disk it does as ``animate`` and ``extract`` do, by the same functions; only the work is missing.
"""

import os
import re
import sys
from pathlib import Path

import numpy as np

from magicpose_cli.cli.exit_codes import exit_code
from magicpose_cli.core.errors import MagicPoseError
from magicpose_cli.core.whole_folder import whole_folder
from magicpose_cli.core.work_folder import work_folder
from magicpose_cli.video.output import whole_output

PARTS = 4
MARK = "/from here on it is our own doing"
FILE, FOLDER, MEMBER = "out.bin", "poses", "part.json"


def part(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal((50, 40)).astype(np.float32)


def run(place: Path) -> None:
    with work_folder(place / FILE) as work:
        work.clear_unless({"request": "a run in small"})
        for number in range(PARTS):
            if work.kept(f"part-{number}") is None:
                work.keep(f"part-{number}", {"number": number}, {"values": part(number)})
        found = [work.kept(f"part-{number}") for number in range(PARTS)]
        content = b"".join(each[1]["values"].tobytes() for each in found if each)
        with whole_output(place / FILE, overwrite=True) as temporary:
            temporary.write_bytes(content)
        with whole_folder(place / FOLDER, ours=re.compile(MEMBER), overwrite=True) as folder:
            (folder / MEMBER).write_bytes(content)


if __name__ == "__main__":
    os.access(MARK, os.F_OK)
    try:
        run(Path(sys.argv[1]))
    except MagicPoseError as error:
        sys.stderr.write(f"{error.message}\n")
        sys.exit(exit_code(error))
