"""Whether a strategy finds its money and its pairs: each rule, what it says and what it keeps to itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.checks import MarketCase, evaluate_market
from reconciler.model.desired import Market
from reconciler.model.errors import Mark
from reconciler.model.finding import Severity, Subject
from reconciler.model.live import Failure, FailureKind, Proof, Wallet

HERE = Mark(file="connections.yaml", line=70)
BALANCE, LISTED = "strategy-margin-balance", "strategy-pair-listed"


@pytest.fixture(scope="session")
def ask(make):
    """The finding of one check of the first of some strategies, by their limits; ``None``: not asked.

    ``held`` are amounts by currency, ``None`` when the exchange did not say.
    """

    def work(check, *limits, held=None, whole=True, market=Market.SPOT, tells=True, read=True, pairs=None):
        strategies = [
            replace(
                make.strategy(f"s{number}"),
                pairs=("BTC/USDT", "ETH/USDT"),
                parameters={"margin_limit": {"amount": limit, "currency": "USDT"}} if limit else {},
                marks=dict.fromkeys(("pairs", "margin_limit"), HERE),
            )
            for number, limit in enumerate(limits or [None])
        ]
        failure = None if read else Failure(kind=FailureKind.PERMISSION_DENIED, message="no")
        wallet = None if held is None else {name: Decimal(value) for name, value in held.items()}
        observation = make.observation(
            make.report(),
            None,
            wallet=None if wallet is None else Wallet(held=wallet, whole=whole),
            proofs={"balance": Proof(name="balance", failure=failure)},
            pairs=pairs or {},
        )
        case = MarketCase(
            connection=make.connection(market=market),
            strategy=strategies[0],
            together=tuple(strategies),
            observation=observation,
            tells_wallet=tells,
        )
        return next((one for one in evaluate_market(case) if one.check == check), None)

    return work


@pytest.mark.parametrize(
    ("limits", "held", "verdict"),
    [
        (("500",), {"USDT": "500"}, "pass"),
        (("500",), {"USDT": "499.99999999"}, "fail"),
        (("500",), {}, "fail"),
        (("500",), {"USDT": "-3"}, "fail"),
        (("0.1", "0.2"), {"USDT": "0.3"}, "pass"),
        (("500", "300"), {"USDT": "799"}, "fail"),
        (("500", None), {"USDT": "500"}, "pass"),
        (("500",), {"USDT": "1", "BTC": "0.01"}, "unknown"),
        (("500",), {"USDT": "1", "BTC": "0"}, "fail"),
        (("500",), {"USDT": "1", "DOGE": "9"}, "fail"),
        ((None,), {"USDT": "1"}, None),
        (("500",), None, "unknown"),
    ],
)
def test_what_is_held_is_compared_with_the_limits(ask, limits, held, verdict):
    found = ask(BALANCE, *limits, held=held)
    assert (found and found.verdict.value) == verdict
    if found:
        assert (found.subject, found.subject_id) == (Subject.STRATEGY, "s0")
        assert found.severity is Severity.ADVISORY
        assert (found.mark == HERE) == (verdict == "fail")
        assert bool(found.cause and found.fix) == (verdict != "pass")


def test_the_limit_of_its_own_is_named_before_that_of_all(ask):
    own = ask(BALANCE, "500", "300", held={"USDT": "1"})
    assert own.evidence == "main holds less USDT than the margin limit of s0, 500 USDT"
    shared = ask(BALANCE, "500", "300", held={"USDT": "600"})
    assert shared.evidence == "main holds less USDT than the margin limits of s0, s1 together, 800 USDT"


@pytest.mark.parametrize("market", [Market.MARGIN, Market.FUTURES])
def test_beside_spot_anything_else_may_count_as_margin(ask, market):
    assert ask(BALANCE, "500", held={"USDT": "1", "DOGE": "9"}, market=market).verdict.value == "unknown"
    assert ask(BALANCE, "500", held={"USDT": "1"}, market=market).verdict.value == "fail"


def test_a_part_of_a_wallet_says_nothing_of_the_rest(ask):
    assert ask(BALANCE, "500", held={"USDC": "9000"}, whole=False).verdict.value == "unknown"
    assert ask(BALANCE, "500", held={"USDT": "500"}, whole=False).verdict.value == "pass"


@pytest.mark.parametrize("silent", [{"tells": False}, {"read": False}])
def test_it_is_not_asked_where_nothing_was_told(ask, silent):
    assert ask(BALANCE, "500", held={"USDT": "1"}, **silent) is None


@pytest.mark.parametrize(
    ("pairs", "verdict"),
    [
        ({"BTC/USDT": True, "ETH/USDT": True}, "pass"),
        ({"BTC/USDT": True, "ETH/USDT": False}, "fail"),
        ({"BTC/USDT": None, "ETH/USDT": False}, "fail"),
        ({"BTC/USDT": True, "ETH/USDT": None}, "unknown"),
        ({"BTC/USDT": True}, "unknown"),
        ({"SOL/USDT": True}, None),
        ({}, None),
    ],
)
def test_pairs_are_looked_up_in_what_is_listed(ask, pairs, verdict):
    found = ask(LISTED, pairs=pairs)
    assert (found and found.verdict.value) == verdict
    if verdict == "fail":
        assert found.evidence == "not open for trading on mexc spot: ETH/USDT"
        assert found.mark == HERE


AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=8)


@given(held=st.dictionaries(st.sampled_from(["USDT", "BTC", "DOGE"]), AMOUNTS), limit=AMOUNTS)
def test_no_finding_tells_what_somebody_holds(ask, held, limit):
    """Whatever is held, a finding has no figure but those that stand in git."""
    told = {
        finding.verdict: (finding.evidence, finding.cause, finding.fix)
        for finding in (
            ask(BALANCE, f"{limit:f}", held=held),
            ask(BALANCE, f"{limit:f}", held={name: amount * 7 + 3 for name, amount in held.items()}),
        )
    }
    for evidence, cause, fix in told.values():
        rest = evidence.replace(f"{limit:f} USDT", "").replace("s0", "")
        assert not any(character.isdigit() for character in rest + cause + fix)
