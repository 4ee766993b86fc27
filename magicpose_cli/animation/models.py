"""Which model animates: the one asked for, or the best one on this machine."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicpose_cli.core.errors import InputError, IntegrityError, OfflineError, UsageError
from magicpose_cli.weights.store import INDEX, has_model, list_models, mini_folder, model_folder

MINI = "mini"
FULL_MODEL = "magicpose"  # in the store, and of its checkpoint in weights.toml


@dataclass(frozen=True)
class ModelChoice:
    """A model that is on disk: its name, its folder, and one sentence for the user on why this one."""

    name: str
    folder: Path
    sentence: str


@dataclass(frozen=True)
class ModelFacts:
    """What a model's own files say of it: read without loading it. Sides are multiples of ``multiple`` pixels."""

    native_size: int
    multiple: int
    default_steps: int
    default_guidance: float
    has_motion: bool


def choose_model(name: str = "auto", device: str = "auto") -> ModelChoice:
    """The model called ``auto``, ``mini``, by its name in the store, or by its folder.

    ``auto`` takes the full model where it is on disk, else the embedded one, and says what a download would add.
    Raises UsageError on an unknown name, OfflineError on a known one that is not on disk.
    """
    if name == MINI or (name == "auto" and not has_model(model_folder(FULL_MODEL))):
        return _mini(added=name == "auto")
    known = (FULL_MODEL, *(each for each in list_models() if each != FULL_MODEL))
    if name == "auto":
        name = FULL_MODEL
    if name in known:
        folder = model_folder(name)
        if not has_model(folder):
            raise OfflineError(
                f"the model '{name}' is not on this machine", "run 'magicpose download', or use --model mini"
            )
        slow = "; very slow without a GPU" if device == "cpu" else ""
        return ModelChoice(name, folder, f"model {name} ({model_facts(folder).native_size} pixels){slow}")
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not has_model(folder):
            raise InputError(
                f"the folder {folder} holds no model: there is no {INDEX} in it",
                "give a folder that 'magicpose convert', 'magicpose train' or save_pretrained wrote",
            )
        return ModelChoice(
            str(folder.absolute()), folder, f"model in {folder} ({model_facts(folder).native_size} pixels)"
        )
    choices = ("auto", MINI, *known)
    near = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"there is no model '{name}'{guess}", f"use {', '.join(choices)}, or a folder that holds a model")


def model_facts(folder: Path) -> ModelFacts:
    """What the model's files say: its own size, steps and guidance. Raises IntegrityError where they cannot be read."""
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        vae: dict[str, Any] = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))
        motion = index.get("motion_adapter")
        return ModelFacts(
            native_size=int(index.get("native_size", 512)),
            multiple=2 ** (len(vae["block_out_channels"]) - 1),
            default_steps=int(index.get("default_steps", 50)),
            default_guidance=float(index.get("default_guidance", 7.0)),
            has_motion=bool(motion and motion[0]),
        )
    except (OSError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise IntegrityError(f"'{folder / INDEX}', or what lies beside it, cannot be read: {error}") from None


def _mini(added: bool) -> ModelChoice:
    folder = mini_folder()
    if not has_model(folder):
        raise OfflineError(
            f"the embedded model is missing from this installation: there is no {INDEX} in {folder}",
            "install magicpose again, or give a model's folder with --model",
        )
    addition = "; 'magicpose download' adds the full-size one" if added else ""
    return ModelChoice(
        MINI,
        folder,
        f"model mini (embedded, {model_facts(folder).native_size} pixels): it has only seen drawn figures, "
        f"so a photo comes out crude{addition}",
    )
