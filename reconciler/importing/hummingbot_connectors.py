"""Hummingbot's connectors as exchanges and markets of ours, and the names under which it keeps their keys.

Read in ``hummingbot/connector/{exchange,derivative}/*/*_utils.py`` (July 2026): each connector's class of
configuration names its secrets after the connector. Testnets, paper trade and decentralised exchanges have
no key of ours, and are not in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from reconciler.exchanges import registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """``fields`` gives Hummingbot's name for each of our credential fields."""

    exchange: str
    market: str
    fields: tuple[tuple[str, str], ...]


def _one(exchange: str, prefix: str, secret: str, *, market: str = "spot") -> Connector:
    named = {
        "api_key": f"{prefix}_api_key",
        "secret": f"{prefix}_{secret}",
        "passphrase": f"{prefix}_passphrase",
    }
    fields = tuple((name, named[name]) for name in registry.get(exchange).credentials)
    return Connector(exchange=exchange, market=market, fields=fields)


def _futures(exchange: str, prefix: str, secret: str) -> Connector:
    return _one(exchange, prefix, secret, market="futures")


CONNECTORS: Final = MappingProxyType(
    {
        "binance": ("binance", "binance", "api_secret"),
        "binance_perpetual": ("binance", "binance_perpetual", "api_secret"),
        "bing_x": ("bingx", "bingx", "api_secret"),
        "bitget": ("bitget", "bitget", "secret_key"),
        "bitget_perpetual": ("bitget", "bitget_perpetual", "secret_key"),
        "bitrue": ("bitrue", "bitrue", "api_secret"),
        "bitstamp": ("bitstamp", "bitstamp", "api_secret"),
        "bybit": ("bybit", "bybit", "api_secret"),
        "bybit_perpetual": ("bybit", "bybit_perpetual", "secret_key"),
        "coinbase_advanced_trade": ("coinbase", "coinbase_advanced_trade", "api_secret"),
        "gate_io": ("gate", "gate_io", "secret_key"),
        "gate_io_perpetual": ("gate", "gate_io_perpetual", "secret_key"),
        "gemini": ("gemini", "gemini", "api_secret"),
        "htx": ("htx", "htx", "secret_key"),
        "kraken": ("kraken", "kraken", "secret_key"),
        "kucoin": ("kucoin", "kucoin", "secret_key"),
        "kucoin_perpetual": ("kucoin", "kucoin_perpetual", "secret_key"),
        "mexc": ("mexc", "mexc", "api_secret"),
        "okx": ("okx", "okx", "secret_key"),
        "okx_perpetual": ("okx", "okx_perpetual", "secret_key"),
    }
)
"""Our exchange, Hummingbot's prefix of the fields, and its name for the secret, by connector."""


def connector(name: str) -> Connector | None:
    """What a connector is here; ``None`` for one that is not taken over."""
    found = CONNECTORS.get(name)
    if found is None or not registry.known(found[0]):
        return None
    return _futures(*found) if name.endswith("_perpetual") else _one(*found)
