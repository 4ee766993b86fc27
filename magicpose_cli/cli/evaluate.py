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
    clips: Annotated[int, typer.Option(min=0, max=1000, metavar="N", help="Held-out dances of 16 frames.")] = 8,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Also write the pictures here, a row of them for each pair."
        ),
    ] = None,
    device: Device = "auto",
) -> dict[str, Any]:
    """Score a model on synthetic figures.

    Retrieval among 16 true renders, likeness and flicker, on people, poses and dances that training never sees.
    """
    console.note(f"evaluating {model} on {pairs} held-out pairs and {clips} dances of figures")
    from magicpose_cli.animation.figure_pictures import CLIP_FPS, make_figure_pictures
    from magicpose_cli.animation.models import choose_model
    from magicpose_cli.evaluation.figures import score_clips, score_figures
    from magicpose_cli.figures.held_out import held_out_clips, held_out_pairs

    choice = choose_model(model)
    held_out, dances = held_out_pairs(pairs), held_out_clips(clips)
    made = make_figure_pictures(choice.folder, held_out, dances, device=device, folder=out, progress=console)
    scores: dict[str, Any] = score_figures(held_out, made.generated, made.without_bank).to_json()
    if dances:
        scores |= score_clips(dances, made.clips, made.clips_frame_by_frame, CLIP_FPS).to_json()
        scores["seconds_a_frame"] = round(made.seconds_a_frame, 3)
    for name, value in scores.items():
        console.say(f"{name:24}{value}")
    return {"model": choice.name, **scores}
