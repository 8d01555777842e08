"""The JSON of ``status``."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from reconciler.model.errors import ExitCode
from reconciler.model.live import Status
from reconciler.model.memory import LETTERS, Condition, Permit, Remembered
from reconciler.model.overview import Overview, PastPass
from reconciler.output.json import Object, dumps, head, moment, tail
from reconciler.output.lockdown_json import lockdown

_WORDS: Final = {letter: status.value for status, letter in LETTERS.items()}


def render(seen: Overview, *, version: str) -> str:
    """Everything that the screen shows, under ``status.schema.json``."""
    applier = seen.applier
    document: Object = {
        **head(version),
        "asked_at": moment(seen.now),
        "max_age_seconds": int(seen.max_age.total_seconds()),
        "connections": [_connection(one, seen) for one in seen.connections],
        "strategies": [_strategy(one, seen) for one in seen.strategies],
        "conditions": [_condition(one) for one in seen.conditions],
        "lockdowns": [lockdown(one) for one in seen.lockdowns],
        "lock": None
        if applier is None
        else {"id": applier.lock_id, "holder": applier.holder, "until": moment(applier.until)},
        "passes": [_pass(one) for one in seen.passes],
        **tail(ExitCode.DONE),
    }
    return dumps(document)


def _connection(one: Remembered, seen: Overview) -> Object:
    reading = one.reading
    return {
        "id": reading.connection,
        "exchange": reading.exchange,
        "status": reading.status.value,
        "verdict": reading.verdict.value,
        "checks": list(reading.checks),
        **_read(reading.at, seen),
        "unknown_since": moment(one.unknown_since),
        "passed_in_a_row": one.streak,
        "recent": [_WORDS.get(letter, Status.UNCHECKED.value) for letter in one.recent],
        "key": reading.key,
    }


def _read(at: datetime, seen: Overview) -> Object:
    return {"at": moment(at), "stale": seen.stale(at)}


def _strategy(one: Permit, seen: Overview) -> Object:
    return {
        "id": one.strategy,
        "connection": one.connection,
        "runtime": one.runtime,
        "may": one.may.value,
        "why": one.why,
        "checks": list(one.checks),
        **_read(one.at, seen),
        "enabled_by_us": one.strategy in seen.running,
        "unfinished": one.strategy in seen.unfinished,
    }


def _condition(one: Condition) -> Object:
    return {
        "subject": one.subject.value,
        "subject_id": one.subject_id,
        "check": one.check,
        "verdict": one.verdict.value,
        "blocks": one.blocks,
        "evidence": one.evidence,
        "since": moment(one.since),
    }


def _pass(one: PastPass) -> Object:
    return {
        "id": one.id,
        "started_at": moment(one.started_at),
        "finished_at": moment(one.finished_at),
        "exit_code": one.exit_code,
        "by": one.by,
        "commit": one.commit,
    }
