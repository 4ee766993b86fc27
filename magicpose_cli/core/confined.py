"""Functions that read strangers' files run in a process apart: a decoder's crash is then an error, and not ours.

``@confined()`` on a function (or a generator of pictures) makes its callers ask a worker process for the result. The
worker has given up memory without end, the network, other programs and writing (``core/confinement.py``). What comes
back is data of a few kinds, never code: a worker taken over by a file cannot take us along.
"""

import atexit
import contextlib
import functools
import importlib
import inspect
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

import numpy as np

from magicpose_cli.core import errors
from magicpose_cli.core.confinement import Limits

_MOST_BYTES = 1 << 31  # of one picture
_PATIENCE = 1.0  # seconds for a worker to stop by itself in the middle of its work
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031  # Linux's fcntl: fewer turns between the two processes
_START = "import sys; sys.path[:] = sys.argv[2:]; from magicpose_cli.core.confined_worker import main; main()"

READING = Limits(memory=8 << 30, seconds=120, file_size=0)

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class _State:
    """What this process knows: whether it is itself a worker, and which workers of its own wait for work."""

    is_worker = False
    idle: dict[Limits, list["_Worker"]] = {}  # noqa: RUF012
    lock = threading.Lock()


def confined(limits: Limits = READING) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """Run the decorated function of a module in a worker process; inside a worker it runs as it is.

    Its first argument is the file that it reads, or has it as ``path``. Arguments and results are plain values, paths, fractions, our frozen
    dataclasses, tuples of these, or arrays (as result alone); a generator's items come one by one.
    Raises what the function raises where that is one of our errors; InputError where the worker ends in the middle.
    """

    def decorate(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        name = f"{function.__module__}:{function.__qualname__}"
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
                return function(*args, **kwargs) if _State.is_worker else _asked(name, limits, args, kwargs)

            return stream  # type: ignore[return-value]

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if _State.is_worker:
                return function(*args, **kwargs)
            (result,) = _asked(name, limits, args, kwargs)
            return result

        return call

    return decorate


def _asked(name: str, limits: Limits, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    """What the worker answers: the items, or the one result."""
    worker, title = _take(limits), str(getattr(args[0], "path", args[0]))
    finished = False
    try:
        worker.send({"call": name, "folder": os.getcwd(), "args": pack(list(args)), "kwargs": pack(kwargs)})
        while True:
            reply = worker.receive(title)
            if "end" in reply:
                finished = True
                return
            try:
                yield reply["value"]
            except GeneratorExit:
                finished = worker.stop()
                raise
    except errors.MagicPoseError:
        finished = worker.alive()  # it told of the error, and waits for the next question
        raise
    finally:
        _give_back(worker, limits) if finished else worker.end()


def _take(limits: Limits) -> "_Worker":
    with _State.lock:
        waiting = _State.idle.setdefault(limits, [])
        while waiting:
            worker = waiting.pop()
            if worker.alive():
                return worker
            worker.end()
    return _Worker(limits)


def _give_back(worker: "_Worker", limits: Limits) -> None:
    if worker.owner == os.getpid():
        with _State.lock:
            _State.idle[limits].append(worker)


class _Worker:
    """A process that answers questions one after the other. It ends when our end of its input closes."""

    def __init__(self, limits: Limits) -> None:
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(asdict(limits)), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # Few arenas: each reserves memory that is never used, and counts against the limit.
            env={**os.environ, "MALLOC_ARENA_MAX": "2"},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.input, self.output = self.process.stdin, self.process.stdout
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.fcntl(self.output, _F_SETPIPE_SZ, _PIPE_BYTES)

    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # the worker is dead: told when its answer is awaited
            self.input.write(json.dumps(message).encode("ascii") + b"\n")

    def receive(self, title: str) -> dict[str, Any]:
        """The next message. Raises the error that it tells of; InputError where the worker is gone."""
        try:
            message = read_message(self.output)
        except EOFError:
            raise errors.InputError(*_last_words(title, self.process.wait())) from None
        if "error" in message:
            kind = getattr(errors, str(message["error"]), None)
            if not (isinstance(kind, type) and issubclass(kind, errors.MagicPoseError)):
                raise RuntimeError(f"while reading {title}: {message['message']}")
            raise kind(str(message["message"]), str(message["hint"]))
        return message

    def stop(self) -> bool:
        """Ask for no more items; True where the worker is ready for another question."""
        if self.owner != os.getpid():
            return False
        self.send({"stop": True})
        with contextlib.suppress(errors.MagicPoseError, RuntimeError):
            while sys.platform == "win32" or select.select([self.output], [], [], _PATIENCE)[0]:
                if "end" in self.receive(""):
                    return True
        return False

    def end(self) -> None:
        """Kill it and wait until it is gone, so that it leaves no zombie."""
        self.input.close()
        self.output.close()
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()


def _last_words(title: str, code: int) -> tuple[str, str]:
    """Sentence and hint for a worker that ended by itself."""
    again = "copy or download it again, or convert it with another program first"
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
    if name == "SIGXCPU":
        return f"{title} takes endlessly long to decode: given up", again
    return f"{title} made its decoder crash ({name})", again


@atexit.register
def _end_all() -> None:
    for workers in _State.idle.values():
        while workers:
            workers.pop().end()


def _forget_all() -> None:
    """In a forked process: the workers are the parent's; without our copies of their pipes they end when it does."""
    _State.lock = threading.Lock()
    _end_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


# ---- messages: the length of a JSON text (4 bytes), the text, and the bytes of an array where it tells of one ----------


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
    if array is not None:
        _write_all(file, memoryview(array).cast("B"))


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
    rest = memoryview(into).cast("B") if into.size else memoryview(b"")
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


def become_worker() -> None:
    """From now on confined functions run in this process."""
    _State.is_worker = True
