"""What the files of a bot's controllers say that it trades, in this tool's own words.

Fields as the controllers have them that hummingbot-api ships (``bots/controllers`` at ee7ce5c); connectors
by the folders of ``hummingbot/connector`` at 2bfaccc (2026-07-30).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from reconciler.model.bot import Bot, Stake
from reconciler.model.desired import Market, Money
from reconciler.runtimes.fields import LONGEST, Fields
from reconciler.runtimes.hummingbot_api import Config

_CALL: Final = "GET /controllers/bots/…/configs"

#: Connectors whose names are not those of ccxt. Others are told as they are: they fit no connection.
_EXCHANGES: Final = {
    "bing_x": "bingx",
    "btc_markets": "btcmarkets",
    "coinbase_advanced_trade": "coinbase",
    "gate_io": "gate",
}

#: Connectors on which nothing real is traded: Hummingbot's own paper trade, and exchanges' test networks.
_PRETENDING: Final = ("_paper_trade", "_testnet")
_PERPETUAL: Final = "_perpetual"

#: Sources of prices, which need no key.
_FEEDS: Final = ("candles", "rate_")

_CONNECTORS: Final = ("connector_name", "connector", "exchange")
_PAIRS: Final = ("trading_pair", "trading_pairs")


def bot_of(configs: Sequence[Config], reports: Mapping[str, Mapping[str, Any]]) -> Bot:
    """The bot that these controllers are; ``reports`` are their last figures, by controller id."""
    markets = sorted({found for config in configs for found in _markets(config)})
    connectors = sorted({connector for connector, _ in markets})
    names = sorted({Fields.of(_CALL, config).text("controller_name") for config in configs})
    return Bot(
        exchange=", ".join(sorted({_exchange(one) for one in connectors})) or None,
        money=_money(connectors),
        market=_market(connectors),
        pairs=tuple(sorted({symbol(connector, pair) for connector, pair in markets if pair})) or None,
        stake=_stake(configs),
        strategy=", ".join(names) or None,
        open_positions=_positions(configs, reports),
    )


def symbol(connector: str, pair: str) -> str:
    """``BTC-USDT`` as ccxt has it: ``BTC/USDT``, and ``BTC/USDT:USDT`` where it is a perpetual.

    A perpetual that is quoted in USD itself is settled in its base.
    """
    base, _, quote = pair.partition("-")
    if _PERPETUAL not in connector or not quote:
        return f"{base}/{quote}"
    return f"{base}/{quote}:{base if quote == 'USD' else quote}"


def _markets(part: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a part of a file is anything
    """Each connector that a key is used on, with each of its pairs; a connector without any with none."""
    if isinstance(part, list):
        for one in part:
            yield from _markets(one)
    if not isinstance(part, Mapping):
        return
    for key, value in part.items():
        if not isinstance(key, str) or key.startswith(_FEEDS):
            continue
        if isinstance(value, str) and value and key.endswith(_CONNECTORS):
            yield Fields.of(_CALL, part).text(key), ""
        elif key.endswith(_PAIRS) and value:
            for pair in (value,) if isinstance(value, str) else Fields.of(_CALL, part).texts(key):
                yield _connector_of(part, key), Fields(_CALL, {key: pair}).text(key)
        else:
            yield from _markets(value)


def _connector_of(part: Mapping[str, Any], key: str) -> str:
    """The connector of a pair: of ``maker_trading_pair`` it is ``maker_connector``."""
    prefix = key.removesuffix("trading_pairs").removesuffix("trading_pair")
    names = [f"{prefix}{one}" for one in _CONNECTORS] + list(_CONNECTORS)
    found = next((part[name] for name in names if isinstance(part.get(name), str)), "")
    return Fields(_CALL, {"connector": found}).text("connector")


def _plain(connector: str) -> str:
    for suffix in _PRETENDING:
        connector = connector.removesuffix(suffix)
    return connector


def _exchange(connector: str) -> str:
    name = _plain(connector).removesuffix(_PERPETUAL)
    return _EXCHANGES.get(name, name)


def _money(connectors: Sequence[str]) -> Money | None:
    """Real money where any of them trades it."""
    if not connectors:
        return None
    return Money.DRY_RUN if all(one.endswith(_PRETENDING) for one in connectors) else Money.LIVE


def _market(connectors: Sequence[str]) -> Market | None:
    """Futures where any of them trades them: the key must be allowed to."""
    if not connectors:
        return None
    return Market.FUTURES if any(_PERPETUAL in one for one in connectors) else Market.SPOT


def _stake(configs: Sequence[Config]) -> Stake | None:
    """What all of them were given together; no limit where one was given nothing, or tells none.

    In several currencies at once it is told in all of them, and fits no limit.
    """
    quotes = sorted({pair.partition("-")[2] for one in configs for _, pair in _markets(one) if pair})
    if not quotes:
        return None
    amounts = [_amount(config.get("total_amount_quote")) for config in configs]
    known = [one for one in amounts if one]
    return Stake(
        currency="+".join(quotes),
        most=sum(known, Decimal(0)) if len(known) == len(amounts) else None,
    )


def _amount(value: object) -> Decimal | None:
    """More than zero, or ``None``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 else None


def _positions(configs: Sequence[Config], reports: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The pairs that controllers hold. ``None`` for none: what their executors have open is not in it."""
    mine = {config.get("id") for config in configs}
    told = [report.get("positions_summary") for name, report in reports.items() if name in mine]
    held = [_position(one) for some in told if isinstance(some, list) for one in some]
    return tuple(sorted(one for one in held if one)) or None


def _position(told: object) -> str | None:
    """``None`` for one of another shape: figures say nothing on which anything is started."""
    found = isinstance(told, Mapping) and (told.get("connector_name"), told.get("trading_pair"))
    match found:
        case (str() as connector, str() as pair) if pair.isprintable() and len(pair) <= LONGEST:
            return symbol(connector, pair)
    return None
