"""``magicpose dataset``: real videos → a training set."""

from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.cli.console import Console, amount, duration
from magicpose_cli.cli.options import Detector, Overwrite, Person
from magicpose_cli.core.errors import PartialError
from magicpose_cli.training.data.dataset_request import DatasetRequest, check_dataset

EXAMPLES = (
    "magicpose dataset dances/ -o sets/dances",
    "magicpose dataset one.mp4 two.mp4 three.mp4 -o sets/three --validation 0.3",
    "magicpose dataset TikTok/ -o sets/tiktok    # with train_set/ and pose_map_train_set/ inside",
)
DEFAULTS = DatasetRequest


def dataset(
    console: Console,
    videos: Annotated[
        list[Path],
        typer.Argument(
            metavar="VIDEOS",
            help="Videos of one person each, folders of them, folders of frames, or a folder that holds the original "
            "project's train_set/ and pose_map_train_set/.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the shards go.")],
    detector: Detector = DEFAULTS.detector,
    person: Person = DEFAULTS.person,
    size: Annotated[
        int, typer.Option(metavar="PIXELS", help="Shorter side of the stored frames; smaller videos stay as they are.")
    ] = DEFAULTS.size,
    validation: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the videos held out; one at least, where there are two.")
    ] = DEFAULTS.validation,
    shard_size: Annotated[
        float, typer.Option(metavar="MB", help="About how large a shard is.")
    ] = DEFAULTS.shard_megabytes,
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Pass over videos that cannot be read, and end with exit code 3.")
    ] = DEFAULTS.lenient,
    overwrite: Overwrite = DEFAULTS.overwrite,
) -> dict[str, Any]:
    """Make a training set of videos: 30 frames a second, the person's poses, sharded, split by video.

    Frames without a usable skeleton are dropped and told of. The shards (WebDataset) are what 'shards' in the [data]
    of a recipe names. Interrupted and started again, it goes on with the next video.
    """
    request = DatasetRequest(
        videos=tuple(videos),
        output=output,
        detector=detector,
        person=person,
        size=size,
        validation=validation,
        shard_megabytes=shard_size,
        lenient=lenient,
        overwrite=overwrite,
    )
    check_dataset(request)
    console.note(f"making a training set of {amount(len(videos), 'path')}")
    from magicpose_cli.training.data.make_dataset import make_dataset
    from magicpose_cli.training.data.report import sentences

    result = make_dataset(request, console)
    for sentence in sentences(result.table):
        console.say(sentence)
    console.say(f"wrote {result.folder} in {duration(result.seconds)}")
    told = {"folder": result.folder, "seconds": result.seconds, **result.table.to_json()}
    if result.table.unreadable:
        console.emit(told)
        names = ", ".join(name for name, _ in result.table.unreadable)
        raise PartialError(f"{amount(len(result.table.unreadable), 'video')} could not be read: {names}")
    return told
