"""Data between two processes: the length of a JSON text in 4 bytes, the text, the bytes of an array where it has one.

What is read is checked: a process that a hostile file took over can send wrong values, but no code, and nothing that
takes endless memory to hold.
"""

import importlib
import json
import re
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO, Protocol, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

_MOST_TEXT = 16 << 20  # bytes
_MOST_BYTES = 1 << 31  # of one array
_NUMBERS = re.compile(r"[<>|][uif](1|2|4|8)")
_FRACTION = re.compile(r"-?\d+(/\d+)?")

_Class = TypeVar("_Class", bound=type)
_sendable: dict[str, type] = {}


def sendable(kind: _Class) -> _Class:
    """Let a dataclass travel between processes. The one that reads it has imported its module before."""
    _sendable[_name(kind)] = kind
    return kind


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


class _Source(Protocol):
    def readinto(self, into: memoryview, /) -> int | None: ...


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


def read_message(file: _Source) -> dict[str, Any]:
    """The next message. EOFError at the end, or where it is no message of ours."""
    length = int.from_bytes(_read_all(file, np.empty(4, np.uint8)).tobytes(), "little")
    if length > _MOST_TEXT:
        raise EOFError
    try:
        message = json.loads(_read_all(file, np.empty(length, np.uint8)).tobytes())
        if "array" not in message:
            return dict(unpack(message))
        shape, dtype = tuple(map(int, message["array"]["shape"])), str(message["array"]["dtype"])
        if not _NUMBERS.fullmatch(dtype):
            raise ValueError(f"an array of {dtype}")
        kind = np.dtype(dtype)
        if min(shape) < 0 or np.prod([kind.itemsize, *shape], dtype=float) > _MOST_BYTES:
            raise ValueError("an array of an impossible size")
        return {"value": _read_all(file, np.empty(shape, kind))}
    except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError) as error:
        raise EOFError from error


def _write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _read_all(file: _Source, into: np.ndarray) -> np.ndarray:
    """Fill the array from the pipe, without a copy between."""
    rest = into.data.cast("B") if into.size else memoryview(b"")
    while rest:
        count = file.readinto(rest)
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
    if is_dataclass(value) and _sendable.get(_name(type(value))) is type(value):
        return {f"={_name(type(value))}": {f.name: pack(getattr(value, f.name)) for f in fields(value)}}
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
    if key == "=fraction" and isinstance(inner, str) and _FRACTION.fullmatch(inner):
        return Fraction(*map(int, inner.split("/")))  # Fraction itself would also work out "1e999999999"
    if key == "=path" and isinstance(inner, str):
        return Path(inner)
    if key == "=tuple" and isinstance(inner, list):
        return tuple(unpack(item) for item in inner)
    kind = _sendable.get(key[1:])
    if kind is None or not isinstance(inner, dict):
        raise ValueError(f"{key} does not come from a worker")
    values = {name: unpack(item) for name, item in inner.items()}
    hints = get_type_hints(kind)
    if wrong := [name for name, item in values.items() if not fits(item, hints.get(name))]:
        raise ValueError(f"{key} has wrong values: {wrong}")
    return kind(**values)


def fits(value: Any, hint: Any) -> bool:
    """Whether the value is what a type hint says: a class, a union, or a tuple of these."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return any(fits(value, one) for one in inner)
    if kind is tuple:
        if not isinstance(value, tuple):
            return False
        each = inner[:1] * len(value) if inner[-1] is ... else inner
        return len(value) == len(each) and all(map(fits, value, each))
    return isinstance(value, type(None) if hint is None else hint)


def named(name: str) -> Any:
    """The function of this package that is called ``module:name``. ValueError for others."""
    module, _, inner = name.partition(":")
    if not module.startswith("magicpose_cli.") or "." in inner:
        raise ValueError(f"{name} is not ours")
    return getattr(importlib.import_module(module), inner)
