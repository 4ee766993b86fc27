"""weights.toml, read strictly: what may be fetched, pinned by commit and sha256."""

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

from magicpose_cli.core.errors import InputError, IntegrityError, LimitError, UsageError
from magicpose_cli.core.toml_files import read_toml

DEFAULT_GROUP = "animate"
FORMATS = ("safetensors", "pickle", "onnx", "text")
REGISTRY_VARIABLE = "MAGICPOSE_WEIGHTS_TOML"

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_PATH_PART = re.compile(r"[A-Za-z0-9_][\w. +()-]{0,199}", re.ASCII)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # device names on Windows
_REQUIRED = {"name", "repo", "file", "revision", "sha256", "format", "licence", "purpose", "used_for"}
_OPTIONAL = {"size", "size_about", "folder", "converted_about", "source"}


@dataclass(frozen=True)
class Weight:
    """One file on the Hub. Sizes are bytes; ``size`` is exact or None, ``size_about`` then a rounded figure."""

    name: str
    repo: str
    file: str
    revision: str
    sha256: str
    format: str
    licence: str
    purpose: str
    used_for: tuple[str, ...]
    folder: str
    size: int | None = None
    size_about: int | None = None
    converted_about: int = 0
    source: str = ""

    @property
    def bytes_about(self) -> int:
        """The size, exact where it is known."""
        return self.size or self.size_about or 0

    @property
    def page(self) -> str:
        """The repository's page, for a licence or a question of access."""
        return f"https://huggingface.co/{self.repo}"


@dataclass(frozen=True)
class Registry:
    """All entries of a weights.toml, in its order."""

    weights: tuple[Weight, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(group for weight in self.weights for group in weight.used_for))

    def find(self, name: str) -> Weight:
        """The entry of that name; UsageError with the nearest names for others."""
        for weight in self.weights:
            if weight.name == name:
                return weight
        raise self._unknown(name, [weight.name for weight in self.weights])

    def select(self, names: Iterable[str] = ()) -> tuple[Weight, ...]:
        """Entries by name or group, each once, in the order of the file; none named: what ``animate`` needs."""
        wanted = set(names) or {DEFAULT_GROUP}
        known = {weight.name for weight in self.weights} | set(self.groups)
        for name in wanted:
            if name not in known:
                raise self._unknown(name, sorted(known))
        return tuple(w for w in self.weights if w.name in wanted or wanted & set(w.used_for))

    def _unknown(self, name: str, known: list[str]) -> UsageError:
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "'magicpose download --list' shows the names"
        return UsageError(f"no weights are called '{name}'", hint)


def registry_path() -> Path:
    """``MAGICPOSE_WEIGHTS_TOML``, else the wheel's weights.toml, else the one at the top of the source tree."""
    if chosen := os.environ.get(REGISTRY_VARIABLE):
        return Path(chosen)
    package = Path(str(files("magicpose_cli")))
    inside = package / "weights.toml"
    return inside if inside.is_file() else package.parent / "weights.toml"


def load_registry(path: Path | None = None) -> Registry:
    """Read and check a weights.toml. IntegrityError says which entry is wrong, and how."""
    path = path or registry_path()
    try:
        content = read_toml(path)
    except (InputError, LimitError) as error:
        raise IntegrityError(f"cannot read the list of weights: {error}", "reinstall magicpose-cli") from error
    entries = content.get("weight")
    if content.keys() != {"weight"} or not isinstance(entries, list):
        raise IntegrityError(f"{path} is no list of [[weight]] entries", "reinstall magicpose-cli")
    weights = []
    for number, entry in enumerate(entries, 1):
        try:
            weights.append(_read_entry(entry))
        except ValueError as error:
            title = str(entry.get("name", "")) if isinstance(entry, dict) else ""
            raise IntegrityError(f"{path}, entry {number} {title[:64]!r}: {error}", "correct the entry") from error
    _check_unique(weights, path)
    return Registry(tuple(weights))


def _read_entry(entry: Any) -> Weight:
    if not isinstance(entry, dict):
        raise ValueError("it is no table")
    if missing := sorted(_REQUIRED - entry.keys()):
        raise ValueError(f"'{missing[0]}' is missing")
    if unknown := sorted(entry.keys() - _REQUIRED - _OPTIONAL):
        raise ValueError(f"'{unknown[0]}' is no known key")
    for key in (_REQUIRED | {"folder", "source"}) & entry.keys() - {"used_for"}:
        if not isinstance(entry[key], str) or not entry[key].strip() or not entry[key].isprintable():
            raise ValueError(f"'{key}' is no plain text")
    for key in {"size", "size_about", "converted_about"} & entry.keys():
        if type(entry[key]) is not int or not 0 < entry[key] < 1 << 50:
            raise ValueError(f"'{key}' is no number of bytes")
    if "size" not in entry and "size_about" not in entry:
        raise ValueError("'size' or 'size_about' is missing")
    groups = entry["used_for"]
    if not isinstance(groups, list) or not all(isinstance(g, str) and _NAME.fullmatch(g) for g in groups):
        raise ValueError("'used_for' is no list of names")
    for key, pattern, meaning in (
        ("name", _NAME, "lower case letters, digits, '-' and '.'"),
        ("repo", _REPO, "owner/name"),
        ("revision", re.compile("[0-9a-f]{40}"), "a commit of 40 hex digits"),
        ("sha256", re.compile("[0-9a-f]{64}"), "64 hex digits"),
    ):
        if not pattern.fullmatch(entry[key]):
            raise ValueError(f"'{key}' is not {meaning}")
    if entry["format"] not in FORMATS:
        raise ValueError(f"'format' is none of {', '.join(FORMATS)}")
    _check_path(entry["file"], "file")
    folder = entry.get("folder", entry["name"])
    if "/" in folder:
        raise ValueError("'folder' is one name, without '/'")
    _check_path(folder, "folder")
    return Weight(**entry | {"used_for": tuple(groups), "folder": folder})


def _check_path(text: str, key: str) -> None:
    """Only plain relative paths, on any system: no '..', drive letter, backslash, device name or trailing dot."""
    parts = text.split("/")
    for part in parts:
        if not _PATH_PART.fullmatch(part) or part[-1] in ". " or _RESERVED.fullmatch(part):
            raise ValueError(f"'{key}' is no plain relative path: {text[:100]!r}")
    if PurePosixPath(text).is_absolute() or str(PurePosixPath(text)) != text:
        raise ValueError(f"'{key}' is no plain relative path: {text[:100]!r}")


def _check_unique(weights: list[Weight], path: Path) -> None:
    groups = {group for weight in weights for group in weight.used_for}
    seen: set[str] = set()
    for weight in weights:
        place = f"{weight.folder}/{PurePosixPath(weight.file).name}".lower()
        for word in (weight.name, place):
            if word in seen or word in groups:
                raise IntegrityError(f"{path}: '{word}' is there twice", "correct the entry")
            seen.add(word)
