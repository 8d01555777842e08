"""The screen for people as plain text: what a pipe, a log or a terminal without colour gets."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.result import Result
from reconciler.output.document import WIDTH, Line, layout
from reconciler.output.screen import screen


def render(result: Result, *, verbose: bool = False, width: int = WIDTH) -> str:
    """The screen of ``result`` in at most ``width`` columns, without any escape sequence."""
    return paint(screen(result, verbose=verbose), width=width)


def paint(lines: Iterable[Line], *, width: int = WIDTH) -> str:
    """``lines`` as plain text, each row ended by a newline."""
    return "".join("".join(span.text for span in row) + "\n" for row in layout(lines, width))
