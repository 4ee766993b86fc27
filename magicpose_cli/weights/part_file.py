"""What has come of a file so far, on disk, so that the next process goes on there."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from magicpose_cli.core.disk import is_disk_full, sync
from magicpose_cli.core.errors import DiskFullError, OutputError

_CHUNK = 4 << 20
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,256}"')


class PartFile:
    """The bytes of one file from its beginning on, their sha256, and the ETag of the version they are of.

    The name is stable and every byte is written through, so that it survives SIGKILL. Opening it hashes what is there.
    It is never shortened: starting again makes a new file, so that where locks do nothing a second process that writes
    the old one does no harm. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(path.name + ".json")
        self._digest, self.size, self.etag = hashlib.sha256(), 0, ""
        try:
            self._file = path.open("r+b", buffering=0)
        except FileNotFoundError:
            self._file = path.open("xb", buffering=0)
            return
        while chunk := self._file.read(_CHUNK):
            self._digest.update(chunk)
            self.size += len(chunk)
        with contextlib.suppress(OSError, ValueError):
            self.etag = strong_etag(str(json.loads(self._note.read_text(encoding="utf-8"))["etag"]))

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:  # a raw write may take less than all, on a disk that is nearly full
            view = view[self._file.write(view) :]
        self._digest.update(chunk)
        self.size += len(chunk)

    def restart(self, etag: str = "") -> None:
        """Forget what came; what comes next is of the version ``etag``."""
        if self.size:
            self._file.close()
            self._unlink()
            self._file = self.path.open("xb", buffering=0)
            self._digest, self.size = hashlib.sha256(), 0
        self.etag = strong_etag(etag)
        self._note.write_text(json.dumps({"etag": self.etag}), encoding="utf-8")

    def place(self, path: Path) -> bool:
        """Synced and renamed to ``path``, at once. False where another process has taken the part file away."""
        os.fsync(self._file.fileno())
        ours = os.fstat(self._file.fileno())
        self._file.close()
        try:
            if not os.path.samestat(ours, self.path.stat()):
                return False
            os.replace(self.path, path)
        except FileNotFoundError:
            return False
        sync(path.parent)
        self._note.unlink(missing_ok=True)
        return True

    def discard(self) -> None:
        """Close and delete: what came is worth nothing."""
        self.size = 0
        self._file.close()
        self._unlink()

    def _unlink(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self.size:
            self._unlink()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system says of a file that is on its way to ``path``, as an error of ours."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"the disk of {path.parent} is full",
                "free some space, then run the same again: it goes on where it was",
            ) from error
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}", "check the folder and its rights"
        ) from error


def strong_etag(text: str) -> str:
    """The ETag, where it may stand in If-Range (RFC 9110: a strong one), else ''."""
    return text if _STRONG_ETAG.fullmatch(text) else ""
