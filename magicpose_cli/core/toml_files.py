"""TOML read as data from strangers: every oddity is one sentence, never a traceback."""

import tomllib
from pathlib import Path
from typing import Any

from magicpose_cli.core.errors import InputError, LimitError
from magicpose_cli.core.files import check_file

_MOST_BYTES = 1_000_000


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises InputError where it cannot be read or is no TOML, LimitError above 1 MB."""
    if check_file(path).st_size > _MOST_BYTES:
        raise LimitError(f"{path} has more than {_MOST_BYTES / 1e6:.0f} MB", "a file of settings is never that large")
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8"))
        _check_numbers(content)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    except RecursionError as error:
        raise InputError(f"{path} is not a TOML file: brackets are nested too deeply", "correct it") from error
    except ValueError as error:  # not UTF-8, not TOML, a number of thousands of digits
        raise InputError(f"{path} is not a TOML file: {error}", "correct it") from error
    return content


def _check_numbers(value: Any) -> None:
    """TOML's whole numbers have 64 bits; Python's reader takes any, and then fails to print them."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_numbers(inner)
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise ValueError("a whole number is out of range")
