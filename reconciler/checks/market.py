"""Whether a strategy finds on its connection what it needs to trade: the money, and the pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from reconciler.checks.check import Answer, Entry, failed, few, passed, unknown
from reconciler.model.desired import Connection, Market, Strategy
from reconciler.model.finding import Severity
from reconciler.model.live import Observation, Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketCase:
    """A strategy that should run, and what was read of its connection.

    ``together`` are all strategies that should run on the connection, this one included;
    ``tells_wallet``: the exchange's answer about the balance also says what the account holds.
    """

    connection: Connection
    strategy: Strategy
    together: tuple[Strategy, ...]
    observation: Observation
    tells_wallet: bool


MarketRule: TypeAlias = Callable[[MarketCase], Answer | None]
"""The answer for one strategy; ``None`` where git asks nothing, or where this exchange is not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketCheck(Entry):
    """A rule about what a strategy finds on its connection, and its texts. It never blocks."""

    rule: MarketRule
    severity: Severity = Severity.ADVISORY
    waivable: bool = False


def margin_balance(case: MarketCase) -> Answer | None:
    """Whether the account holds the margin limit, and those of all strategies on the connection together."""
    limit = case.strategy.parameters.get("margin_limit")
    if limit is None or not case.tells_wallet or not balance_read(case.observation):
        return None
    currency, wallet = limit["currency"], case.observation.wallet
    held = wallet.of(currency) if wallet else None
    if wallet is None or held is None:
        return unknown(f"how much {currency} {case.connection.id} holds was not told")
    sharing = [one for one in case.together if _limit(one, currency) is not None]
    short = next((some for some in ([case.strategy], sharing) if _sum(some, currency) > held), None)
    if short is None:
        return passed(f"{case.connection.id} holds at least {_limits(sharing, currency)}")
    if _stands_in(case, wallet, currency):
        return unknown(
            f"{case.connection.id} holds less {currency} than {_limits(short, currency)}, and more in others",
            cause="Part of the money may be in a position at present, or in what also counts as margin.",
            fix="Nothing, if that is so; else move money to the account, or lower the margin limits.",
        )
    return failed(
        f"{case.connection.id} holds less {currency} than {_limits(short, currency)}",
        mark=case.strategy.marks.get("margin_limit", case.strategy.mark),
    )


def pair_listed(case: MarketCase) -> Answer | None:
    """Whether the exchange lists every pair as open for trading in the market of the connection."""
    told = {pair: case.observation.pairs.get(pair) for pair in case.strategy.pairs}
    if not told.keys() & case.observation.pairs.keys():
        return None
    where = f"{case.connection.exchange} {case.connection.market}"
    shut = [pair for pair, open_ in told.items() if open_ is False]
    if shut:
        return failed(
            f"not open for trading on {where}: {few(shut)}",
            mark=case.strategy.marks.get("pairs", case.strategy.mark),
        )
    if None in told.values():
        return unknown(f"the markets of {where} could not be read, or not in time")
    return passed(f"every pair is open for trading on {where}")


def balance_read(observation: Observation) -> bool:
    """Whether the balance was read; where it was not, `balance-unreadable` says so."""
    proof = observation.proofs.get("balance")
    return proof is not None and proof.failure is None


def _limit(strategy: Strategy, currency: str) -> Decimal | None:
    limit = strategy.parameters.get("margin_limit")
    return Decimal(limit["amount"]) if limit and limit["currency"] == currency else None


def _sum(strategies: Iterable[Strategy], currency: str) -> Decimal:
    limits = (_limit(strategy, currency) for strategy in strategies)
    return sum((limit for limit in limits if limit is not None), Decimal(0))


def _limits(strategies: list[Strategy], currency: str) -> str:
    """How the limits are called. What an account holds is told of it in no figure but these from git."""
    ids = sorted(strategy.id for strategy in strategies)
    whose = f"limit of {ids[0]}" if len(ids) == 1 else f"limits of {few(ids)} together"
    return f"the margin {whose}, {_sum(strategies, currency):f} {currency}"


def _stands_in(case: MarketCase, wallet: Wallet, currency: str) -> bool:
    """Whether something else in the wallet may be worth what ``currency`` falls short of.

    On spot that is what a pair's position is in; elsewhere anything may count as margin.
    """
    bases = {pair.partition("/")[0] for one in case.together for pair in one.pairs}
    spot = case.connection.market is Market.SPOT
    others = {name for name, amount in wallet.held.items() if amount > 0} - {currency}
    return bool(others & bases if spot else others)


CHECKS: Final = (
    MarketCheck(
        id="strategy-margin-balance",
        title="Margin is there",
        asks="Does the account hold the strategy's `margin_limit`, beside those of its neighbours?",
        cause="The account holds less than the strategies on this connection may tie up together.",
        fix="Move money to the account, or lower the margin limits.",
        explanation=(
            "The balance that is read anyway tells what the account holds in the connection's market, free "
            "or bound in orders. It is compared with the `margin_limit` in the same currency, and with the "
            "sum over all strategies that should run on the connection. What the account holds is never "
            "shown and never stored: a finding tells only that it is less, and names the limits of the "
            "files. An account that holds what the pairs trade, or on margin and futures anything else, may "
            "have its money there at present: then the answer is unknown. Not asked where an exchange's "
            "balance does not tell, or could not be read."
        ),
        rule=margin_balance,
    ),
    MarketCheck(
        id="strategy-pair-listed",
        title="Pairs can be traded",
        asks="Does the exchange list every pair of the strategy as open for trading in that market?",
        cause="The pair was delisted, trading in it is suspended, or its name has a slip.",
        fix="Correct the pair, or remove it from the strategy.",
        explanation=(
            "The exchange's public list of markets is asked once for everybody, without a key, only where a "
            "strategy should run, and remembered for an hour. Advisory: a bot whose pair is gone does no "
            "harm with its key, and a list that cannot be read must stop nobody. Not asked where "
            "`docs/exchanges` has no list for the kind of market."
        ),
        rule=pair_listed,
    ),
)
