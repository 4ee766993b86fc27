"""``DatasetRequest``: what ``magicpose dataset`` is asked for, and the rule by which a frame is kept."""

from dataclasses import dataclass, field
from pathlib import Path

from magicpose_cli.core.errors import UsageError


@dataclass(frozen=True)
class UsableSkeleton:
    """A frame is kept where its skeleton has nose and neck, enough other points, and is large enough.

    A body point counts from ``confidence`` on: what is less sure is not drawn either. A head and two shoulders are
    eight of the 18 body points; an ear may be hidden. The longer side of the box round all points that count is at
    least ``size`` of the picture's shorter side.
    """

    confidence: float = 0.3
    points: int = 7
    size: float = 0.25


@dataclass(frozen=True)
class DatasetRequest:
    """``videos``: files, folders of videos, folders of frames, or folders in the original project's layout.

    ``size``: the stored frames' shorter side in pixels (smaller videos stay as they are). ``validation``: the share of
    videos held out. ``shard_megabytes``: about how large a shard is. ``lenient``: videos that cannot be read are
    passed over.
    """

    videos: tuple[Path, ...]
    output: Path
    detector: str = "auto"
    person: str = "largest"
    size: int = 512
    validation: float = 0.1
    shard_megabytes: float = 256
    lenient: bool = False
    overwrite: bool = False
    usable: UsableSkeleton = field(default_factory=UsableSkeleton)


def check_dataset(request: DatasetRequest) -> None:
    """Raise UsageError where a value is out of range."""
    if not 16 <= request.size <= 4096:
        raise UsageError(f"--size {request.size} is out of range", "give the shorter side in pixels, such as 512")
    if not 0 <= request.validation <= 0.9:
        raise UsageError(f"--validation {request.validation:g} is out of range", "give a share from 0 to 0.9")
    if not request.shard_megabytes > 0:
        raise UsageError(f"--shard-size {request.shard_megabytes:g} is out of range", "give megabytes, such as 256")
