"""The screen for people in a terminal's colours. Import it late: it brings rich along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.color import ColorSystem
from rich.style import Style

from reconciler.model.result import Result
from reconciler.output.document import WIDTH, Line, Role, Span, layout
from reconciler.output.screen import screen

#: The sixteen colours that every terminal theme sets itself, so that light and dark both read well.
_STYLES: Final = {
    Role.PLAIN: Style.null(),
    Role.TITLE: Style(bold=True),
    Role.MUTED: Style(dim=True),
    Role.GOOD: Style(color="green"),
    Role.BAD: Style(color="red", bold=True),
    Role.WARN: Style(color="yellow"),
    Role.UNKNOWN: Style(color="magenta"),
    Role.COMMAND: Style(color="cyan"),
}


def render(result: Result, *, verbose: bool = False, width: int = WIDTH) -> str:
    """The screen of ``result`` with ANSI styles: word for word that of the plain one."""
    return paint(screen(result, verbose=verbose), width=width)


def paint(lines: Iterable[Line], *, width: int = WIDTH) -> str:
    """``lines`` with ANSI styles, each row ended by a newline."""
    return "".join("".join(map(_styled, row)) + "\n" for row in layout(lines, width))


def _styled(span: Span) -> str:
    """One span. Rich's markup is never parsed here, so no text can style itself."""
    return _STYLES[span.role].render(span.text, color_system=ColorSystem.STANDARD)
