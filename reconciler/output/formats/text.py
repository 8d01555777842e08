"""``--output text``: the screen for people, in colour where that is wanted."""

from __future__ import annotations

from reconciler.model.result import Result
from reconciler.output import text
from reconciler.output.options import Options


def render(result: Result, options: Options) -> str:
    """The screen of ``result``; word for word the same with and without colour."""
    if options.colour:
        from reconciler.output import terminal  # noqa: PLC0415 - rich costs start-up time that a pipe need not pay

        return terminal.render(result, verbose=options.verbose, width=options.width)
    return text.render(result, verbose=options.verbose, width=options.width)
