"""``--help`` on narrow terminals: beside long options there is no room, so their help stands below them."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_NARROW = 78  # columns of text: the formatter leaves two of a terminal's 80 free
_INDENT = 10
_WHOLE = 1000  # letters: longer than any first sentence


class _Formatter(typer.Context.formatter_class):  # type: ignore[misc]
    """Typer's own, with a first column that leaves the second most of a narrow terminal."""

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, col_max if self.width >= _NARROW else _INDENT, col_spacing)


class _Context(typer.Context):
    formatter_class: Any = _Formatter


class Command(TyperCommand):
    """A command whose help stays readable at any width."""

    context_class: Any = _Context

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence for a list of commands: wrapped there, not cut."""
        return super().get_short_help_str(_WHOLE)


class Group(TyperGroup):
    """Commands under one name, as readable."""

    context_class: Any = _Context

    def get_short_help_str(self, limit: int = 45) -> str:
        """As of a ``Command``."""
        return super().get_short_help_str(_WHOLE)
