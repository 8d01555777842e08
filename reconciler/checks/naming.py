"""Can people tell connections apart by their names?"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.checks.check import Answer, Case, Check, failed, passed
from reconciler.model.desired import Connection, Market
from reconciler.model.finding import Severity

#: Words that fit every connection and therefore tell nothing of any.
FILLER = frozenset(
    {"a", "account", "api", "bot", "connection", "copy", "default", "demo", "exchange", "key", "keys"}
    | {"main", "misc", "my", "new", "old", "pro", "temp", "test", "testing", "the", "tmp", "trading"}
)

_MARKET_WORDS: Mapping[Market, frozenset[str]] = {
    Market.SPOT: frozenset({"spot"}),
    Market.MARGIN: frozenset({"margin"}),
    Market.FUTURES: frozenset({"futures", "future", "perp", "perps", "perpetual", "swap"}),
}


def name_unclear(case: Case) -> Answer:
    """Whether the name tells what the connection is, and nothing that it is not."""
    connection = case.connection
    words = frozenset(re.findall(r"[^\W_]+", connection.name.casefold()))
    mark = case.place("name")
    misled = _contradiction(connection, words)
    if misled is not None:
        return failed(f"{connection.name!r} says {misled}, but it is {_what(connection)}", mark=mark)
    telling = {word for word in words - FILLER - {connection.exchange} if not word.isdigit()}
    if not telling:
        return failed(f"{connection.name!r} does not tell which connection it is", mark=mark)
    return passed(f"{connection.name!r} is telling")


def name_duplicate(case: Case) -> Answer:
    """Whether no other connection has the same name, letter case and spaces aside."""
    mine = case.connection
    others = (other for other in case.desired.connections.values() if other.id != mine.id)
    twins = sorted(other.id for other in others if _folded(other) == _folded(mine))
    if twins:
        return failed(f"{mine.name!r} is also the name of {', '.join(twins)}", mark=case.place("name"))
    return passed("no other connection has this name")


def _contradiction(connection: Connection, words: frozenset[str]) -> str | None:
    """A market that the name speaks of, when it does not speak of the connection's own."""
    if words & _MARKET_WORDS[connection.market]:
        return None
    return next((market.value for market, signs in _MARKET_WORDS.items() if words & signs), None)


def _what(connection: Connection) -> str:
    return f"a {connection.market.value} connection on {connection.exchange}"


def _folded(connection: Connection) -> str:
    return " ".join(connection.name.casefold().split())


CHECKS = (
    Check(
        id="name-unclear",
        title="The name is clear",
        asks="Does the name tell which connection it is?",
        cause="The name is made of words that fit any connection, or speaks of another market.",
        fix="Name the exchange, the market and the purpose: `MEXC Spot Main`, `KuCoin Futures Conservative`.",
        explanation=(
            "Names are what people read in an alert at night. Words such as api, key, test, main or new, and "
            "numbers, tell nothing, and the exchange is known anyway: say what the connection is for."
        ),
        rule=name_unclear,
        severity=Severity.ADVISORY,
    ),
    Check(
        id="name-duplicate",
        title="The name is unique",
        asks="Does no other connection have this name?",
        cause="Two connections were given one name.",
        fix="Rename one of them.",
        explanation=(
            "Two connections of one name are confused with each other in every alert and every review."
        ),
        rule=name_duplicate,
        severity=Severity.ADVISORY,
    ),
)
