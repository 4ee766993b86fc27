"""Data between two processes: the length of a JSON text in 4 bytes, the text, the bytes of an array where it has one.

What is read is checked: a process that a hostile file took over can send wrong values, but no code.
"""

import importlib
import json
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_MOST_BYTES = 1 << 31  # of one array


def write_message(file: BinaryIO, message: dict[str, Any]) -> None:
    """Send a message; an array may be its ``value`` alone."""
    array = message.get("value")
    if isinstance(array, np.ndarray):
        array = np.ascontiguousarray(array)
        message = {"array": {"shape": array.shape, "dtype": array.dtype.str}}
    else:
        message, array = pack(message), None
    text = json.dumps(message).encode("ascii")
    _write_all(file, len(text).to_bytes(4, "little") + text)
    if array is not None and array.size:
        _write_all(file, array.data.cast("B"))


def read_message(file: BinaryIO) -> dict[str, Any]:
    """The next message. EOFError at the end, or where it is no message of ours."""
    length = int.from_bytes(_read_all(file, np.empty(4, np.uint8)).tobytes(), "little")
    try:
        message = json.loads(_read_all(file, np.empty(length, np.uint8)).tobytes())
        if "array" not in message:
            return dict(unpack(message))
        shape, kind = tuple(map(int, message["array"]["shape"])), np.dtype(str(message["array"]["dtype"]))
        if kind.kind not in "uif" or min(shape) < 0 or np.prod([kind.itemsize, *shape], dtype=float) > _MOST_BYTES:
            raise ValueError("an array of an impossible size")
        return {"value": _read_all(file, np.empty(shape, kind))}
    except (ValueError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise EOFError from error


def _write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _read_all(file: BinaryIO, into: np.ndarray) -> np.ndarray:
    """Fill the array from the pipe, without a copy between."""
    rest = into.data.cast("B") if into.size else memoryview(b"")
    while rest:
        count = file.readinto(rest)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        rest = rest[count:]
    return into


def pack(value: Any) -> Any:
    """As JSON can hold it; what JSON does not know becomes an object with one key that begins with ``=``."""
    if isinstance(value, Fraction):
        return {"=fraction": str(value)}
    if isinstance(value, Path):
        return {"=path": str(value)}
    if is_dataclass(value) and not isinstance(value, type):
        name = f"{type(value).__module__}:{type(value).__qualname__}"
        return {f"={name}": {f.name: pack(getattr(value, f.name)) for f in fields(value)}}
    if isinstance(value, tuple):
        return {"=tuple": [pack(item) for item in value]}
    if isinstance(value, list):
        return [pack(item) for item in value]
    if isinstance(value, dict):
        return {str(key): pack(item) for key, item in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} does not go to a worker")


def unpack(value: Any) -> Any:
    """The value that ``pack`` was given. ValueError for what it never gives."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    key = next(iter(value), "")
    if not key.startswith("="):
        return {name: unpack(item) for name, item in value.items()}
    inner = value[key]
    if key == "=fraction":
        return Fraction(inner)
    if key == "=path":
        return Path(inner)
    if key == "=tuple":
        return tuple(unpack(item) for item in inner)
    kind = named(key[1:])
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise ValueError(f"{key[1:]} is no dataclass")
    return kind(**{name: unpack(item) for name, item in inner.items()})


def named(name: str) -> Any:
    """The function or class of this package that is called ``module:name``. ValueError for others."""
    module, _, inner = name.partition(":")
    if not module.startswith("magicpose_cli.") or "." in inner:
        raise ValueError(f"{name} is not ours")
    return getattr(importlib.import_module(module), inner)
