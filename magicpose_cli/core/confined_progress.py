"""Progress of long work in a worker process (``core/confined.py``), told in the process that the user sees."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from magicpose_cli.core.messages import fits
from magicpose_cli.core.progress import Advance, Progress

_KINDS: dict[str, tuple[Any, ...]] = {
    "begin": (str, int | None, str, int),
    "advance": (int, str),
    "finish": (),
    "note": (str,),
    "plan": (int,),
}


class ProgressSender:
    """The worker's side: a ``Progress`` whose every call becomes a message for ``send``."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "frame", done: int = 0) -> Iterator[Advance]:
        self._send({"progress": "begin", "with": [name, total, unit, done]})
        yield lambda steps=1, detail="": self._send({"progress": "advance", "with": [steps, detail]})
        self._send({"progress": "finish", "with": []})

    def note(self, message: str) -> None:
        self._send({"progress": "note", "with": [message]})

    def plan(self, stages: int) -> None:
        self._send({"progress": "plan", "with": [stages]})


class ProgressReceiver:
    """The other side: hands what was sent on to ``progress``. Stages that are still open end with the ``with`` block.

    Steps count for the innermost stage.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stages: list[tuple[ExitStack, Advance]] = []

    def __enter__(self) -> "ProgressReceiver":
        return self

    def __exit__(self, *error: Any) -> None:
        while self._stages:
            self._stages.pop()[0].__exit__(*error)

    def take(self, message: dict[str, Any]) -> None:
        """One message of the sender. ValueError for what it never sends."""
        word, values = message["progress"], message.get("with")
        kinds = _KINDS.get(word) if isinstance(word, str) else None
        if kinds is None or not isinstance(values, list) or len(values) != len(kinds):
            raise ValueError(f"{message} tells of no progress")
        if not all(map(fits, values, kinds)):
            raise ValueError(f"{message} has wrong values")
        if word == "begin":
            stage = ExitStack()
            self._stages.append((stage, stage.enter_context(self._progress.stage(*values))))
        elif word == "advance" and self._stages:
            self._stages[-1][1](*values)
        elif word == "finish" and self._stages:
            self._stages.pop()[0].close()
        elif word == "note":
            self._progress.note(*values)
        elif word == "plan":
            self._progress.plan(*values)
