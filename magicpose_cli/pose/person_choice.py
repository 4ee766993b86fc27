"""What a user may say of whom to follow. Imports nothing heavy: requests are checked before anything loads."""

import difflib

from magicpose_cli.core.errors import UsageError

PERSONS = ("largest", "left", "right")


def check_person(person: str) -> None:
    """Raise UsageError where ``person`` is neither one of ``PERSONS`` nor a number from 0."""
    if person in PERSONS or (person.isascii() and person.isdecimal()):
        return
    near = difflib.get_close_matches(person.lower(), PERSONS, n=1, cutoff=0.5)
    guess = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"--person does not know '{person}'{guess}",
        "use largest, left, right, or a number counted from 0 at the picture's left",
    )
