"""Whether the bot behind a strategy is the one that git describes, by what its runtime says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from reconciler.checks.check import Answer, Entry, failed, few, passed
from reconciler.model.bot import Averaging, Bot
from reconciler.model.desired import Connection, Money, RuntimeSpec, Strategy
from reconciler.model.finding import Severity
from reconciler.model.taking import Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class BotCase:
    """What git says of a strategy, and what its runtime says of the bot.

    ``running``: it may open positions.
    """

    connection: Connection
    strategy: Strategy
    runtime: RuntimeSpec
    bot: Bot
    running: bool
    now: datetime


BotRule: TypeAlias = Callable[[BotCase], Answer | None]
"""The answer for one bot; ``None`` where git asks nothing, or where the runtime does not tell."""

#: Other names that ccxt, or a runtime, has for an exchange.
_ALIASES: Final = {"gateio": "gate", "huobi": "htx", "okex": "okx"}

#: A bot that works looks at the market every few seconds; clocks of two machines may differ a little.
_ALIVE: Final = timedelta(minutes=5)

_WORDS: Final = {Money.LIVE: "trades real money", Money.DRY_RUN: "only pretends to trade"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BotCheck(Entry):
    """A rule about the bot behind a strategy, and its texts. No waiver of a connection reaches it.

    ``judges`` are the parameters of the strategy that it compares the bot with.
    """

    rule: BotRule
    judges: tuple[Parameter, ...] = ()
    waivable: bool = False


def exchange(case: BotCase) -> Answer | None:
    """Whether the bot trades on the exchange of its connection."""
    told = case.bot.exchange
    if told is None:
        return None
    if _canonical(told) == _canonical(case.connection.exchange):
        return passed(f"the bot trades on {told}")
    return failed(
        f"the bot trades on {told}, and {case.connection.id} is a key of {case.connection.exchange}",
        mark=case.strategy.marks.get("connection", case.strategy.mark),
    )


def mode(case: BotCase) -> Answer | None:
    """Whether the bot trades real money exactly where git says so."""
    told, wanted = case.bot.money, case.runtime.mode or Money.LIVE
    if told is None:
        return None
    if told is wanted:
        return passed(f"the bot {_WORDS[told]}")
    return failed(
        f"the bot {_WORDS[told]}, and the files say `mode: {wanted.value}` of {case.runtime.id}",
        mark=case.runtime.marks.get("mode", case.runtime.mark),
    )


def market(case: BotCase) -> Answer | None:
    """Whether the bot trades on the market of its connection."""
    told, wanted = case.bot.market, case.connection.market
    if told is None:
        return None
    shown = f"{told} ({case.bot.account_mode})" if case.bot.account_mode else told.value
    if told is wanted:
        return passed(f"the bot trades {shown}")
    return failed(
        f"the bot trades {shown}, and {case.connection.id} is for {wanted}",
        mark=case.strategy.marks.get("connection", case.strategy.mark),
    )


def name(case: BotCase) -> Answer | None:
    """Whether the bot runs the strategy that git names in ``settings.strategy``."""
    told, wanted = case.bot.strategy, case.strategy.parameters.get("settings", {}).get("strategy")
    if told is None or wanted is None:
        return None
    if told == wanted:
        return passed(f"the bot runs {told}")
    return failed(
        f"the bot runs {told}, and the files name {wanted}",
        mark=case.strategy.marks.get("settings", case.strategy.mark),
    )


def pairs(case: BotCase) -> Answer | None:
    """Whether every pair that the bot trades is listed in git."""
    if case.bot.pairs is None:
        return None
    extra = sorted(set(case.bot.pairs) - set(case.strategy.pairs))
    if not extra:
        return passed("the bot trades no pair that the files do not list")
    return failed(
        f"the bot trades {few(extra)}, not listed in the files",
        mark=case.strategy.marks.get("pairs", case.strategy.mark),
    )


def pairs_missing(case: BotCase) -> Answer | None:
    """Whether the bot trades every pair that git lists."""
    if case.bot.pairs is None:
        return None
    missing = sorted(set(case.strategy.pairs) - set(case.bot.pairs))
    if not missing:
        return passed("the bot trades every pair that the files list")
    return failed(
        f"the files list {few(missing)}, not traded by the bot",
        mark=case.strategy.marks.get("pairs", case.strategy.mark),
    )


def stake(case: BotCase) -> Answer | None:
    """Whether all of the bot's trades together stay within the strategy's margin limit."""
    told, limit = case.bot.stake, case.strategy.parameters.get("margin_limit")
    if told is None or limit is None:
        return None
    allowed = f"its margin_limit is {limit['amount']} {limit['currency']}"
    most = "its whole balance" if told.most is None else f"{told.most:f} {told.currency}"
    if told.currency == limit["currency"] and told.most is not None and told.most <= Decimal(limit["amount"]):
        return passed(f"the bot ties up at most {most}, and {allowed}")
    return failed(
        f"the bot may tie up {most}, and {allowed}",
        mark=case.strategy.marks.get("margin_limit", case.strategy.mark),
    )


def averaging(case: BotCase) -> Answer | None:
    """Whether the bot adds to a position no more often, no earlier and no larger than git says."""
    told, written = case.bot.averaging, case.strategy.parameters.get("averaging")
    if told is None:
        return None
    wanted = _averaging(written) if written else Averaging(additions=0)
    both = f"the bot {_adds(told)}; the files say that it {_adds(wanted)}"
    if not _beyond(told, wanted):
        return passed(both)
    return failed(both, mark=case.strategy.marks.get("averaging", case.strategy.mark))


def account(case: BotCase) -> Answer | None:
    """Whether the runtime can trade on the account that it has, and whether that is the one of git."""
    told, wanted = case.bot.account, case.strategy.parameters.get("settings", {}).get("account_id")
    if told is None:
        return None
    if told.trouble:
        return failed(f"the bot's account there is {told.id} ({told.name}), and {told.trouble}")
    if wanted is None or str(wanted) == told.id:
        return passed(f"the bot's account there is {told.id} ({told.name})")
    return failed(
        f"the bot's account there is {told.id} ({told.name}), and the files name {wanted}",
        mark=case.strategy.marks.get("settings", case.strategy.mark),
    )


def alive(case: BotCase) -> Answer | None:
    """Whether a bot that is on has done its work lately."""
    if case.bot.heartbeat is None or not case.running:
        return None
    age = case.now - case.bot.heartbeat
    if age <= _ALIVE:
        return passed("the bot did its work within the last minutes")
    return failed(f"the bot has not done its work for {age.total_seconds() / 60:.0f} min")


def _canonical(exchange_id: str) -> str:
    return _ALIASES.get(exchange_id.lower(), exchange_id.lower())


def _averaging(written: Mapping[str, Any]) -> Averaging:
    return Averaging(
        additions=written["max_additions"],
        step=Decimal(written["step"].removesuffix("%")),
        multiplier=Decimal(written["multiplier"]),
    )


def _beyond(told: Averaging, wanted: Averaging) -> bool:
    """Whether more is at risk than is wanted. Of what is not told nothing is said."""
    if told.additions == 0:
        return False
    more = told.additions is None or told.additions > (wanted.additions or 0)
    earlier = told.step is not None and wanted.step is not None and told.step < wanted.step
    larger = (
        told.multiplier is not None and wanted.multiplier is not None and told.multiplier > wanted.multiplier
    )
    return more or earlier or larger


def _adds(one: Averaging) -> str:
    """``adds to a position at most 3 times, from 2% on, each up to 1.5 times the last``."""
    if one.additions == 0:
        return "never adds to a position"
    times = "without a limit" if one.additions is None else f"at most {one.additions} times"
    step = "" if one.step is None else f", from {one.step:f}% on"
    size = "" if one.multiplier is None else f", each up to {one.multiplier:f} times the last"
    return f"adds to a position {times}{step}{size}"


_NOT_OURS: Final = "The runtime runs another bot than git describes, or somebody changed the bot by hand."

CHECKS: Final = (
    BotCheck(
        id="bot-exchange",
        title="The bot's exchange",
        asks="Does the bot trade on the exchange of its connection?",
        cause=_NOT_OURS,
        fix="Point the bot at that exchange, or let the strategy use the connection of the key it runs on.",
        explanation=(
            "The key that passed the checks is one of the connection's exchange. A bot elsewhere trades on a "
            "key that nobody checked. No runtime tells which API key it uses: keys of one exchange cannot be "
            "told apart here."
        ),
        rule=exchange,
    ),
    BotCheck(
        id="bot-mode",
        title="Real money or not",
        asks="Does the bot trade real money exactly where the files say so?",
        cause=_NOT_OURS,
        fix="Change the bot's own configuration and restart it, or `mode` of its runtime in the files.",
        explanation=(
            "Without `mode` a runtime is expected to trade real money: a bot that silently pretends looks "
            "as if it worked. A bot on an exchange's demo environment counts as pretending."
        ),
        rule=mode,
    ),
    BotCheck(
        id="bot-market",
        title="The bot's market",
        asks="Does the bot trade on the market of its connection: spot, margin or futures?",
        cause=_NOT_OURS,
        fix="Change the bot's trading mode, or let the strategy use a connection of that market.",
        explanation="What a key must be able to do follows from its connection's market.",
        rule=market,
    ),
    BotCheck(
        id="bot-strategy",
        title="The bot's strategy",
        asks="Does the bot run the strategy that `settings.strategy` names?",
        cause=_NOT_OURS,
        fix="Start the bot with that strategy, or correct `settings.strategy`.",
        explanation="Asked only where the files name one, as the runtime itself calls it.",
        rule=name,
    ),
    BotCheck(
        id="bot-pairs",
        title="No other pairs",
        asks="Does the bot trade no pair that the files do not list?",
        cause="The bot's own list of pairs holds more than the files, or it chooses pairs by itself.",
        fix="Give the bot exactly the pairs of the files, or have the others reviewed.",
        explanation=(
            "Pairs are reviewed in git, and policy.allowed_quotes is judged by them. Asked as far as the "
            "runtime tells what it trades; some tell only while the bot is on."
        ),
        rule=pairs,
        judges=(Parameter.PAIRS,),
    ),
    BotCheck(
        id="bot-pairs-missing",
        title="All pairs",
        asks="Does the bot trade every pair that the files list?",
        cause="The bot's own list of pairs holds fewer than the files.",
        fix="Add the pairs to the bot's configuration, or remove them from the files.",
        explanation="Trading less than was reviewed does no harm, but is hardly meant.",
        severity=Severity.ADVISORY,
        rule=pairs_missing,
        judges=(Parameter.PAIRS,),
    ),
    BotCheck(
        id="bot-stake",
        title="The bot's stake",
        asks="Do all of the bot's trades together tie up at most the strategy's `margin_limit`?",
        cause="The bot's stake, times how many trades it may have at once, is more than the margin limit.",
        fix="Lower the stake or the number of trades in the bot's configuration, or raise `margin_limit`.",
        explanation=(
            "Asked where the strategy has a margin_limit and the runtime tells its stake. A bot that may "
            "use its whole balance has no limit. Averaging can add to a stake: keep room for it."
        ),
        rule=stake,
        judges=(Parameter.MARGIN_LIMIT,),
    ),
    BotCheck(
        id="bot-account",
        title="The bot's account",
        asks="Can the runtime trade on its account at the exchange, and is it the one that the files name?",
        cause="The runtime says that it cannot trade on that account, or the bot was moved to another.",
        fix="Mend the account in the runtime, such as by giving it the exchange key anew; or name the right "
        "one in `settings.account_id`.",
        explanation=(
            "Asked of runtimes that hold exchange keys themselves, as 3Commas does. What they say of their "
            "own key counts beside what the exchange says of the connection's: they may be two keys."
        ),
        rule=account,
    ),
    BotCheck(
        id="bot-averaging",
        title="The bot's averaging",
        asks="Does the bot add to a position no more often, no earlier and no larger than `averaging` says?",
        cause="The bot adds to positions that lose, though the files say never, less often, later or less.",
        fix=(
            "Limit or switch off adding to positions in the bot's configuration, or state `averaging` and "
            "have it reviewed."
        ),
        explanation=(
            "Each addition ties up more margin in a position that loses. A strategy without `averaging` is "
            "reviewed as one that never adds; policy.max_averaging_factor is judged by what the files state. "
            "Asked as far as the runtime tells it; one that adds less than was reviewed passes."
        ),
        rule=averaging,
        judges=(Parameter.MAX_ADDITIONS, Parameter.STEP, Parameter.MULTIPLIER),
    ),
    BotCheck(
        id="bot-alive",
        title="The bot works",
        asks="Has a bot that is on done its work within the last five minutes?",
        cause="The bot is stuck, waits for an exchange that refuses it, or its machine sleeps.",
        fix="Read the bot's own log. A bot that cannot reach its exchange cannot close positions either.",
        explanation=(
            "What a runtime calls running is often only what it was asked to do; when the bot last finished "
            "a round of its work is the proof."
        ),
        severity=Severity.ADVISORY,
        rule=alive,
    ),
)
