"""``magicpose evaluate``: scores of a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Device

EXAMPLES = ("magicpose evaluate figures --model mini --json", "magicpose evaluate figures --pairs 16 --out scores/")


def figures(
    console: Console,
    model: Annotated[str, typer.Option(metavar="mini|NAME|DIR", help="Which model.")] = "mini",
    pairs: Annotated[int, typer.Option(min=1, metavar="N", help="Held-out pairs of identity and pose.")] = 64,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Also write the pictures here.")
    ] = None,
    device: Device = "auto",
) -> dict[str, Any]:
    """Retrieval and PSNR on synthetic figures that the model has never seen."""
    console.note(f"evaluating {model} on {pairs} held-out pairs of figures")
    from magicpose_cli.animation.models import choose_model
    from magicpose_cli.core.device import choose_device
    from magicpose_cli.evaluation.figures_benchmark import run_figures

    choice = choose_model(model)
    scores: dict[str, Any] = run_figures(
        choice.folder, pairs=pairs, folder=out, device=str(choose_device(device)), progress=console
    )
    for name, value in scores.items():
        console.say(f"{name}: {value}")
    return {"model": choice.name, **scores}
