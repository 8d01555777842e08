"""What Binance's spot API tells anybody of its markets: enough for a bot to trade on paper.

Sources: BSPOT is binance/binance-spot-api-docs ``rest-api.md``. Prices are a wave of their own moment, so
that a candle that is asked for twice is the same, and a clock that is given decides all of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from reconciler.sandbox.scenario import ExchangeSpec, Traded
from reconciler.sandbox.venue import Incoming, Json, Refused, Route, milliseconds

#: Where the price of each symbol's base in its quote swings around.
_MIDDLE: Final = {("BTC", "USDT"): 60_000.0, ("ETH", "USDT"): 3_000.0, ("BNB", "USDT"): 600.0}
_SWING: Final = 0.02
_WAVE_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_UNITS: Final = {"m": 1, "h": 60, "d": 1440, "w": 10_080}
_MOST_CANDLES: Final = 1000
_USUAL_CANDLES: Final = 500
_DEPTH: Final = 20
_TICK: Final = 0.01
_VOLUME: Final = "12.50000000"


def routes(spec: ExchangeSpec) -> tuple[Route, ...]:
    """Ping, exchange information, candles, order book and tickers of the spot API, for anybody."""
    return tuple(
        Route(path=f"/api/v3/{name}", answer=answer, signed=False)
        for name, answer in (
            ("ping", lambda _: {}),
            ("exchangeInfo", lambda asked: _exchange_info(asked, spec)),
            ("klines", _klines),
            ("depth", _depth),
            ("ticker/24hr", _tickers),
            ("ticker/bookTicker", _book_tickers),
            ("ticker/price", _prices),
        )
    )


def _symbols() -> dict[str, tuple[str, str]]:
    return {base + quote: (base, quote) for base, quote in _MIDDLE}


def _exchange_info(asked: Incoming, spec: ExchangeSpec) -> Json:
    """BSPOT "Exchange information": every symbol, or those of one ``symbolStatus``."""
    wanted = asked.params.get("symbolStatus")
    symbols = [_symbol(pair, sets=asked.params.get("showPermissionSets") != "false") for pair in spec.spot()]
    return {
        "timezone": "UTC",
        "serverTime": asked.now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [symbol for symbol in symbols if wanted in (None, symbol["status"])],
    }


def _symbol(pair: Traded, *, sets: bool) -> Json:
    """One symbol, with the filters that decide on sizes and prices."""
    digits = {f"{side}{name}Precision": 8 for side in ("base", "quote") for name in ("Asset", "Commission")}
    sizes = {"minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"}
    prices = {"minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"}
    return digits | {
        "symbol": pair.base + pair.quote,
        "status": "TRADING" if pair.open else "BREAK",
        "baseAsset": pair.base,
        "quoteAsset": pair.quote,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": [
            {"filterType": "PRICE_FILTER", **prices},
            {"filterType": "LOT_SIZE", **sizes},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
        ],
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]] if sets else [],
    }


def _klines(asked: Incoming) -> Json:
    """BSPOT "Kline/Candlestick data": from ``startTime`` on, or the latest."""
    symbol, step = _known(asked), _interval(asked.params.get("interval", ""))
    limit = min(milliseconds(asked.params.get("limit")) or _USUAL_CANDLES, _MOST_CANDLES)
    newest = min(milliseconds(asked.params.get("endTime")) or asked.now_ms, asked.now_ms) // step * step
    start = milliseconds(asked.params.get("startTime"))
    first = newest - (limit - 1) * step if start is None else -(-start // step) * step
    return [_candle(symbol, at, step) for at in range(first, newest + 1, step)[:limit]]


def _candle(symbol: str, at: int, step: int) -> Json:
    opened, closed = _price(symbol, at), _price(symbol, at + step)
    highest, lowest = max(opened, closed) * 1.0005, min(opened, closed) * 0.9995
    prices = [f"{price:.8f}" for price in (opened, highest, lowest, closed)]
    return [at, *prices, _VOLUME, at + step - 1, "100000.00000000", 100, "6.0", "50000.0", "0"]


def _depth(asked: Incoming) -> Json:
    """BSPOT "Order book": a spread of two ticks around the price."""
    price = _price(_known(asked), asked.now_ms)
    return {
        "lastUpdateId": asked.now_ms,
        "bids": [[f"{price - level * _TICK:.8f}", _VOLUME] for level in range(1, _DEPTH + 1)],
        "asks": [[f"{price + level * _TICK:.8f}", _VOLUME] for level in range(1, _DEPTH + 1)],
    }


def _tickers(asked: Incoming) -> Json:
    """BSPOT "24hr ticker price change statistics"."""
    return _one_or_all(asked, [_ticker(asked, symbol) for symbol in _asked_for(asked)])


def _ticker(asked: Incoming, symbol: str) -> Json:
    price = _price(symbol, asked.now_ms)
    day = 24 * 60 * _MINUTE_MS
    middle = _MIDDLE[_symbols()[symbol]]
    return {
        "symbol": symbol,
        "priceChange": "0.00000000",
        "priceChangePercent": "0.000",
        "weightedAvgPrice": f"{middle:.8f}",
        "prevClosePrice": f"{price:.8f}",
        "lastPrice": f"{price:.8f}",
        "lastQty": _VOLUME,
        **_best(price),
        "openPrice": f"{_price(symbol, asked.now_ms - day):.8f}",
        "highPrice": f"{middle * (1 + _SWING):.8f}",
        "lowPrice": f"{middle * (1 - _SWING):.8f}",
        "volume": "18000.00000000",
        "quoteVolume": f"{18_000 * middle:.8f}",
        "openTime": asked.now_ms - day,
        "closeTime": asked.now_ms,
        "firstId": 1,
        "lastId": 144_000,
        "count": 144_000,
    }


def _book_tickers(asked: Incoming) -> Json:
    """BSPOT "Symbol order book ticker"."""
    told = [{"symbol": one, **_best(_price(one, asked.now_ms))} for one in _asked_for(asked)]
    return _one_or_all(asked, told)


def _prices(asked: Incoming) -> Json:
    """BSPOT "Symbol price ticker"."""
    told = [{"symbol": one, "price": f"{_price(one, asked.now_ms):.8f}"} for one in _asked_for(asked)]
    return _one_or_all(asked, told)


def _best(price: float) -> dict[str, str]:
    return {
        "bidPrice": f"{price - _TICK:.8f}",
        "bidQty": _VOLUME,
        "askPrice": f"{price + _TICK:.8f}",
        "askQty": _VOLUME,
    }


def _asked_for(asked: Incoming) -> Iterator[str]:
    """``symbol=BTCUSDT``, ``symbols=["BTCUSDT"]``, or all of them."""
    if "symbol" in asked.params:
        yield _known(asked)
        return
    listed = asked.params.get("symbols")
    yield from (one for one in _symbols() if listed is None or f'"{one}"' in listed)


def _one_or_all(asked: Incoming, told: list[Json]) -> Json:
    return told[0] if "symbol" in asked.params else told


def _known(asked: Incoming) -> str:
    symbol = asked.params.get("symbol", "")
    if symbol not in _symbols():
        raise Refused("bad_symbol")
    return symbol


def _interval(text: str) -> int:
    """``5m`` in milliseconds."""
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or not int(number) or unit not in _UNITS:
        raise Refused("bad_interval")
    return int(number) * _UNITS[unit] * _MINUTE_MS


def _price(symbol: str, at: int) -> float:
    """What one costs at a moment, in milliseconds since 1970."""
    wave = _SWING * math.sin(2 * math.pi * at / _WAVE_MS)
    return round(_MIDDLE[_symbols()[symbol]] * (1 + wave), 2)
