"""Which exchanges can be read: one line each, its module imported only when asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Final

from reconciler.exchanges import generic
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
    "kraken": "kraken",
    "kucoin": "kucoin",
    "mexc": "mexc",
    "okx": "okx",
}


def ids() -> tuple[str, ...]:
    """The ids of the exchanges that have a module of their own, sorted."""
    return tuple(sorted(_MODULES))


def others() -> tuple[str, ...]:
    """The ccxt ids that are read generically (:mod:`reconciler.exchanges.generic`), sorted."""
    return tuple(ccxt_id for ccxt_id in generic.ids() if ccxt_id not in _MODULES)


def known(exchange: str) -> bool:
    """Whether ``exchange`` can be read, by a module of its own or generically, told without ccxt."""
    return exchange in _MODULES or exchange in generic.ids()


def refusal(exchange: str) -> str | None:
    """Why an exchange that ccxt knows cannot be read; ``None`` for one that can be, or that nobody knows."""
    return None if exchange in _MODULES else generic.refusal(exchange)


@cache
def get(exchange: str) -> Exchange:
    """The reader of ``exchange``. Raise :class:`ObservationError` for an id that is not known."""
    if exchange in _MODULES:
        reader: Exchange = import_module(f"reconciler.exchanges.{_MODULES[exchange]}").EXCHANGE
        return reader
    if exchange in generic.ids():
        return generic.reader(exchange)
    why = refusal(exchange) or "neither this tool nor ccxt knows it"
    raise ObservationError(
        f"the exchange {exchange!r} cannot be read: {why}", hint=f"use one of: {', '.join(ids())}"
    )
