"""sha256 of files on disk against weights.toml."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.errors import InputError, IntegrityError
from magicpose_cli.core.progress import SILENT, Advance, Progress
from magicpose_cli.weights import store
from magicpose_cli.weights.registry import Weight, load_registry


@dataclass(frozen=True)
class Verified:
    """What was found of one weight: ``intact``, ``missing`` or ``broken``; ``message`` says how it is broken."""

    weight: Weight
    path: Path
    state: str
    message: str = ""


def sha256_of(path: Path, advance: Advance | None = None) -> str:
    """The file's sha256 in hex; ``advance`` is told each stretch of bytes. InputError where it cannot be read."""
    try:
        return file_sha256(path, advance)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the file and its rights") from error


def verify(path: Path, weight: Weight, progress: Progress = SILENT) -> None:
    """Hash the whole file. IntegrityError, with both hashes, where it is not the one in weights.toml."""
    with progress.stage(f"verify {weight.name}", weight.size, "byte") as advance:
        found = sha256_of(path, advance)
    if found != weight.sha256:
        raise mismatch(path, weight, found)
    with contextlib.suppress(OSError):  # a read-only store works too: it is hashed again next time
        store.mark_verified(path, found)


def verify_all(weights: Iterable[Weight], root: Path | None = None, progress: Progress = SILENT) -> list[Verified]:
    """Hash each weight that is on disk, whatever was noted before."""
    found = []
    for weight in weights:
        path = store.path_of(weight, root)
        if not path.is_file():
            found.append(Verified(weight, path, "missing"))
            continue
        try:
            verify(path, weight, progress)
            found.append(Verified(weight, path, "intact"))
        except (IntegrityError, InputError) as error:
            found.append(Verified(weight, path, "broken", error.message))
    return found


def is_intact(path: Path, weight: Weight, progress: Progress = SILENT) -> bool:
    """True where the file is there with the right sha256; a file noted as verified is not hashed again."""
    if not path.is_file():
        return False
    if store.was_verified(path, weight.sha256):
        return True
    if weight.size is not None and path.stat().st_size != weight.size:
        return False
    try:
        verify(path, weight, progress)
    except IntegrityError:
        return False
    return True


def intact_files(group: str, progress: Progress = SILENT) -> dict[str, Path]:
    """Name → path of the weights of a group that lie on this machine; a file is hashed when it is met first.

    IntegrityError where one is not the file that weights.toml names. An unknown group has no files.
    """
    found = {}
    for weight in load_registry().weights:
        path = store.path_of(weight)
        if group in weight.used_for and path.is_file():
            if not store.was_verified(path, weight.sha256):
                verify(path, weight, progress)
            found[weight.name] = path
    return found


def mismatch(path: Path, weight: Weight, found: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is not the file that weights.toml names '{weight.name}': "
        f"sha256 is {found}, it should be {weight.sha256}",
        f"fetch it again: magicpose download {weight.name}",
    )
