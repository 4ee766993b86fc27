"""``magicpose verify``: was this made by magicpose?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.cli.console import Console

EXAMPLES = ("magicpose verify out.mp4", "magicpose verify frame.png --json")


def verify(
    console: Console,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A video, GIF, WebP or image.")],
) -> dict[str, Any]:
    """Look for magicpose's marks in a file.

    Says for the watermark, the signed credentials and the comment what was found and how sure that is. Exit code 0
    where the watermark or intact credentials name magicpose, 13 where not: which does not prove that a file is real.
    """
    console.note(f"looking at {file}")
    from magicpose_cli.animation.verifying import unmarked_error
    from magicpose_cli.animation.verifying import verify as run

    found = run(file, console)
    for sentence in found.sentences():
        console.say(sentence)
    if (error := unmarked_error(found)) is not None:
        console.emit(found.to_json())
        raise error
    console.say(f"{file} was made by magicpose")
    return found.to_json()
