"""``AnimationRequest``: what ``animate`` is asked to do. Every default of the tool stands here, and here alone.

Imports nothing heavy: the command line reads its defaults for ``--help`` from here.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from magicpose_cli.core.choices import check_choice, check_person
from magicpose_cli.core.device import DEVICES, DTYPES, parse_device
from magicpose_cli.core.errors import InputError, UsageError
from magicpose_cli.core.names import DETECTORS, FITS, FRAMINGS, SCHEDULERS

CONVERTED_DTYPES = ("float16", "bfloat16", "float32")
EXISTING = ("refuse", "overwrite", "skip")
OUTPUT_SUFFIXES = (".mp4", ".mov", ".mkv", ".gif", ".webp")
MAX_SIDE = 4096


@dataclass(frozen=True)
class Preset:
    """How a preset samples: which scheduler, and what share of the model's own number of steps."""

    scheduler: str
    steps_share: float


PRESETS = {
    "published": Preset("ddim", 1.0),
    "balanced": Preset("dpm++", 0.5),
    "fast": Preset("unipc", 0.25),
}


@dataclass(frozen=True)
class AnimationRequest:
    """A reference photo, poses, and how to make a video of them.

    ``poses`` is any of what ``animation.pose_input`` takes. A ``steps``, ``guidance``, ``scheduler`` or ``size`` of
    None is the preset's or the model's own; ``animation.animator`` fills them in. ``fps`` None is the driver's.
    ``framing`` is which part of the photo becomes the picture (``conditions.reach.choose_box``); with ``paste_back``
    the result is laid back into the whole photo. ``audio`` is ``auto`` (the driver's sound), ``none``, or a file.
    ``reference_poses`` is a pose folder or file whose first frame holds the keypoints of the person in the reference
    photo; None finds them in the photo. ``start`` and ``end`` are seconds of the driver.
    """

    reference: Path
    poses: Path
    output: Path
    model: str = "auto"
    preset: str = "balanced"
    steps: int | None = None
    guidance: float | None = None
    scheduler: str | None = None
    seed: int = 0
    size: str | None = None
    fit: str = "auto"
    framing: str = "auto"
    paste_back: bool = False
    prompt: str = ""
    motion: bool = True
    audio: str = "auto"
    fps: str | None = None
    start: float | None = None
    end: float | None = None
    detector: str = "auto"
    person: str = "largest"
    reference_poses: Path | None = None
    compare: bool = False
    device: str = "auto"
    dtype: str = "auto"
    offload: bool = False
    watermark: bool = True
    existing: str = "refuse"

    def to_json(self) -> dict[str, Any]:
        """Plain data; paths absolute, so that the request can be made again from any folder."""
        return {
            name: os.path.abspath(value) if isinstance(value, Path) else value for name, value in asdict(self).items()
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> AnimationRequest:
        """The request that ``to_json`` gave. Raises InputError where a field is missing, unknown or wrong."""
        known = {field.name: field for field in fields(AnimationRequest)}
        for name in data:
            if name not in known:
                raise InputError(f"the request holds '{name}', which this version does not know")
        for name in ("reference", "poses", "output"):
            if not isinstance(data.get(name), str):
                raise InputError(f"the request names no '{name}'")
        values = dict(data)
        for name, field in known.items():
            if name in values and not _fits(values[name], str(field.type)):
                raise InputError(f"the request's '{name}' is {values[name]!r}, which is not {field.type}")
            if values.get(name) is not None and "Path" in str(field.type):
                values[name] = Path(values[name])
        return AnimationRequest(**values)


@dataclass(frozen=True)
class ExtractionRequest:
    """What ``extract`` is asked to do. ``fps`` None is the driving video's own; ``start`` and ``end`` are seconds.

    ``raw`` keeps the points as the detector gave them: sides not mended, gaps not filled, jitter not taken out.
    ``maps`` also draws the pose maps as PNGs, ``preview`` lays the skeleton over the driving video. ``lenient`` takes
    the good part of a damaged video. ``device`` is for detectors that can choose.
    """

    driving: Path
    output: Path = Path("poses")
    detector: str = "auto"
    person: str = "largest"
    fps: str | None = None
    start: float | None = None
    end: float | None = None
    raw: bool = False
    maps: bool = False
    preview: bool = False
    lenient: bool = False
    device: str = "auto"
    existing: str = "refuse"


@dataclass(frozen=True)
class PreviewRequest:
    """A picture of what ``animation`` would do. Its own ``output`` must be a video's name; it is not written."""

    animation: AnimationRequest
    output: Path = Path("preview.png")
    existing: str = "refuse"


@dataclass(frozen=True)
class MuxRequest:
    """A video of ``frames`` (a folder of images, a GIF, a video). ``audio``: ``auto`` (its own), ``none`` or a file."""

    frames: Path
    output: Path = Path("out.mp4")
    fps: str | None = None
    audio: str = "auto"
    lenient: bool = False
    existing: str = "refuse"


@dataclass(frozen=True)
class CompareRequest:
    """Inputs side by side, ``height`` pixels high. No ``labels``: the file names. ``audio`` auto: the first found."""

    inputs: tuple[Path, ...]
    output: Path = Path("grid.mp4")
    labels: tuple[str, ...] = ()
    height: int = 512
    fps: str | None = None
    audio: str = "auto"
    existing: str = "refuse"


@dataclass(frozen=True)
class DemoRequest:
    """The demo: ``frames`` frames at ``fps``, the people and the dance chosen by ``seed``."""

    output: Path = Path(".")
    model: str = "mini"
    frames: int = 36
    fps: int = 12
    seed: int = 0
    existing: str = "refuse"


@dataclass(frozen=True)
class EvaluationRequest:
    """Scores of a model on ``pairs`` held-out pictures and ``clips`` motions; ``output`` None writes no pictures.

    ``steps`` and ``guidance`` None take the model's own.
    """

    model: str = "mini"
    pairs: int = 64
    clips: int = 10
    steps: int | None = None
    guidance: float | None = None
    output: Path | None = None
    device: str = "auto"
    existing: str = "refuse"


@dataclass(frozen=True)
class FitEvaluationRequest:
    """Scores of the fit on ``pairs`` pairs of people in each setting, with keypoints moved by ``noise``.

    Noise is in percent of a person's height.
    """

    pairs: int = 20
    noise: float = 0.0


@dataclass(frozen=True)
class LongEvaluationRequest:
    """Scores of a model on one held-out motion of ``frames`` frames.

    ``steps`` and ``guidance`` None take the model's own.
    """

    model: str = "mini"
    frames: int = 1010
    steps: int | None = None
    guidance: float | None = None
    device: str = "auto"


def check_request(request: AnimationRequest) -> None:
    """Raise UsageError on any value that cannot work, before anything is read or loaded."""
    check_choice("preset", request.preset, PRESETS)
    check_choice("fit", request.fit, FITS)
    check_choice("framing", request.framing, FRAMINGS)
    check_choice("detector", request.detector, ("auto", *DETECTORS))
    check_choice("dtype", request.dtype, DTYPES)
    check_choice("device", request.device.partition(":")[0], DEVICES)
    parse_device(request.device)
    if request.scheduler is not None:
        check_choice("scheduler", request.scheduler, SCHEDULERS)
    if request.steps is not None and not 1 <= request.steps <= 1000:
        raise UsageError(f"--steps is {request.steps}, which is not between 1 and 1000")
    if request.guidance is not None and not (math.isfinite(request.guidance) and 0 <= request.guidance <= 100):
        raise UsageError(f"--guidance is {request.guidance}, which is not between 0 and 100")
    if not 0 <= request.seed < 2**63:
        raise UsageError(f"--seed is {request.seed}, which is not between 0 and 2^63 - 1")
    if request.size is not None:
        parse_size(request.size)
    if request.fps is not None:
        parse_fps(request.fps)
    check_span(request.start, request.end)
    check_person(request.person)
    check_output_name(request.output)


def check_extraction(request: ExtractionRequest) -> None:
    """Raise UsageError on any value that cannot work, before anything is read."""
    check_choice("detector", request.detector, ("auto", *DETECTORS))
    check_choice("device", request.device.partition(":")[0], DEVICES)
    parse_device(request.device)
    check_person(request.person)
    check_span(request.start, request.end)
    if request.fps is not None:
        parse_fps(request.fps)


def check_mux(request: MuxRequest) -> None:
    """Raise UsageError on any value that cannot work, before anything is read."""
    check_output_name(request.output)
    if request.fps is not None:
        parse_fps(request.fps)


def check_compare(request: CompareRequest) -> None:
    """Raise UsageError on any value that cannot work, before anything is read."""
    check_output_name(request.output)
    if request.fps is not None:
        parse_fps(request.fps)
    if request.labels and len(request.labels) != len(request.inputs):
        raise UsageError(
            f"{len(request.labels)} labels for {len(request.inputs)} inputs",
            "give --label once for each input, or never",
        )
    if not 64 <= request.height <= MAX_SIDE:
        raise UsageError(f"--height is {request.height}, which is not between 64 and {MAX_SIDE}")


def check_span(start: float | None, end: float | None) -> None:
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise UsageError(f"--{name} is {value}, which is not a time in seconds")
    if end is not None and end <= (start or 0):
        raise UsageError(f"--end ({end} s) is not after --start ({start or 0} s)")


def check_output_name(output: Path) -> None:
    if output.suffix.lower() not in OUTPUT_SUFFIXES:
        named = f"the ending '{output.suffix}'" if output.suffix else "no ending"
        raise UsageError(
            f"the output '{output}' has {named}: it does not say which kind of video to write",
            f"end its name in one of {', '.join(OUTPUT_SUFFIXES)}",
        )


def parse_fps(text: str) -> Fraction:
    """``24``, ``23.976`` or ``24000/1001`` → an exact rate. Raises UsageError."""
    try:
        rate = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"'{text}' is not a frame rate", "give frames a second, such as 24 or 30000/1001") from None
    if not 0 < rate <= 1000:
        raise UsageError(f"the frame rate {text} is not between 0 and 1000")
    return rate.limit_denominator(100_000)


def parse_size(text: str) -> int | tuple[int, int]:
    """``512`` (the shorter side, in the photo's aspect) or ``512x768`` (width x height). Raises UsageError."""
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"'{text}' is not a size", "give pixels, such as --size 512 or --size 512x768")
    sides = [int(part) for part in parts]
    if not all(64 <= side <= MAX_SIDE for side in sides):
        raise UsageError(f"the size {text} is not between 64 and {MAX_SIDE} pixels a side")
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def _fits(value: object, annotation: str) -> bool:
    allowed: tuple[type, ...] = ()
    for word in annotation.split(" | "):
        allowed += {"Path": (str,), "str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}.get(word, ())
    if value is None:
        return "None" in annotation
    if isinstance(value, bool):
        return bool in allowed
    return isinstance(value, allowed)
