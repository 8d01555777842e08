"""The screen and the JSON of ``history``: what happened, and whether the log is as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.model.errors import ExitCode
from reconciler.model.event import Event, EventSeverity, Recorded, event_to_json
from reconciler.model.overview import History, Verification
from reconciler.output.clean import shortened
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, labelled, plain, text_line
from reconciler.output.findings import LONGEST
from reconciler.output.json import Object, dumps, head, moment, tail
from reconciler.output.words import counted, iso

_SEVERITY: Final = {
    EventSeverity.INFO: ("i", Role.MUTED),
    EventSeverity.WARNING: ("!", Role.WARN),
    EventSeverity.CRITICAL: ("✗", Role.BAD),
}


def render_text(found: History, *, width: int = WIDTH) -> str:
    """A block for each event, the newest last; the last line is ``history: 3 events``."""
    lines = [line for one in found.events for line in (*_event(one), BLANK)]
    more = "; there are older ones, --limit shows more" if found.more else ""
    return plain([*lines, text_line(f"history: {counted(len(found.events), 'event')}{more}")], width)


def render_json(found: History, *, version: str) -> str:
    """The same under ``history.schema.json``."""
    document: Object = {
        **head(version),
        "events": [_object(one) for one in found.events],
        "more": found.more,
        "verification": None,
        **tail(ExitCode.DONE),
    }
    return dumps(document)


def render_verification(found: Verification, *, width: int = WIDTH) -> str:
    """What is wrong with the log, or that nothing is; its head, to keep elsewhere."""
    return plain(_verification(found), width)


def render_verification_json(found: Verification, *, version: str) -> str:
    """The same under ``history.schema.json``."""
    document: Object = {
        **head(version),
        "events": [],
        "more": False,
        "verification": {"records": found.records, "head": found.head, "faults": list(found.faults)},
        **tail(found.exit_code),
    }
    return dumps(document)


def _event(one: Recorded) -> Iterator[Line]:
    event = one.event
    symbol, role = _SEVERITY[event.severity]
    yield labelled(
        f"{symbol} {one.seq}",
        Span(event.kind.value, Role.TITLE),
        Span(f" · {event.subject.value} {event.subject_id} · {iso(event.at)}", Role.MUTED),
        indent=0,
        role=role,
    )
    yield labelled("what", shortened(event.summary, LONGEST), Span(_since(event), Role.MUTED))
    origin = _origin(event)
    if origin:
        yield labelled("who", origin)


def _since(event: Event) -> str:
    return f" · since {iso(event.since)}" if event.since and event.since != event.at else ""


def _origin(event: Event) -> str:
    origin = event.origin
    pass_ = f"pass {origin.pass_id}" if origin.pass_id is not None else ""
    commit = f"commit {origin.commit[:10]}" if origin.commit else ""
    return " · ".join(part for part in (origin.by, pass_, commit) if part)


def _verification(found: Verification) -> Iterator[Line]:
    for fault in found.faults:
        yield labelled("✗ broken", fault, indent=0, role=Role.BAD)
    yield labelled("head", Span(found.head, whole=True), indent=0)
    if not found.faults:
        command = f"reconcile history --verify --expect {found.head}"
        yield labelled("next", "keep the head where who writes this state cannot; later ask with", indent=0)
        yield labelled("", Span(command, Role.COMMAND, whole=True), indent=0)
    yield BLANK
    verdict = f"broken, {counted(len(found.faults), 'fault')}" if found.faults else "whole"
    yield text_line(f"history: {verdict}, {counted(found.records, 'record')}")


def _object(one: Recorded) -> Object:
    told = event_to_json(one.event)
    return {
        "seq": one.seq,
        **{name: value for name, value in told.items() if name not in ("at", "since")},
        "at": moment(one.event.at),
        "since": moment(one.event.since),
        "hash": one.hash,
    }
