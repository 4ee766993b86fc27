"""Whether a Matroska or WebM file ends before its end: its one large element says how long it is.

Source: RFC 8794 (EBML), sections 4 to 6; RFC 9559 (Matroska), section 5.1. FFmpeg reads what is there, without a word.
"""

import os
from pathlib import Path
from typing import BinaryIO

_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067


def is_cut_off(path: Path) -> bool:
    """False too where the file does not say how long it is, as one that was streamed."""
    there = path.stat().st_size
    with path.open("rb") as file:
        for wanted in (_HEADER, _SEGMENT):
            if int.from_bytes(file.read(4), "big") != wanted:
                return False
            size = _size(file)
            if size is None:
                return False
            if file.tell() + size > there:
                return True
            file.seek(size, os.SEEK_CUR)
    return False


def _size(file: BinaryIO) -> int | None:
    """The length that follows an element's name; None where it is left open, or is none."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1), "big") & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else value
