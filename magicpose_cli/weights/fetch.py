"""One file from the Hub to its place: tried again where that may help, gone on with where it broke off."""

import contextlib
import threading
import time
from pathlib import Path

from magicpose_cli.core.disk import amount_of_bytes
from magicpose_cli.core.errors import DownloadError, IntegrityError, OutputError
from magicpose_cli.core.lock import StopError, locked
from magicpose_cli.core.progress import Advance, Progress
from magicpose_cli.weights import hub, store, verify
from magicpose_cli.weights.part_file import PartFile, writing
from magicpose_cli.weights.patience import Patience
from magicpose_cli.weights.registry import Weight


class Reports:
    """What several fetches at once tell of: a Progress is called by one thread at a time. ``advance`` counts bytes."""

    def __init__(self, progress: Progress, advance: Advance) -> None:
        self._progress, self._advance, self._lock = progress, advance, threading.Lock()

    def note(self, message: str) -> None:
        with self._lock:
            self._progress.note(message)

    def advance(self, count: int) -> None:
        with self._lock:
            self._advance(count)


def fetch(weight: Weight, path: Path, patience: Patience, reports: Reports, stop: threading.Event) -> None:
    """Bring ``weight`` to ``path``, where nothing but the file with its sha256 ever appears.

    What came before the end, whatever ends it, stays in the part file for the next run. Raises StopError once ``stop``
    is set, and the errors of ``weights.download.download``.
    """

    def waiting() -> None:
        reports.note(f"another process is fetching {weight.name}; waiting for it")

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path, stop, waiting):
            if verify.is_intact(path, weight):  # another process was first
                reports.advance(weight.bytes_about)
                return
            with PartFile(store.part_of(path, weight)) as part:
                _fill(part, weight, patience, reports, stop)
                if not part.place(path) and not verify.is_intact(path, weight):
                    raise OutputError(f"{part.path} was taken away while it was written", "run the same again")
            with contextlib.suppress(OSError):  # the file is in its place, whatever befalls the rest
                store.mark_verified(path, weight.sha256)
                store.sweep_parts(path)


def _fill(part: PartFile, weight: Weight, patience: Patience, reports: Reports, stop: threading.Event) -> None:
    """Until the part file has the right sha256."""
    failures, furthest, was_wrong = 0, part.size, False
    while part.sha256 != weight.sha256:
        try:
            if weight.size is not None and part.size >= weight.size:
                _start_again(part, reports)  # whole, and wrong
            _receive(part, weight, patience, reports, stop)
        except hub.PassingError as failure:
            if isinstance(failure, hub.PartRefusedError):
                _start_again(part, reports)
            failures = 1 if part.size >= furthest + patience.gain else failures + 1
            furthest = max(furthest, part.size)
            _wait(failures, failure, part, weight, patience, reports, stop)
        except IntegrityError:
            part.discard()
            raise
        else:
            if part.sha256 != weight.sha256:
                if was_wrong:
                    found = part.sha256
                    part.discard()
                    raise IntegrityError(
                        f"what comes as {weight.name} is not the file that weights.toml names: "
                        f"sha256 is {found}, it should be {weight.sha256}",
                        "nothing of it was kept; try again later, or choose another mirror with HF_ENDPOINT",
                    )
                was_wrong = True
                reports.note(f"{weight.name}: what came has the wrong sha256; fetching it once more from the start")
                _start_again(part, reports)


def _receive(part: PartFile, weight: Weight, patience: Patience, reports: Reports, stop: threading.Event) -> None:
    """One answer of the Hub into the part file, to the last byte."""
    with hub.ask(weight, part.size, part.etag, patience.stall) as answer:
        if answer.start == 0:
            _start_again(part, reports, answer.etag)
        pace = _Pace(patience)
        for chunk in answer.chunks:
            if stop.is_set():
                raise StopError
            part.write(chunk)
            reports.advance(len(chunk))
            if weight.size is not None and part.size > weight.size:
                raise IntegrityError(
                    f"{answer.host} sends more than the {weight.size} bytes that weights.toml says of {weight.name}",
                    "do not use it; choose another mirror with HF_ENDPOINT",
                )
            pace.check(len(chunk), answer.host)
    if weight.size is not None and part.size < weight.size:
        raise hub.PassingError(f"{answer.host}: the answer ends after {part.size} of {weight.size} bytes")


def _start_again(part: PartFile, reports: Reports, etag: str = "") -> None:
    reports.advance(-part.size)
    part.restart(etag)


def _wait(
    failures: int,
    failure: hub.PassingError,
    part: PartFile,
    weight: Weight,
    patience: Patience,
    reports: Reports,
    stop: threading.Event,
) -> None:
    """Before the next try; DownloadError where there is none."""
    kept = f"; {amount_of_bytes(part.size)} are kept, and it goes on from there" if part.size else ""
    if failures >= patience.tries:
        raise DownloadError(
            f"cannot fetch {weight.name}: {failure}",
            f"see whether the internet can be reached, or try again later{kept}",
        ) from failure
    wait = patience.wait_after(failures) if failure.wait is None else failure.wait
    if wait > patience.longest_wait:
        raise DownloadError(
            f"cannot fetch {weight.name}: {failure}", f"try again in {wait / 60:.0f} minutes{kept}"
        ) from failure
    reports.note(f"{weight.name}: {failure}; trying again in {wait:.0f} s")
    if stop.wait(wait):
        raise StopError


class _Pace:
    """A line that drips is as bad as one that stands still."""

    def __init__(self, patience: Patience) -> None:
        self._least, self._stretch = patience.slowest * patience.stall, patience.stall
        self._since, self._count = time.monotonic(), 0

    def check(self, count: int, host: str) -> None:
        self._count += count
        now = time.monotonic()
        if now - self._since < self._stretch:
            return
        if self._count < self._least:
            raise hub.PassingError(f"{host}: {self._count} bytes in {self._stretch:g} s is too slow")
        self._since, self._count = now, 0
