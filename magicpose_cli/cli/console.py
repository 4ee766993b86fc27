"""What the user sees: notes, progress and results, on any terminal or none.

Everything goes to stderr save results. A result is sentences on stdout, or with ``--json`` one JSON object.
rich is imported only where a live line is drawn, that is on a terminal.
"""

import json
import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from magicpose_cli.core.disk import amount_of_bytes

PLAIN_LINE_EVERY = 5.0  # seconds between progress lines where no live line can be drawn
_SAID_AFTER = 1.0  # a shorter stage ends without a closing line on a terminal
_BAR_FROM_COLUMNS = 80
_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Cf: what turns, hides or tags its neighbours
_JOINERS = "\u200c\u200d"  # of Persian words and of emoji


def printable(text: str) -> str:
    """The text with all that could steer a terminal or deceive its reader shown as an escape.

    That is: control characters, stray bytes, marks that turn the direction of writing, and invisible ones.
    File names are data; a newline or ESC in one must be seen, not obeyed.
    """

    def shown(character: str) -> str:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8
            return f"\\x{code - 0xDC00:02x}"
        if unicodedata.category(character) in _ESCAPED_CATEGORIES and character not in _JOINERS:
            return character.encode("unicode_escape", "surrogatepass").decode("ascii")
        return character

    return text if text.isascii() and text.isprintable() else "".join(map(shown, text))


def amount(count: float, unit: str) -> str:
    """``288 frames``, ``1 step``, ``3.4 GB``."""
    if unit == "byte":
        return amount_of_bytes(count)
    return f"{count:,.0f} {unit}" if count == 1 else f"{count:,.0f} {unit}s"


def duration(seconds: float) -> str:
    """``4.2 s``, ``1:05 min``, ``2:03:00 h``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"


@dataclass
class _Stage:
    """One running piece of long work, and the line that tells of it."""

    title: str
    total: int | None
    unit: str
    started: float
    done: int = 0
    before: int = 0  # of ``done``, what an earlier process did
    detail: str = ""
    said_at: float = field(default=0.0)
    first: tuple[float, int] | None = None  # when the first units were done, and how many were done then

    def advance(self, steps: int, detail: str, now: float) -> None:
        self.done += steps
        self.detail = printable(detail)
        self.first = self.first or (now, self.done)

    def rate(self, now: float) -> float:
        """Units a second since the first ones: before them things load and start. 0 where that cannot be told yet."""
        since, done = self.first or (now, self.done)
        return (self.done - done) / (now - since) if now > since else 0.0

    def line(self, now: float, width: int | None = None, ascii_only: bool = False) -> str:
        """What is done of what, rate and time left; the least important parts go first where ``width`` is small."""
        rate = self.rate(now)
        parts = [self.title]
        if self.total:
            counted = self.unit == "byte"
            done = amount(self.done, "byte") if counted else f"{self.unit} {self.done:,}"
            parts.append(f"{done} of {amount(self.total, 'byte') if counted else f'{self.total:,}'}")
            parts.append(f"{100 * self.done / self.total:.0f} %")
        elif self.done:
            parts.append(amount(self.done, self.unit))
        optional = []
        if rate > 0:
            slow = self.unit != "byte" and rate < 0.95
            optional.append(f"{1 / rate:.1f} s/{self.unit}" if slow else self._per_second(rate))
            if self.total and self.done < self.total:
                parts.append(f"{duration((self.total - self.done) / rate)} left")
        else:
            parts.append(duration(now - self.started))
        if self.detail:
            optional.append(self.detail)
        if width is None:
            return "  ".join(parts + optional)
        while optional and len("  ".join(parts + optional)) > width:
            optional.pop()
        text = "  ".join(parts + optional)
        if self.total and width >= _BAR_FROM_COLUMNS and len(text) + 14 <= width:
            full, empty = ("#", "-") if ascii_only else ("━", "╌")
            filled = min(12, 12 * self.done // self.total)
            text = "  ".join([parts[0], full * filled + empty * (12 - filled), *parts[1:], *optional])
        if len(text) > width and self.total:
            text = f"{parts[2]} {self.title}"  # the share survives the narrowest terminal
        return text[:width]

    def _per_second(self, rate: float) -> str:
        return f"{amount(rate, 'byte')}/s" if self.unit == "byte" else f"{rate:.1f} {self.unit}s/s"

    def closing(self, now: float) -> str:
        spent = duration(now - self.started)
        now_done = self.done - self.before
        if not now_done:
            return f"{self.title}: {spent}"
        return f"{self.title}: {amount(now_done, self.unit)} in {spent}"


class Console:
    """Draws progress and prints. It is the ``Progress`` that rooms are given.

    ``quiet`` leaves only errors (and the JSON object); ``verbose`` adds details; ``as_json`` keeps stdout for
    the one JSON object.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        as_json: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json
        self.emitted = False
        self._stream: TextIO | None = stream if stream is not None else sys.stderr
        self._clock = clock
        self._stages: list[_Stage] = []
        self._started_stages = 0
        self._planned_stages = 0
        self._live: Any = None
        self._rich: Any = None

    # ---- notes and errors: stderr -------------------------------------------------------------------------------

    def note(self, message: str) -> None:
        """One sentence on stderr; silent with ``--quiet``."""
        if not self.quiet:
            self._write(message)

    def detail(self, message: str) -> None:
        """One sentence for ``--verbose`` only."""
        if self.verbose and not self.quiet:
            self._write(message)

    def error(self, message: str, hint: str = "") -> None:
        """What is wrong, and on a second line what to do; never silenced."""
        self._write(f"magicpose: error: {message}")
        if hint:
            self._write(f"  {hint}")

    def lines(self, texts: Iterable[str]) -> None:
        """A text of many lines, such as a traceback; never silenced."""
        for line in "".join(texts).rstrip("\n").split("\n"):
            self._write(line)

    def close(self) -> None:
        """Take the live line away and give the terminal its cursor back."""
        self._stages.clear()
        self._close_live()

    def _write(self, message: str) -> None:
        text = printable(message)
        if self._live is not None:
            from rich.text import Text

            self._rich.print(Text(text), soft_wrap=True)
            return
        if self._stream is None:  # it was closed before the process began
            return
        try:
            print(text, file=self._stream, flush=True)
        except (OSError, ValueError):
            pass  # stderr is closed: nobody listens, the work goes on

    # ---- results: stdout ----------------------------------------------------------------------------------------

    def say(self, message: str = "") -> None:
        """One line of the command's answer on stdout; silent with ``--quiet`` or ``--json``."""
        if not self.quiet and not self.as_json:
            _print_out(printable(message))

    def emit(self, result: dict[str, Any] | None) -> None:
        """The command's answer as data: printed, once, with ``--json``."""
        if self.as_json and not self.emitted:
            self.emitted = True
            _print_out(json.dumps(result or {}, indent=2, default=str, allow_nan=False))

    # ---- progress -----------------------------------------------------------------------------------------------

    def plan(self, stages: int) -> None:
        """How many stages will come, for "stage n of m"."""
        self._planned_stages = self._started_stages + stages

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "frame", done: int = 0) -> Iterator[Callable[..., None]]:
        """Long work of ``total`` units, of which ``done`` were done before; yields ``advance(steps=1, detail="")``.

        Within another stage it is told of below that one, without a number of its own.
        """
        now = self._clock()
        inner = bool(self._stages)
        self._started_stages += not inner
        numbered = self._started_stages <= self._planned_stages
        number = f"[{self._started_stages}/{self._planned_stages}] " if numbered else ""
        title = (" " * len(number) if inner else number) + name
        stage = _Stage(printable(title), total, unit, started=now, done=done, before=done, said_at=now)
        live = not self.quiet and self._draws_live()
        if live:
            self._open_live(stage)
        else:
            self._stages.append(stage)
            self.note(f"{title} ({amount(total, unit)})" if total else title)

        def advance(steps: int = 1, detail: str = "") -> None:
            stage.advance(steps, detail, self._clock())
            if self._live is None and self._clock() - stage.said_at >= PLAIN_LINE_EVERY:
                stage.said_at = self._clock()
                self.note(stage.line(stage.said_at))

        finished = False
        try:
            yield advance
            finished = True
        finally:
            if stage in self._stages:
                self._stages.remove(stage)
            if live:
                self._close_live()
            now = self._clock()
            if finished and (not live or now - stage.started >= _SAID_AFTER):
                self.note(stage.closing(now))

    def _draws_live(self) -> bool:
        try:
            return (
                self._stream is not None
                and self._stream.isatty()
                and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
            )
        except ValueError:  # closed
            return False

    def _open_live(self, stage: _Stage) -> None:
        self._stages.append(stage)
        if self._live is not None:
            return
        from rich.console import Console as RichConsole
        from rich.live import Live

        self._rich = RichConsole(file=self._stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            get_renderable=self._lines,
            console=self._rich,
            transient=True,
            refresh_per_second=5,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def _close_live(self) -> None:
        if not self._stages and self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _lines(self) -> Any:
        from rich.text import Text

        now, width = self._clock(), max(self._rich.width - 1, 1)
        ascii_only = "utf" not in (self._rich.encoding or "").lower()
        lines = [stage.line(now, width, ascii_only) for stage in list(self._stages)]
        return Text("\n".join(lines), no_wrap=True, overflow="crop")


def _print_out(text: str) -> None:
    """A line to stdout, whatever its encoding can hold. A closed pipe raises BrokenPipeError for the boundary."""
    if sys.stdout is None:
        return
    try:
        print(text, flush=True)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
