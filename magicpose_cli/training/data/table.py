"""``dataset.json``: what a set holds, what was left out of it and why, and its shards."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from magicpose_cli.core.errors import InputError, IntegrityError

TABLE_FILE = "dataset.json"
SPLITS = ("train", "validation")
SHARD_FILES = re.compile(rf"(?:{'|'.join(SPLITS)})-[0-9]{{6}}\.tar|{re.escape(TABLE_FILE)}")
_VERSION = 1


@dataclass(frozen=True)
class VideoRow:
    """What the set says of one video. ``width`` and ``height``: as stored. ``dropped``: reason → (first, last) frames.

    ``face`` and ``hands`` are the shares of kept frames in which the face, and at least one hand, was seen; None where
    the poses came drawn. ``own_fps``: the file's own rate; None for folders of frames.
    """

    name: str
    sha256: str
    width: int
    height: int
    own_fps: float | None
    frames: int
    kept: int
    dropped: dict[str, tuple[tuple[int, int], ...]]
    face: float | None
    hands: float | None
    segments: int
    split: str = ""

    def __post_init__(self) -> None:
        dropped = {reason: tuple((first, last) for first, last in ends) for reason, ends in self.dropped.items()}
        object.__setattr__(self, "dropped", dropped)

    @property
    def dropped_count(self) -> dict[str, int]:
        """Reason → number of frames."""
        return {reason: sum(last - first + 1 for first, last in ends) for reason, ends in self.dropped.items()}


@dataclass(frozen=True)
class ShardRow:
    """One tar. ``longest``: for each of its samples, how many frames of it follow one another without a gap."""

    name: str
    split: str
    bytes: int
    sha256: str
    longest: tuple[int, ...]


@dataclass(frozen=True)
class DatasetTable:
    """``options``: what the set was made with. ``unreadable``: name and why, of videos passed over."""

    options: dict[str, Any]
    videos: tuple[VideoRow, ...]
    unreadable: tuple[tuple[str, str], ...]
    shards: tuple[ShardRow, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The counts over all videos, as plain values."""
        used = [row for row in self.videos if row.segments]
        seen = [row for row in used if row.face is not None]
        of_seen = sum(row.kept for row in seen)
        dropped: dict[str, int] = {}
        for row in self.videos:
            for reason, count in row.dropped_count.items():
                dropped[reason] = dropped.get(reason, 0) + count
        return {
            "videos": len(used),
            "validation_videos": sum(row.split == "validation" for row in used),
            "left_out": [row.name for row in self.videos if not row.segments],
            "frames_seen": sum(row.frames for row in self.videos),
            "frames_kept": sum(row.kept for row in used),
            "frames_dropped": dropped,
            "face": sum(row.face * row.kept for row in seen) / of_seen if seen else None,
            "hands": sum(row.hands * row.kept for row in seen) / of_seen if seen else None,
            "shards": len(self.shards),
            "bytes": sum(row.bytes for row in self.shards),
        }

    def to_json(self) -> dict[str, Any]:
        return {"magicpose_dataset": _VERSION, "summary": self.summary, **asdict(self)}


def write_table(folder: Path, table: DatasetTable) -> None:
    (folder / TABLE_FILE).write_text(json.dumps(table.to_json(), indent=1) + "\n", encoding="utf-8")


def read_table(folder: Path) -> DatasetTable:
    """Raises InputError where ``folder`` is no set, IntegrityError where its table is damaged."""
    path = folder / TABLE_FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{folder} is no training set: {path} cannot be read: {error.strerror}",
            "name a folder that magicpose dataset made",
        ) from error
    except ValueError as error:
        raise _damaged(path, error) from error
    try:
        if said["magicpose_dataset"] != _VERSION:
            raise InputError(f"{path} has version {said['magicpose_dataset']!r}; this magicpose reads {_VERSION}")
        return DatasetTable(
            options=said["options"],
            videos=tuple(VideoRow(**row) for row in said["videos"]),
            unreadable=tuple((name, why) for name, why in said["unreadable"]),
            shards=tuple(ShardRow(**{**row, "longest": tuple(row["longest"])}) for row in said["shards"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(f"{path} is damaged: {error}", "copy it again, or make the set anew with magicpose dataset")
