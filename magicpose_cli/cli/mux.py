"""``magicpose mux``: frames → a video."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import MuxRequest, check_mux
from magicpose_cli.cli.console import Console, amount
from magicpose_cli.cli.options import Fps, Lenient, Overwrite, finished

EXAMPLES = (
    "magicpose mux frames/ -o out.mp4 --fps 24",
    "magicpose mux frames/ -o out.mp4 --fps 30000/1001 --audio song.mp3",
    "magicpose mux dance.gif -o dance.mp4",
)


def mux(
    console: Console,
    frames: Annotated[Path, typer.Argument(metavar="FRAMES", help="A folder of images, a GIF, or a video.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The video: .mp4, .mov, .mkv, .gif or .webp.")
    ] = MuxRequest.output,
    fps: Fps = MuxRequest.fps,
    audio: Annotated[
        str, typer.Option(metavar="auto|none|FILE", help="The input's own sound, none, or that of a file.")
    ] = MuxRequest.audio,
    lenient: Lenient = MuxRequest.lenient,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Make a video of a folder of frames, with sound."""
    existing = "overwrite" if overwrite else "refuse"
    request = MuxRequest(frames, output, fps=fps, audio=audio, lenient=lenient, existing=existing)
    check_mux(request)
    console.note(f"reading {frames}")
    from magicpose_cli.animation.muxing import mux as run

    result = run(request, console)
    console.say(
        f"{amount(result.frame_count, 'frame')} of {result.width}x{result.height} at {result.fps} a second, "
        f"sound: {result.audio}"
    )
    console.say(f"wrote {result.path}")
    return finished(console, asdict(result))
