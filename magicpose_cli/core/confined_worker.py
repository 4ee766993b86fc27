"""The worker's side of ``core/confined.py``: takes questions on its input, answers on its output."""

import contextlib
import inspect
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any, BinaryIO

from magicpose_cli.core.confined import become_worker
from magicpose_cli.core.confined_progress import ProgressSender
from magicpose_cli.core.confinement import Limits, allow_seconds, confine, still_working, tell_of_work
from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.errors import DiskFullError, LimitError, MagicPoseError
from magicpose_cli.core.messages import named, unpack, write_message

_TIME_TO_UNWIND = 2  # seconds


def main() -> None:
    """Answer until the input ends. ``sys.argv[1]``: the limits as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows Ctrl-C comes to all of the terminal; ours tells us
    signal.signal(signal.SIGTERM, _unwind)
    limits = Limits(**json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing that a library prints may get in between
    sys.dont_write_bytecode = True
    become_worker()
    questions: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    question = questions.get()
    named(question["call"])  # the libraries look around the system when they load: before the limits
    confine(limits)
    while True:
        with contextlib.suppress(BrokenPipeError):
            _answer(question, questions, limits, answers)
        question = questions.get()


def _unwind(number: int, frame: FrameType | None) -> None:
    """End so that what was half written goes away."""
    sys.exit(1)


def _listen(questions: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Pass on what comes in. At its end nobody waits for us: leave, whatever the decoder is doing."""
    for line in sys.stdin.buffer:
        questions.put(json.loads(line))
    if hasattr(signal, "pthread_kill"):
        with contextlib.suppress(OSError):  # a C library that asks for a signal by the call that is refused
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)  # wakes it where it waits
        time.sleep(_TIME_TO_UNWIND)
    os._exit(1)


def _answer(
    question: dict[str, Any], questions: "queue.SimpleQueue[dict[str, Any]]", limits: Limits, answers: BinaryIO
) -> None:
    if "call" not in question:
        return  # a stop that came when the work was done
    allow_seconds(limits.seconds)
    tell_of_work(partial(write_message, answers, {"working": True}))
    try:
        for value in _items(question, answers):
            write_message(answers, {"value": value})
            still_working()
            if not questions.empty():
                break
        write_message(answers, {"end": True})
    except MagicPoseError as error:
        write_message(answers, {"error": type(error).__name__, "message": error.message, "hint": error.hint})
    except MemoryError:
        first = unpack(question["args"])[0]
        told = (
            f"{getattr(first, 'path', first)} takes more than {(limits.memory or 0) / 1e9:.0f} GB of memory to decode"
        )
        write_message(answers, {"error": LimitError.__name__, "message": told, "hint": "scale it down first"})
    except BrokenPipeError:
        raise
    except Exception as error:
        if is_disk_full(error):
            full = {"message": f"the disk is full: {error}", "hint": "make room, and run the same command again"}
            write_message(answers, {"error": DiskFullError.__name__} | full)
            return
        write_message(answers, {"error": "", "message": traceback.format_exc(), "hint": ""})


def _items(question: dict[str, Any], answers: BinaryIO) -> Iterator[Any]:
    function = named(question["call"])
    os.chdir(question["folder"])
    arguments = unpack(question["kwargs"])
    if "progress" in inspect.signature(function).parameters:
        arguments["progress"] = ProgressSender(partial(write_message, answers))
    result = function(*unpack(question["args"]), **arguments)
    if inspect.isgeneratorfunction(inspect.unwrap(function)):
        with contextlib.closing(result):
            yield from result
    else:
        yield result
