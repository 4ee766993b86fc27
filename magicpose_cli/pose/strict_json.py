"""JSON read as data from strangers: every oddity is one sentence with file and place, never a traceback."""

import json
import math
from pathlib import Path
from typing import Any

from magicpose_cli.core.errors import InputError, LimitError

_MOST_DIGITS = 400


def read_json(path: Path, most_bytes: int, again: str = "write the file anew, or extract the poses again") -> Any:
    """The value in a JSON file of UTF-8, UTF-16 or UTF-32, with or without byte order mark.

    Raises InputError for a file that is missing, no regular file, not text, malformed, nested too deeply, or holds a
    key twice, NaN or Infinity, or a number out of range; LimitError for a file of more than ``most_bytes``. ``again``
    is the hint: where another such file comes from.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path}: {'not a regular file' if path.exists() else 'there is no such file'}", again)
        size = path.stat().st_size
        if size > most_bytes:
            raise LimitError(
                f"{path}: {size / 1e6:.0f} MB is more than such a file may hold ({most_bytes / 1e6:.0f} MB)",
                "split it, or give a folder with one JSON file a frame",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", "check the file's permissions") from error
    if not raw.strip(b"\x00 \t\r\n"):
        raise InputError(f"{path}: the file is empty", again)
    try:
        text = raw.decode(json.detect_encoding(raw))
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not JSON: the text breaks off at byte {error.start}", again) from error
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise InputError(f"{place}: not valid JSON: {error.msg[0].lower()}{error.msg[1:]}", again) from error
    except RecursionError as error:
        raise InputError(f"{path}: brackets are nested too deeply", again) from error
    except ValueError as error:
        raise InputError(f"{path}: {error}", again) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {_short(twice)!r} stands twice in one object")
    return value


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number that JSON knows")


def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= _MOST_DIGITS else math.inf
    if not math.isfinite(value):
        raise ValueError(f"the number {_short(digits)} is out of range")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"the number {_short(digits)} is out of range")
    return int(digits)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
