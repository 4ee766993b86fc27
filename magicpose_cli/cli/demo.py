"""``magicpose demo``: the main job on made media, with the embedded model."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import DemoRequest
from magicpose_cli.cli.console import Console, duration
from magicpose_cli.cli.options import Overwrite

EXAMPLES = ("magicpose demo", "magicpose demo -o try/ --seed 3")


def demo(
    console: Console,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the files go.")] = (
        DemoRequest.output
    ),
    model: Annotated[str, typer.Option(metavar="mini|NAME|DIR", help="Which model.")] = DemoRequest.model,
    frames: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="Length of the video.")
    ] = DemoRequest.frames,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another seed: other people, another dance.")] = (
        DemoRequest.seed
    ),
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Try it: a made figure dances as another one does.

    Needs no download, no GPU and less than a minute.

    Writes demo.mp4 with sound, and demo_compare.mp4: reference, pose, result, and the truth the model never saw.
    """
    console.note("making a reference figure, a driving video and its poses")
    from magicpose_cli.animation.demo import run_demo

    request = DemoRequest(
        output, model=model, frames=frames, seed=seed, existing="overwrite" if overwrite else "refuse"
    )
    result = run_demo(request, console)
    console.say(f"wrote {result.video} and {result.compare.name} in {duration(result.seconds)}")
    console.say(f"next, with a photo and a video of yours: {result.next_command}")
    return asdict(result)
