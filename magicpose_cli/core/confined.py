"""Functions that read strangers' files run in a process apart: a decoder's crash is then an error, and not ours.

``@confined()`` on a function (or a generator of pictures) makes its callers ask a worker process for the result. The
worker has given up memory without end, the network, other programs and processes, and all that makes, changes or
removes a file (``core/confinement.py``); it can still read what its user may. What comes back is data of a few kinds,
checked, never code: a worker taken over by a file can lie about what the file shows, but not take us along.
"""

import atexit
import contextlib
import functools
import inspect
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast, get_args, get_type_hints

from magicpose_cli.core import errors
from magicpose_cli.core.confined_progress import ProgressReceiver
from magicpose_cli.core.confinement import Limits
from magicpose_cli.core.messages import fits, pack, read_message
from magicpose_cli.core.progress import SILENT

_PATIENCE = 1.0  # seconds for a worker to stop by itself in the middle of its work
_AGAIN = "copy or download it again, or convert it with another program first"
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031  # Linux's fcntl: fewer turns between the two processes
_START = (
    "import sys; sys.path[:] = sys.argv[2:]; from magicpose_cli.core.system_calls import stay_apart; stay_apart(); "
    "from magicpose_cli.core.confined_worker import main; main()"
)

# What a worker learns of our environment, by the names' beginnings: no token of somebody's hub, cloud or shell.
_ENVIRONMENT = (
    *("PATH", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "WINDIR", "TMP", "TEMP", "XDG_"),
    *("LANG", "LC_", "TZ", "PYTHON", "LD_LIBRARY_PATH", "DYLD_", "PROCESSOR_", "NUMBER_OF_PROCESSORS"),
    *("OMP_", "KMP_", "MKL_", "OPENBLAS_", "CUDA_VISIBLE_DEVICES", "MAGICPOSE_"),
)

READING = Limits(memory=8 << 30, seconds=120, silence=1800, file_size=0)

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class _State:
    """What this process knows: whether it is itself a worker, and which workers of its own wait for work."""

    is_worker = False
    idle: dict[Limits, list["_Worker"]] = {}  # noqa: RUF012
    lock = threading.Lock()


def confined(limits: Limits = READING) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """Run the decorated function of a module in a worker process; inside a worker it runs as it is.

    Its first argument is the file that it reads, or has it as ``path``. Arguments and results are what
    ``core/messages.py`` knows; a generator's items come one by one. An argument called ``progress`` is told by the
    worker what to tell.
    Raises what the function raises where that is one of our errors; InputError where the worker ends in the middle.
    """

    def decorate(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        name = f"{function.__module__}:{function.__qualname__}"
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
                if _State.is_worker:
                    return function(*args, **kwargs)
                (item,) = get_args(get_type_hints(function)["return"])
                return _asked(name, limits, item, args, kwargs)

            return stream  # type: ignore[return-value]

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if _State.is_worker:
                return function(*args, **kwargs)
            results = [*islice(_asked(name, limits, get_type_hints(function)["return"], args, kwargs), 2)]
            if len(results) != 1:
                raise _nonsense(_title(args))
            return results[0]

        return call

    return decorate


def _asked(name: str, limits: Limits, kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    """What the worker answers: the items, or the one result, each of the ``kind`` that the function's hint says."""
    worker, title = _take(limits), _title(args)
    finished = False
    progress = kwargs.pop("progress", SILENT)
    try:
        worker.send({"call": name, "folder": os.getcwd(), "args": pack(list(args)), "kwargs": pack(kwargs)})
        with ProgressReceiver(progress) as heard:
            while "end" not in (reply := worker.receive(title)):
                if "working" in reply:
                    continue
                if "progress" in reply:
                    try:
                        heard.take(reply)
                    except ValueError:
                        raise worker.broken(title) from None
                    continue
                if "value" not in reply or not fits(reply["value"], kind):
                    raise worker.broken(title)
                try:
                    yield reply["value"]
                except GeneratorExit:
                    finished = worker.stop()
                    raise
        finished = True
    except errors.MagicPoseError:
        finished = worker.alive()  # it told of the error, and waits for the next question
        raise
    finally:
        if finished:
            _give_back(worker, limits)
        else:
            worker.end()


def _title(args: tuple[Any, ...]) -> str:
    return str(getattr(args[0], "path", args[0]))


def _nonsense(title: str) -> errors.InputError:
    return errors.InputError(f"{title} made its decoder answer nonsense", _AGAIN)


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
        self.silence = limits.silence
        known = {name: text for name, text in os.environ.items() if name.upper().startswith(_ENVIRONMENT)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, json.dumps(asdict(limits)), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # Few arenas: each reserves memory that is never used, and counts against the limit.
            env={**known, "MALLOC_ARENA_MAX": "2"},
            start_new_session=True,  # without our terminal: it cannot write escape codes there
        )
        self.input, self.output = cast("BinaryIO", self.process.stdin), cast("BinaryIO", self.process.stdout)
        if sys.platform == "linux":
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.fcntl(self.output, _F_SETPIPE_SZ, _PIPE_BYTES)

    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError, ValueError):  # its end of the pipe is gone: told when the answer is awaited
            self.input.write(json.dumps(message).encode("ascii") + b"\n")

    def receive(self, title: str) -> dict[str, Any]:
        """The next message. Raises the error that it tells of; InputError where the worker is gone, silent or mad."""
        try:
            message = read_message(self)
        except TimeoutError:
            self._kill()
            raise errors.InputError(
                f"{title} makes its decoder hang: given up after {self.silence} s", _AGAIN
            ) from None
        except EOFError:
            try:
                code = self.process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                raise self.broken(title) from None
            raise errors.InputError(*_last_words(title, code)) from None
        if "error" in message:
            kind, said, hint = (str(message.get(key, "")) for key in ("error", "message", "hint"))
            known = getattr(errors, kind, None)
            if not (isinstance(known, type) and issubclass(known, errors.MagicPoseError)):
                raise RuntimeError(f"while reading {title}: {said}")
            raise known(said, hint)
        return message

    def readinto(self, into: memoryview) -> int | None:
        """Bytes of its answer (0: its end). TimeoutError where none come; Windows waits for good."""
        if sys.platform != "win32" and not select.select([self.output], [], [], self.silence)[0]:
            raise TimeoutError
        return self.output.readinto(into)  # type: ignore[attr-defined,no-any-return]

    def broken(self, title: str) -> errors.InputError:
        """The error for an answer that our code never gives; ends the worker, which is no longer ours."""
        self._kill()
        return _nonsense(title)

    def _kill(self) -> None:
        if self.owner == os.getpid():
            self.process.kill()
            self.process.wait()

    def stop(self) -> bool:
        """Ask for no more items; True where the worker is ready for another question."""
        if self.owner != os.getpid():
            return False
        self.send({"stop": True})
        # ValueError: the garbage collector closed the pipe before it came to the generator that waits for it.
        with contextlib.suppress(errors.MagicPoseError, RuntimeError, ValueError):
            while sys.platform == "win32" or select.select([self.output], [], [], _PATIENCE)[0]:
                if "end" in self.receive(""):
                    return True
        return False

    def end(self) -> None:
        """Have it end and wait until it is gone, so that it leaves no zombie."""
        self.input.close()
        self.output.close()
        if self.owner == os.getpid():
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_PATIENCE)
            self._kill()


def _last_words(title: str, code: int) -> tuple[str, str]:
    """Sentence and hint for a worker that ended by itself."""
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else f"exit code {code}"
    if name == "SIGXCPU":
        return f"{title} takes endlessly long to decode: given up", _AGAIN
    return f"{title} made its decoder crash ({name})", _AGAIN


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


def become_worker() -> None:
    """From now on confined functions run in this process."""
    _State.is_worker = True
