"""``magicpose evaluate``: scores of a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import EvaluationRequest, LongEvaluationRequest
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Device, Overwrite

EXAMPLES = ("magicpose evaluate figures --model mini --json", "magicpose evaluate figures --pairs 16 --out scores/")
LONG_EXAMPLES = ("magicpose evaluate long --model mini --json",)
DEFAULTS, LONG = EvaluationRequest, LongEvaluationRequest


def figures(
    console: Console,
    model: Annotated[str, typer.Option(metavar="mini|NAME|DIR", help="Which model.")] = DEFAULTS.model,
    pairs: Annotated[
        int, typer.Option(min=1, max=5000, metavar="N", help="Held-out pairs of identity and pose.")
    ] = DEFAULTS.pairs,
    clips: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="Held-out motions of 16 frames.")
    ] = DEFAULTS.clips,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, metavar="N", help="Sampling steps.  [default: the model's]")
    ] = DEFAULTS.steps,
    guidance: Annotated[
        float | None,
        typer.Option(min=0, max=100, metavar="X", help="Image guidance; 1 is none.  [default: the model's]"),
    ] = DEFAULTS.guidance,
    output: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Also write the pictures here, a row of them for each pair."
        ),
    ] = DEFAULTS.output,
    device: Device = DEFAULTS.device,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Score a model on synthetic figures.

    Retrieval among 16 true renders, likeness and flicker, on people, poses and motions that training never sees.
    """
    console.note(f"evaluating {model} on {pairs} held-out pairs and {clips} motions of figures")
    from magicpose_cli.animation.figure_pictures import evaluate_figures
    from magicpose_cli.evaluation.figures import score_clips, score_figures

    existing = "overwrite" if overwrite else "refuse"
    request = EvaluationRequest(model, pairs, clips, steps, guidance, output, device, existing)
    scores = evaluate_figures(request, score_figures, score_clips, console)
    for name, value in scores.items():
        console.say(f"{name:28}{value}")
    return scores


def long(
    console: Console,
    model: Annotated[str, typer.Option(metavar="mini|NAME|DIR", help="Which model.")] = LONG.model,
    frames: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Frames of the clip.")] = LONG.frames,
    steps: Annotated[
        int | None, typer.Option(min=1, max=1000, metavar="N", help="Sampling steps.  [default: the model's]")
    ] = LONG.steps,
    guidance: Annotated[
        float | None,
        typer.Option(min=0, max=100, metavar="X", help="Image guidance; 1 is none.  [default: the model's]"),
    ] = LONG.guidance,
    device: Device = LONG.device,
) -> dict[str, Any]:
    """Score a long clip of a synthetic figure.

    Its background and colours at the beginning and at the end, and with a motion module the seams of its windows.
    """
    console.note(f"evaluating {model} on a clip of {frames} frames")
    from magicpose_cli.animation.long_clip import evaluate_long
    from magicpose_cli.evaluation.long_videos import change, score_background, score_seams

    request = LongEvaluationRequest(model, frames, steps, guidance, device)
    scores = evaluate_long(request, score_background, change, score_seams, console)
    for name, value in scores.items():
        console.say(f"{name:28}{value}")
    return scores
