"""What accounts hold: the documented answers, the sandbox's, and no guess where an answer is odd."""

from __future__ import annotations

import asyncio
import copy
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges import registry
from reconciler.exchanges.wallet import amount, wallet
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Failure, FailureKind, Wallet
from reconciler.resources import folder
from reconciler.sandbox.load import load_scenario

SPOT, MARGIN, FUTURES = Market.SPOT, Market.MARGIN, Market.FUTURES
OTHER_MODE = CallFailed(Failure(kind=FailureKind.WRONG_ACCOUNT_MODE, message=""))


def ok(data):
    return {"code": "200000", "data": data}


def bybit(*coins):
    return {"retCode": 0, "result": {"list": [{"accountType": "UNIFIED", "coin": list(coins)}]}}


#: (exchange, market, bodies by the name of the call, what is held, whether of the whole wallet), each as the
#: exchange documents it.
DOCUMENTED = [
    (
        "binance",
        SPOT,
        {"balance": {"balances": [{"asset": "USDT", "free": "4723846.89208129", "locked": "0.5"}]}},
        {"USDT": "4723847.39208129"},
        True,
    ),
    (
        "binance",
        MARGIN,
        {
            "balance_margin": {
                "userAssets": [{"asset": "USDT", "free": "9", "borrowed": "4", "netAsset": "5"}]
            }
        },
        {"USDT": "5"},
        True,
    ),
    (
        "binance",
        FUTURES,
        {"balance_futures": [{"asset": "USDT", "balance": "122.60", "availableBalance": "23.7"}]},
        {"USDT": "122.60"},
        True,
    ),
    (
        "bingx",
        SPOT,
        {"balance": {"code": 0, "data": {"balances": [{"asset": "USDT", "free": "1.5", "locked": "2"}]}}},
        {"USDT": "3.5"},
        True,
    ),
    (
        "bingx",
        FUTURES,
        {
            "balance_futures": {
                "code": 0,
                "data": [{"asset": "USDT", "balance": "194.8212", "usedMargin": "1"}],
            }
        },
        {"USDT": "194.8212"},
        False,
    ),
    (
        "bitget",
        SPOT,
        {
            "balance_uta": OTHER_MODE,
            "balance": {"data": [{"coin": "USDT", "available": "1", "frozen": "2", "locked": "4"}]},
        },
        {"USDT": "7"},
        True,
    ),
    (
        "bitget",
        MARGIN,
        {"balance_uta": OTHER_MODE, "balance_margin": {"data": [{"coin": "USDT", "net": "0.01"}]}},
        {"USDT": "0.01"},
        True,
    ),
    (
        "bitget",
        FUTURES,
        {
            "balance_uta": OTHER_MODE,
            "balance_futures": {"data": [{"marginCoin": "USDT", "available": "1", "accountEquity": "8.5"}]},
        },
        {"USDT": "8.5"},
        False,
    ),
    (
        "bitget",
        FUTURES,
        {"balance_uta": {"data": {"assets": [{"coin": "USDT", "balance": "11.1", "available": "1"}]}}},
        {"USDT": "11.1"},
        True,
    ),
    (
        "bybit",
        SPOT,
        {"balance": bybit({"coin": "USDT", "equity": "3.31216591", "walletBalance": "3.0"})},
        {"USDT": "3.31216591"},
        True,
    ),
    (
        "coinbase",
        SPOT,
        {
            "balance": {
                "accounts": [
                    {"currency": "USDC", "available_balance": {"value": "1.23"}, "hold": {"value": "0.77"}}
                ],
                "has_next": False,
            }
        },
        {"USDC": "2.00"},
        True,
    ),
    (
        "coinbase",
        SPOT,
        {"balance": {"accounts": [], "has_next": True}},
        {},
        False,
    ),
    (
        "gate",
        SPOT,
        {"balance": [{"currency": "USDT", "available": "968.8", "locked": "0.2"}]},
        {"USDT": "969.0"},
        False,
    ),
    (
        "gate",
        FUTURES,
        {"balance_futures": {"currency": "USDT", "total": "9707.803567115145", "available": "1"}},
        {"USDT": "9707.803567115145"},
        False,
    ),
    (
        "htx",
        SPOT,
        {
            "accounts": {"data": [{"id": 1, "type": "spot"}]},
            "balance": {
                "data": {
                    "list": [
                        {"currency": "usdt", "type": "trade", "balance": "91.85"},
                        {"currency": "usdt", "type": "frozen", "balance": "5.16"},
                    ]
                }
            },
        },
        {"USDT": "97.01"},
        True,
    ),
    (
        "htx",
        FUTURES,
        {"balance_futures": {"data": {"details": [{"currency": "USDT", "equity": "4.5", "available": "1"}]}}},
        {"USDT": "4.5"},
        False,
    ),
    (
        "kucoin",
        SPOT,
        {
            "balance": ok(
                [
                    {
                        "currency": "USDT",
                        "type": "trade",
                        "balance": "26.66",
                        "available": "1",
                        "holds": "25",
                    },
                    {"currency": "USDT", "type": "main", "balance": "1000"},
                ]
            )
        },
        {"USDT": "26.66"},
        True,
    ),
    (
        "kucoin",
        MARGIN,
        {"balance_margin": ok({"accounts": [{"currency": "USDT", "total": "10", "liability": "4"}]})},
        {"USDT": "6"},
        True,
    ),
    (
        "kucoin",
        FUTURES,
        {"balance_futures": ok({"currency": "USDT", "accountEquity": 99.8999305281, "availableBalance": 9})},
        {"USDT": "99.8999305281"},
        False,
    ),
    (
        "mexc",
        SPOT,
        {"balance": {"balances": [{"asset": "USDT", "free": "500", "locked": "0.1"}]}},
        {"USDT": "500.1"},
        True,
    ),
    (
        "mexc",
        FUTURES,
        {
            "balance_futures": {
                "success": True,
                "data": [{"currency": "USDT", "equity": 5.5, "cashBalance": 5}],
            }
        },
        {"USDT": "5.5"},
        True,
    ),
    (
        "okx",
        FUTURES,
        {"balance": {"code": "0", "data": [{"details": [{"ccy": "USDT", "eq": "4992.89", "cashBal": "1"}]}]}},
        {"USDT": "4992.89"},
        True,
    ),
]
IDS = [f"{exchange}-{market}" for exchange, market, *_ in DOCUMENTED]


def read(answers, exchange, market, bodies):
    return asyncio.run(registry.get(exchange).read_balance(answers(**bodies), market))


@pytest.mark.parametrize("told", DOCUMENTED, ids=IDS)
def test_a_documented_answer(answers, told):
    exchange, market, bodies, held, whole = told
    found = read(answers, exchange, market, bodies)
    assert found == Wallet(held={name: Decimal(value) for name, value in held.items()}, whole=whole)
    assert found.of("DOGE") == (Decimal(0) if whole else None)
    assert market in registry.get(exchange).wallets


@pytest.mark.parametrize("told", DOCUMENTED, ids=IDS)
@pytest.mark.parametrize("junk", [None, "", "1,5", "NaN", "Infinity", True, [], {}, "1" * 40, float("nan")])
def test_one_odd_amount_makes_the_whole_wallet_unknown(answers, told, junk):
    """A sum that lacks a part would look as if the account held less."""
    exchange, market, bodies, *_ = told
    for spoiled in _spoiled(bodies, junk):
        found = read(answers, exchange, market, spoiled)
        assert found in (None, read(answers, exchange, market, bodies))


def test_some_of_what_was_spoiled_counts(answers):
    """The test above would pass if nothing that it spoils were read."""
    for exchange, market, bodies, held, _ in DOCUMENTED:
        read_ones = [read(answers, exchange, market, spoiled) for spoiled in _spoiled(bodies, None)]
        assert None in read_ones or not held, (exchange, market)


def _spoiled(bodies, junk):
    """``bodies`` with one amount after the other replaced by ``junk``."""
    for path, value in [*_leaves(bodies, ())]:
        if (
            isinstance(value, str | float)
            and amount(value) is not None
            and path[-1] not in {"code", "retCode"}
        ):
            spoiled = copy.deepcopy({name: body for name, body in bodies.items() if body is not OTHER_MODE})
            inner = spoiled
            for step in path[:-1]:
                inner = inner[step]
            inner[path[-1]] = junk
            yield {name: body for name, body in bodies.items() if body is OTHER_MODE} | spoiled


def _leaves(node, path):
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _leaves(value, (*path, position))
    else:
        yield path, node


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["asset", "free", "locked"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(rows=JSON)
def test_no_rows_are_misread(rows):
    found = wallet(rows, currency="asset", parts=("free", "locked"))
    if found is not None:
        assert isinstance(rows, list)
        assert sum(found.held.values()) == sum(
            amount(row[part]) for row in rows for part in ("free", "locked")
        )
        assert {row["asset"].strip().upper() for row in rows} == found.held.keys()


def test_amounts_are_in_no_repr():
    assert "987654" not in repr(Wallet(held={"USDT": Decimal(987654)}))


@pytest.mark.parametrize("exchange", [name for name in registry.ids() if name != "kraken"])
async def test_what_the_sandbox_holds_is_read_through_ccxt(observed, exchange):
    spec = load_scenario(folder("examples") / "all-exchanges" / "sandbox.yaml").exchanges[exchange]
    key = next(iter(spec.keys.values()))
    seen = (await observed(exchange, key)).seen
    assert seen.wallet.held == {name: Decimal(value) for name, value in key.balances.items()}


@pytest.mark.parametrize(("exchange", "market"), [("kraken", SPOT), ("gate", MARGIN), ("htx", MARGIN)])
def test_where_an_exchange_does_not_tell_nothing_is_asked(exchange, market):
    assert market not in registry.get(exchange).wallets
