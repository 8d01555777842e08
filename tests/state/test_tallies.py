"""What is counted is counted once, by whichever process, and survives what is trimmed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.model.errors import LockHeld
from reconciler.model.event import Event, EventKind, EventSeverity
from reconciler.model.finding import Subject
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState
from reconciler.state import retention
from reconciler.state.store import open_for_reading

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ACTION = Action(kind=ActionKind.DISABLE, strategy="grid", runtime="paper", reason="r")
EVENT = Event(
    kind=EventKind.FOUND,
    severity=EventSeverity.CRITICAL,
    subject=Subject.CONNECTION,
    subject_id="main",
    summary="s",
    at=AT,
)


def act(store, token) -> None:
    intent = store.intend(ACTION, token=token, at=AT)
    store.conclude(
        intent, Outcome(action=ACTION, state=OutcomeState.DONE), token=token, at=AT, events=[EVENT]
    )


def test_events_actions_and_passes_are_counted(store, url):
    with store.lease() as lease:
        act(store, lease.token)
        act(store, lease.token)
    store.record_events([EVENT, EVENT])
    for code in (0, 5, 5):
        store.finish_pass(
            store.begin_pass(mode="apply", started_at=AT), finished_at=AT, exit_code=code, summary={}
        )
    assert open_for_reading(url).tallies() == {
        "events": {("found", "critical"): 4},
        "actions": {("disable", "done"): 2},
        "passes": {("0", ""): 1, ("5", ""): 2},
    }


def test_what_is_refused_is_not_counted(store):
    with store.lease() as lease:
        intent = store.intend(ACTION, token=lease.token, at=AT)
        with pytest.raises(LockHeld):
            store.conclude(
                intent,
                Outcome(action=ACTION, state=OutcomeState.DONE),
                token=lease.token - 1,
                at=AT,
                events=[EVENT],
            )
    assert store.tallies() == {"events": {}, "actions": {}, "passes": {}}


def test_what_is_trimmed_stays_counted(store, monkeypatch):
    monkeypatch.setattr(retention, "PASSES", 1)
    monkeypatch.setattr(retention, "STEP", 1)
    for _ in range(5):
        store.finish_pass(
            store.begin_pass(mode="apply", started_at=AT), finished_at=AT, exit_code=0, summary={}
        )
    assert len(store.passes()) < 5
    assert store.tallies()["passes"] == {("0", ""): 5}


def test_the_last_pass_that_ended_is_told_though_another_runs(store):
    assert store.last_finished() is None
    first = store.begin_pass(mode="apply", started_at=AT)
    store.finish_pass(first, finished_at=AT, exit_code=5, summary={})
    store.begin_pass(mode="apply", started_at=AT)
    assert (store.last_finished().id, store.last_finished().exit_code) == (first, 5)
