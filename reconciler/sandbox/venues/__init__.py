"""The venues by exchange id; a new one is its module and its line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from reconciler.model.errors import UsageError

if TYPE_CHECKING:
    from reconciler.sandbox.venue import Venue

#: Exchange id to the class that speaks its protocol, as ``module:class``.
VENUES: Final = {
    "binance": "binance:Binance",
    "bingx": "bingx:Bingx",
    "bitget": "bitget:Bitget",
    "bybit": "bybit:Bybit",
    "coinbase": "coinbase:Coinbase",
    "gate": "gate:Gate",
    "htx": "htx:Htx",
    "kucoin": "kucoin:Kucoin",
    "mexc": "mexc:Mexc",
    "okx": "okx:Okx",
}


def venue(exchange: str) -> type[Venue]:
    """The venue class of an exchange.

    Raises:
        UsageError: the sandbox does not speak this exchange.
    """
    if exchange not in VENUES:
        known = ", ".join(sorted(VENUES))
        raise UsageError(f"the sandbox does not speak {exchange!r}", hint=f"it speaks {known}")
    module, name = VENUES[exchange].split(":")
    found: type[Venue] = getattr(import_module(f"{__name__}.{module}"), name)
    return found
