"""How rooms tell of long work, without knowing who listens."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Says that ``steps`` more units are done; ``detail`` is a short word to show beside (a loss, a rate)."""

    def __call__(self, steps: int = 1, detail: str = "") -> None: ...


class Progress(Protocol):
    """What a room calls. ``cli/console.py`` draws it; ``SILENT`` drops it."""

    def stage(
        self, name: str, total: int | None, unit: str = "frame", done: int = 0
    ) -> AbstractContextManager[Advance]:
        """Work of ``total`` units (None: unknown), named for the user; yields the advance function.

        ``done`` units were done before; they count as done, not as fast.
        """
        ...

    def note(self, message: str) -> None:
        """One plain sentence for the user (data, never markup)."""
        ...

    def plan(self, stages: int) -> None:
        """How many stages will follow, so that "stage 2 of 4" can be shown.

        A stage that begins inside another runs beside it: it belongs to that one, and is not counted.
        """
        ...


class _Silent:
    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "frame", done: int = 0) -> Iterator[Advance]:
        yield lambda steps=1, detail="": None

    def note(self, message: str) -> None:
        pass

    def plan(self, stages: int) -> None:
        pass


SILENT: Progress = _Silent()


class ToldOnce:
    """Passes everything on to another ``Progress``, but each note only the first time."""

    def __init__(self, progress: Progress) -> None:
        self._told: set[str] = set()
        self._note = progress.note
        self.stage, self.plan = progress.stage, progress.plan

    def note(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._note(message)
