"""The screen and the JSON of ``gate``: may it run, and if not, why, since when, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconciler.model.gate import Admission, Reason
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, labelled, plain, text_line
from reconciler.output.json import Object, dumps, head, moment, tail
from reconciler.output.words import ago, iso


def render_text(answer: Admission, *, width: int = WIDTH) -> str:
    """The answer with its reasons; the last line is ``gate: STRATEGY may run``, or may go on, or may not."""
    return plain([*_lines(answer), BLANK, _last(answer)], width)


def render_json(answer: Admission, *, version: str) -> str:
    """The same under ``gate.schema.json``."""
    permit = answer.permit
    document: Object = {
        **head(version),
        "strategy": answer.strategy,
        "running": answer.running,
        "open": not answer.reasons,
        "asked_at": moment(answer.now),
        "max_age_seconds": int(answer.max_age.total_seconds()),
        "decision": None
        if permit is None
        else {
            "may": permit.may.value,
            "why": permit.why,
            "checks": list(permit.checks),
            "connection": permit.connection,
            "runtime": permit.runtime,
            "at": moment(permit.at),
        },
        "reasons": [_reason(reason) for reason in answer.reasons],
        **tail(answer.exit_code),
    }
    return dumps(document)


def _lines(answer: Admission) -> Iterator[Line]:
    permit = answer.permit
    label, role = ("✗ closed", Role.BAD) if answer.reasons else ("✓ open", Role.GOOD)
    where = f" · on {permit.connection} · in {permit.runtime}" if permit else ""
    yield labelled(label, Span(answer.strategy, Role.TITLE), Span(where, Role.MUTED), indent=0, role=role)
    for reason in answer.reasons:
        yield labelled("why", reason.message, Span(_since(reason.since, answer.now), Role.MUTED))
        for index, command in enumerate(reason.fix):
            yield labelled("" if index else "next", Span(command, Role.COMMAND, whole=True))
    if permit:
        yield labelled("decided", f"{iso(permit.at)}, {ago(permit.at, answer.now)}")


def _since(since: datetime | None, now: datetime) -> str:
    return f" · since {iso(since)}, {ago(since, now)}" if since else ""


def _last(answer: Admission) -> Line:
    may = "go on" if answer.running else "run"
    return text_line(f"gate: {answer.strategy} may {'not ' if answer.reasons else ''}{may}")


def _reason(reason: Reason) -> Object:
    return {
        "code": reason.bar.value,
        "message": reason.message,
        "since": moment(reason.since),
        "checks": list(reason.checks),
        "fix": list(reason.fix),
    }
