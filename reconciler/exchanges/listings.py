"""Where the exchanges list their markets: data for ccxt's own readers of them.

Sources are named as in the exchanges' modules; [CX] is the reader of ccxt 4.5.90 that makes the request.
Margin is here only where the list of spot markets says which of them are open for it. Weights are in the
unit of each exchange's budget; where its documents name none, one request counts as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from reconciler.exchanges.interface import LARGEST_LIST, Call, Listing
from reconciler.exchanges.pairs import PairKind

Listings: TypeAlias = Mapping[PairKind, Listing]

_K = PairKind


def calls_of(listings: Listings) -> tuple[Call, ...]:
    """Every call that these lists take, once."""
    return tuple(dict.fromkeys(call for listing in listings.values() for call, _ in listing.requests))


def _call(path: str, implicit: str, source: str, *, futures: bool = False, weight: float = 1.0) -> Call:
    return Call(
        name="markets-futures" if futures else "markets",
        path=path,
        implicit=implicit,
        weight=weight,
        public=True,
        source=source,
        largest=LARGEST_LIST,
    )


def _listing(
    call: Call,
    *params: Mapping[str, Any],
    reads: str = "fetch_markets",
    types: object = None,
    **rest: Any,  # noqa: ANN401 - the fields of Listing
) -> Listing:
    """A list that takes ``call``, once for each of ``params``; ``types`` is ccxt's option of that name."""
    options = {} if types is None else {"fetchMarkets": {"types": types}}
    requests = tuple((call, each) for each in params or ({},))
    return Listing(requests=requests, reads=reads, **{"options": options, **rest})


def _of(listing: Listing, *kinds: PairKind) -> dict[PairKind, Listing]:
    return dict.fromkeys(kinds, listing)


_BINANCE_SPOT: Final = _call(
    "/api/v3/exchangeInfo", "publicGetExchangeInfo", "[BSPOT] Exchange information", weight=20
)
_BINANCE_FUTURES: Final = _call(
    "/fapi/v1/exchangeInfo", "fapiPublicGetExchangeInfo", "[FAPI] Exchange Information", futures=True
)
#: A third of the bytes: without what is not traded, and without what accounts each symbol is for.
_BINANCE_SHORT: Final = {"symbolStatus": "TRADING", "showPermissionSets": "false"}
BINANCE: Final[Listings] = {
    **_of(_listing(_BINANCE_SPOT, _BINANCE_SHORT, types=["spot"]), _K.SPOT, _K.MARGIN),
    **_of(_listing(_BINANCE_FUTURES, types=["linear"]), _K.LINEAR, _K.LINEAR_DATED),
}

_BINGX_SPOT: Final = _call(
    "/openApi/spot/v1/common/symbols", "spotV1PublicGetCommonSymbols", "[CX] fetch_spot_markets"
)
_BINGX_FUTURES: Final = _call(
    "/openApi/swap/v2/quote/contracts",
    "swapV2PublicGetQuoteContracts",
    "[CX] fetch_swap_markets",
    futures=True,
)
BINGX: Final[Listings] = {
    _K.SPOT: _listing(_BINGX_SPOT, reads="fetch_spot_markets"),
    _K.LINEAR: _listing(_BINGX_FUTURES, reads="fetch_swap_markets"),
}

_BITGET_SPOT: Final = _call(
    "/api/v2/spot/public/symbols", "publicSpotGetV2SpotPublicSymbols", "[CX] fetch_default_markets"
)
_BITGET_FUTURES: Final = _call(
    "/api/v2/mix/market/contracts",
    "publicMixGetV2MixMarketContracts",
    "[CX] fetch_default_markets",
    futures=True,
)


def _bitget(call: Call, kind: str, *products: str) -> Listing:
    params = ({"productType": f"{product}-FUTURES"} for product in products)
    return _listing(call, *params, reads="fetch_default_markets", types=[kind])


BITGET: Final[Listings] = {
    _K.SPOT: _bitget(_BITGET_SPOT, "spot"),
    **_of(_bitget(_BITGET_FUTURES, "swap", "USDT", "USDC"), _K.LINEAR, _K.LINEAR_DATED),
    **_of(_bitget(_BITGET_FUTURES, "swap", "COIN"), _K.INVERSE, _K.INVERSE_DATED),
}

_BYBIT: Final = _call(
    "/v5/market/instruments-info", "publicGetV5MarketInstrumentsInfo", "[BY] market/instrument"
)


def _bybit(category: str, **more: int) -> Listing:
    asked = {"category": category, **more}
    return _listing(_BYBIT, asked, types=[category], cursor=("result", "nextPageCursor"))


BYBIT: Final[Listings] = {
    **_of(_bybit("spot"), _K.SPOT, _K.MARGIN),
    **_of(_bybit("linear", limit=1000), _K.LINEAR, _K.LINEAR_DATED),
    **_of(_bybit("inverse", limit=1000), _K.INVERSE, _K.INVERSE_DATED),
}

_COINBASE: Final = _call(
    "/api/v3/brokerage/market/products", "v3PublicGetBrokerageMarketProducts", "[CDP] List Public Products"
)
COINBASE: Final[Listings] = {_K.SPOT: _listing(_COINBASE)}

_GATE_SPOT: Final = _call(
    "/api/v4/spot/currency_pairs", "publicSpotGetCurrencyPairs", "[GDOC] List all currency pairs supported"
)
_GATE_FUTURES: Final = _call(
    "/api/v4/futures/{settle}/contracts",
    "publicFuturesGetSettleContracts",
    "[GDOC] List all futures contracts",
    futures=True,
)
GATE: Final[Listings] = {
    _K.SPOT: _listing(_GATE_SPOT, reads="fetch_spot_markets"),
    _K.LINEAR: _listing(
        _GATE_FUTURES,
        {"settle": "usdt"},
        reads="fetch_swap_markets",
        options={"swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}}},
    ),
}

_HTX_SPOT: Final = _call("/v1/common/symbols", "spotPublicGetV1CommonSymbols", "[CX] fetch_markets")
_HTX_FUTURES: Final = _call(
    "/linear-swap-api/v1/swap_contract_info",
    "contractPublicGetLinearSwapApiV1SwapContractInfo",
    "[CX] fetch_markets",
    futures=True,
)
HTX: Final[Listings] = {
    _K.SPOT: _listing(_HTX_SPOT, types={"spot": True}),
    **_of(
        _listing(_HTX_FUTURES, {"business_type": "all"}, types={"linear": True}), _K.LINEAR, _K.LINEAR_DATED
    ),
}

_KUCOIN_SPOT: Final = _call("/api/v2/symbols", "publicGetSymbols", "[CX] fetch_markets", weight=4)
_KUCOIN_FUTURES: Final = _call(
    "/api/v1/contracts/active",
    "futuresPublicGetContractsActive",
    "[CX] fetch_contract_markets",
    futures=True,
    weight=3,
)
KUCOIN: Final[Listings] = {
    **_of(_listing(_KUCOIN_SPOT, types=["spot"]), _K.SPOT, _K.MARGIN),
    **_of(
        _listing(_KUCOIN_FUTURES, reads="fetch_contract_markets"),
        *(_K.LINEAR, _K.LINEAR_DATED, _K.INVERSE, _K.INVERSE_DATED),
    ),
}

_MEXC_SPOT: Final = _call(
    "/api/v3/exchangeInfo", "spotPublicGetExchangeInfo", "[MX3] Exchange Information", weight=10
)
_MEXC_FUTURES: Final = _call(
    "/api/v1/contract/detail",
    "contractPublicGetDetail",
    "[MXC] Get the contract information",
    futures=True,
)
MEXC: Final[Listings] = {
    _K.SPOT: _listing(_MEXC_SPOT, reads="fetch_spot_markets"),
    **_of(_listing(_MEXC_FUTURES, reads="fetch_swap_markets"), _K.LINEAR, _K.INVERSE),
}

_OKX: Final = _call("/api/v5/public/instruments", "publicGetPublicInstruments", "[OKX] Get instruments")
OKX: Final[Listings] = {
    **_of(_listing(_OKX, {"instType": "SPOT"}, types=["spot"]), _K.SPOT, _K.MARGIN),
    **_of(_listing(_OKX, {"instType": "SWAP"}, types=["swap"]), _K.LINEAR, _K.INVERSE),
    **_of(_listing(_OKX, {"instType": "FUTURES"}, types=["future"]), _K.LINEAR_DATED, _K.INVERSE_DATED),
}
