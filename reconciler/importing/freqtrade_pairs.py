"""Which pairs a freqtrade bot trades, as far as its configuration says so once and for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from reconciler.importing.found import Left
from reconciler.importing.node import Node

_PAIR: Final = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}(:[A-Z0-9]{1,20}(-[0-9]{6})?)?")
#: As many as one strategy of ours may have.
_MOST: Final = 1000

#: Handlers that only take pairs away, at any place but the first (``freqtrade/plugins/pairlist``, 2026.9).
_FILTERS: Final = frozenset(
    f"{name}Filter"
    for name in (
        *("Age", "Delist", "FullTrades", "Offset", "PairInformation", "Performance", "Precision", "Price"),
        *("RangeStability", "Shuffle", "Spread", "Volatility"),
    )
) | {"VolumePairList", "PercentChangePairList", "MarketCapPairList", "CrossMarketPairList"}
_KNOWN: Final = _FILTERS | {"StaticPairList", "ProducerPairList", "RemotePairList"}


def pairs_of(config: Node, *, futures: bool) -> tuple[tuple[str, ...], tuple[Left, ...]]:
    """The pairs that can be reviewed, each once, and what was left out; no pairs where the bot chooses."""
    left = list(_choosing(config))
    if left:
        return (), tuple(left)
    found: dict[str, None] = {}
    for node in config.items("exchange", "pair_whitelist"):
        pair = node.value if isinstance(node.value, str) else ""
        if not _PAIR.fullmatch(pair):
            why = "it is a pattern, or no pair that ccxt knows the form of; files name each pair"
            left.append(Left(mark=node.mark, what="an entry of exchange.pair_whitelist", why=why))
        elif (":" in pair) != futures:
            market = "futures" if futures else "spot"
            left.append(
                Left(mark=node.mark, what=pair, why=f"it is no {market} pair, and the bot trades {market}")
            )
        else:
            found[pair] = None
    if blacklist := config.items("exchange", "pair_blacklist"):
        why = "it stays freqtrade's; a pair on both lists is not traded, and bot-pairs-missing tells of it"
        left.append(Left(mark=blacklist[0].mark, what="exchange.pair_blacklist", why=why))
    if len(found) > _MOST:
        where = config.get("exchange", "pair_whitelist") or config
        left.append(Left(mark=where.mark, what="exchange.pair_whitelist", why=f"more than {_MOST} pairs"))
        return (), tuple(left)
    return tuple(found), tuple(left)


def _choosing(config: Node) -> Iterator[Left]:
    """Each handler that brings pairs of its own: nobody can review those, and `bot-pairs` would stop it."""
    for number, handler in enumerate(config.items("pairlists")):
        method = handler.text("method")
        static = method == "StaticPairList" if number == 0 else method in _FILTERS | {"StaticPairList"}
        if not static:
            what = f"pairlists: {method}" if method in _KNOWN else "pairlists: a method that is not known"
            why = "it chooses pairs by itself, and files name each pair: begin with StaticPairList"
            yield Left(mark=handler.mark, what=what, why=why)
