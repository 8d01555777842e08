"""The screen for people as plain text: what a pipe, a log or a terminal without colour gets."""

from __future__ import annotations

from reconciler.model.result import Result
from reconciler.output.document import WIDTH, plain
from reconciler.output.screen import screen


def render(result: Result, *, verbose: bool = False, width: int = WIDTH) -> str:
    """The screen of ``result`` in at most ``width`` columns, without any escape sequence."""
    return plain(screen(result, verbose=verbose), width)
