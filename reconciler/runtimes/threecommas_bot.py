"""What 3Commas says of a DCA bot and of its exchange account, in the words of this tool.

What it spells in a way that is not known here is passed on as it is, or not told: never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal, InvalidOperation, localcontext
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from reconciler.model.bot import Account, Averaging, Stake
from reconciler.model.desired import Market, Money
from reconciler.runtimes.fields import LONGEST, Fields


class Place(NamedTuple):
    """Where an account trades. ``market`` is ``None`` where the code does not say it."""

    exchange: str | None
    market: Market | None = None


PAPER: Final = "paper_trading"
_TESTNET: Final = "_testnet"

#: By ``market_code``: those that the documentation names, and those of its older versions and of 3Commas'
#: own answers. ``GET /ver1/accounts/market_list`` has them all; what each of them is, nothing tells.
PLACES: Final[Mapping[str, Place]] = MappingProxyType(
    {
        PAPER: Place(None),
        "binance": Place("binance", Market.SPOT),
        "binance_futures": Place("binance", Market.FUTURES),
        "binance_futures_coin": Place("binance", Market.FUTURES),
        "binance_futures_eea": Place("binance", Market.FUTURES),
        "binance_margin": Place("binance", Market.MARGIN),
        "binance_us": Place("binanceus", Market.SPOT),
        "bitfinex": Place("bitfinex"),
        "bitget_usdt_futures": Place("bitget", Market.FUTURES),
        "bitmex": Place("bitmex", Market.FUTURES),
        "bitstamp": Place("bitstamp", Market.SPOT),
        "bybit": Place("bybit"),
        "bybit_spot": Place("bybit", Market.SPOT),
        "bybit_usdt_perpetual": Place("bybit", Market.FUTURES),
        "deribit": Place("deribit"),
        "gate_io": Place("gate", Market.SPOT),
        "gate_io_btc_perpetual": Place("gate", Market.FUTURES),
        "gate_io_usdt_perpetual": Place("gate", Market.FUTURES),
        "gemini": Place("gemini", Market.SPOT),
        "huobi": Place("htx", Market.SPOT),
        "kraken": Place("kraken", Market.SPOT),
        "kucoin": Place("kucoin", Market.SPOT),
        "okex": Place("okx"),
        "poloniex": Place("poloniex", Market.SPOT),
    }
)

_MARKETS: Final = {"spot": Market.SPOT, "futures": Market.FUTURES}

#: What ``api_keys_state`` is while the key works; documented until 2024-07, with ``expired``.
_SOUND_KEYS: Final = frozenset({"ok", "expire_soon"})

#: Credits that Binance counts futures of its users in the EEA in; the contracts are those of other coins.
_CREDITS: Final = "BNFCR"
_COINS: Final = ("USDT", "USDC")

#: What exchanges append to the name of a contract without an end: Bitget.
_SUFFIXES: Final = ("", "_UMCBL")

_SPOT_PAIR: Final = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)")
_LINEAR: Final = re.compile(r"[A-Z0-9]+/([A-Z0-9]+):\1")

#: Enough digits for two hundred orders; what is rounded is rounded up.
_UP: Final = Context(prec=60, rounding=ROUND_CEILING)
_CENTS: Final = Decimal("1e-8")
_MOST: Final = Decimal(10) ** 30
_LEAST: Final = 1 / _MOST

#: To so much a ratio of two orders is told.
_RATIO: Final = Decimal("0.0001")

#: Additions to a position that are believed; 3Commas allows two hundred.
_ADDITIONS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """An exchange account in 3Commas. ``known``: it trades at a place that this release knows."""

    account: Account
    known: bool
    exchange: str | None
    market: Market | None
    money: Money | None

    @classmethod
    def of(cls, told: Fields) -> Wallet:
        """The account that an answer describes."""
        code = told.text("market_code")
        place = PLACES.get(code.removesuffix(_TESTNET))
        pretends = code == PAPER or code.endswith(_TESTNET)
        types = told.texts("supported_market_types") if "supported_market_types" in told.answer else ()
        market = place.market if place else None
        return cls(
            account=Account(id=str(identity(told, "id")), name=shown(told, "name"), trouble=_trouble(told)),
            known=place is not None,
            exchange=place.exchange if place else None,
            market=market or (_MARKETS.get(types[0]) if len(types) == 1 else None),
            money=None if place is None else Money.DRY_RUN if pretends else Money.LIVE,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DcaBot:
    """A DCA bot as far as this tool looks at it; ``pairs`` are as 3Commas spells them."""

    account: int
    name: str
    direction: str
    pairs: tuple[str, ...]
    deals: int
    stake: Decimal | None
    averaging: Averaging | None

    @classmethod
    def of(cls, told: Fields) -> DcaBot:
        """The bot that an answer describes."""
        steps = _custom_steps(told)
        return cls(
            account=identity(told, "account_id"),
            name=shown(told, "name"),
            direction=told.text("strategy"),
            pairs=tuple(sorted(told.texts("pairs"))),
            deals=_count(told, "active_deals_count"),
            stake=_most(told, steps),
            averaging=_averaging(told, steps),
        )

    @property
    def judged(self) -> tuple[object, ...]:
        """By what it was judged: whatever it is but whether it is on, and what it holds."""
        return (self.account, self.name, self.direction, self.pairs, self.stake, self.averaging)

    def symbols(self, market: Market | None) -> tuple[str, ...]:
        """Its pairs as ccxt spells them, where that is known."""
        return tuple(symbol(pair, market) for pair in self.pairs)

    def stakes(self, market: Market | None) -> Stake:
        """What its deals may take together, its quote's; without a limit where that cannot be reckoned."""
        quotes = {pair.partition("_")[0] for pair in self.pairs}
        futures = market not in (Market.SPOT, Market.MARGIN)
        linear = not futures or all(_LINEAR.fullmatch(one) for one in self.symbols(market))
        one = len(quotes) == 1 and linear
        return Stake(currency=min(quotes, default=""), most=self.stake if one else None)


def symbol(pair: str, market: Market | None) -> str:
    """``BTC/USDT`` for ``USDT_BTC`` on spot; on futures the contract without an end that is meant.

    A pair that is spelt in no known way stays as it is, which no pair in git can be.
    """
    quote, _, name = pair.partition("_")
    if market is Market.FUTURES:
        return _contract(quote, name) or pair
    known = _SPOT_PAIR.fullmatch(pair) if market else None
    return f"{name}/{quote}" if known else pair


def _contract(quote: str, name: str) -> str | None:
    """The ccxt symbol of a contract; ``USDT_BTCUSDT`` is Binance's, ``BTC_BTC-USD-SWAP`` OKX'."""
    if name in (f"{quote}USD", f"{quote}USD_PERP", f"{quote}-USD-SWAP"):
        return f"{quote}/USD:{quote}"
    for coin in _COINS if quote == _CREDITS else (quote,):
        for ending in (*(f"{coin}{one}" for one in _SUFFIXES), f"-{coin}-SWAP", f"_{coin}"):
            base = name.removesuffix(ending)
            if base != name and re.fullmatch("[A-Z0-9]+", base):
                return f"{base}/{coin}:{coin}"
    return None


def identity(told: Fields, name: str) -> int:
    """An id of 3Commas: a whole number above zero."""
    value = told.answer.get(name)
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if whole and isinstance(value, int) else told.refuse(f"has no id `{name}`")


def shown(told: Fields, name: str) -> str:
    """A name that a person chose, with everything in it that cannot be shown spelt out."""
    value = told.answer.get(name)
    if not isinstance(value, str):
        return told.refuse(f"has no text `{name}`")
    return (value if value.isprintable() else ascii(value))[:LONGEST]


def _trouble(told: Fields) -> str | None:
    """Why nothing can be traded on an account, where that is so."""
    if told.flag("is_locked"):
        reason = told.answer.get("lock_reason")
        return f"3Commas has locked it ({told.text('lock_reason')})" if reason else "3Commas has locked it"
    if told.flag("api_key_invalid", default=False):
        return "its exchange key is invalid"
    state = told.answer.get("api_keys_state")
    if state is not None and state not in _SOUND_KEYS:
        return f"its exchange key is {told.text('api_keys_state')}"
    return None if told.flag("bots_allowed", default=True) else "bots are not allowed on it"


def _count(told: Fields, name: str) -> int:
    """A whole number; the documentation's examples have some of them as text."""
    number = _decimal(told, name)
    return int(number) if number == number.to_integral_value() else told.refuse(f"has no count `{name}`")


def _decimal(told: Fields, name: str) -> Decimal:
    """A number from 0, exactly as it is written."""
    return _exactly(told, name, told.answer.get(name))


def _exactly(told: Fields, name: str, value: object) -> Decimal:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return told.refuse(f"has no number `{name}`")
        if number.is_finite() and (number == 0 or _LEAST < number < _MOST):
            return number
    return told.refuse(f"has no number `{name}`")


def _custom_steps(told: Fields) -> tuple[tuple[Decimal, Decimal], ...]:
    """How far the price moves until each addition, in percent of the first one, and what it adds."""
    steps: object = told.answer.get("custom_safety_steps") or []
    if not isinstance(steps, list):
        return told.refuse("has no list `custom_safety_steps`")
    return tuple(_custom_step(told, step) for step in steps)


def _custom_step(told: Fields, step: object) -> tuple[Decimal, Decimal]:
    one: Mapping[str, Any] = Fields.of(told.call, step).answer
    moved = str(one.get("deviation")).removeprefix("-")
    return _exactly(told, "deviation", moved), _exactly(told, "size", one.get("size"))


def _sizes(told: Fields, custom: Sequence[tuple[Decimal, Decimal]]) -> list[Decimal]:
    """What each addition adds."""
    if custom:
        return [size for _, size in custom]
    size, growth = _decimal(told, "safety_order_volume"), _decimal(told, "martingale_volume_coefficient")
    sizes = []
    for _ in range(_additions(told)):
        sizes.append(size)
        size *= growth
    return sizes


def _additions(told: Fields) -> int:
    number = _count(told, "max_safety_orders")
    return number if number <= _ADDITIONS else told.refuse("has more `max_safety_orders` than any bot")


def _most(told: Fields, custom: Sequence[tuple[Decimal, Decimal]]) -> Decimal | None:
    """What all deals together take of the quote currency, rounded up; ``None`` where there is no such limit.

    A bot that invests its profits again outgrows every number that stands in it today.
    """
    kinds = {told.answer.get("base_order_volume_type"), told.answer.get("safety_order_volume_type")}
    if kinds != {"quote_currency"}:
        return None
    if told.answer.get("reinvesting_percentage") is not None and _decimal(told, "reinvesting_percentage"):
        return None
    with localcontext(_UP):
        deal = sum(_sizes(told, custom), start=_decimal(told, "base_order_volume"))
        most = deal * _count(told, "max_active_deals")
        return most.quantize(_CENTS).normalize() if most < _MOST else None


def _averaging(told: Fields, custom: Sequence[tuple[Decimal, Decimal]]) -> Averaging:
    """How it adds to a position: its smallest step, and the largest of one order over the last.

    The first addition follows the base order, which may be a small part of it.
    """
    if custom:
        return _custom_averaging(told, sorted(custom))
    additions, step = _additions(told), _decimal(told, "safety_order_step_percentage")
    growth = [_decimal(told, "martingale_volume_coefficient").normalize()] if additions > 1 else []
    with localcontext(_UP):
        factor = min(_decimal(told, "martingale_step_coefficient"), Decimal(1))
        narrows = factor ** (additions - 1) if additions > 1 else Decimal(1)
        if additions:
            growth += _first_growth(told, _decimal(told, "safety_order_volume"))
        return Averaging(
            additions=additions,
            step=(step * narrows).normalize(),
            multiplier=max(growth, default=Decimal(1)),
        )


def _custom_averaging(told: Fields, steps: Sequence[tuple[Decimal, Decimal]]) -> Averaging:
    with localcontext(_UP):
        moves, sizes = zip(*steps, strict=True)
        gaps = [after - before for before, after in pairwise((Decimal(0), *moves))]
        growth = [_ratio(after, before) for before, after in pairwise(sizes)]
        growth += _first_growth(told, sizes[0])
    return Averaging(additions=len(steps), step=min(gaps), multiplier=max(growth, default=Decimal(1)))


def _first_growth(told: Fields, first: Decimal) -> list[Decimal]:
    """The first addition over the base order; nothing where the two are in different units."""
    same = told.answer.get("base_order_volume_type") == told.answer.get("safety_order_volume_type")
    return [_ratio(first, _decimal(told, "base_order_volume"))] if same else []


def _ratio(after: Decimal, before: Decimal) -> Decimal:
    """One order over the one before it, rounded up; as much as nobody allows where there was none before."""
    if not before:
        return _MOST if after else Decimal(0)
    return min(after / before, _MOST).quantize(_RATIO).normalize()
