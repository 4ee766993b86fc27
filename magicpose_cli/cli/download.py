"""``magicpose download``: fetch, check and convert what weights.toml lists."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from magicpose_cli.cli.console import Console, amount, printable
from magicpose_cli.core.errors import UsageError
from magicpose_cli.weights.patience import Patience

if TYPE_CHECKING:
    from magicpose_cli.weights.download import DownloadPlan

EXAMPLES = (
    "magicpose download --list",
    "magicpose download",
    "magicpose download --yes --dir /data/magicpose",
    "magicpose download --verify",
)


def download(
    console: Console,
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="What to fetch.  [default: all that animate needs]")
    ] = (),  # type: ignore[assignment]
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: sizes and licences are accepted.")] = False,
    list_only: Annotated[bool, typer.Option("--list", help="List weights and licences, and what is on disk.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check the sha256 of what is on disk.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="FOLDER", help="Where weights are kept.  [default: ~/.cache/magicpose/weights]"),
    ] = None,
    tries: Annotated[
        int, typer.Option(min=1, metavar="N", help="Give up after so many failures in a row that brought nothing new.")
    ] = Patience.tries,
) -> dict[str, Any]:
    """Fetch the full-size model's weights, checked and converted.

    Shows sizes and licences first and asks once. Everything is pinned and checked by sha256. Broken off, the same
    command goes on where it was.
    """
    if list_only and verify:
        raise UsageError("--list and --verify cannot go together")
    from magicpose_cli.animation import downloading

    if list_only:
        return _list(console, folder)
    if verify:
        found = downloading.check(names, folder, console)
        for each in found:
            if each.state != "missing":
                console.say(f"{each.state:7}  {each.weight.name}")
        if all(each.state == "missing" for each in found):
            console.say("nothing is on disk")
        result = {"weights": [{"name": each.weight.name, "path": each.path, "state": each.state} for each in found]}
        if (error := downloading.broken_error(found)) is not None:
            console.emit(result)
            raise error
        return result
    console.note("looking at what is on disk")
    fetched = downloading.fetch(
        names, folder, accept=lambda plan: _accepted(console, plan, yes), tries=tries, progress=console
    )
    for note in fetched.notes:
        console.say(note)
    for path in fetched.paths:
        console.say(f"on disk: {path}")
    if fetched.model is not None:
        console.say(f"the model is ready: {fetched.model}")
        if folder is not None:
            console.say(f"use it with: magicpose animate PHOTO POSES --model {fetched.model} -o out.mp4")
    return {"root": fetched.root, "paths": fetched.paths, "model": fetched.model}


def _list(console: Console, folder: Path | None) -> dict[str, Any]:
    from magicpose_cli.animation.downloading import listing

    found = listing(folder)
    for weight, present in found:
        mark = "on disk" if present else "not here"
        console.say(f"{weight.name:20}  {amount(weight.bytes_about, 'byte'):>9}  {mark:8}  {weight.purpose}")
        console.say(f"{'':20}  licence: {weight.licence}")
        console.detail(f"  {weight.repo} {weight.file} at {weight.revision[:12]}")
    return {
        "weights": [
            {
                "name": weight.name,
                "bytes": weight.bytes_about,
                "on_disk": present,
                "licence": weight.licence,
                "purpose": weight.purpose,
                "repo": weight.repo,
                "file": weight.file,
                "revision": weight.revision,
                "sha256": weight.sha256,
                "used_for": weight.used_for,
            }
            for weight, present in found
        ]
    }


def _accepted(console: Console, plan: "DownloadPlan", yes: bool) -> bool:
    """Show what would come, under which licences; ask once where there is somebody to ask."""
    console.note(f"to fetch into {plan.root}:")
    for weight in plan.missing:
        console.note(f"  {weight.name:20}  {amount(weight.bytes_about, 'byte'):>9}  {weight.purpose}")
    total, free = amount(plan.download_bytes, "byte"), amount(plan.free_bytes, "byte")
    kept = f" ({amount(plan.kept_bytes, 'byte')} came before)" if plan.kept_bytes else ""
    converted = f", {amount(plan.converted_bytes, 'byte')} more once converted" if plan.converted_bytes else ""
    console.note(f"  {total} to download{kept}{converted}; {free} are free")
    for licence, names in plan.licences.items():
        console.note(f"  licence of {', '.join(names)}: {licence}")
    if yes or not plan.unasked:
        return True
    if console.quiet or console.as_json or sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "the licences have to be accepted first, and there is nobody to ask", "add --yes to accept them"
        )
    return typer.confirm(printable("Accept these licences and download?"), default=False, err=True)
