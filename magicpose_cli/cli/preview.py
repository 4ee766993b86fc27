"""``magicpose preview``: one picture of what the poses will do to the photo."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import AnimationRequest, PreviewRequest
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Detector, End, Fps, Model, Overwrite, Person, ReferencePoses, Size, Start
from magicpose_cli.core.names import FRAMINGS

EXAMPLES = (
    "magicpose preview me.png poses/",
    "magicpose preview me.png poses/ -o look.png --fit none",
    "magicpose preview me.png dance.mp4 --start 3",
)
DEFAULTS = AnimationRequest


def preview(
    console: Console,
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="The photo of the person.")],
    poses: Annotated[Path, typer.Argument(metavar="POSES", help="What 'magicpose animate' takes as POSES.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The picture, a PNG.")] = (
        PreviewRequest.output
    ),
    model: Model = DEFAULTS.model,
    size: Size = DEFAULTS.size,
    fit: Annotated[
        str, typer.Option(metavar="auto|none", help="Fit the driver's proportions to the person in the photo.")
    ] = DEFAULTS.fit,
    framing: Annotated[
        str, typer.Option(metavar="|".join(FRAMINGS), help="As in 'magicpose animate'.")
    ] = DEFAULTS.framing,
    paste_back: Annotated[
        bool, typer.Option("--paste-back", help="As in 'magicpose animate': the frame is as narrow as the motion.")
    ] = DEFAULTS.paste_back,
    start: Start = DEFAULTS.start,
    end: End = DEFAULTS.end,
    fps: Fps = DEFAULTS.fps,
    detector: Detector = DEFAULTS.detector,
    person: Person = DEFAULTS.person,
    reference_poses: ReferencePoses = DEFAULTS.reference_poses,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Draw the poses over the photo: a look before the long run.

    Shows the skeleton as it was fitted, the framing, and a strip of poses.
    """
    request = PreviewRequest(
        AnimationRequest(
            reference,
            poses,
            Path("out.mp4"),
            model=model,
            size=size,
            fit=fit,
            framing=framing,
            paste_back=paste_back,
            start=start,
            end=end,
            fps=fps,
            detector=detector,
            person=person,
            reference_poses=reference_poses,
        ),
        output=output,
        existing="overwrite" if overwrite else "refuse",
    )
    console.note(f"drawing {reference} with {poses}")
    from magicpose_cli.animation.inputs import preview as run

    result = run(request, console)
    matched = "" if result.matched_frame is None else f": poses and photo were matched on frame {result.matched_frame}"
    console.say(f"wrote {result.output}{matched}")
    return asdict(result)
