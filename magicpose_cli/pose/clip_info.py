"""``clip.json``: what a pose folder's frames cannot say about the clip they came from."""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from magicpose_cli.core.clip import SoundSource
from magicpose_cli.core.errors import InputError
from magicpose_cli.pose.detector import PARTS
from magicpose_cli.pose.ranges import Ranges
from magicpose_cli.pose.strict_json import read_json

CLIP_FILE = "clip.json"
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class ClipInfo:
    """The clip behind a pose folder. ``fps`` is exact; ``width`` and ``height`` are the upright frame's, in pixels.

    ``driver`` is the driving video's file name and ``source_path`` where it was; ``sound`` says where its sound is.
    ``filled`` names for each part the stretches (first frame, last frame) in which points of it were not seen but
    filled in, ``swapped`` those in which left and right were changed. ``report`` is what the user was told of
    the poses.
    """

    fps: Fraction
    width: int
    height: int
    frame_count: int
    driver: str
    driver_sha256: str | None
    detector: str
    detector_version: str
    sound: SoundSource | None = None
    source_path: Path | None = None
    filled: dict[str, Ranges] = field(default_factory=dict)
    swapped: Ranges = ()
    report: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; fractions as ``"30000/1001"``."""
        sound = self.sound and {
            "path": str(self.sound.path),
            "start": _fraction_text(self.sound.start),
            "duration": _fraction_text(self.sound.duration),
        }
        return {
            "version": 1,
            "fps": _fraction_text(self.fps),
            "width": self.width,
            "height": self.height,
            "frame_count": self.frame_count,
            "driver": self.driver,
            "driver_sha256": self.driver_sha256,
            "source_path": self.source_path and str(self.source_path),
            "detector": self.detector,
            "detector_version": self.detector_version,
            "sound": sound,
            "filled": {part: [list(ends) for ends in ranges] for part, ranges in self.filled.items()},
            "swapped": [list(ends) for ends in self.swapped],
            "report": list(self.report),
        }


def read_clip_info(path: Path) -> ClipInfo:
    """Read a ``clip.json``. Raises InputError where a value is missing or is not what it should be."""
    read = _Reader(path, read_json(path, _MOST_BYTES), "")
    sound = None
    if read.values.get("sound") is not None:
        inner = _Reader(path, read.values["sound"], "sound.")
        sound = SoundSource(
            Path(inner.text("path")), inner.fraction("start"), inner.fraction("duration", above_zero=True)
        )
    filled = _Reader(path, read.values.get("filled") or {}, "filled.")
    return ClipInfo(
        fps=read.fraction("fps", above_zero=True),
        width=read.count("width", 1, 65536),
        height=read.count("height", 1, 65536),
        frame_count=read.count("frame_count", 0, 10_000_000),
        driver=read.text("driver"),
        driver_sha256=read.text_or_none("driver_sha256"),
        detector=read.text("detector"),
        detector_version=read.text("detector_version"),
        sound=sound,
        source_path=Path(source) if (source := read.text_or_none("source_path")) else None,
        filled={part: filled.ranges(part) for part in PARTS if part in filled.values},
        swapped=read.ranges("swapped"),
        report=read.texts("report"),
    )


class _Reader:
    """Takes checked values out of one JSON object; errors name the file and the key."""

    def __init__(self, path: Path, values: Any, prefix: str) -> None:
        self.path, self.prefix = path, prefix
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            raise self._error("", "is not an object")

    def count(self, key: str, least: int, most: int) -> int:
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._error(key, f"must be a whole number from {least} to {most}, not {_shown(value)}")
        return value

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or "\0" in value:
            raise self._error(key, f"must be a text, not {_shown(value)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key) or []
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise self._error(key, f"must be a list of texts, not {_shown(value)}")
        return tuple(value)

    def text_or_none(self, key: str) -> str | None:
        return None if self.values.get(key) is None else self.text(key)

    def fraction(self, key: str, *, above_zero: bool = False) -> Fraction:
        value = self.values.get(key)
        match = re.fullmatch(r"(-?[0-9]{1,18})/([0-9]{1,18})", value) if isinstance(value, str) else None
        if not match or int(match[2]) == 0 or (above_zero and int(match[1]) <= 0):
            raise self._error(key, f'must be a fraction such as "30000/1001", not {_shown(value)}')
        return Fraction(int(match[1]), int(match[2]))

    def ranges(self, key: str) -> Ranges:
        value = self.values.get(key) or []
        pairs = isinstance(value, list) and all(isinstance(ends, list) and len(ends) == 2 for ends in value)
        if not pairs or not all(type(end) is int and end >= 0 for ends in value for end in ends):
            raise self._error(key, f"must be a list of frame numbers [first, last], not {_shown(value)}")
        return tuple((first, last) for first, last in value)

    def _error(self, key: str, problem: str) -> InputError:
        where = f"'{self.prefix}{key}' " if key else f"{self.prefix.rstrip('.') or 'its content'} "
        return InputError(
            f"{self.path}: {where}{problem}", f"correct it, or delete {CLIP_FILE} to use the frames without it"
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _fraction_text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"
