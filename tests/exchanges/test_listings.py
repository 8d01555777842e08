"""Every exchange's lists of markets: real ccxt reads them from the sandbox, by public requests alone."""

from __future__ import annotations

import pytest

from reconciler.exchanges import registry
from reconciler.exchanges.interface import LARGEST_LIST
from reconciler.exchanges.pairs import PairKind
from reconciler.live.client import prototype
from reconciler.live.listing import listed
from reconciler.model.desired import Market
from reconciler.resources import folder
from reconciler.sandbox.load import load_scenario

TEN = [name for name in registry.ids() if name != "kraken"]
LISTS = [(name, kind) for name in TEN for kind in registry.get(name).listings]
MARKETS = {PairKind.SPOT: Market.SPOT, PairKind.MARGIN: Market.MARGIN, PairKind.LINEAR: Market.FUTURES}


def key_of(exchange):
    spec = load_scenario(folder("examples") / "all-exchanges" / "sandbox.yaml").exchanges[exchange]
    return next(iter(spec.keys.values()))


def pairs_of(kind):
    """One that is open, one that is shut and one that nobody lists."""
    settle = ":USDT" if kind is PairKind.LINEAR else ""
    return tuple(f"{base}/USDT{settle}" for base in ("BTC", "SOL", "LUNA"))


@pytest.mark.parametrize(("exchange", "kind"), [each for each in LISTS if each[1] in MARKETS])
async def test_pairs_are_found_in_the_list_of_their_kind(observed, exchange, kind):
    there, shut, nowhere = pairs = pairs_of(kind)
    found = await observed(exchange, key_of(exchange), market=MARKETS[kind], listed=pairs, closed=[shut])
    assert found.seen.pairs == {there: True, shut: False, nowhere: False}


@pytest.mark.parametrize(("exchange", "kind"), [each for each in LISTS if each[1] in MARKETS])
async def test_a_list_takes_no_more_requests_than_it_names_and_no_key(observed, exchange, kind):
    asked = {"market": MARKETS[kind], "listed": pairs_of(kind)}
    listing = registry.get(exchange).listings[kind]
    without = (await observed(exchange, key_of(exchange), market=MARKETS[kind])).unsigned
    found = (await observed(exchange, key_of(exchange), **asked)).unsigned
    paths = [call.path.replace("{settle}", "usdt") for call, _ in listing.requests]
    assert sorted({*found} - {*without}) == sorted(set(paths))
    assert len(found) - len(without) == len(paths)


@pytest.mark.parametrize("exchange", ["binance", "kucoin", "bybit", "okx"])
async def test_on_margin_a_pair_must_be_open_for_margin_too(observed, exchange):
    """The sandbox lends against USDT, and against USDC on Binance and OKX alone."""
    found = await observed(exchange, key_of(exchange), market=Market.MARGIN, listed=("BTC/USDC",))
    assert found.seen.pairs == {"BTC/USDC": exchange in {"binance", "okx"}}


@pytest.mark.parametrize(("exchange", "kind"), LISTS)
async def test_a_list_sends_what_is_listed_public_and_long_enough(exchange, kind):
    reader = registry.get(exchange)
    for call, _ in reader.listings[kind].requests:
        assert call in reader.calls
        assert (call.public, call.method, call.largest) == (True, "GET", LARGEST_LIST)
        assert call.source


@pytest.mark.parametrize(("exchange", "kind"), LISTS)
@pytest.mark.parametrize("body", [{}, [], {"data": None}, {"result": {}, "symbols": None}])
async def test_an_answer_without_markets_is_no_list(exchange, kind, body):
    reader = registry.get(exchange)

    async def ask(call, params):
        return body

    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever ccxt raises; that it is no list is what counts
        await listed(prototype(reader, {}), reader.listings[kind], ask, bases={"BTC"})
