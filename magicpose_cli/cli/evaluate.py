"""``magicpose evaluate``: scores of a model, and of the fit."""

from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import EvaluationRequest, FitEvaluationRequest, LongEvaluationRequest
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Device, Overwrite

EXAMPLES = ("magicpose evaluate figures --model mini --json", "magicpose evaluate figures --pairs 16 --out scores/")
FIT_EXAMPLES = ("magicpose evaluate fit", "magicpose evaluate fit --noise 0.5 --json")
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
    motions = f" and {clips} motions" if clips else ""
    console.note(f"evaluating {model} on {pairs} held-out pairs{motions} of figures")
    from magicpose_cli.animation.figure_pictures import evaluate_figures
    from magicpose_cli.evaluation.figures import score_clips, score_figures

    existing = "overwrite" if overwrite else "refuse"
    request = EvaluationRequest(model, pairs, clips, steps, guidance, output, device, existing)
    scores = evaluate_figures(request, score_figures, score_clips, console)
    for name, value in scores.items():
        console.say(f"{name:28}{value}")
    return scores


def fit(
    console: Console,
    pairs: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="Pairs of people in each setting.")
    ] = FitEvaluationRequest.pairs,
    noise: Annotated[
        float, typer.Option(min=0, max=5, metavar="X", help="Noise of the keypoints, in percent of a person's height.")
    ] = FitEvaluationRequest.noise,
) -> dict[str, Any]:
    """Score how poses are fitted to the person in the photo.

    A figure's motion is fitted to a figure of other proportions; errors are to that figure's own track of the motion.
    """
    console.note(f"fitting motions of {pairs} figures to {pairs} others, in three settings, each in three ways")
    from magicpose_cli.evaluation.fit import PARTS, SETTINGS, evaluate_fit

    scores = evaluate_fit(pairs, noise, console)
    console.say(f"Mean error in {scores['unit']} (less is better); 'auto' is what animate does.")
    for setting in SETTINGS:
        console.say(f"{setting:36}" + "".join(f"{part:>8}" for part in PARTS))
        for way, errors in scores[setting].items():
            ratio = " / " in way
            name = f"{way}: times better" if ratio else way
            console.say(f"  {name:34}" + "".join(f"{errors[part]:8.2f}" for part in PARTS))
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
