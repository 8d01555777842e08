"""What the exchanges tell anybody of their markets, in the shapes in which their documents show them.

Sources are named as in each venue's own module; where these show no example, the shape is the one that
ccxt 4.5.90 quotes in its reader of it ([CX]). Of the many fields each row has those that say which market it
is and whether it is open, and the sizes without which it would be no market.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from reconciler.sandbox.scenario import ExchangeSpec, Traded
from reconciler.sandbox.venue import Incoming, Json, Refused, Route

Row: TypeAlias = dict[str, Any]

_STABLE: Final = ("USDT", "USDC")


def _public(path: str, answer: Callable[[Incoming], Json], *, host: str = "", weight: float = 1.0) -> Route:
    return Route(path=path, answer=answer, host=host, signed=False, weight=weight)


def _linear(spec: ExchangeSpec) -> list[Traded]:
    return spec.futures(*_STABLE)


def binance_futures(spec: ExchangeSpec) -> Route:
    """FAPI "Exchange Information"."""

    def row(pair: Traded) -> Row:
        names = {"baseAsset": pair.base, "quoteAsset": pair.quote, "marginAsset": pair.settle}
        kind = {
            "pair": pair.base + pair.quote,
            "contractType": "PERPETUAL",
            "deliveryDate": 4_133_404_800_000,
        }
        sizes = {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"}
        prices = {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "100000", "tickSize": "0.01"}
        state = {"symbol": pair.base + pair.quote, "status": "TRADING" if pair.open else "SETTLING"}
        precision = {
            "pricePrecision": 2,
            "quantityPrecision": 3,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
        }
        rest = {"filters": [prices, sizes], "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC"]}
        return state | kind | names | precision | rest

    def answer(asked: Incoming) -> Json:
        limits: Row = {"rateLimits": [], "exchangeFilters": []}
        symbols = [row(pair) for pair in _linear(spec)]
        return {"timezone": "UTC", "serverTime": asked.now_ms} | limits | {"symbols": symbols}

    return _public("/fapi/v1/exchangeInfo", answer)


def bingx(spec: ExchangeSpec) -> tuple[Route, ...]:
    """[CX] ``fetch_spot_markets`` and ``fetch_swap_markets``: numbers on spot, texts on futures."""

    def spot(pair: Traded) -> Row:
        sizes = {"minNotional": 5, "maxNotional": 20000, "tickSize": 0.01, "stepSize": 0.0001}
        states = {"status": 1 if pair.open else 25, "apiStateSell": pair.open, "apiStateBuy": pair.open}
        times = {"timeOnline": 0, "offTime": 0, "maintainTime": 0}
        return {"symbol": f"{pair.base}-{pair.quote}"} | sizes | states | times

    def futures(pair: Traded) -> Row:
        state = str(pair.open).lower()
        states = {"status": "1" if pair.open else "25", "apiStateOpen": state, "apiStateClose": state}
        names = {"contractId": "100", "symbol": f"{pair.base}-{pair.quote}"}
        names |= {"currency": str(pair.settle), "asset": pair.base}
        sizes = {
            "size": "0.0001",
            "quantityPrecision": "4",
            "pricePrecision": "1",
            "tradeMinQuantity": "0.0001",
        }
        return names | sizes | {"feeRate": "0.0005", "tradeMinUSDT": "2"} | states

    return (
        _public("/openApi/spot/v1/common/symbols", lambda _: {"symbols": [*map(spot, spec.spot())]}),
        _public("/openApi/swap/v2/quote/contracts", lambda _: [*map(futures, _linear(spec))]),
    )


def bitget(spec: ExchangeSpec) -> tuple[Route, ...]:
    """[CX] ``fetch_default_markets``: spot, and the futures of one ``productType``."""

    def spot(pair: Traded) -> Row:
        fees = {"takerFeeRate": "0.002", "makerFeeRate": "0.002"}
        sizes = {"minTradeAmount": "0", "maxTradeAmount": "10000000000", "minTradeUSDT": "5"}
        precision = {"pricePrecision": "6", "quantityPrecision": "4", "quotePrecision": "6"}
        return _named(pair) | fees | sizes | precision | {"status": "online" if pair.open else "offline"}

    def futures(pair: Traded) -> Row:
        state = {"symbolType": "perpetual", "symbolStatus": "normal" if pair.open else "off"}
        sizes = {"minTradeNum": "0.001", "priceEndStep": "1", "volumePlace": "3", "pricePlace": "1"}
        rest = {"sizeMultiplier": "0.001", "deliveryTime": "", "minLever": "1", "maxLever": "125"}
        return _named(pair) | {"supportMarginCoins": [pair.settle]} | sizes | rest | state

    def contracts(asked: Incoming) -> Json:
        product = asked.params.get("productType", "")
        if not product.endswith("-FUTURES"):
            raise Refused("parameter_empty", parameter="productType")
        return [*map(futures, spec.futures(product.removesuffix("-FUTURES")))]

    return (
        _public("/api/v2/spot/public/symbols", lambda _: [*map(spot, spec.spot())]),
        _public("/api/v2/mix/market/contracts", contracts),
    )


def _named(pair: Traded) -> Row:
    return {"symbol": pair.base + pair.quote, "baseCoin": pair.base, "quoteCoin": pair.quote}


def bybit(spec: ExchangeSpec) -> Route:
    """BY market/instrument; spot knows no pages and no ``PreLaunch``."""

    def spot(pair: Traded) -> Row:
        sizes = {"basePrecision": "0.000001", "quotePrecision": "0.00000001", "minOrderQty": "0.00004"}
        limits = {"maxOrderQty": "63", "minOrderAmt": "1", "maxOrderAmt": "100000"}
        rest = {"innovation": "0", "marginTrading": "both" if pair.quote == "USDT" else "none"}
        filters = {"lotSizeFilter": sizes | limits, "priceFilter": {"tickSize": "0.01"}}
        return _named(pair) | {"status": "Trading" if pair.open else "Closed"} | rest | filters

    def futures(pair: Traded) -> Row:
        kind = {"contractType": "LinearPerpetual", "settleCoin": pair.settle, "deliveryTime": "0"}
        sizes = {"maxOrderQty": "100.000", "minOrderQty": "0.001", "qtyStep": "0.001"}
        prices = {"minPrice": "0.50", "maxPrice": "999999.00", "tickSize": "0.50"}
        levers = {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"}
        filters = {"lotSizeFilter": sizes, "priceFilter": prices, "leverageFilter": levers}
        return _named(pair) | {"status": "Trading" if pair.open else "Closed"} | kind | filters

    def answer(asked: Incoming) -> Json:
        category = asked.params.get("category")
        if category not in {"spot", "linear", "inverse", "option"}:
            raise Refused("parameter")
        by_kind = {"spot": [*map(spot, spec.spot())], "linear": [*map(futures, _linear(spec))]}
        pages = {} if category == "spot" else {"nextPageCursor": ""}
        told = {"category": category, "list": by_kind.get(category, [])} | pages
        return {"retCode": 0, "retMsg": "OK", "result": told, "retExtInfo": {}, "time": asked.now_ms}

    return _public("/v5/market/instruments-info", answer)


def coinbase(spec: ExchangeSpec) -> Route:
    """CDP "List Public Products"; without a ``product_type`` those of spot."""

    def row(pair: Traded) -> Row:
        names = {"product_id": f"{pair.base}-{pair.quote}", "base_currency_id": pair.base}
        sizes = {"base_increment": "0.00000001", "base_min_size": "0.00000001", "base_max_size": "3400"}
        quote = {"quote_increment": "0.01", "quote_min_size": "1", "quote_max_size": "150000000"}
        state = {"is_disabled": False, "trading_disabled": not pair.open, "status": "online"}
        rest = {"price_increment": "0.01", "product_type": "SPOT", "alias": "", "alias_to": []}
        return names | {"quote_currency_id": pair.quote} | sizes | quote | state | rest

    def answer(asked: Incoming) -> Json:
        spot = asked.params.get("product_type", "SPOT") == "SPOT"
        products = [*map(row, spec.spot())] if spot else []
        return {"products": products, "num_products": len(products)}

    return _public("/api/v3/brokerage/market/products", answer)


def gate(spec: ExchangeSpec) -> tuple[Route, ...]:
    """GDOC "List all currency pairs supported" and "List all futures contracts"."""

    def spot(pair: Traded) -> Row:
        names = {"id": f"{pair.base}_{pair.quote}", "base": pair.base, "quote": pair.quote, "fee": "0.2"}
        sizes = {"min_base_amount": "0.001", "min_quote_amount": "1", "amount_precision": 3, "precision": 6}
        state = {"trade_status": "tradable" if pair.open else "untradable", "type": "normal"}
        return names | sizes | state | {"sell_start": 1_607_313_600, "buy_start": 1_700_492_400}

    def futures(pair: Traded) -> Row:
        names = {"name": f"{pair.base}_{pair.quote}", "type": "direct", "quanto_multiplier": "0.0001"}
        prices = {"mark_price": "60000", "order_price_deviate": "0.15", "order_price_round": "0.1"}
        sizes = {"order_size_min": 1, "order_size_max": 450000, "enable_decimal": False}
        levers = {"leverage_min": "1", "leverage_max": "50", "maker_fee_rate": "-0.0001"}
        state = {"in_delisting": not pair.open, "status": "trading" if pair.open else "suspend"}
        return names | prices | sizes | levers | {"taker_fee_rate": "0.00075"} | state

    def contracts(asked: Incoming) -> Json:
        settle = asked.path.removeprefix("/api/v4/futures/").partition("/")[0].upper()
        return [*map(futures, spec.futures(settle))]

    return (
        _public("/api/v4/spot/currency_pairs", lambda _: [*map(spot, spec.spot())]),
        _public("/api/v4/futures/{settle}/contracts", contracts),
    )


def htx(spec: ExchangeSpec) -> tuple[Route, ...]:
    """[CX] ``fetch_markets``: small letters on spot."""

    def spot(pair: Traded) -> Row:
        base, quote = pair.base.lower(), pair.quote.lower()
        names = {"base-currency": base, "quote-currency": quote, "symbol": base + quote}
        precision = {"price-precision": 4, "amount-precision": 4, "value-precision": 8}
        sizes = {"min-order-amt": 0.01, "max-order-amt": 1616.4353, "min-order-value": 5}
        state = {"state": "online", "api-trading": "enabled"}
        state |= {} if pair.open else {"state": "offline", "api-trading": "disabled"}
        return names | precision | sizes | {"symbol-partition": "main"} | state

    def futures(pair: Traded) -> Row:
        code = f"{pair.base}-{pair.quote}"
        names = {"symbol": pair.base, "contract_code": code, "pair": code, "trade_partition": pair.quote}
        kind = {"business_type": "swap", "contract_type": "swap", "support_margin_mode": "all"}
        sizes = {"contract_size": 0.001, "price_tick": 0.1, "delivery_date": "", "delivery_time": ""}
        return names | kind | sizes | {"contract_status": 1 if pair.open else 0}

    def told(rows: list[Row], asked: Incoming) -> Json:
        return {"status": "ok", "data": rows, "ts": asked.now_ms}

    return (
        _public("/v1/common/symbols", lambda asked: told([*map(spot, spec.spot())], asked)),
        _public(
            "/linear-swap-api/v1/swap_contract_info",
            lambda asked: told([*map(futures, _linear(spec))], asked),
        ),
    )


def kucoin(spec: ExchangeSpec, *, futures_host: str) -> tuple[Route, ...]:
    """[CX] ``fetch_markets`` and ``fetch_contract_markets``: on futures, Bitcoin is called XBT."""

    def spot(pair: Traded) -> Row:
        names = {"symbol": f"{pair.base}-{pair.quote}", "name": f"{pair.base}-{pair.quote}"}
        currencies = {"baseCurrency": pair.base, "quoteCurrency": pair.quote, "feeCurrency": pair.quote}
        sizes = {"baseMinSize": "0.1", "quoteMinSize": "0.01", "baseMaxSize": "10000000000"}
        steps = {"baseIncrement": "0.0001", "quoteIncrement": "0.000001", "priceIncrement": "0.000001"}
        state = {"isMarginEnabled": pair.quote == "USDT", "enableTrading": pair.open}
        return names | currencies | sizes | steps | {"market": "USDS", "priceLimitRate": "0.1"} | state

    def futures(pair: Traded) -> Row:
        base = "XBT" if pair.base == "BTC" else pair.base
        names = {"symbol": f"{base}{pair.quote}M", "rootSymbol": pair.quote, "type": "FFWCSX"}
        currencies = {"baseCurrency": base, "quoteCurrency": pair.quote, "settleCurrency": pair.settle}
        sizes = {"maxOrderQty": 1_000_000, "maxPrice": 1_000_000.0, "lotSize": 1, "tickSize": 0.05}
        rest = {"multiplier": 0.01, "expireDate": None, "isInverse": False, "nextFundingRateTime": 25_481_884}
        return names | currencies | sizes | rest | {"status": "Open" if pair.open else "Paused"}

    return (
        _public("/api/v2/symbols", lambda _: [*map(spot, spec.spot())], weight=4),
        _public(
            "/api/v1/contracts/active",
            lambda _: [*map(futures, _linear(spec))],
            host=futures_host,
            weight=3,
        ),
    )


def mexc(spec: ExchangeSpec) -> tuple[Route, ...]:
    """MX3 "Exchange Information"; MXC "Get the contract information", whose states are 0 to 4."""

    def spot(pair: Traded) -> Row:
        names = {"symbol": pair.base + pair.quote, "baseAsset": pair.base, "quoteAsset": pair.quote}
        state = {"status": "1" if pair.open else "2", "isSpotTradingAllowed": pair.open}
        precision = {"baseAssetPrecision": 5, "quoteAssetPrecision": 4, "baseSizePrecision": "0.00001"}
        rest = {"isMarginTradingAllowed": False, "quoteAmountPrecision": "5", "maxQuoteAmount": "5000000"}
        return names | state | precision | rest | {"permissions": ["SPOT"], "filters": []}

    def futures(pair: Traded) -> Row:
        names = {"symbol": f"{pair.base}_{pair.quote}", "baseCoin": pair.base, "quoteCoin": pair.quote}
        levers = {"contractSize": 0.0001, "minLeverage": 1, "maxLeverage": 125, "priceUnit": 0.5}
        sizes = {"volUnit": 1, "minVol": 1, "maxVol": 1_000_000, "takerFeeRate": 0.0006}
        state = {"settleCoin": pair.settle, "makerFeeRate": 0.0002, "state": 0 if pair.open else 3}
        return names | levers | sizes | state

    def information(asked: Incoming) -> Json:
        limits: Row = {"rateLimits": [], "exchangeFilters": []}
        symbols = [*map(spot, spec.spot())]
        return {"timezone": "CST", "serverTime": asked.now_ms} | limits | {"symbols": symbols}

    def detail(asked: Incoming) -> Json:
        del asked
        return {"success": True, "code": 0, "data": [*map(futures, _linear(spec))]}

    return (
        _public("/api/v3/exchangeInfo", information, weight=10),
        _public("/api/v1/contract/detail", detail),
    )


def okx(spec: ExchangeSpec) -> Route:
    """OKX "Get instruments", of one instrument type."""

    def row(pair: Traded) -> Row:
        names = {"instId": f"{pair.base}-{pair.quote}", "instType": "SPOT", "uly": ""}
        currencies = {"baseCcy": pair.base, "quoteCcy": pair.quote, "settleCcy": "", "ctType": ""}
        if pair.settle is not None:
            names |= {"instId": f"{pair.base}-{pair.quote}-SWAP", "instType": "SWAP"}
            names |= {"uly": f"{pair.base}-{pair.quote}"}
            currencies = {"baseCcy": "", "quoteCcy": "", "settleCcy": pair.settle, "ctType": "linear"}
        sizes = {"lotSz": "0.00000001", "minSz": "0.00001", "tickSz": "0.1", "lever": "10", "ctVal": ""}
        rest = {"alias": "", "category": "1", "expTime": "", "listTime": "1548133413000", "optType": ""}
        return names | currencies | sizes | rest | {"state": "live" if pair.open else "suspend"}

    def answer(asked: Incoming) -> Json:
        kind = asked.params.get("instType")
        by_kind = {"SPOT": spec.spot(), "SWAP": _linear(spec), "FUTURES": []}
        if kind not in by_kind:
            raise Refused("parameter", parameter="instType")
        return [*map(row, by_kind[kind])]

    return _public("/api/v5/public/instruments", answer)
