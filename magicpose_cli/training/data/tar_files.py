"""Tar files of samples: written as WebDataset does, and read at random places without unpacking."""

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from magicpose_cli.core.errors import UsageError
from magicpose_cli.training.data.segment import damaged


@dataclass(frozen=True)
class TarSample:
    """Where the files of one sample lie in a tar: name → (first byte, count)."""

    path: Path
    key: str
    places: dict[str, tuple[int, int]]

    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises KeyError where there is none of that name."""
        first, count = self.places[name]
        with self.path.open("rb") as file:
            file.seek(first)
            return file.read(count)


def tar_samples(path: Path) -> list[TarSample]:
    """The samples of a tar in their order, from its headers alone. Raises IntegrityError where it is cut off."""
    samples: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                key, _, name = member.name.partition(".")
                samples.setdefault(key, {})[name] = (member.offset_data, member.size)
    except (tarfile.TarError, EOFError) as error:
        raise damaged(str(path), str(error)) from error
    return [TarSample(path, key, places) for key, places in samples.items()]


def tar_writer(file: BinaryIO) -> Any:
    """WebDataset's writer of samples (``{"__key__": key, name: bytes, …}``); the same samples give the same bytes."""
    return webdataset().TarWriter(file, encoder=False, mtime=0, user="", group="")


def webdataset() -> Any:
    """The library. Raises UsageError where it is not installed."""
    try:
        import webdataset as library
    except ImportError as error:
        raise UsageError("shards need the package webdataset", "pip install 'magicpose-cli[train]'") from error
    return library
