"""What policy asks of strategies: verdict, words and place, and sums that no rounding turns."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.checks import evaluate_strategy
from reconciler.checks.strategy import currencies, grown
from reconciler.model.desired import MarginLimit, Policy
from reconciler.model.errors import Mark
from reconciler.model.finding import Severity, Subject, Verdict

DECIMALS = st.from_regex(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", fullmatch=True).filter(
    lambda text: Decimal(text) > 0
)
LINE = Mark(file="connections.yaml", line=70)
ALL = Policy(
    max_margin_limit=MarginLimit(amount=Decimal(1000), currency="USDT"),
    max_averaging_factor=Decimal(8),
    allowed_quotes=("USDC", "USDT"),
)


@pytest.fixture
def ask(make):
    """The one finding for a strategy with these parameters under a policy of one rule."""

    def work(policy, *, pairs=("BTC/USDT",), **parameters):
        base = make.strategy()
        marks = dict.fromkeys(("margin_limit", "averaging", "pairs"), LINE)
        strategy = replace(
            base, pairs=pairs, parameters={"pairs": list(pairs), **parameters}, marks=base.marks | marks
        )
        (found,) = evaluate_strategy(policy, strategy)
        return found

    return work


def averaging(additions, multiplier):
    return {"max_additions": additions, "step": "2%", "multiplier": multiplier}


def limit(amount, currency="USDT"):
    return Policy(max_margin_limit=MarginLimit(amount=Decimal(amount), currency=currency))


@pytest.mark.parametrize(
    ("amount", "currency", "verdict"),
    [
        ("999.99", "USDT", "pass"),
        ("1000", "USDT", "pass"),
        ("1000.000000000000000000", "USDT", "pass"),
        ("1000.000000000000000001", "USDT", "fail"),
        ("1", "USDC", "fail"),
    ],
)
def test_a_margin_limit_is_compared_to_the_last_digit_in_one_currency(ask, amount, currency, verdict):
    found = ask(limit("1000"), margin_limit={"amount": amount, "currency": currency})
    assert found.verdict == verdict
    assert f"the margin_limit of grid is {amount} {currency}" in found.evidence
    assert "at most 1000 USDT" in found.evidence
    assert (found.mark == LINE) == (verdict == "fail")


def test_a_strategy_without_a_margin_limit_ties_up_any_amount(ask, make):
    found = ask(limit("1000"))
    assert found.verdict is Verdict.FAIL
    assert "grid has no margin_limit" in found.evidence
    assert found.mark == make.mark


@pytest.mark.parametrize(
    ("additions", "multiplier", "most", "verdict"),
    [
        (3, "1.5", "8.125", "pass"),
        (3, "1.5", "8.124999999999999999", "fail"),
        (0, "999999999999999999", "1", "pass"),
        (1, "0.000000000000000001", "1", "fail"),
        (100, "1", "101", "pass"),
        (100, "1", "100", "fail"),
        (100, "0.999999999999999999", "101", "pass"),
        (6, "1.8", "8", "fail"),
    ],
)
def test_the_whole_position_counts_after_all_additions(ask, additions, multiplier, most, verdict):
    policy = Policy(max_averaging_factor=Decimal(most))
    found = ask(policy, averaging=averaging(additions, multiplier))
    assert found.verdict == verdict
    assert (found.mark == LINE) == (verdict == "fail")


def test_where_averaging_leaves_its_bound_is_told(ask):
    policy = Policy(max_averaging_factor=Decimal(8))
    found = ask(policy, averaging=averaging(6, "2"))
    assert "more than 8 times its first order after 3 of 6 additions of multiplier 2" in found.evidence
    assert "at most 7.51 times" in ask(policy, averaging=averaging(3, "1.441")).evidence
    assert ask(policy).evidence == "grid does not average"


@given(
    additions=st.integers(0, 100), multiplier=DECIMALS, most=DECIMALS.filter(lambda text: Decimal(text) >= 1)
)
def test_the_factor_is_the_sum_of_powers_exactly(additions, multiplier, most):
    after, factor = grown(averaging(additions, multiplier), Decimal(most))
    powers = (Fraction(multiplier) ** power for power in range(after + 1))
    assert Fraction(factor) == sum(powers)
    assert after == additions or factor > Decimal(most)
    if after:
        before, less = grown(averaging(after - 1, multiplier), Decimal(most))
        assert before == after - 1
        assert less <= Decimal(most)


def test_the_longest_sum_takes_no_time():
    started = process_time()
    for multiplier in (
        "999999999999999999.999999999999999999",
        "0.999999999999999999",
        "1.999999999999999999",
    ):
        grown(averaging(100, multiplier), Decimal(999999999999999999))
    assert process_time() - started < 5


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("BTC/USDT", ("USDT",)),
        ("BTC/USDT:USDT", ("USDT", "USDT")),
        ("ETH/USD:BTC-261225", ("USD", "BTC")),
    ],
)
def test_what_a_pair_is_quoted_and_settled_in(pair, told):
    assert currencies(pair) == told


@pytest.mark.parametrize(
    ("pairs", "named"),
    [
        (("BTC/USDT", "ETH/USDC"), None),
        (("BTC/USDT:USDT",), None),
        (("USDT/EUR",), "USDT/EUR,"),
        (("BTC/USD:USDT",), "BTC/USD:USDT,"),
        (("BTC/USDT:BTC",), "BTC/USDT:BTC,"),
        (("BTC/USDT", "A/E", "B/E", "C/E", "D/E", "F/E"), "A/E, B/E, C/E and 2 more,"),
    ],
)
def test_every_currency_behind_the_slash_must_be_listed(ask, pairs, named):
    found = ask(Policy(allowed_quotes=("USDC", "USDT")), pairs=pairs)
    assert found.verdict is (Verdict.FAIL if named else Verdict.PASS)
    if named:
        assert f"grid trades {named} and policy allows USDC, USDT alone" in found.evidence
        assert found.mark == LINE


def test_what_policy_does_not_set_and_what_git_has_off_is_not_judged(make):
    assert evaluate_strategy(Policy(), make.strategy()) == ()
    assert evaluate_strategy(ALL, make.strategy(enabled=False)) == ()


def test_findings_are_of_the_strategy_block_and_say_how_to_mend_it(make):
    wild = replace(
        make.strategy(),
        pairs=("BTC/EUR",),
        parameters={"averaging": averaging(100, "9"), "pairs": ["BTC/EUR"]},
    )
    found = evaluate_strategy(ALL, wild)
    assert [one.check for one in found] == ["policy-margin-limit", "policy-averaging", "policy-quotes"]
    for one in found:
        assert (one.subject, one.subject_id, one.severity) == (Subject.STRATEGY, "grid", Severity.BLOCKING)
        assert one.blocks
        assert one.cause
        assert one.fix
        assert one.mark == make.mark
    tame = replace(
        make.strategy(),
        parameters={"pairs": ["BTC/USDT"], "margin_limit": {"amount": "5", "currency": "USDT"}},
    )
    assert {one.verdict for one in evaluate_strategy(ALL, tame)} == {Verdict.PASS}
    assert not any(one.cause or one.fix for one in evaluate_strategy(ALL, tame))
