"""What files of controllers say of a bot: those that hummingbot-api ships, and what people make of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hummingbot_fake import PMM

from reconciler.model.bot import Bot, Stake
from reconciler.model.desired import Market, Money
from reconciler.model.errors import RuntimeFailed
from reconciler.runtimes.hummingbot_facts import bot_of, symbol


def config(**fields):
    """A controller with these fields and no others."""
    return {"id": "x", "controller_name": "x", **fields}


def told(**fields):
    return bot_of([config(**fields)], {})


def test_a_market_maker():
    assert bot_of([PMM], {}) == Bot(
        exchange="binance",
        money=Money.LIVE,
        market=Market.SPOT,
        pairs=("BTC/USDT",),
        stake=Stake(currency="USDT", most=Decimal(200)),
        strategy="pmm_simple",
    )


@pytest.mark.parametrize(
    ("connector", "exchange", "market", "money"),
    [
        ("binance", "binance", Market.SPOT, Money.LIVE),
        ("binance_perpetual", "binance", Market.FUTURES, Money.LIVE),
        ("binance_paper_trade", "binance", Market.SPOT, Money.DRY_RUN),
        ("bybit_perpetual_testnet", "bybit", Market.FUTURES, Money.DRY_RUN),
        ("gate_io", "gate", Market.SPOT, Money.LIVE),
        ("gate_io_perpetual", "gate", Market.FUTURES, Money.LIVE),
        ("bing_x", "bingx", Market.SPOT, Money.LIVE),
        ("coinbase_advanced_trade", "coinbase", Market.SPOT, Money.LIVE),
        ("jupiter/router", "jupiter/router", Market.SPOT, Money.LIVE),
    ],
)
def test_connectors_in_the_words_of_ccxt(connector, exchange, market, money):
    bot = told(connector_name=connector, trading_pair="BTC-USDT")
    assert (bot.exchange, bot.market, bot.money) == (exchange, market, money)


@pytest.mark.parametrize(
    ("connector", "pair", "wanted"),
    [
        ("kucoin", "BTC-USDT", "BTC/USDT"),
        ("kucoin_perpetual", "BTC-USDT", "BTC/USDT:USDT"),
        ("bybit_perpetual", "BTC-USD", "BTC/USD:BTC"),
        ("kucoin", "BTCUSDT", "BTCUSDT/"),
    ],
)
def test_pairs_in_the_words_of_ccxt(connector, pair, wanted):
    assert symbol(connector, pair) == wanted


def test_an_arbitrage_is_on_two_exchanges_which_no_connection_is():
    bot = told(
        exchange_pair_1={"connector_name": "binance", "trading_pair": "SOL-USDT"},
        exchange_pair_2={"connector_name": "kraken", "trading_pair": "SOL-USDC"},
        rate_connector="okx",
        total_amount_quote=100,
    )
    assert (bot.exchange, bot.pairs) == ("binance, kraken", ("SOL/USDC", "SOL/USDT"))
    assert bot.stake == Stake(currency="USDC+USDT", most=Decimal(100)), "fits no limit"


def test_a_hedge_on_spot_and_futures_is_one_on_futures():
    bot = told(
        spot_connector_name="binance",
        asset_to_hedge="SOL",
        hedge_connector_name="binance_perpetual",
        hedge_trading_pair="SOL-USDT",
        total_amount_quote=0,
    )
    assert (bot.exchange, bot.market, bot.pairs) == ("binance", Market.FUTURES, ("SOL/USDT:USDT",))
    assert bot.stake == Stake(currency="USDT"), "0 is how controllers say that they do not go by it"


def test_each_pair_goes_with_the_connector_of_its_name():
    bot = told(
        maker_connector="mexc", maker_trading_pair="BTC-USDT",
        taker_connector="binance_perpetual", taker_trading_pair="BTC-USDC",
    )  # fmt: skip
    assert bot.pairs == ("BTC/USDC:USDC", "BTC/USDT")


def test_sources_of_prices_need_no_key_and_count_for_nothing():
    bot = told(
        connector_name="mexc", trading_pairs=["BTC-USDT", "ETH-USDT"],
        candles_connector="binance", candles_trading_pair="XRP-USDT",
        candles_config=[{"connector": "binance", "trading_pair": "DOGE-USDT", "interval": "1m"}],
    )  # fmt: skip
    assert (bot.exchange, bot.pairs) == ("mexc", ("BTC/USDT", "ETH/USDT"))


def test_a_bot_of_several_controllers_is_all_of_them():
    bot = bot_of([PMM, {**PMM, "controller_name": "dman_v3", "connector_name": "binance_paper_trade"}], {})
    assert (bot.strategy, bot.money) == ("dman_v3, pmm_simple", Money.LIVE)
    assert bot.stake == Stake(currency="USDT", most=Decimal(400))


@pytest.mark.parametrize("amount", [None, 0, "0", -5, True, "all", "NaN", "Infinity", [1]])
def test_an_amount_that_limits_nothing_is_no_limit(amount):
    bot = bot_of([PMM, {**PMM, "total_amount_quote": amount}], {})
    assert bot.stake == Stake(currency="USDT", most=None)


@pytest.mark.parametrize("amount", [12.5, "12.5", 1e1])
def test_amounts_as_numbers_and_as_text(amount):
    assert told(**{**PMM, "total_amount_quote": amount}).stake.most == Decimal(str(amount))


def test_what_no_field_says_is_not_told():
    assert told(leverage=20) == Bot(strategy="x")
    assert bot_of([], {}) == Bot()


@pytest.mark.parametrize(
    "fields",
    [
        {"controller_name": None},
        {"controller_name": "a\nb"},
        {"connector_name": "x" * 121},
        {"connector_name": "mexc", "trading_pair": "\x1b[2J"},
        {"connector_name": "mexc", "trading_pairs": [1]},
        {"connector_name": "mexc", "trading_pairs": {"BTC-USDT": 1}},
    ],
)
def test_what_does_not_fit_is_refused(fields):
    with pytest.raises(RuntimeFailed):
        told(**fields)


def held(*positions, id_="pmm-btc"):
    return bot_of([PMM], {id_: {"positions_summary": list(positions)}}).open_positions


def test_positions_that_its_controllers_hold():
    one = {"connector_name": "binance_perpetual", "trading_pair": "ETH-USDT", "side": "BUY", "amount": 1}
    two = {"connector_name": "binance", "trading_pair": "BTC-USDT", "side": "BUY", "amount": 1}
    assert held(one, two) == ("BTC/USDT", "ETH/USDT:USDT")
    assert held(one, id_="another") is None
    assert held() is None, "executors may have some open"
    assert held(1, {}, {"connector_name": "x", "trading_pair": "\x1b"}) is None
