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
)


def train(
    console: Console,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe in TOML.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="The run folder.  [default: runs/RECIPE]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in this folder stopped.")] = False,
    device: Device = "auto",
) -> dict[str, Any]:
    """Train one stage of a model as its recipe says."""
    folder = out if out is not None else Path("runs") / recipe.stem
    if os.environ.get("RANK", "0") != "0":  # of several processes (torchrun, accelerate launch) the first one speaks
        console.quiet, console.as_json = True, False
    console.note(f"training {recipe} in {folder}")
    from magicpose_cli.core.device import choose_device
    from magicpose_cli.training.loop import run_recipe

    result = run_recipe(recipe, folder, resume=resume, device=str(choose_device(device)), progress=console)
    console.say(f"{result.steps} steps in {duration(result.seconds)}, loss {result.loss:.4f}")
    console.say(f"wrote {result.model}")
    return {**asdict(result), "loss": result.loss if math.isfinite(result.loss) else None}
