"""``magicpose train``: one stage of training, as a recipe says."""

import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.cli.console import Console, duration
from magicpose_cli.cli.options import Device

EXAMPLES = (
    "magicpose train examples/training/mini_vae.toml --out runs/mini_vae",
    "magicpose train examples/training/mini_vae.toml --out runs/mini_vae --resume",
    "magicpose train examples/training/sd15_pose.toml --dry-run",
)


def train(
    console: Console,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe in TOML.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="The run folder.  [default: runs/RECIPE]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in this folder stopped.")] = False,
    device: Device = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and the memory it takes.")
    ] = False,
) -> dict[str, Any]:
    """Train one stage of a model as its recipe says."""
    folder = out if out is not None else Path("runs") / recipe.stem
    if os.environ.get("RANK", "0") != "0":  # of several processes (accelerate launch, torchrun) the first one speaks
        console.quiet, console.as_json = True, False
    if dry_run:
        return _plan(console, recipe, folder)
    console.note(f"training {recipe} in {folder}")
    from magicpose_cli.core.device import choose_device
    from magicpose_cli.training.loop import run_recipe

    result = run_recipe(recipe, folder, resume=resume, device=str(choose_device(device)), progress=console)
    console.say(f"{result.steps} steps in {duration(result.seconds)}, loss {result.loss:.4f}")
    if math.isfinite(result.validation):
        console.say(f"validation {result.validation:.4f} at step {result.best_step}, the best")
    console.say(f"wrote {result.model}")
    finite = {name: getattr(result, name) for name in ("loss", "validation") if math.isfinite(getattr(result, name))}
    return {**asdict(result), "loss": None, "validation": None, **finite}


def _plan(console: Console, path: Path, folder: Path) -> dict[str, Any]:
    from magicpose_cli.training.loop import plan_recipe

    recipe, estimate = plan_recipe(path)
    images = recipe.batch * recipe.accumulation
    console.say(
        f"would train the stage '{recipe.stage}' in {folder}: {recipe.steps} steps of {images} images a process"
    )
    for line in estimate.sentences():
        console.say(line)
    return {"stage": recipe.stage, "steps": recipe.steps, "images": images, "memory": asdict(estimate)}
