"""``Recipe``: everything a training run depends on, read strictly from a TOML file."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from magicpose_cli.core.errors import InputError, UsageError


@dataclass(frozen=True)
class DataOptions:
    """Synthetic figures, rendered while training runs. Each group is one person before one background."""

    size: int = 128  # pixels, square
    targets_per_reference: int = 4  # one appearance pass serves them all
    clip_fps: int = 0  # 0: each target has a pose of its own; else a group's targets are one dance at this rate
    reuse: float = 3.0  # how often a rendered group is used, each time with other noise
    window: int = 1024  # groups held in memory for reuse
    workers: int = 1  # rendering processes; 0 renders between steps


@dataclass(frozen=True)
class OptimizerOptions:
    """AdamW with linear warm-up, then constant, then a linear fall to zero over the last part (``decay``)."""

    learning_rate: float = 1e-5
    warmup: int = 0  # steps
    decay: float = 0.0  # share of the run at its end
    weight_decay: float = 0.0
    clip: float = 0.5  # largest gradient norm


@dataclass(frozen=True)
class NoiseOptions:
    """How the denoising stages draw their timesteps and weigh their loss."""

    timestep_power: float = 1.0  # t = 1000 · u ** power: below 1 leans to high noise
    drop: float = 0.0  # share of steps without bank and pose, to train an open unconditional branch
    person_weight: float = 0.0  # extra weight of the loss where the person is


@dataclass(frozen=True)
class Recipe:
    """One stage of training. ``start`` is the model folder of the stage before ("" starts from nothing)."""

    path: Path
    stage: str
    start: str = ""
    trains: tuple[str, ...] = ()  # modules, or parts of them such as "vae.decoder"
    seed: int = 0
    steps: int = 10_000
    batch: int = 16  # target images a step and process
    precision: str = "float32"  # or bfloat16: autocast, weights stay float32
    ema: float = 0.999
    save_minutes: float = 5.0
    picture_steps: int = 500
    threads: int = 0  # CPU threads; 0 leaves torch's choice
    data: DataOptions = field(default_factory=DataOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    noise: NoiseOptions = field(default_factory=NoiseOptions)
    new: dict[str, dict[str, Any]] = field(default_factory=dict)  # diffusers configs of modules made anew

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise UsageError(f"{self.path}: steps and batch must be at least 1")
        if self.precision not in ("float32", "bfloat16"):
            raise UsageError(f"{self.path}: precision is '{self.precision}'", "use float32 or bfloat16")
        if self.batch % self.data.targets_per_reference:
            raise UsageError(
                f"{self.path}: batch {self.batch} is not a multiple of targets_per_reference "
                f"{self.data.targets_per_reference}"
            )
        if not 0 <= self.ema < 1:
            raise UsageError(f"{self.path}: ema {self.ema} is not in [0, 1)")


_SECTIONS = {"data": DataOptions, "optimizer": OptimizerOptions, "noise": NoiseOptions}


def read_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises InputError (unreadable, not TOML) or UsageError (an unknown or missing word)."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from error
    if "stage" not in table:
        raise UsageError(f"{path} names no stage", 'add a line such as: stage = "vae"')
    for name, options in _SECTIONS.items():
        if name in table:
            _refuse_unknown(path, f"[{name}]", table[name], options)
            table[name] = options(**table[name])
    _refuse_unknown(path, "the recipe", table, Recipe)
    if "trains" in table:
        table["trains"] = tuple(table["trains"])
    return Recipe(path=path, **table)


def _refuse_unknown(path: Path, where: str, table: dict[str, Any], options: type) -> None:
    known = [f.name for f in fields(options) if f.name != "path"]
    for name in table:
        if name not in known:
            raise UsageError(f"{path}: {where} has no entry '{name}'", f"it takes {', '.join(known)}")
