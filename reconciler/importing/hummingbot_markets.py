"""Which pairs of which connector a bot's file names, whatever kind of strategy it is.

Controllers say ``connector_name`` and ``trading_pair``, some inside others or with a word before
(``maker_connector``, ``maker_trading_pair``); older strategies say ``exchange`` or ``derivative``, and
``market``. One that cannot be matched is told, so that no second exchange is overlooked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.importing.node import Node

_CONNECTOR: Final = re.compile(r"(.*?)(connector_name|connector|exchange|derivative|market)")
_PAIRS: Final = ("trading_pair", "trading_pairs", "market", "markets")
#: They read prices and place no order.
_READS: Final = re.compile(r"candles?_.*|price_source.*|rate_.*|.*_price_source|conversion_.*")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,60}")
_PAIR: Final = re.compile(r"([A-Z0-9]{1,20})-([A-Z0-9]{1,20})")


@dataclass(frozen=True, slots=True)
class Traded:
    """A connector with the pairs named for it, in Hummingbot's spelling; none where none can be told."""

    connector: str
    pairs: tuple[str, ...]


def traded(config: Node) -> tuple[Traded, ...]:
    """Every connector that the file names to trade on."""
    return tuple(_traded(config))


def _traded(node: Node) -> Iterator[Traded]:
    if isinstance(node.value, list):
        for child in node.value:
            yield from _traded(child)
    elif isinstance(node.value, dict):
        for name, child in node.value.items():
            if _READS.fullmatch(name):
                continue
            found = _CONNECTOR.fullmatch(name)
            if found and isinstance(child.value, str) and _NAME.fullmatch(child.value):
                yield Traded(child.value, _pairs(node, found[1], name))
            else:
                yield from _traded(child)


def _pairs(node: Node, prefix: str, name: str) -> tuple[str, ...]:
    """What stands beside the connector under a name of the same beginning."""
    for word in _PAIRS:
        for key in (f"{prefix}{word}", f"{name}_{word}"):
            one = node.get(key)
            if one is None or key == name:
                continue
            listed = one.value if isinstance(one.value, list) else [one]
            texts = [part.strip() for item in listed for part in _text(item).split(",")]
            if texts and all(_PAIR.fullmatch(text) for text in texts):
                return tuple(texts)
    return ()


def _text(node: Node) -> str:
    return node.value if isinstance(node.value, str) else ""


def symbol(pair: str, *, futures: bool) -> str:
    """``BTC-USDT`` as ccxt writes it: ``BTC/USDT``, and ``BTC/USDT:USDT`` of a perpetual."""
    base, _, quote = pair.partition("-")
    return f"{base}/{quote}:{quote}" if futures else f"{base}/{quote}"


def quote(pair: str) -> str:
    """The currency that a pair is quoted in."""
    return pair.partition("-")[2]
