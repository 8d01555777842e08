"""A gate opens only when everything says yes: the table of decisions, and every doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.errors import ExitCode
from reconciler.model.finding import Subject, Verdict
from reconciler.model.gate import Bar, Glance
from reconciler.model.live import Status
from reconciler.model.memory import SKEW, Condition, Lockdown, May, Permit, Reading, Scope
from reconciler.planning import lockdown
from reconciler.planning.admit import admit

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
AGE = timedelta(minutes=15)
SECOND = timedelta(seconds=1)


def permit(**changes):
    fields = {"runtime": "ft", "connection": "main", "may": May.RUN, "why": "all is well", "at": NOW - SECOND}
    return Permit(strategy="btc", **{**fields, **changes})


def reading(connection="main", **changes):
    fields = {"exchange": "mexc", "at": NOW - SECOND, "status": Status.CONNECTED, "verdict": Verdict.PASS}
    return Reading(connection=connection, **{**fields, **changes})


def stop(scope=Scope.ALL, scope_id="", number=3):
    return Lockdown(id=number, scope=scope, scope_id=scope_id, since=NOW - AGE, by="alice", reason="a\n leak")


def glance(**changes):
    return Glance(**{"permit": permit(), "readings": {"main": reading()}, **changes})


def ask(seen, *, running=False, now=NOW):
    return admit(seen, "btc", running=running, max_age=AGE, now=now)


def bars(answer):
    return [reason.bar for reason in answer.reasons]


@pytest.mark.parametrize(
    ("may", "running", "code"),
    [
        (May.RUN, False, 0),
        (May.RUN, True, 0),
        (May.GO_ON, False, 5),
        (May.GO_ON, True, 0),
        (May.STOP, False, 5),
        (May.STOP, True, 5),
    ],
)
def test_the_table_of_decisions(may, running, code):
    answer = ask(glance(permit=permit(may=may)), running=running)
    assert answer.exit_code == code
    assert bars(answer) == ([Bar.DECIDED] if code else [])


def test_the_reason_says_why_since_when_which_checks_and_what_to_do():
    failed = Condition(
        subject=Subject.CONNECTION,
        subject_id="main",
        check="withdraw-enabled",
        verdict=Verdict.FAIL,
        blocks=True,
        evidence="seen",
        since=NOW - AGE,
    )
    refused = permit(may=May.STOP, why="main fails withdraw-enabled", checks=("withdraw-enabled",))
    (reason,) = ask(glance(permit=refused, conditions=(failed,))).reasons
    assert (reason.message, reason.since, reason.checks) == (refused.why, NOW - AGE, refused.checks)
    assert reason.fix == ("reconcile explain withdraw-enabled", "reconcile check main")
    (reason,) = ask(glance(permit=permit(may=May.STOP, why="suspended", checks=("suspended",)))).reasons
    assert reason.fix == ("reconcile explain suspended", "reconcile --dry-run")
    assert reason.since is None


@pytest.mark.parametrize(
    ("age", "bar"),
    [
        (AGE, None),
        (AGE + timedelta(microseconds=1), Bar.STALE),
        (timedelta(0), None),
        (-SKEW, None),
        (-SKEW - timedelta(microseconds=1), Bar.AHEAD),
    ],
)
def test_evidence_counts_for_so_long_and_never_from_the_future(age, bar):
    seen = glance(permit=permit(at=NOW - age), readings={"main": reading(at=NOW - age)})
    answer = ask(seen)
    assert bars(answer) == ([bar] if bar else [])
    assert answer.exit_code == (ExitCode.FAILED if bar else ExitCode.DONE)


def test_a_strategy_that_no_pass_decided_about_is_not_let_through():
    answer = ask(Glance(known=tuple(f"s{n:02}" for n in range(12))))
    assert answer.exit_code == ExitCode.FAILED
    (reason,) = answer.reasons
    assert "s00, s01" in reason.message
    assert "s09, …" in reason.message
    assert "or about any other strategy" in ask(Glance()).reasons[0].message


def test_without_a_reading_of_its_connection_it_is_not_let_through():
    answer = ask(glance(readings={"other": reading("other")}))
    assert (bars(answer), answer.exit_code) == ([Bar.UNREAD], ExitCode.FAILED)


@pytest.mark.parametrize(
    ("verdict", "running", "closed"),
    [
        (Verdict.PASS, False, False),
        (Verdict.FAIL, False, True),
        (Verdict.FAIL, True, True),
        (Verdict.UNKNOWN, False, True),
        (Verdict.UNKNOWN, True, False),
    ],
)
def test_what_was_read_since_the_decision_counts_too(verdict, running, closed):
    """A pass that is killed between reading and deciding has recorded what it read."""
    newer = reading(at=NOW, verdict=verdict, checks=("c",))
    answer = ask(glance(readings={"main": newer}), running=running)
    assert bars(answer) == ([Bar.READ_SINCE] if closed else [])
    assert answer.exit_code == (5 if closed else 0)
    same = reading(verdict=verdict, checks=("c",))  # of the very pass that decided, which knew of waivers
    assert ask(glance(readings={"main": same}), running=running).exit_code == 0


@pytest.mark.parametrize(
    ("scope", "scope_id", "closed"),
    [
        (Scope.ALL, "", True),
        (Scope.CONNECTION, "main", True),
        (Scope.CONNECTION, "old", True),
        (Scope.CONNECTION, "other", False),
        (Scope.EXCHANGE, "mexc", True),
        (Scope.EXCHANGE, "kucoin", True),
        (Scope.EXCHANGE, "okx", False),
    ],
)
@pytest.mark.parametrize("running", [False, True])
def test_a_lockdown_over_its_key_or_the_one_that_it_runs_on_closes(scope, scope_id, closed, running):
    old = reading("old", exchange="kucoin")
    seen = glance(runs_on="old", readings={"main": reading(), "old": old}, lockdowns=(stop(scope, scope_id),))
    answer = ask(seen, running=running)
    assert bars(answer) == ([Bar.LOCKDOWN] if closed else [])
    if closed:
        assert answer.exit_code == ExitCode.BLOCKED
        assert "lockdown 3 of" in answer.reasons[0].message
        assert "by alice: a leak" in answer.reasons[0].message


def test_of_an_exchange_that_nobody_knows_every_lockdown_is():
    seen = glance(readings={"main": reading(exchange=None)}, lockdowns=(stop(Scope.EXCHANGE, "okx"),))
    assert bars(ask(seen)) == [Bar.LOCKDOWN]
    assert bars(ask(Glance(lockdowns=(stop(Scope.EXCHANGE, "okx"),)))) == [Bar.LOCKDOWN, Bar.UNKNOWN_STRATEGY]
    assert ask(Glance(lockdowns=(stop(),))).exit_code == ExitCode.BLOCKED  # the more urgent of the two


def test_a_lockdown_is_told_once_and_holds_until_a_pass_saw_it_lifted():
    assert Bar.LOCKDOWN.value == lockdown.CHECK
    refused = permit(may=May.STOP, why="lockdown 3 is in force", checks=(lockdown.CHECK,))
    assert bars(ask(glance(permit=refused, lockdowns=(stop(),)))) == [Bar.LOCKDOWN]
    assert bars(ask(glance(permit=refused))) == [Bar.DECIDED]


MOMENTS = st.integers(-2_000, 2_000).map(lambda seconds: NOW + timedelta(seconds=seconds))
READINGS = st.builds(
    reading,
    exchange=st.sampled_from(["mexc", "okx", None]),
    at=MOMENTS,
    verdict=st.sampled_from(Verdict),
    checks=st.just(("c",)),
)
GLANCES = st.builds(
    Glance,
    permit=st.none() | st.builds(permit, may=st.sampled_from(May), at=MOMENTS),
    runs_on=st.sampled_from([None, "main", "old"]),
    readings=st.dictionaries(st.sampled_from(["main", "old"]), READINGS),
    lockdowns=st.lists(
        st.sampled_from([stop(), stop(Scope.EXCHANGE, "mexc"), stop(Scope.CONNECTION, "old")]), max_size=2
    ).map(tuple),
)


@given(seen=GLANCES, running=st.booleans())
def test_it_opens_only_on_a_fresh_yes_without_a_lockdown(seen, running):
    answer = ask(seen, running=running)
    if answer.exit_code != 0:
        assert answer.reasons
        return
    assert seen.permit
    assert seen.permit.may is May.RUN or (running and seen.permit.may is May.GO_ON)
    assert -SKEW <= NOW - seen.permit.at <= AGE
    assert not any(one.scope is Scope.ALL for one in seen.lockdowns)
    read = seen.readings["main"]
    assert read.verdict is not Verdict.FAIL or read.at <= seen.permit.at


@given(seen=GLANCES)
def test_what_may_start_may_go_on(seen):
    if ask(seen).exit_code == 0:
        assert ask(seen, running=True).exit_code == 0


@given(seen=GLANCES, running=st.booleans())
def test_one_more_lockdown_never_opens(seen, running):
    more = replace(seen, lockdowns=(*seen.lockdowns, stop()))
    assert ask(more, running=running).exit_code == ExitCode.BLOCKED
