"""``Recipe``: everything a training run depends on, read strictly from a TOML file."""

import math
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.toml_files import read_toml


def _number(default: float, low: float, high: float = math.inf) -> Any:
    """A field whose value lies in [low, high]."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class DataOptions:
    """Synthetic figures, rendered while training runs, or shards. Each group is one person before one background."""

    # A folder of magicpose dataset, beside the recipe, or what webdataset opens: https://…/train-{000000..000012}.tar
    shards: str = ""
    validation_shards: str = ""  # the same for validation, where 'shards' is no folder
    size: int = _number(128, 16, 2048)  # pixels, square, a multiple of 8
    targets_per_reference: int = _number(4, 1)  # one appearance pass serves them all
    motions: tuple[str, ...] = ()  # pose folders beside the recipe: half of the figures move as in one of them
    clip_fps: int = _number(0, 0, 240)  # 0: each target has a pose of its own; else they are one dance at this rate
    reuse: float = _number(3.0, 0.01)  # how often a rendered group, or a streamed segment, is used
    window: int = _number(1024, 1)  # rendered groups held in memory for reuse
    workers: int = _number(1, 0, 256)  # processes that render or read; 0 does it between steps


@dataclass(frozen=True)
class OptimizerOptions:
    """AdamW with linear warm-up, then constant, then a linear fall to zero over the last part (``decay``)."""

    kind: str = "adamw"  # or adamw-8bit: moments in a byte each, on CUDA alone (bitsandbytes)
    learning_rate: float = _number(1e-5, 0)
    warmup: int = _number(0, 0)  # steps
    decay: float = _number(0.0, 0, 1)  # share of the run at its end
    weight_decay: float = _number(0.0, 0)
    clip: float = _number(0.5, 1e-9)  # largest gradient norm


@dataclass(frozen=True)
class NoiseOptions:
    """How the denoising stages draw their timesteps and weigh their loss."""

    timestep_power: float = _number(1.0, 0.01)  # t = 1000 · u ** power: below 1 leans to high noise
    drop: float = _number(0.0, 0, 1)  # share of steps without bank and pose, to train an open unconditional branch
    drop_appearance: float = _number(0.0, 0, 1)  # share of steps without bank alone
    # One noise for all targets of a group: a clip begins as it does where frames share their noise.
    shared: bool = False
    person_weight: float = _number(0.0, 0)  # extra weight of the loss where the person is
    face_weight: float = _number(0.0, 0)  # and where the face is
    flicker_weight: float = _number(0.0, 0)  # of the error's change between neighbouring frames: clips alone


@dataclass(frozen=True)
class MemoryOptions:
    """What a small GPU needs; each costs time."""

    gradient_checkpointing: bool = False  # computes activations again in the backward pass
    average_on_cpu: bool = False  # the averaged weights stay in the machine's own memory


@dataclass(frozen=True)
class Recipe:
    """One stage of training. ``start`` is the model folder of the stage before ("" starts from nothing).

    A step learns from batch · accumulation · processes target images.
    """

    path: Path
    stage: str
    start: str = ""
    trains: tuple[str, ...] = ()  # modules, or parts of them such as "vae.decoder"
    seed: int = _number(0, 0, 2**31)
    steps: int = _number(10_000, 1)
    batch: int = _number(16, 1)  # target images that go through the networks together, in each process
    accumulation: int = _number(1, 1)  # batches whose gradients are added up to one step
    precision: str = "float32"  # or bfloat16: autocast, weights that train stay float32
    ema: float = _number(0.999, 0, 0.999999)  # share of the average that each step keeps; 0: no average
    save_minutes: float = _number(5.0, 0)
    validate_steps: int = _number(500, 0)  # 0: never, and model/ is the newest instead of the best
    validate_batches: int = _number(4, 1)  # always the same people and noise, which training never sees
    picture_steps: int = _number(500, 1)
    video_frames: int = _number(8, 0)  # of the sample video, where the model is complete; 0: none
    threads: int = _number(0, 0)  # CPU threads; 0 leaves torch's choice
    data: DataOptions = field(default_factory=DataOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    memory: MemoryOptions = field(default_factory=MemoryOptions)
    # Parts from elsewhere than ``start``: a folder or a checkpoint.
    weights: dict[str, str] = field(default_factory=dict)
    # Diffusers' configs of modules made anew, and [new.pipeline]: the exported pipeline's settings.
    new: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "bfloat16"):
            raise UsageError(f"{self.path}: precision is '{self.precision}'", "use float32 or bfloat16")
        if self.optimizer.kind not in ("adamw", "adamw-8bit"):
            raise UsageError(f"{self.path}: [optimizer] kind is '{self.optimizer.kind}'", "use adamw or adamw-8bit")
        if self.data.size % 8:
            raise UsageError(f"{self.path}: size {self.data.size} is not a multiple of 8")
        if self.batch % self.data.targets_per_reference:
            raise UsageError(
                f"{self.path}: batch {self.batch} is not a multiple of targets_per_reference "
                f"{self.data.targets_per_reference}",
                "set targets_per_reference in [data] to a number that divides the batch",
            )


_ADDRESS = re.compile(r"[a-z][a-z0-9+]+:")  # https://…, s3://…, pipe:…

_SECTIONS = {"data": DataOptions, "optimizer": OptimizerOptions, "noise": NoiseOptions, "memory": MemoryOptions}


def read_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises InputError (unreadable, not TOML) or UsageError (an unknown, missing or wrong entry)."""
    table = read_toml(path)
    if "stage" not in table:
        raise UsageError(f"{path} names no stage", 'add a line such as: stage = "vae"')
    sections = {
        name: _checked(path, f"[{name}] ", table.pop(name), cls) for name, cls in _SECTIONS.items() if name in table
    }
    new = table.pop("new", {})
    if not isinstance(new, dict) or not all(isinstance(config, dict) for config in new.values()):
        raise UsageError(f"{path}: 'new' holds sections such as [new.unet]")
    _refuse_idle_data(path, sections.get("data", {}))
    if sections.get("noise", {}).get("flicker_weight") and not sections.get("data", {}).get("clip_fps"):
        raise UsageError(f"{path}: [noise] flicker_weight does nothing without clips", "set clip_fps in [data]")
    for name in ("shards", "validation_shards"):
        if sections.get("data", {}).get(name):
            sections["data"][name] = _beside(path, sections["data"][name])
    if "motions" in sections.get("data", {}):
        sections["data"]["motions"] = tuple(_beside(path, folder) for folder in sections["data"]["motions"])
    weights = table.pop("weights", {})
    if not isinstance(weights, dict) or not all(isinstance(place, str) for place in weights.values()):
        raise UsageError(f"{path}: 'weights' is a section of paths", 'such as: pose_controlnet = "openpose.pth"')
    weights = {name: _beside(path, place) for name, place in weights.items()}
    if isinstance(table.get("start"), str) and table["start"]:
        table["start"] = _beside(path, table["start"])
    entries = _checked(path, "", table, Recipe)
    options = {name: cls(**sections[name]) for name, cls in _SECTIONS.items() if name in sections}
    return Recipe(path=path, weights=weights, new=new, **entries, **options)


def _refuse_idle_data(path: Path, data: dict[str, Any]) -> None:
    """What means nothing beside this kind of ``shards``."""
    shards = data.get("shards", "")
    idle = {"motions", "window"} if shards else set()
    if shards and not is_stream(shards):
        idle.add("reuse")
    if not is_stream(shards):
        idle.add("validation_shards")
    for name in sorted(idle & data.keys()):
        kind = "figures" if not shards else "a stream of shards" if is_stream(shards) else "a folder of shards"
        raise UsageError(f"{path}: [data] {name} does nothing for {kind}", "leave it out")


def is_stream(shards: str) -> bool:
    """Whether ``shards`` is for webdataset to open: an address, a pipe, a pattern of names. Else it is a folder."""
    return bool(_ADDRESS.match(shards)) or ("{" in shards and not Path(shards).is_dir())


def _beside(recipe: Path, place: str) -> str:
    """Paths in a recipe are relative to it; an address is none."""
    return place if _ADDRESS.match(place) else str(recipe.parent / Path(place).expanduser())


def _checked(path: Path, where: str, table: Any, options: type) -> dict[str, Any]:
    """The entries of one section, each of the right kind and in its range."""
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {where.strip()} is a section, not a value")
    known = {f.name: f for f in fields(options) if f.name not in ("path", "weights", "new", *_SECTIONS)}
    checked = {}
    for name, value in table.items():
        if name not in known:
            raise UsageError(
                f"{path}: {where or 'the recipe '}has no entry '{name[:80]}'", f"it takes {', '.join(known)}"
            )
        kind = known[name].type  # the type itself: this file does without postponed annotations
        if kind is float and type(value) is int:
            value = float(value)
        if kind not in (int, float, str, bool):
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise UsageError(f"{path}: {where}{name} is a list of names", f'write it as {name} = ["unet"]')
            value = tuple(value)
        elif type(value) is not kind:
            meant = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}[kind]
            raise UsageError(f"{path}: {where}{name} is {repr(value)[:80]}, not {meant}")
        low, high = known[name].metadata.get("range", (-math.inf, math.inf))
        if kind in (int, float) and (not low <= value <= high or value in (math.inf, -math.inf)):
            within = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"
            raise UsageError(f"{path}: {where}{name} is {value}", f"use {within}")
        checked[name] = value
    return checked
