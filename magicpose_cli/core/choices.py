"""What a user chooses from a few names. Imports nothing heavy: requests are checked before anything loads."""

import difflib
from collections.abc import Iterable

from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.names import PERSONS


def check_choice(option: str, value: str, choices: Iterable[str], *, also: str = "") -> None:
    """Raise UsageError, with the nearest choice, where ``value`` is none of them. ``also``: what else may be said."""
    names = tuple(choices)
    if value not in names:
        near = difflib.get_close_matches(value.lower(), names, n=1, cutoff=0.5)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"--{option} does not know '{value}'{guess}", f"use one of: {', '.join(names)}{also}")


def check_person(person: str) -> None:
    """Raise UsageError where ``person`` is neither one of ``PERSONS`` nor a number from 0."""
    if not (person.isascii() and person.isdecimal()):
        check_choice("person", person, PERSONS, also="; or a number, counted from 0 at the picture's left")
