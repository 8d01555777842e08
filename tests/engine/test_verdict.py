"""From a report to its exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from reconciler.engine.verdict import exit_code
from reconciler.model.desired import Connection, CredentialRef, Market
from reconciler.model.errors import ExitCode, KeyUnavailable, Mark
from reconciler.model.finding import Finding, Severity, Subject, Verdict
from reconciler.model.live import Observation, Status
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState, Plan
from reconciler.model.report import ConnectionReport, Mode, Report

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MARK = Mark(file="connections.yaml", line=3)
DONE, FAILED, NOT_TRIED, UNKNOWN = (
    OutcomeState.DONE,
    OutcomeState.FAILED,
    OutcomeState.NOT_TRIED,
    OutcomeState.UNKNOWN,
)


def finding(verdict, severity=Severity.BLOCKING, **more):
    return Finding(
        check="key-shared",
        verdict=Verdict(verdict),
        severity=severity,
        subject=Subject.CONNECTION,
        subject_id="a",
        **more,
    )


def connection(id_, *findings):
    reference = CredentialRef(file="s.yaml", mark=MARK, root=".")
    return ConnectionReport(
        connection=Connection(
            id=id_, name=id_, exchange="mexc", market=Market.SPOT, credentials=reference, mark=MARK
        ),
        observation=Observation(connection=id_, exchange="mexc", observed_at=NOW),
        status=Status.DEGRADED,
        findings=findings,
    )


def action(kind, *checks):
    return Action(kind=ActionKind(kind), strategy="s", runtime="r", reason="", checks=checks)


def outcomes(*states):
    return tuple(Outcome(action=action("enable"), state=state) for state in states)


def report(*findings, actions=(), done=()):
    return Report(
        version="1",
        mode=Mode.APPLY,
        started_at=NOW,
        files=(),
        connections=(connection("a", *findings),),
        plan=Plan(actions=tuple(actions), digest=""),
        outcomes=done,
    )


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], ExitCode.DONE),
        ([finding("pass")], ExitCode.DONE),
        ([finding("fail", Severity.ADVISORY), finding("unknown", Severity.ADVISORY)], ExitCode.DONE),
        ([finding("fail", waived_by="treasury")], ExitCode.DONE),
        ([finding("unknown")], ExitCode.FAILED),
        ([finding("fail")], ExitCode.BLOCKED),
        ([finding("unknown"), finding("fail")], ExitCode.BLOCKED),
    ],
)
def test_only_what_blocks_shows_in_the_code(findings, code):
    assert exit_code(report(*findings)) is code


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ([action("none"), action("unmanaged")], ExitCode.DONE),
        ([action("enable"), action("disable"), action("change")], ExitCode.DONE),
        ([action("hold")], ExitCode.FAILED),
        ([action("unknown")], ExitCode.FAILED),
        # The finding gives the code of what a check blocks; nothing else does of what runs elsewhere.
        ([action("blocked", "key-shared")], ExitCode.DONE),
        ([action("blocked")], ExitCode.FAILED),
    ],
)
def test_what_git_wants_and_nobody_does_is_no_success(actions, code):
    assert exit_code(report(actions=actions)) is code


def test_changes_count_only_when_asked_for():
    for kind, detailed in product(ActionKind, (False, True)):
        planned = report(actions=[action(kind, "key-shared")])
        assert (exit_code(planned, detailed=detailed) is ExitCode.CHANGES) is (detailed and kind.acts)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([DONE, DONE], ExitCode.DONE),
        ([FAILED], ExitCode.FAILED),
        ([UNKNOWN, NOT_TRIED], ExitCode.FAILED),
        ([DONE, FAILED], ExitCode.PARTLY_APPLIED),
        ([DONE, NOT_TRIED], ExitCode.PARTLY_APPLIED),
        ([DONE, UNKNOWN], ExitCode.PARTLY_APPLIED),
    ],
)
def test_outcomes(states, code):
    assert exit_code(report(done=outcomes(*states))) is code


@pytest.mark.parametrize(
    ("earlier", "code"),
    [(DONE, ExitCode.DONE), (FAILED, ExitCode.DONE), (UNKNOWN, ExitCode.FAILED)],
)
def test_of_what_an_earlier_pass_began_only_the_unknown_weighs(earlier, code):
    assert exit_code(report(done=outcomes(DONE)), recovered=outcomes(earlier)) is code


def test_the_most_urgent_wins():
    secrets = [KeyUnavailable("no key")]
    failing = report(finding("fail"), actions=[action("hold")], done=outcomes(DONE, FAILED))
    assert exit_code(failing, secrets, lost=True) is ExitCode.PARTLY_APPLIED
    assert exit_code(report(finding("fail")), secrets, lost=True) is ExitCode.LOCK
    assert exit_code(report(finding("fail")), secrets) is ExitCode.SECRETS


@pytest.mark.parametrize(
    ("remembered", "code"),
    [("pass", ExitCode.DONE), ("unknown", ExitCode.FAILED), ("fail", ExitCode.BLOCKED)],
)
@pytest.mark.parametrize("kind", ["hold", "unknown"])
def test_a_connection_whose_turn_it_was_not_weighs_by_what_is_remembered(kind, remembered, code):
    waits = replace(action(kind, "connection-test"), connection="b")
    assert exit_code(report(actions=[waits]), resting={"b": Verdict(remembered)}) is code
    assert exit_code(report(actions=[waits]), resting={"c": Verdict.PASS}) is ExitCode.FAILED


def test_a_runtime_that_cannot_be_read_weighs_whosever_turn_it_is():
    unreadable = replace(action("unknown"), connection="b")
    assert exit_code(report(actions=[unreadable]), resting={"b": Verdict.PASS}) is ExitCode.FAILED
