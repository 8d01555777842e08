"""Which exchanges can be read: one line each, its module imported only when asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from reconciler.exchanges.interface import Exchange
from reconciler.model.errors import ObservationError

#: Exchange id -> module of this package; each module gives its instance as ``EXCHANGE``.
_MODULES: Final = {
    "binance": "binance",
    "bingx": "bingx",
    "bitget": "bitget",
    "bybit": "bybit",
    "coinbase": "coinbase",
    "gate": "gate",
    "htx": "htx",
    "kucoin": "kucoin",
    "mexc": "mexc",
    "okx": "okx",
}


def ids() -> tuple[str, ...]:
    """The ids of every exchange that can be read, sorted."""
    return tuple(sorted(_MODULES))


def known(exchange: str) -> bool:
    """Whether ``exchange`` is the id of one that can be read."""
    return exchange in _MODULES


@cache
def get(exchange: str) -> Exchange:
    """The reader of ``exchange``. Raise :class:`ObservationError` for an id that is not known."""
    if not known(exchange):
        raise ObservationError(
            f"the exchange {exchange!r} cannot be read", hint=f"use one of: {', '.join(ids())}"
        )
    reader: Exchange = import_module(f"reconciler.exchanges.{_MODULES[exchange]}").EXCHANGE
    return reader
