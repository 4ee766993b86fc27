"""A long run in small: ``python -m tests.kill.worker FOLDER`` keeps four parts, then writes files and a folder.

What it does on the disk it does as ``animate`` and ``extract`` do, by the same functions: keeping, noting what was
made, and publishing, with and without leave to replace, the record last. The work is missing, and so is signing.
"""

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import filelock  # noqa: F401  loaded before the first fault
import numpy as np
import safetensors.numpy  # noqa: F401

from magicpose_cli.animation.run_folder import check_place, is_one_of, sha256_of, write_record
from magicpose_cli.cli.app import as_known_error
from magicpose_cli.cli.exit_codes import exit_code
from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.errors import OutputError
from magicpose_cli.core.whole_folder import whole_folder
from magicpose_cli.core.work_folder import WorkFolder, work_folder
from magicpose_cli.video.output import told_plainly, whole_output

PARTS = 4
MARK = "/from here on it is our own doing"
FILE, FOLDER, MEMBER, RECORD, NEW = "out.bin", "poses", "part.json", "out.json", "out_compare.bin"


def part(number: int) -> np.ndarray:
    return np.random.default_rng(number).standard_normal((50, 40)).astype(np.float32)


def run(place: Path) -> None:
    with work_folder(place / FILE) as work:
        work.clear_unless({"request": "a run in small"})
        check_place(place / NEW, "refuse", work.results)
        for number in range(PARTS):
            if work.kept(f"part-{number}") is None:
                work.keep(f"part-{number}", {"number": number}, {"values": part(number)})
        content = b"".join(_read(work, number).tobytes() for number in range(PARTS))
        with whole_output(place / FILE, overwrite=True) as temporary, told_plainly(place / FILE):
            temporary.write_bytes(content)
            work.note_result(file_sha256(temporary))
        with whole_folder(place / FOLDER, ours=re.compile(MEMBER), overwrite=True) as folder:
            (folder / MEMBER).write_bytes(content)
            work.note_result(sha256_of(folder))
        again = is_one_of(place / NEW, work.results)
        with whole_output(place / NEW, overwrite=again) as temporary, told_plainly(place / NEW):
            temporary.write_bytes(content)
            work.note_result(file_sha256(temporary))
        write_record(place / RECORD, {"part": PARTS})


def _read(work: WorkFolder, number: int) -> np.ndarray:
    found = work.kept(f"part-{number}")
    if found is None:
        raise OutputError(f"part {number} cannot be read again", "run the same command again")
    return found[1]["values"]


if __name__ == "__main__":
    os.access(MARK, os.F_OK)
    try:
        run(Path(sys.argv[1]))
    except Exception as error:
        known = as_known_error(error)
        if known is None:
            raise
        with suppress(OSError):  # that of the terminal
            sys.stderr.write(f"{known.message}\n")
        os._exit(exit_code(known))
