from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from reconciler.model.desired import Market
from reconciler.model.finding import Severity, Verdict
from reconciler.model.live import Account, FailureKind

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
RULE = "90 days without a whitelist"


@pytest.mark.parametrize(
    ("ends", "expired", "soon"),
    [
        ({}, PASS, PASS),
        ({"expires_at": NOW + 15 * DAY}, PASS, PASS),
        ({"expires_at": NOW + 14 * DAY}, PASS, FAIL),
        ({"expires_at": NOW + SECOND}, PASS, FAIL),
        ({"expires_at": NOW}, FAIL, FAIL),
        ({"expires_at": NOW - DAY}, FAIL, FAIL),
        ({"trade_expires_at": NOW - DAY}, FAIL, FAIL),
        ({"trade_expires_at": NOW + DAY, "expires_at": NOW + 99 * DAY}, PASS, FAIL),
        ({"expires_at": NOW - DAY, "expiry_rule": RULE}, PASS, FAIL),
        ({"expires_at": NOW + DAY, "expiry_rule": RULE}, PASS, FAIL),
        ({"expires_at": NOW + 30 * DAY, "expiry_rule": RULE}, PASS, PASS),
    ],
)
def test_the_end_of_a_key(make, ends, expired, soon):
    case = make.case(report=make.report(**ends))
    assert make.ask(case, "key-expired").verdict is expired
    finding = make.ask(case, "key-expires-soon")
    assert finding.verdict is soon
    assert finding.severity is Severity.ADVISORY


def test_an_estimated_end_names_its_rule_and_its_days(make):
    case = make.case(report=make.report(expires_at=NOW + 3 * DAY, expiry_rule=RULE))
    evidence = make.ask(case, "key-expires-soon").evidence
    assert RULE in evidence
    assert "2026-11-25, in 3 days" in evidence


def test_the_right_to_trade_may_end_where_no_strategy_trades(make):
    case = make.case(report=make.report(trade_expires_at=NOW - DAY), strategies=())
    assert make.ask(case, "key-expired").verdict is PASS
    assert make.ask(case, "key-expires-soon").verdict is PASS


def test_policy_sets_the_warning_time(make):
    report = make.report(expires_at=NOW + 20 * DAY)
    assert (
        make.ask(make.case(report=report, policy={"expiry_warning": 30 * DAY}), "key-expires-soon").verdict
        is FAIL
    )
    assert (
        make.ask(make.case(report=report, policy={"expiry_warning": DAY}), "key-expires-soon").verdict is PASS
    )


@pytest.mark.parametrize(
    ("check", "kind"), [("key-expired", FailureKind.KEY_EXPIRED), ("key-disabled", FailureKind.KEY_DISABLED)]
)
def test_a_refusal_that_names_the_reason_answers_its_check(make, check, kind):
    refused = make.ask(make.case(failure=make.failure(kind)), check)
    assert (refused.verdict, refused.kind) == (FAIL, kind.value)
    elsewhere = make.case(failure=make.failure(kind, caller_ip="198.51.100.99"))
    assert make.ask(elsewhere, check).verdict is UNKNOWN
    other = make.case(failure=make.failure(FailureKind.INVALID_KEY))
    assert make.ask(other, check).verdict is UNKNOWN


@pytest.mark.parametrize(("disabled", "verdict"), [(True, FAIL), (False, PASS), (None, PASS)])
def test_disabled(make, disabled, verdict):
    assert make.ask(make.case(report=make.report(disabled=disabled)), "key-disabled").verdict is verdict


@pytest.mark.parametrize(
    ("limit", "created", "verdict"),
    [
        (None, NOW - 999 * DAY, PASS),
        (180 * DAY, NOW - 180 * DAY, PASS),
        (180 * DAY, NOW - 180 * DAY - SECOND, FAIL),
        (180 * DAY, None, UNKNOWN),
        (None, None, PASS),
    ],
)
def test_age(make, limit, created, verdict):
    case = make.case(report=make.report(created_at=created), policy={"max_key_age": limit})
    finding = make.ask(case, "key-too-old")
    assert (finding.verdict, finding.severity) == (verdict, Severity.ADVISORY)


@pytest.mark.parametrize(
    ("pin", "uid", "verdict"),
    [
        (None, "1", PASS), (None, None, PASS), ("1", "1", PASS), ("1", "2", FAIL), ("1", None, UNKNOWN),
        ("9007199254740993", "9007199254740992", FAIL), ("01", "1", FAIL),
    ],
)  # fmt: skip
def test_the_pinned_account(make, pin, uid, verdict):
    case = make.case(
        report=make.report(account=Account(uid=uid)), connection={"account": make.pin(pin) if pin else None}
    )
    finding = make.ask(case, "account-differs")
    assert (finding.verdict, finding.severity) == (verdict, Severity.BLOCKING)


@pytest.mark.parametrize(
    ("on", "verdict"),
    [(None, FAIL), (date(2026, 11, 1), PASS), (date(2025, 1, 1), FAIL), (date(2027, 1, 1), FAIL)],
)
def test_two_factor_is_a_reminder(make, on, verdict):
    word = {} if on is None else make.attestation("two_factor", on)
    finding = make.ask(make.case(connection={"attestations": word}), "two-factor-unattested")
    assert (finding.verdict, finding.severity) == (verdict, Severity.ADVISORY)


def test_a_shared_key_names_the_others(make):
    finding = make.ask(make.case(peers=("zeta", "alpha")), "key-shared")
    assert (finding.verdict, finding.severity) == (FAIL, Severity.BLOCKING)
    assert "alpha, zeta" in finding.evidence
    assert make.ask(make.case(), "key-shared").verdict is PASS


def test_a_key_that_could_not_be_opened_is_named_as_not_compared(make):
    case = make.case(closed=("zeta", "alpha"))
    finding = make.ask(case, "key-shared")
    assert finding.verdict is PASS
    assert finding.evidence.endswith("not compared, as they could not be opened here: alpha, zeta")
    assert "not compared" not in make.ask(make.case(closed=(case.connection.id,)), "key-shared").evidence


@pytest.mark.parametrize(
    ("enabled", "shared", "unused"),
    [
        ((), PASS, FAIL),
        ((True,), PASS, PASS),
        ((True, True), FAIL, PASS),
        ((True, False), PASS, PASS),
        ((False,), PASS, FAIL),
    ],
)
def test_how_many_strategies_use_it(make, enabled, shared, unused):
    strategies = tuple(make.strategy(f"s{number}", enabled=on) for number, on in enumerate(enabled))
    case = make.case(strategies=strategies)
    assert make.ask(case, "connection-shared").verdict is shared
    assert make.ask(case, "connection-unused").verdict is unused


def test_an_unused_connection_names_the_keys_age_where_it_is_known(make):
    assert "30 days old" in make.ask(make.case(strategies=()), "connection-unused").evidence
    silent = make.case(strategies=(), report=make.report(created_at=None))
    assert "old" not in make.ask(silent, "connection-unused").evidence
    assert make.ask(make.unread(strategies=()), "connection-unused").verdict is FAIL


@pytest.mark.parametrize(
    ("name", "market", "verdict"),
    [
        ("MEXC Spot Main", Market.SPOT, PASS),
        ("KuCoin Futures Conservative", Market.FUTURES, PASS),
        ("BTC ETH New Groups", Market.SPOT, PASS),
        ("Recovery PRO Connection", Market.SPOT, PASS),
        ("test", Market.SPOT, FAIL),
        ("My new API key 2", Market.SPOT, FAIL),
        ("MEXC Main", Market.SPOT, FAIL),
        ("12345", Market.SPOT, FAIL),
        ("***", Market.SPOT, FAIL),
        ("mexc_spot-main", Market.SPOT, PASS),
        ("Биржа спот", Market.SPOT, PASS),
        ("MEXC Futures Grid", Market.SPOT, FAIL),
        ("KuCoin Spot Grid", Market.FUTURES, FAIL),
        ("MEXC Spot Futures Arbitrage", Market.SPOT, PASS),
        ("KuCoin Perp Grid", Market.FUTURES, PASS),
    ],
)
def test_names_are_to_be_telling(make, name, market, verdict):
    finding = make.ask(make.case(connection={"name": name, "market": market}), "name-unclear")
    assert (finding.verdict, finding.severity) == (verdict, Severity.ADVISORY)


def test_a_name_that_speaks_of_another_market_says_so(make):
    evidence = make.ask(make.case(connection={"name": "MEXC Futures Grid"}), "name-unclear").evidence
    assert "says futures, but it is a spot connection on mexc" in evidence


def test_double_names_are_found_whatever_their_case_and_spaces(make):
    twin = make.connection("twin", name="mexc  spot MAIN")
    other = make.connection("other", name="MEXC Spot Reserve")
    finding = make.ask(make.case(others=(twin, other)), "name-duplicate")
    assert finding.verdict is FAIL
    assert finding.evidence.endswith("twin")
    assert make.ask(make.case(others=(other,)), "name-duplicate").verdict is PASS
