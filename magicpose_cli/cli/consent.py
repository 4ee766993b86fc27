"""The one question before a photo is animated."""

import sys

import typer

from magicpose_cli.cli.console import Console, printable


def ask_consent(console: Console, given: bool) -> None:
    """Go on where consent was given before or is ``given`` now; ask on a terminal. Raises RefusedError."""
    from magicpose_cli.animation.consent import QUESTION, has_consent, refusal, remember_consent

    if not given:
        if has_consent():
            return
        if console.quiet or console.as_json or sys.stdin is None or not sys.stdin.isatty():
            raise refusal(asked=False)
        if not typer.confirm(printable(QUESTION), default=False, err=True):
            raise refusal(asked=True)
    if not remember_consent():
        console.note("the answer could not be kept; it will be asked for again")
