"""``out.json`` beside ``out.mp4``: what made the video. And the rule for outputs that exist."""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from magicpose_cli.animation.request import AnimationRequest
from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.errors import InputError, LimitError
from magicpose_cli.pose.strict_json import read_json
from magicpose_cli.video.output import check_writable, told_plainly, whole_output

RECORD_VERSION = 1
_MOST_BYTES = 10_000_000


def record_path(output: Path) -> Path:
    """``out.mp4`` → ``out.json``."""
    return output.with_suffix(".json")


def compare_path(output: Path) -> Path:
    """``out.mp4`` → ``out_compare.mp4``."""
    return output.with_name(f"{output.stem}_compare{output.suffix}")


def check_place(output: Path, existing: str, made: frozenset[str] = frozenset()) -> bool:
    """Whether ``output`` is to be written: False where it exists and ``existing`` says skip.

    Raises OutputError where it may not be replaced or nothing can be written there. Called before any work, so that
    a mistake costs a second. ``made`` are the sha256 of what an unfinished run had put in its place: that gives way.
    """
    if is_one_of(output, made):
        existing = "overwrite"
    if existing == "skip" and output.is_file():
        return False
    check_writable(output, overwrite=existing == "overwrite")
    return True


def is_one_of(output: Path, made: frozenset[str]) -> bool:
    """Whether ``output``, a file or a folder, is there and has one of these sha256."""
    return bool(made) and (output.is_file() or output.is_dir()) and sha256_of(output) in made


def check_record_place(output: Path, existing: str) -> None:
    """As ``check_place``, for the record of ``output``. An earlier record of an output of this name gives way.

    That of ``out.gif`` does not give way to that of ``out.mp4``: its video would lose what made it.
    """
    path = record_path(output)
    if existing != "overwrite" and path.is_file():
        try:
            recorded, _ = read_record(path)
        except (InputError, LimitError):
            pass  # somebody's own file
        else:
            if recorded.output.name == output.name:  # the folder may have moved since
                existing = "overwrite"
    check_writable(path, overwrite=existing == "overwrite")


def write_record(path: Path, record: dict[str, Any]) -> None:
    """The record as JSON, whole or not at all."""
    with whole_output(path, overwrite=True) as temporary, told_plainly(path):
        temporary.write_text(json.dumps({"version": RECORD_VERSION, **record}, indent=2) + "\n", encoding="utf-8")


def read_record(path: Path) -> tuple[AnimationRequest, dict[str, Any]]:
    """The request of an ``out.json``, and the whole record. Raises InputError, LimitError on anything else."""
    hint = "give the .json that animate wrote beside a video"
    record = read_json(path, _MOST_BYTES, hint)
    if not isinstance(record, dict) or not isinstance(record.get("request"), dict):
        raise InputError(f"'{path}' holds no request", hint)
    if record.get("version") != RECORD_VERSION:
        raise InputError(f"'{path}' has version {record.get('version')!r}; this magicpose reads {RECORD_VERSION}")
    return AnimationRequest.from_json(record["request"]), record


def changed_since(record: dict[str, Any], hashes: dict[str, str | None]) -> list[str]:
    """A sentence for each input whose sha256 is no longer the recorded one."""
    recorded = record.get("sha256") if isinstance(record.get("sha256"), dict) else {}
    return [
        f"the {name} changed since the record was written: the video will differ"
        for name, value in hashes.items()
        if recorded.get(name) not in (None, value)
    ]


def sha256_of(path: Path) -> str:
    """The sha256 of a file; of a folder, that of its files' relative names and sha256, sorted (no hidden files)."""
    if path.is_dir():
        total = hashlib.sha256()
        files = [f for f in path.rglob("*") if f.is_file() and not f.name.startswith(".")]
        for file in sorted(files, key=lambda f: os.fsencode(f.relative_to(path))):
            total.update(os.fsencode(file.relative_to(path)) + b"\0" + sha256_of(file).encode() + b"\n")
        return total.hexdigest()
    state = path.stat()
    return _file_sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _file_sha256(path: Path, size: int, changed: int) -> str:
    """One run asks several times; ``size`` and ``changed`` are there to notice another content."""
    return file_sha256(path)
