"""What turned is told once, and once more when it is over; silence ends nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.event import EventKind, EventSeverity, Origin
from reconciler.model.finding import Finding, Severity, Subject, Verdict
from reconciler.model.live import Account, IpWhitelist, KeyReport, Permissions
from reconciler.planning import drift
from reconciler.planning.drift import found, key_changed, key_of, turn, unanswered

ORIGIN = Origin(by="ada@host", commit="ab12", pass_id=7)


class Memory:
    """What one pass after the other leaves open."""

    def __init__(self, make):
        self.make, self.open, self.now = make, (), make.now

    def see(self, *reports, looked=lambda _subject, _id: True, plan=None, unreadable=()):
        """The events of one pass."""
        self.now += timedelta(minutes=1)
        plan = plan or self.make.plan(self.make.desired())
        now = found(reports, (), plan, unreadable=unreadable, at=self.now)
        turned = turn(self.open, now, looked=looked, unknown=unanswered(reports), at=self.now, origin=ORIGIN)
        self.open = turned.conditions
        return [(event.kind, event.subject_id, event.check) for event in turned.events]

    @property
    def checks(self):
        return [(one.check, one.verdict) for one in self.open]


def test_it_is_told_once_since_when_and_once_more_when_it_is_over(make):
    memory = Memory(make)
    bad, good = make.report(withdraw_enabled="fail"), make.report()
    assert memory.see(good) == []
    assert memory.see(bad) == [(EventKind.FOUND, "main", "withdraw-enabled")]
    since = memory.now
    assert memory.see(bad) == memory.see(bad) == []
    assert [one.since for one in memory.open] == [since]
    assert memory.see(good) == [(EventKind.GONE, "main", "withdraw-enabled")]
    assert memory.see(good) == []


def test_an_outage_is_one_trouble_and_ends_none_that_was_found_before(make):
    memory = Memory(make)
    memory.see(make.report(withdraw_enabled="fail"))
    silent = make.report(
        connection_test="unknown", withdraw_enabled="unknown", ip_whitelist_missing="unknown"
    )
    assert memory.see(silent) == [(EventKind.FOUND, "main", "connection-test")]
    assert memory.checks == [("connection-test", Verdict.UNKNOWN), ("withdraw-enabled", Verdict.FAIL)]
    assert memory.see(make.report(withdraw_enabled="fail")) == [(EventKind.GONE, "main", "connection-test")]
    assert memory.see(make.report()) == [(EventKind.GONE, "main", "withdraw-enabled")]


def test_an_unknown_that_turns_out_to_fail_is_told_anew(make):
    memory = Memory(make)
    memory.see(make.report(withdraw_enabled="unknown"))
    first = memory.now
    assert memory.see(make.report(withdraw_enabled="fail")) == [(EventKind.FOUND, "main", "withdraw-enabled")]
    assert [one.since > first for one in memory.open] == [True]


def test_what_was_not_looked_at_stays_as_it_was(make):
    memory = Memory(make)
    memory.see(make.report(withdraw_enabled="fail"))
    assert memory.see(looked=lambda _subject, id_: id_ != "main") == []
    assert memory.see(looked=lambda _subject, _id: True) == [(EventKind.GONE, "main", "withdraw-enabled")]


def test_what_a_waiver_answers_for_is_no_trouble_unless_it_can_withdraw(make):
    memory = Memory(make)
    report = make.report(withdraw_enabled="fail", ip_whitelist_missing="fail")
    waived = tuple(replace(one, waived_by="treasury") for one in report.findings)
    assert memory.see(replace(report, findings=waived)) == [(EventKind.FOUND, "main", "withdraw-enabled")]


def test_what_somebody_else_started_and_what_does_not_answer_are_told(make):
    memory = Memory(make)
    held = {"paper": make.running("foreign"), "live": None}
    plan = make.plan(make.desired(), runtimes=held)
    assert memory.see(plan=plan, unreadable=("live",)) == [
        (EventKind.FOUND, "foreign", drift.UNMANAGED),
        (EventKind.FOUND, "live", drift.UNREADABLE),
    ]
    assert sorted(memory.see()) == [
        (EventKind.GONE, "foreign", drift.UNMANAGED),
        (EventKind.GONE, "live", drift.UNREADABLE),
    ]


def test_how_bad_it_is_follows_from_what_it_stops(make):
    memory = Memory(make)
    reports = (
        make.report(withdraw_enabled="fail", name_unclear="fail"),
        make.report("spare", withdraw_enabled="unknown"),
    )
    now = found(reports, (), make.plan(make.desired()), unreadable=(), at=memory.now)
    turned = turn((), now, looked=lambda *_: True, unknown=frozenset(), at=memory.now, origin=ORIGIN)
    told = {(event.subject_id, event.check): event.severity for event in turned.events}
    assert told == {
        ("main", "withdraw-enabled"): EventSeverity.CRITICAL,
        ("main", "name-unclear"): EventSeverity.WARNING,
        ("spare", "withdraw-enabled"): EventSeverity.WARNING,
    }


@given(st.data())
def test_every_trouble_is_told_as_often_as_it_begins_and_ends_as_often_as_it_ended(make, data):
    words = st.sampled_from(["pass", "fail", "unknown"])
    states = st.fixed_dictionaries({"connection_test": words, "withdraw_enabled": words})
    memory, open_ = Memory(make), set()
    for _ in range(data.draw(st.integers(1, 8))):
        for kind, subject, check in memory.see(make.report(**data.draw(states))):
            if kind is EventKind.GONE:
                open_.remove((subject, check))
            else:
                open_.add((subject, check))  # an unknown that fails is told again while it is open
        assert open_ == {(one.subject_id, one.check) for one in memory.open}
    gone = memory.see(make.report())
    assert {(subject, check) for _, subject, check in gone} == open_
    assert memory.open == ()


@pytest.mark.parametrize(
    ("check", "told"), [("settling", 0), ("maintenance-window", 0), ("lockdown", 0), ("suspended", 1)]
)
def test_what_only_waits_its_turn_or_is_told_by_itself_is_no_trouble(make, check, told):
    waits = Finding(
        check=check,
        verdict=Verdict.FAIL,
        severity=Severity.ADVISORY,
        subject=Subject.POLICY,
        subject_id="settle",
    )
    assert len(found((), (waits,), make.plan(make.desired()), unreadable=(), at=make.now)) == told


def key(**changes):
    base = KeyReport(
        permissions=Permissions(read=True, spot=True, withdraw=False),
        ip_whitelist=IpWhitelist(restricted=True, addresses=("203.0.113.10",)),
        account=Account(uid="1"),
    )
    return replace(base, **changes)


def changed(make, before, now):
    event = key_changed("main", key_of(before), key_of(now), at=make.now, origin=ORIGIN)
    return None if event is None else (event.summary, event.severity)


def test_a_key_that_may_do_more_than_before_is_a_warning(make):
    wider = key(permissions=Permissions(read=True, spot=True, withdraw=True))
    assert changed(make, key(), wider) == (
        "the key of main was changed at the exchange: it may now withdraw",
        EventSeverity.WARNING,
    )
    assert changed(make, wider, key()) == (
        "the key of main was changed at the exchange: it may no longer withdraw",
        EventSeverity.INFO,
    )


def test_addresses_and_account_are_told(make):
    free = key(ip_whitelist=IpWhitelist(restricted=False))
    assert "no longer bound to addresses" in changed(make, key(), free)[0]
    assert changed(make, free, key())[1] is EventSeverity.INFO
    moved = key(ip_whitelist=IpWhitelist(restricted=True, addresses=("203.0.113.11",)))
    told, severity = changed(make, key(), moved)
    assert "gained 203.0.113.11, its whitelist lost 203.0.113.10" in told
    assert severity is EventSeverity.WARNING
    assert "belongs to account 2 instead of 1" in changed(make, key(), key(account=Account(uid="2")))[0]


def test_what_nobody_told_is_no_change(make):
    silent = key(permissions=Permissions(read=True), ip_whitelist=IpWhitelist(), account=Account())
    assert changed(make, key(), silent) is None
    assert changed(make, silent, key()) is None
    assert changed(make, None, key()) is None
    assert changed(make, key(), None) is None
    assert changed(make, key(), key(expires_at=make.now)) is None


def test_the_place_of_a_condition_is_its_subject(make):
    (one,) = found(
        (make.report(withdraw_enabled="fail"),), (), make.plan(make.desired()), unreadable=(), at=make.now
    )
    assert one.key == (Subject.CONNECTION, "main", "withdraw-enabled")
