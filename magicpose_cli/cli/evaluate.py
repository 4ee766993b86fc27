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
    pairs: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="Held-out pairs of identity and pose.")] = 64,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Also write the pictures here, a row of them for each pair."
        ),
    ] = None,
    device: Device = "auto",
) -> dict[str, Any]:
    """Score a model on synthetic figures.

    Retrieval among 16 true renders and PSNR, on people and poses that training never sees.
    """
    console.note(f"evaluating {model} on {pairs} held-out pairs of figures")
    from magicpose_cli.animation.figure_pictures import make_figure_pictures
    from magicpose_cli.animation.models import choose_model
    from magicpose_cli.evaluation.figures import score_figures
    from magicpose_cli.figures.held_out import held_out_pairs

    choice = choose_model(model)
    held_out = held_out_pairs(pairs)
    pictures = make_figure_pictures(choice.folder, held_out, device=device, folder=out, progress=console)
    scores = score_figures(held_out, pictures.generated, pictures.without_bank).to_json()
    for name, value in scores.items():
        console.say(f"{name:22}{value}")
    return {"model": choice.name, **scores}
