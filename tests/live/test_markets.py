"""Lists of markets: asked lazily, once for everybody, without a key, and never in anybody's way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.exchanges import registry
from reconciler.exchanges.pairs import PairKind, kind_of
from reconciler.live.client import prototype
from reconciler.live.listing import MOST, listed
from reconciler.live.markets import AGAIN_AFTER, HELD_FOR
from reconciler.live.observatory import Observatory
from reconciler.live.reading import ObserveOptions
from reconciler.model.desired import Market
from reconciler.sandbox.scenario import Faults, Verbatim
from reconciler.sandbox.venue import Incoming
from reconciler.sandbox.venues.mexc import Mexc

LIST = "/api/v3/exchangeInfo"
PAIRS = ("BTC/USDT", "ETH/USDT")
#: Enough for any answer of a sandbox on a busy machine.
PATIENT = 60.0


class Hands:
    """A clock that is set, not waited for."""

    def __init__(self):
        self.at = datetime.now(UTC)

    def __call__(self):
        return self.at


@pytest.fixture
def lists(sandboxed):
    """Observes one MEXC key and what its exchange lists of pairs."""

    async def run(*, pairs=PAIRS, faults=None, closed=(), **options):
        seen, _ = await sandboxed(pairs=pairs, faults=faults, closed=closed, **options)
        return seen

    return run


@pytest.fixture
def sandboxed(world):
    async def run(*, pairs=PAIRS, faults=None, closed=(), patience=PATIENT, **changes):
        key = world.key(**changes)
        sandbox = await world.start({"mexc": [key]}, faults={"mexc": faults} if faults else None)
        sandbox.scenario.exchanges["mexc"].closed.extend(closed)
        target = replace(world.target(key), listed=pairs)
        return (await world.look(sandbox, target, patience=patience))["mexc-main"], sandbox

    return run


def asked(sandbox, path=LIST):
    return [request for request in sandbox.requests if request.path == path]


@pytest.mark.parametrize(
    ("market", "pair", "kind"),
    [
        (Market.SPOT, "BTC/USDT", PairKind.SPOT),
        (Market.MARGIN, "BTC/USDT", PairKind.MARGIN),
        (Market.FUTURES, "BTC/USDT:USDT", PairKind.LINEAR),
        (Market.FUTURES, "BTC/USD:BTC", PairKind.INVERSE),
        (Market.FUTURES, "ETH/USDT:USDT-261225", PairKind.LINEAR_DATED),
        (Market.FUTURES, "ETH/USD:ETH-261225", PairKind.INVERSE_DATED),
        (Market.FUTURES, "BTC/USDT", PairKind.LINEAR),
    ],
)
def test_the_kind_of_a_pair_says_where_it_is_listed(market, pair, kind):
    assert kind_of(market, pair) is kind


async def test_pairs_are_open_shut_or_not_there(lists):
    seen = await lists(pairs=("BTC/USDT", "XRP/USDT", "LUNA/USDT"), closed=["XRP/USDT"])
    assert seen.pairs == {"BTC/USDT": True, "XRP/USDT": False, "LUNA/USDT": False}
    assert seen.failure is None


async def test_a_pair_whose_market_goes_by_another_name_at_the_exchange_is_found(world):
    key = world.key("kucoin")
    sandbox = await world.start({"kucoin": [key]})
    target = world.target(key, exchange="kucoin", market=Market.FUTURES)
    wanted = replace(target, listed=("BTC/USDT:USDT", "DOGE/USDT:USDT"))
    seen = (await world.look(sandbox, wanted, patience=PATIENT))["kucoin-main"]
    assert seen.pairs == {"BTC/USDT:USDT": True, "DOGE/USDT:USDT": False}


async def test_nobody_asks_where_nothing_should_run(sandboxed):
    seen, sandbox = await sandboxed(pairs=())
    assert (dict(seen.pairs), asked(sandbox)) == ({}, [])


async def test_one_request_without_a_key_serves_all_connections(world):
    keys = [world.key(name=f"k{number}") for number in range(5)]
    sandbox = await world.start({"mexc": keys})
    pairs = [("BTC/USDT",), ("ETH/USDT",), ("SOL/USDT", "BTC/USDT"), ("XRP/USDC",), ("NO/USDT",)]
    targets = [replace(world.target(key), listed=some) for key, some in zip(keys, pairs, strict=True)]
    seen = await world.look(sandbox, *targets, patience=PATIENT)
    assert [one.key for one in asked(sandbox)] == [""]
    told = {pair: state for one in seen.values() for pair, state in one.pairs.items()}
    assert told == {"BTC/USDT": True, "ETH/USDT": True, "SOL/USDT": True, "XRP/USDC": True, "NO/USDT": False}


async def test_an_exchange_without_a_list_is_not_asked(world):
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    target = replace(world.target(key, market=Market.MARGIN), listed=PAIRS)
    seen = (await world.look(sandbox, target, patience=PATIENT))["mexc-main"]
    assert (dict(seen.pairs), asked(sandbox)) == ({}, [])


TROUBLES = {
    "away": Faults(outage="closed"),
    "busy": Faults(verbatim=Verbatim(status=503, headers={"Retry-After": "3600"}, body={})),
    "page": Faults(html=200),
    "edge": Faults(html=403),
    "cut": Faults(cut=True),
    "empty": Faults(verbatim=Verbatim(body={"symbols": []})),
    "none": Faults(verbatim=Verbatim(body={})),
    "other": Faults(verbatim=Verbatim(body={"symbols": {"BTCUSDT": 1}})),
    "rows": Faults(verbatim=Verbatim(body={"symbols": [1, None, "BTCUSDT", []]})),
    "bare": Faults(verbatim=Verbatim(body={"symbols": [{"symbol": "BTCUSDT"}]})),
    "error": Faults(error="maintenance"),
    "refused": Faults(error="invalid_key"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_list_that_cannot_be_had_is_unknown_and_nothing_else(lists, trouble):
    """Nothing of the key's own reading differs, and the exchange is not bothered again."""
    well = await lists(pairs=())
    seen = await lists(faults=Faults(paths={LIST: TROUBLES[trouble]}))
    assert seen.pairs == dict.fromkeys(PAIRS)
    same = ("report", "failure", "proofs", "wallet", "health")
    assert [getattr(seen, name) for name in same] == [getattr(well, name) for name in same]


async def test_a_list_is_asked_for_once_whatever_comes_of_it(sandboxed):
    _, sandbox = await sandboxed(faults=Faults(paths={LIST: Faults(outage=500)}))
    assert len(asked(sandbox)) == 1


async def test_a_key_that_is_refused_says_nothing_of_its_pairs(lists):
    seen = await lists(faults=Faults(paths={"/api/v3/apiKeyInfo": Faults(error="invalid_key")}))
    assert seen.failure is not None
    assert seen.pairs == dict.fromkeys(PAIRS, True)


async def test_nobody_waits_who_has_no_patience(world):
    """The list is still on its way when the key was read; the next reading has it."""
    key = world.key()
    sandbox = await world.start({"mexc": [key]})
    late = sandbox.scenario.exchanges["mexc"].faults
    late.paths[LIST] = Faults(delay_ms=3_600_000)
    target = replace(world.target(key), listed=PAIRS)
    seen = (await world.look(sandbox, target, timeout=PATIENT))["mexc-main"]
    assert seen.failure is None
    assert seen.pairs == dict.fromkeys(PAIRS)


class TestALoop:
    @pytest.fixture
    def clock(self):
        return Hands()

    @pytest.fixture
    async def eye(self, world, clock):
        """An observatory over a sandbox, and how to read one pair of one key in it."""
        key = world.key()
        sandbox = await world.start({"mexc": [key]})
        options = ObserveOptions(endpoints=sandbox.endpoints, now=clock, patience=PATIENT)
        watching = Observatory(options)

        async def read(*pairs):
            target = replace(world.target(key), listed=pairs)
            await watching.open(target)
            return dict((await watching.read(target)).pairs)

        read.watching, read.sandbox, read.mexc = watching, sandbox, sandbox.scenario.exchanges["mexc"]
        yield read
        await watching.keep_only(())

    @pytest.mark.parametrize(("moved", "times"), [(HELD_FOR - 1, 1), (HELD_FOR + 1, 2), (-1, 2)])
    async def test_a_list_counts_for_an_hour(self, eye, clock, moved, times):
        await eye("BTC/USDT")
        clock.at += timedelta(seconds=moved)
        eye.mexc.clock_offset_ms = int(moved * 1000)
        assert await eye("BTC/USDT") == {"BTC/USDT": True}
        assert len(asked(eye.sandbox)) == times

    @pytest.mark.parametrize(("moved", "times"), [(AGAIN_AFTER - 1, 1), (AGAIN_AFTER + 1, 2)])
    async def test_one_that_failed_is_tried_again_before(self, eye, clock, moved, times):
        eye.mexc.faults.paths[LIST] = Faults(outage=500)
        assert await eye("BTC/USDT") == {"BTC/USDT": None}
        eye.mexc.faults.paths.clear()
        clock.at += timedelta(seconds=moved)
        eye.mexc.clock_offset_ms = int(moved * 1000)
        assert await eye("BTC/USDT") == {"BTC/USDT": True if times > 1 else None}
        assert len(asked(eye.sandbox)) == times

    async def test_a_new_pair_has_the_list_read_anew(self, eye):
        await eye("BTC/USDT")
        assert await eye("ETH/USDT", "BTC/USDC") == {"ETH/USDT": True, "BTC/USDC": True}
        assert await eye("ETH/USDC") == {"ETH/USDC": True}
        assert len(asked(eye.sandbox)) == 2

    async def test_the_last_list_counts_while_a_new_one_is_on_its_way(self, eye, clock):
        await eye("BTC/USDT")
        eye.mexc.faults.paths[LIST] = Faults(delay_ms=3_600_000)
        clock.at += timedelta(seconds=HELD_FOR + 1)
        eye.mexc.clock_offset_ms = int((HELD_FOR + 1) * 1000)
        assert await eye("BTC/USDT") == {"BTC/USDT": True}

    async def test_a_new_pair_is_unknown_while_the_list_that_holds_it_is_on_its_way(self, eye):
        """The last list was cut down to other currencies: that it lacks this one says nothing."""
        await eye("BTC/USDT")
        eye.mexc.faults.paths[LIST] = Faults(delay_ms=3_600_000)
        eye.watching._options = replace(eye.watching._options, patience=0.0)
        assert await eye("BTC/USDT", "ETH/USDT") == {"BTC/USDT": True, "ETH/USDT": None}

    async def test_a_new_pair_is_waited_for_as_at_first(self, eye):
        await eye("BTC/USDT")
        eye.mexc.faults.paths[LIST] = Faults(delay_ms=50)
        assert await eye("BTC/USDT", "ETH/USDT") == {"BTC/USDT": True, "ETH/USDT": True}

    async def test_nothing_of_an_exchange_is_kept_that_nobody_uses(self, eye):
        before = asyncio.all_tasks()
        eye.mexc.faults.paths[LIST] = Faults(delay_ms=3_600_000)
        eye.watching._options = replace(eye.watching._options, patience=0.0)
        assert await eye("BTC/USDT") == {"BTC/USDT": None}
        await eye.watching.keep_only(())
        assert [task for task in asyncio.all_tasks() - before if "markets" in repr(task)] == []


async def test_more_pages_than_one_are_no_list():
    bybit = registry.get("bybit")
    body = {"result": {"category": "linear", "list": [{"symbol": "BTCUSDT"}], "nextPageCursor": "next"}}

    async def ask(call, params):
        return body

    with pytest.raises(ValueError, match="pages"):
        await listed(prototype(bybit, {}), bybit.listings[PairKind.LINEAR], ask, bases={"BTC"})


@pytest.mark.parametrize("body", [[{"symbol": "BTC"}] * (MOST + 1), {"symbols": [[]] * (MOST + 1)}])
async def test_a_list_longer_than_any_exchanges_is_not_read(body):
    """Rows cost ccxt a hundred times what they cost to send."""
    mexc = registry.get("mexc")

    async def ask(call, params):
        return body

    with pytest.raises(ValueError, match="longer"):
        await listed(prototype(mexc, {}), mexc.listings[PairKind.SPOT], ask, bases={"BTC"})


async def test_a_long_list_gives_what_was_asked_for():
    """Most of it is left out before ccxt reads it, and nothing that counts."""
    mexc, spec = registry.get("mexc"), None
    venue = Mexc(spec := replace_pairs([f"C{n}/USDT" for n in range(3000)] + ["Z/USDT", "ZZ/USDC"]))

    async def ask(call, params):
        return venue.reply(Incoming(method=call.method, path=call.path)).body

    found = await listed(prototype(mexc, {}), mexc.listings[PairKind.SPOT], ask, bases={"Z", "NONE"})
    assert {"Z/USDT", "ZZ/USDC"} <= found.keys()
    assert "NONE/USDT" not in found
    assert len(found) < 50 < len(spec.pairs)


def replace_pairs(pairs):
    from reconciler.sandbox.scenario import ExchangeSpec  # noqa: PLC0415

    return ExchangeSpec(id="mexc", pairs=pairs)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["symbols", "data", "symbol", "status", "baseAsset"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=JSON)
async def test_no_answer_makes_a_pair_open_that_is_not_in_it(body):
    mexc = registry.get("mexc")

    async def ask(call, params):
        return body

    try:
        found = await listed(prototype(mexc, {}), mexc.listings[PairKind.SPOT], ask, bases={"BTC"})
    except Exception:  # noqa: BLE001 - whatever ccxt raises is an unknown list
        return
    assert not any(each.open and "BTC" in symbol for symbol, each in found.items() if "BTC" not in repr(body))
