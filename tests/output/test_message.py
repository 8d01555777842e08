"""The words of notifications: each kind of event reads well, and nothing in it acts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import resources
from reconciler.model.event import Event, EventKind, EventSeverity, Origin, Recorded
from reconciler.model.finding import Subject
from reconciler.model.message import WORST, Digest
from reconciler.notify.webhook import body_of
from reconciler.output.message import LONGEST_TITLE, of_digest, of_event, of_test

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SCHEMA = json.loads(resources.schema("notification.schema.json"))


def recorded(seq: int = 7, **changes) -> Recorded:
    given_ = {
        "kind": EventKind.FOUND,
        "severity": EventSeverity.CRITICAL,
        "subject": Subject.CONNECTION,
        "subject_id": "recovery-pro",
        "summary": "withdraw-enabled of recovery-pro: the exchange says that this key may withdraw",
        "at": AT,
        "check": "withdraw-enabled",
        "since": AT,
        "origin": Origin(by="alice@host", commit="0123456789abcdef", pass_id=3),
    }
    return Recorded(seq=seq, event=Event(**{**given_, **changes}), hash="ab" * 32)


def lines(one: Recorded, fix: str = "") -> list[str]:
    message = of_event(one, fix=fix)
    return [message.title, *message.text.splitlines()]


def test_what_was_found_says_what_since_when_and_what_to_do():
    assert lines(recorded(), "Switch withdrawals off.") == [
        "CRITICAL: withdraw-enabled of connection recovery-pro",
        "What: the exchange says that this key may withdraw",
        "Since: 2026-11-22 10:00:00 UTC",
        "To do: Switch withdrawals off.",
        "More: reconcile explain withdraw-enabled",
        "By: alice@host, commit 0123456789ab, pass 3, event 7",
    ]


@pytest.mark.parametrize(
    ("lasted", "words"),
    [
        (timedelta(seconds=50), "50 seconds"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(hours=30), "30 hours"),
        (timedelta(days=3), "3 days"),
        (timedelta(seconds=-5), "0 seconds"),
    ],
)
def test_what_is_over_says_how_long_it_lasted(lasted, words):
    one = recorded(
        kind=EventKind.GONE,
        severity=EventSeverity.INFO,
        at=AT + lasted,
        summary="withdraw-enabled of recovery-pro is over: it might",
    )
    shown = lines(one, "Not to be done any longer.")
    assert shown[:2] == ["Info: over: withdraw-enabled of connection recovery-pro", "What: it might"]
    assert shown[2].startswith("Was so: from 2026-11-22 10:00:00 UTC to ")
    assert shown[2].endswith(f"({words})")
    assert not any("Not to be done" in line for line in shown)


def test_a_stopped_strategy_says_that_it_starts_again():
    one = recorded(
        kind=EventKind.DISABLED,
        severity=EventSeverity.WARNING,
        subject=Subject.STRATEGY,
        subject_id="grid",
        since=None,
    )
    shown = lines(one, "Switch it off.")
    assert shown[0] == "Warning: strategy grid was stopped"
    assert "To do: It starts again once that is in order. Switch it off." in shown
    assert "When: 2026-11-22 10:00:00 UTC" in shown


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("subject", Subject)
def test_every_kind_has_a_title_and_is_what_the_schema_says(kind, subject):
    message = of_event(recorded(kind=kind, subject=subject))
    assert "{" not in message.title
    assert "None" not in message.title
    jsonschema.validate(json.loads(body_of(message)), SCHEMA)


@given(st.text(), st.text(min_size=1), st.sampled_from(EventKind))
def test_whatever_others_wrote_stays_on_its_line(summary, name, kind):
    message = of_event(recorded(kind=kind, summary=summary, subject_id=name, check=name))
    assert message.title.isprintable()
    assert len(message.title) <= LONGEST_TITLE
    assert message.text.replace("\n", "").isprintable()
    assert len(message.text.splitlines()) <= 6


def digest_of(*events: Recorded) -> Digest:
    made = Digest(first=events[0].seq, at=AT)
    for one in events:
        made.add(one)
    return made


def test_a_digest_names_counts_and_the_worst():
    made = digest_of(
        *(recorded(seq, severity=EventSeverity.WARNING) for seq in range(1, 9)),
        recorded(9, subject_id="worst"),
        *(recorded(seq, severity=EventSeverity.INFO, kind=EventKind.GONE) for seq in range(10, 20)),
    )
    message = of_digest(made)
    assert message.title == "CRITICAL: 19 events, told as one"
    assert message.text.splitlines()[0] == "What: 10 gone, 9 found"
    assert "- CRITICAL: withdraw-enabled of connection worst: " in message.text
    assert (
        "- Warning: withdraw-enabled of connection recovery-pro: the exchange says that this key may "
        "withdraw (2026-11-22 10:00:00 UTC)"
    ) in message.text
    assert [one.seq for one in made.worst] == [1, 2, 3, 4, 9]
    assert len(made.worst) == WORST
    jsonschema.validate(json.loads(body_of(message)), SCHEMA)


def test_a_digest_of_one_has_its_title():
    assert of_digest(digest_of(recorded())).title == of_event(recorded()).title


def test_a_test_message_is_what_the_schema_says():
    jsonschema.validate(json.loads(body_of(of_test("ops", at=AT))), SCHEMA)


def test_the_schemas_name_every_word():
    event = SCHEMA["$defs"]["event"]["properties"]
    history = json.loads(resources.schema("history.schema.json"))["$defs"]["event"]["properties"]
    for one in (event, history):
        assert set(one["kind"]["enum"]) == set(EventKind)
        assert set(one["subject"]["enum"]) == set(Subject)
    assert set(SCHEMA["$defs"]["severity"]["enum"]) == set(EventSeverity)
    assert set(SCHEMA["properties"]["type"]["enum"]) == {*EventKind, "digest", "test"}
