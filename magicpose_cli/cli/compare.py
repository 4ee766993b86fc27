"""``magicpose compare``: clips and pictures side by side, in sync."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import CompareRequest, check_compare
from magicpose_cli.cli.console import Console, amount
from magicpose_cli.cli.options import Fps, Overwrite

EXAMPLES = (
    "magicpose compare me.png poses/maps out.mp4 -o grid.mp4",
    "magicpose compare mine.mp4 theirs.mp4 --label mine --label theirs -o grid.mp4 --height 720",
)


def compare(
    console: Console,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", help="Videos, GIFs, folders of frames, and images (held still).")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The video: .mp4, .mov, .mkv, .gif or .webp.")
    ] = CompareRequest.output,
    label: Annotated[
        list[str], typer.Option(metavar="TEXT", help="Label of a panel, once for each input.  [default: file names]")
    ] = (),
    height: Annotated[int, typer.Option(metavar="PIXELS", help="Height of each panel.")] = CompareRequest.height,
    fps: Fps = CompareRequest.fps,
    audio: Annotated[
        str, typer.Option(metavar="auto|none|FILE", help="The first sound found in the inputs, none, or a file's.")
    ] = CompareRequest.audio,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Put videos and pictures side by side, in sync.

    Each panel has a label; the first sound found is kept; the video ends with the shortest input.
    """
    request = CompareRequest(
        tuple(inputs),
        output,
        labels=tuple(label),
        height=height,
        fps=fps,
        audio=audio,
        existing="overwrite" if overwrite else "refuse",
    )
    check_compare(request)
    console.note(f"reading {', '.join(path.name for path in inputs)}")
    from magicpose_cli.animation.muxing import compare as run

    result = run(request, console)
    console.say(
        f"{amount(result.frame_count, 'frame')} of {result.width}x{result.height} at {result.fps} a second, "
        f"sound: {result.audio}"
    )
    console.say(f"wrote {result.path}")
    return asdict(result)
