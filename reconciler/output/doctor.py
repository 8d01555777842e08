"""The screen of ``doctor``: a line for each thing that was looked at, with its fix where one is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.model.diagnosis import Diagnosis, State
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, labelled, plain, text_line
from reconciler.output.words import counted

_WORDS = {State.OK: "ok", State.WARN: "warning", State.FAIL: "failed"}


def render(found: Sequence[Diagnosis], *, width: int = WIDTH) -> str:
    """Everything that was found; the last line is ``doctor: 7 ok, 1 warning, 0 failed``."""
    return plain([*_lines(found), BLANK, _last(found)], width)


def _lines(found: Iterable[Diagnosis]) -> Iterator[Line]:
    for one in found:
        yield labelled(f"{_WORDS[one.state]:<8}", Span(f"{one.subject}: "), Span(one.detail), indent=2)
        if one.fix:
            yield labelled("", Span("fix: ", Role.MUTED), Span(one.fix), indent=2)


def _last(found: Sequence[Diagnosis]) -> Line:
    count = {state: sum(one.state is state for one in found) for state in State}
    warnings = counted(count[State.WARN], "warning")
    return text_line(f"doctor: {count[State.OK]} ok, {warnings}, {count[State.FAIL]} failed")
