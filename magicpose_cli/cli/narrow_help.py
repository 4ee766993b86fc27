"""``--help`` on narrow terminals: beside long options there is no room, so their help stands below them."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand

_NARROW = 80  # columns
_INDENT = 10


class _Formatter(typer.Context.formatter_class):  # type: ignore[misc]
    """Typer's own, with a first column that leaves the second most of a narrow terminal."""

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, col_max if self.width >= _NARROW - 2 else _INDENT, col_spacing)


class _Context(typer.Context):
    formatter_class: Any = _Formatter


class Command(TyperCommand):
    """A command whose help stays readable at any width."""

    context_class: Any = _Context
