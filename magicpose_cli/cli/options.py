"""Option types that several commands share, and the four output options that each command has."""

import functools
import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli import __version__
from magicpose_cli.cli.console import Console, duration
from magicpose_cli.core.errors import PartialError
from magicpose_cli.core.names import DETECTORS

Model = Annotated[
    str, typer.Option(metavar="auto|mini|NAME|DIR", help="Which model; auto: the best one on this machine.")
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="PIXELS", help="Shorter side, in the photo's aspect, or WIDTHxHEIGHT.  [default: the model's]"
    ),
]
ReferencePoses = Annotated[
    Path | None,
    typer.Option(metavar="POSES", help="Keypoints of the person in the photo, where the detector misses them."),
]
Device = Annotated[str, typer.Option(metavar="auto|cuda|mps|cpu", help="Where the networks run.")]
Dtype = Annotated[
    str,
    typer.Option(metavar="auto|float32|float16|bfloat16", help="Number type of the model; auto: float16 on CUDA."),
]
Detector = Annotated[
    str,
    typer.Option(
        metavar="|".join(("auto", *DETECTORS)),
        help="What finds the person's keypoints; auto: the first of these that is on this machine.",
    ),
]
Person = Annotated[
    str,
    typer.Option(
        metavar="largest|left|right|N",
        help="Whom to follow where there are several people; numbers count from 0 at the left of the first frames.",
    ),
]
Start = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Begin here.")]
End = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="End here.")]
Fps = Annotated[str | None, typer.Option(metavar="RATE", help="Frames a second, such as 24 or 30000/1001.")]
Lenient = Annotated[bool, typer.Option("--lenient", help="Take the good part of a damaged video; exit code 3.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Do nothing where the output exists.")]

_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
_Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also say every option as it stands, details, and the time taken.")
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, everything else on stderr.")]
_Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
_OUTPUT_OPTIONS = {"quiet": _Quiet, "verbose": _Verbose, "json": _Json, "debug": _Debug}


@dataclass
class Session:
    """What the boundary in ``app.py`` must know of the running command: its console, and whether to show tracebacks."""

    console: Console
    debug: bool = False


def with_console(command: Callable[..., dict[str, Any] | None]) -> Callable[..., None]:
    """Give a command ``--quiet --verbose --json --debug`` and, as its first argument, the Console they make.

    What the command returns is its result as plain data; it is printed as the JSON object of ``--json``.
    """

    @functools.wraps(command)
    def run(context: typer.Context, **arguments: Any) -> None:
        chosen = {name: arguments.pop(name) for name in _OUTPUT_OPTIONS}
        session: Session = context.obj
        session.debug = session.debug or chosen["debug"]
        console = Console(quiet=chosen["quiet"], verbose=chosen["verbose"], as_json=chosen["json"])
        session.console = console
        if "context" in inspect.signature(command).parameters:
            arguments["context"] = context
        shown = ", ".join(f"{name}={value!s}" for name, value in arguments.items() if name != "context")
        console.detail(f"magicpose {__version__}, {command.__name__}: {shown}")
        from magicpose_cli.weights.hub import check_address

        check_address()
        began = time.monotonic()
        console.emit(command(console, **arguments))
        console.detail(f"took {duration(time.monotonic() - began)}")

    own = [p for p in inspect.signature(command).parameters.values() if p.name not in ("console", "context")]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("context", keyword, annotation=typer.Context)]
    parameters += [p.replace(kind=keyword) for p in own]
    parameters += [
        inspect.Parameter(name, keyword, default=False, annotation=annotation)
        for name, annotation in _OUTPUT_OPTIONS.items()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def finished(console: Console, result: dict[str, Any]) -> dict[str, Any]:
    """The command's result. Where its ``partial`` says that something is missing: printed, and told by PartialError."""
    if result["partial"]:
        console.emit(result)
        raise PartialError(result["partial"], "what was made of the good part is kept")
    return result


def given(context: typer.Context, name: str) -> bool:
    """True where the user typed this option or argument, False where the default stands."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def existing_rule(overwrite: bool, skip_existing: bool) -> str:
    """``refuse``, ``overwrite`` or ``skip``: what to do where the output exists."""
    if overwrite and skip_existing:
        raise typer.BadParameter("--overwrite and --skip-existing cannot go together")
    return "overwrite" if overwrite else "skip" if skip_existing else "refuse"
