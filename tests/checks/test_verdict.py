from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.checks import CATALOGUE, evaluate, permits, status
from reconciler.checks.verdict import REQUIRED
from reconciler.model import errors
from reconciler.model.desired import Attestation, Market, Policy, Requirement
from reconciler.model.finding import Severity, Verdict
from reconciler.model.live import (
    Account,
    Failure,
    FailureKind,
    Health,
    IpWhitelist,
    KeyReport,
    Permission,
    Permissions,
    Proof,
    Status,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LONG = date(2026, 12, 31)

TERNARY = st.sampled_from([True, False, None])
TIMES = st.none() | st.integers(-400, 400).map(lambda days: NOW + timedelta(days=days))
ADDRESSES = st.none() | st.lists(
    st.sampled_from(["203.0.113.10", "203.0.113.0/24", "198.51.100.7", "0.0.0.0/0", "2001:db8::1", "office"]),
    max_size=3,
).map(tuple)
REPORTS = st.builds(
    KeyReport,
    permissions=st.builds(Permissions, **dict.fromkeys((p.value for p in Permission), TERNARY)),
    ip_whitelist=st.builds(IpWhitelist, restricted=TERNARY, addresses=ADDRESSES),
    account=st.builds(Account, uid=st.none() | st.sampled_from(["1", "2"])),
    created_at=TIMES,
    expires_at=TIMES,
    trade_expires_at=TIMES,
    expiry_rule=st.none() | st.just("idle for 90 days"),
    disabled=TERNARY,
    unknown_words=st.sampled_from([(), ("MYSTERY",)]),
)
FAILURES = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    message=st.just("refused"),
    caller_ip=st.none() | st.sampled_from(["203.0.113.10", "198.51.100.99", "?"]),
    candidates=st.lists(st.sampled_from(FailureKind), max_size=2).map(tuple),
)
DATES = st.dates(date(2026, 1, 1), date(2027, 12, 31))
POLICIES = st.builds(
    Policy,
    ip_whitelist=st.sampled_from(Requirement),
    max_key_age=st.none() | st.just(timedelta(days=180)),
    attestation_max_age=st.sampled_from([timedelta(days=90), timedelta(days=9999)]),
)
SUBJECTS = ("withdraw_disabled", "ip_whitelist", "two_factor")


@st.composite
def cases(draw, make, reports=REPORTS):
    """Any connection under any policy, with any waivers and attestations, read with any outcome."""
    report = draw(st.none() | reports)
    failure = draw(FAILURES) if report is None and draw(st.booleans()) else None
    unread = "not tried" if report is None and failure is None else None
    proofs = draw(
        st.dictionaries(st.sampled_from(["balance", "orders"]), st.none() | FAILURES, max_size=2).map(
            lambda found: {name: Proof(name=name, failure=why) for name, why in found.items()}
        )
    )
    attested = draw(st.dictionaries(st.sampled_from(SUBJECTS), DATES))
    marked = {s: Attestation(subject=s, by="ada", on=on, mark=make.mark) for s, on in attested.items()}
    waived = draw(st.lists(st.tuples(st.sampled_from([*CATALOGUE, "no-such-check"]), DATES), max_size=6))
    base = make.case(
        connection={
            "attestations": marked,
            "market": draw(st.sampled_from(Market)),
            "egress": draw(st.sampled_from(["bot-eu", None])),
            "account": draw(st.none() | st.just(make.pin("1"))),
            "permissions": draw(st.dictionaries(st.sampled_from(Permission), st.booleans(), max_size=3)),
        },
        observation={
            "report": report,
            "failure": failure,
            "unread": unread,
            "proofs": proofs,
            "health": draw(st.sampled_from(Health)),
            "clock_skew": draw(st.none() | st.floats(-9, 9)),
        },
        waivers=tuple(make.waiver(check, until) for check, until in waived),
        peers=draw(st.sampled_from([(), ("twin",)])),
        strategies=draw(st.sampled_from([(), (make.strategy(),), (make.strategy(enabled=False),)])),
        secrets_error=draw(st.none() | st.just(errors.IntegrityFailed("altered"))) if unread else None,
    )
    return replace(base, desired=replace(base.desired, policy=draw(POLICIES)))


@given(data=st.data())
def test_every_check_answers_exactly_once_whatever_was_seen(make, data):
    findings = evaluate(data.draw(cases(make)))
    assert [finding.check for finding in findings] == list(CATALOGUE)


@given(data=st.data())
def test_a_permit_means_that_every_blocking_check_passed_or_was_waived_as_the_catalogue_allows(make, data):
    """Invariant 1."""
    findings = evaluate(data.draw(cases(make)))
    shut = [f for f in findings if f.severity is Severity.BLOCKING and f.verdict is not Verdict.PASS]
    assert permits(findings) == all(f.waived_by and CATALOGUE[f.check].waivable for f in shut)
    assert permits(findings) == (not any(f.blocks for f in findings))


@given(data=st.data())
def test_no_permit_without_an_answer_of_the_exchange(make, data):
    """Invariant 1: on live evidence; invariant 2: unknown never enables."""
    case = data.draw(cases(make))
    if case.observation.report is None:
        assert not permits(evaluate(case))


@given(data=st.data())
def test_a_key_that_can_withdraw_is_never_permitted(make, data):
    """Invariant 3: no waiver, flag, policy or attestation turns that off."""
    able = REPORTS.map(lambda report: replace(report, permissions=replace(report.permissions, withdraw=True)))
    case = data.draw(cases(make, able))
    assume(case.observation.report is not None)
    waived = replace(case.desired, waivers=tuple(make.waiver(check, LONG) for check in CATALOGUE))
    for asked in (case, replace(case, desired=waived)):
        findings = evaluate(asked)
        assert not permits(findings)
        assert status(asked.observation, findings) is not Status.CONNECTED


@given(data=st.data())
def test_an_unknown_withdrawal_right_is_permitted_only_on_a_fresh_attestation(make, data):
    """Invariant 3 and 1, with everything else waived that can be."""
    silent = REPORTS.map(
        lambda report: replace(report, permissions=replace(report.permissions, withdraw=None))
    )
    case = data.draw(cases(make, silent))
    assume(case.observation.report is not None)
    waivers = tuple(make.waiver(check, LONG) for check in CATALOGUE)
    case = replace(case, desired=replace(case.desired, waivers=waivers))
    if permits(evaluate(case)):
        word = case.connection.attestations["withdraw_disabled"]
        age = NOW.date() - word.on
        assert timedelta(0) <= age <= case.desired.policy.attestation_max_age
        assert not case.observation.report.unknown_words


@given(data=st.data())
def test_attestations_turn_no_fail_into_anything(make, data):
    case = data.draw(cases(make))
    bare = replace(case, connection=replace(case.connection, attestations={}))
    for without, attested in zip(evaluate(bare), evaluate(case), strict=True):
        if without.check == "two-factor-unattested":
            continue
        if without.verdict is not Verdict.UNKNOWN:
            assert attested.verdict is without.verdict
        assert (attested.attested_by is not None) == (attested.verdict is not without.verdict)


@given(data=st.data())
def test_the_order_of_the_files_changes_no_finding(make, data):
    """Invariant 11."""
    case = data.draw(cases(make))
    turned = replace(
        case.desired,
        waivers=case.desired.waivers[::-1],
        connections=dict(reversed(case.desired.connections.items())),
    )
    assert evaluate(case) == evaluate(replace(case, desired=turned, strategies=case.strategies[::-1]))


def test_a_healthy_connection_is_permitted_and_online(make):
    case = make.case()
    assert permits(evaluate(case))
    assert status(case.observation, evaluate(case)) is Status.CONNECTED


@pytest.mark.parametrize("check", sorted(REQUIRED))
def test_a_rule_that_forgot_to_answer_is_caught(make, check):
    findings = evaluate(make.case())
    assert not permits([finding for finding in findings if finding.check != check])


@pytest.mark.parametrize("check", sorted(REQUIRED))
def test_a_rule_that_answers_twice_is_caught(make, check):
    findings = evaluate(make.case())
    assert not permits([*findings, *(f for f in findings if f.check == check)])


def test_nothing_and_a_mixture_are_no_permit(make):
    findings = evaluate(make.case())
    assert not permits(())
    assert not permits([replace(findings[0], subject_id="other"), *findings[1:]])


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN])
@pytest.mark.parametrize("check", sorted(REQUIRED))
def test_a_finding_cannot_talk_itself_out_of_blocking(make, check, verdict):
    """Severity and waiver on a finding count only as far as the catalogue allows them."""
    healthy = evaluate(make.case())

    def changed(**claims):
        return [replace(f, verdict=verdict, **claims) if f.check == check else f for f in healthy]

    assert not permits(changed(severity=Severity.BLOCKING))
    assert permits(changed(severity=Severity.ADVISORY)) == CATALOGUE[check].varies
    assert permits(changed(severity=Severity.BLOCKING, waived_by="mallory")) == CATALOGUE[check].waivable


@pytest.mark.parametrize(
    ("until", "waived"),
    [(date(2026, 11, 21), None), (date(2026, 11, 22), "treasury"), (date(2027, 1, 1), "treasury")],
)
def test_a_waiver_counts_until_the_end_of_its_last_day(make, until, waived):
    case = make.case(peers=("twin",), waivers=(make.waiver("key-shared", until),))
    finding = make.ask(case, "key-shared")
    assert (finding.verdict, finding.waived_by) == (Verdict.FAIL, waived)
    assert permits(evaluate(case)) == (waived is not None)
    expired = make.ask(case, "waiver-expired")
    assert expired.verdict is (Verdict.FAIL if waived is None else Verdict.PASS)
    assert expired.severity is Severity.ADVISORY


def test_of_several_waivers_the_longest_answers(make):
    short = make.waiver("key-shared", date(2026, 11, 30), approved_by="ops")
    late = make.waiver("key-shared", LONG, approved_by="treasury")
    for waivers in ((short, late), (late, short)):
        assert make.ask(make.case(peers=("twin",), waivers=waivers), "key-shared").waived_by == "treasury"


def test_a_waiver_of_another_connection_does_not_count(make):
    foreign = make.waiver("key-shared", connection="other")
    case = make.case(peers=("twin",), waivers=(foreign,))
    assert make.ask(case, "key-shared").waived_by is None


def test_a_pass_is_not_marked_as_waived(make):
    assert make.ask(make.case(waivers=(make.waiver("key-shared"),)), "key-shared").waived_by is None


@pytest.mark.parametrize("check", ["withdraw-enabled", "connection-test", "no-such-check"])
def test_a_waiver_without_effect_is_told(make, check):
    case = make.case(report=make.report(withdraw=True), waivers=(make.waiver(check),))
    finding = make.ask(case, "waiver-void")
    assert finding.verdict is Verdict.FAIL
    assert check in finding.evidence
    assert make.ask(case, "withdraw-enabled").waived_by is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FailureKind.INVALID_KEY, Status.REJECTED),
        (FailureKind.UNAVAILABLE, Status.UNREACHABLE),
        (FailureKind.AMBIGUOUS_AUTH, Status.UNREACHABLE),
        (FailureKind.UNEXPECTED_RESPONSE, Status.UNREACHABLE),
    ],
)
def test_the_status_of_a_failed_read(make, kind, expected):
    case = make.case(failure=make.failure(kind))
    assert status(case.observation, evaluate(case)) is expected


def test_a_refusal_from_the_wrong_place_is_unreachable_not_rejected(make):
    case = make.case(failure=make.failure(FailureKind.INVALID_KEY, caller_ip="198.51.100.99"))
    assert status(case.observation, evaluate(case)) is Status.UNREACHABLE


def test_the_status_of_a_connection_that_was_not_tried(make):
    case = make.unread()
    assert status(case.observation, evaluate(case)) is Status.UNCHECKED
    assert status(case.observation, ()) is Status.UNCHECKED


def test_a_connection_is_degraded_by_what_blocks_and_not_by_what_advises(make):
    blocked = make.case(report=make.report(withdraw=True))
    assert status(blocked.observation, evaluate(blocked)) is Status.DEGRADED
    advised = make.case(report=make.report(transfer=True), connection={"name": "test"})
    assert status(advised.observation, evaluate(advised)) is Status.CONNECTED
