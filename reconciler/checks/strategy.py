"""What policy asks of each strategy that should run, judged on the files alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal, Inexact, localcontext
from typing import Any, Final, TypeAlias

from reconciler.checks.check import Answer, Entry, failed, few, passed
from reconciler.model.desired import Policy, Strategy

Rule: TypeAlias = Callable[[Policy, Strategy], Answer | None]
"""The answer for one strategy; ``None`` where policy asks nothing."""

#: A hundred additions of a multiplier with 18 decimals have 1,800 decimals; were any lost, it would raise.
_EXACT: Final = Context(prec=4000, traps=[Inexact])


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyCheck(Entry):
    """A rule of policy and its texts. It always blocks: no waiver of a connection reaches it."""

    rule: Rule
    waivable: bool = False


def margin_limit(policy: Policy, strategy: Strategy) -> Answer | None:
    """Whether the strategy has a margin limit in the policy's currency, no higher than the policy's."""
    most = policy.max_margin_limit
    if most is None:
        return None
    allowed = f"policy allows at most {most.amount:f} {most.currency}"
    limit = strategy.parameters.get("margin_limit")
    if limit is None:
        return failed(f"{strategy.id} has no margin_limit, and {allowed}", mark=strategy.mark)
    told = f"the margin_limit of {strategy.id} is {limit['amount']} {limit['currency']}, and {allowed}"
    if limit["currency"] != most.currency or Decimal(limit["amount"]) > most.amount:
        return failed(told, mark=strategy.marks.get("margin_limit", strategy.mark))
    return passed(told)


def averaging(policy: Policy, strategy: Strategy) -> Answer | None:
    """Whether the position stays within the policy's factor of its first order after all additions."""
    most = policy.max_averaging_factor
    if most is None:
        return None
    given = strategy.parameters.get("averaging")
    if given is None:
        return passed(f"{strategy.id} does not average")
    additions, factor = grown(given, most)
    if factor > most:
        return failed(
            f"{strategy.id} would hold more than {most:f} times its first order after "
            f"{additions} of {given['max_additions']} additions of multiplier {given['multiplier']}",
            mark=strategy.marks.get("averaging", strategy.mark),
        )
    shown = factor.quantize(Decimal("0.01"), ROUND_CEILING)
    return passed(f"{strategy.id} would hold at most {shown} times its first order")


def grown(averaging: Mapping[str, Any], limit: Decimal) -> tuple[int, Decimal]:
    """After how many additions a position is how often its first order, exactly.

    After all of them, or after the first that takes it beyond ``limit``: powers of a large
    multiplier are never worked out to their end. The sum of ``multiplier`` to the powers from 0 on
    only grows, so nothing later brings it back.
    """
    multiplier, total = Decimal(averaging["multiplier"]), Decimal(1)
    with localcontext(_EXACT):
        for addition in range(1, averaging["max_additions"] + 1):
            total = 1 + multiplier * total
            if total > limit:
                return addition, total
    return averaging["max_additions"], total


def quotes(policy: Policy, strategy: Strategy) -> Answer | None:
    """Whether every pair is quoted, and of futures settled, in currencies that policy lists."""
    allowed = policy.allowed_quotes
    if not allowed:
        return None
    outside = [pair for pair in strategy.pairs if not set(currencies(pair)) <= set(allowed)]
    if not outside:
        return passed(f"{strategy.id} trades against {', '.join(allowed)} alone")
    named = few(outside)
    return failed(
        f"{strategy.id} trades {named}, and policy allows {', '.join(allowed)} alone",
        mark=strategy.marks.get("pairs", strategy.mark),
    )


def currencies(pair: str) -> tuple[str, ...]:
    """Quote and, of futures, settlement: ``("USD", "BTC")`` of ``ETH/USD:BTC-261225``."""
    return tuple(part.partition("-")[0] for part in pair.partition("/")[2].split(":"))


CHECKS: Final = (
    StrategyCheck(
        id="policy-margin-limit",
        title="Margin within policy",
        asks="Is the strategy's `margin_limit` set, and at most `policy.max_margin_limit`?",
        cause="The strategy may tie up more than the team allows, in another currency, or without any limit.",
        fix="Lower the strategy's margin_limit, or have the team raise policy.max_margin_limit.",
        explanation=(
            "A limit counts only in the policy's own currency, as the files know no rates. It binds what "
            "git declares; strategy-settings-taken tells where nothing makes a bot keep to its margin_limit."
        ),
        rule=margin_limit,
    ),
    StrategyCheck(
        id="policy-averaging",
        title="Averaging within policy",
        asks="Is the whole position at most `policy.max_averaging_factor` times its first order?",
        cause="The strategy adds so often, or so much more each time, that a fall makes its position huge.",
        fix="Lower max_additions or multiplier, or have the team raise policy.max_averaging_factor.",
        explanation=(
            "Buying more as the price falls (martingale) grows a position by the sum of multiplier to the "
            "powers from 0 to max_additions: six additions of multiplier 2 make 127 times the first order. "
            "The sum is exact. Only `averaging` is judged: that a bot does not average beyond it is asked by "
            "bot-averaging, as far as its runtime tells."
        ),
        rule=averaging,
    ),
    StrategyCheck(
        id="policy-quotes",
        title="Currencies within policy",
        asks="Is every pair quoted and settled in one of `policy.allowed_quotes`?",
        cause="The strategy trades against a currency that the team does not list.",
        fix="Remove the pair, or have the team add its currency to policy.allowed_quotes.",
        explanation=(
            "What a position is priced and settled in is what its losses are paid in. Of futures both count: "
            "BTC/USD:BTC needs USD and BTC."
        ),
        rule=quotes,
    ),
)
