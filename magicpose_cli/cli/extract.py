"""``magicpose extract``: a driving video → a folder of poses."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import ExtractionRequest, check_extraction
from magicpose_cli.cli.console import Console, amount, duration
from magicpose_cli.cli.options import Detector, Device, End, Fps, Lenient, Overwrite, Person, Start, finished

EXAMPLES = (
    "magicpose extract dance.mp4 -o poses/",
    "magicpose extract dance.mp4 -o poses/ --preview --maps",
    "magicpose extract talk.webm -o poses/ --start 10 --end 25 --fps 12",
)
DEFAULTS = ExtractionRequest


def extract(
    console: Console,
    driving: Annotated[
        Path, typer.Argument(metavar="DRIVING", help="A video, GIF, image or folder of frames that shows the person.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the poses go.")] = (
        DEFAULTS.output
    ),
    detector: Detector = DEFAULTS.detector,
    person: Person = DEFAULTS.person,
    start: Start = DEFAULTS.start,
    end: End = DEFAULTS.end,
    fps: Fps = DEFAULTS.fps,
    raw: Annotated[
        bool, typer.Option("--raw", help="Keep the points as found: nothing mended, filled or smoothed.")
    ] = DEFAULTS.raw,
    maps: Annotated[bool, typer.Option("--maps", help="Also draw the pose maps, as PNGs in FOLDER/maps.")] = (
        DEFAULTS.maps
    ),
    preview: Annotated[
        bool, typer.Option("--preview", help="Also lay the skeleton over the video: FOLDER/preview.mp4.")
    ] = DEFAULTS.preview,
    lenient: Lenient = DEFAULTS.lenient,
    device: Device = DEFAULTS.device,
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Find the person's poses in a video.

    They are written as a folder of OpenPose JSON, which can be looked at, edited, and given to 'magicpose animate' or
    to any tool that reads OpenPose JSON.
    """
    request = ExtractionRequest(
        driving=driving,
        output=output,
        detector=detector,
        person=person,
        fps=fps,
        start=start,
        end=end,
        raw=raw,
        maps=maps,
        preview=preview,
        lenient=lenient,
        device=device,
        existing="overwrite" if overwrite else "refuse",
    )
    check_extraction(request)
    console.note(f"extracting the poses of {driving}")
    from magicpose_cli.animation.extraction import extract as run

    console.plan(1 + maps + preview)
    result = run(request, console)
    console.say(
        f"{amount(result.frames, 'frame')} at {result.fps} a second, {result.width}x{result.height}, "
        f"found by {result.detector} in {duration(result.seconds)}"
    )
    for sentence in result.sentences:
        console.say(sentence)
    console.say(f"wrote {result.folder}")
    return finished(console, asdict(result))
