"""One freqtrade bot over its REST API: https://www.freqtrade.io/en/stable/rest-api/.

Read in the source of freqtrade 2026.9 (``freqtrade/rpc``) and driven against a real bot. What it tells of
itself is what it was asked to do; ``health`` tells what it did.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final

from reconciler.model.bot import Averaging, Bot, Stake
from reconciler.model.desired import Market, Money, OnDisable
from reconciler.model.errors import RuntimeFailed
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.taking import Parameter, Takes, Taking
from reconciler.runtimes.failing import failed, in_doubt
from reconciler.runtimes.fields import Fields
from reconciler.runtimes.freqtrade_login import FreqtradeLogin
from reconciler.runtimes.http import Http
from reconciler.runtimes.interface import Opening, RuntimeType

#: The first version with a state of its own for a pause: before, ``stopentry`` set a number of trades that
#: nothing but a reload brought back, and the state went on to say "running" (freqtrade PR #11539).
PAUSES_FROM: Final = (2025, 4)

#: The first version whose API is as this module knows it.
OLDEST: Final = (2024, 1)

#: How often, and how far apart in seconds, a bot is looked at until it does what it was told. Its loop comes
#: round every five seconds by default; on the way it may load markets, or retry what its exchange refused.
LOOKS: Final = 60
PAUSE: Final = 1.0

#: So many of these looks wait for a reload to end when the bot is only read.
_READ_LOOKS: Final = 5

_VERSION: Final = re.compile(r"(?:^|\D)(20\d\d)\.(\d{1,2})(?!\d)")
_BOTS: Final = frozenset({"live", "dry_run"})
_RELOADING: Final = frozenset({"reload_config", ""})
_ENABLED: Final = {"running": True, "paused": False, "stopped": False}
_MARKETS: Final = {"spot": Market.SPOT, "margin": Market.MARGIN, "futures": Market.FUTURES}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One look at the bot. ``enabled`` is ``None`` while it reloads, or in a state that we do not know."""

    state: str
    version: tuple[int, int]
    bot: Bot

    @property
    def enabled(self) -> bool | None:
        return _ENABLED.get(self.state)

    @property
    def identity(self) -> tuple[object, ...]:
        """By what the bot was judged, as far as it is told whether it is on or off."""
        bot = self.bot
        whole = (bot.exchange, bot.money, bot.market, bot.account_mode, bot.strategy)
        return (*whole, bot.stake, bot.averaging)


class Freqtrade:
    """One bot, which runs one strategy: under its id in git, or that under which this tool started it.

    A bot that neither git nor this tool knows a strategy for is told as ``<runtime>/bot``, an id that no
    strategy in git can have.
    """

    def __init__(self, opening: Opening) -> None:
        spec = opening.spec
        self._runtime = spec.id
        self._enabled_by_us = opening.enabled
        self._sleep = opening.sleep
        self._http = Http(spec.url or "", timeout=opening.timeout)
        self._login = FreqtradeLogin(self._http, opening.credentials)
        self._strategy = _holder(opening)
        self._judged: tuple[object, ...] | None = None

    async def read(self) -> Mapping[str, RunningStrategy]:
        """The one strategy, whatever the bot does."""
        seen = await self._settled(_READ_LOOKS)
        pairs, positions, heartbeat = await asyncio.gather(
            self._pairs(), self._positions(), self._heartbeat()
        )
        if self._judged is None:
            self._judged = seen.identity
        bot = replace(seen.bot, pairs=pairs, open_positions=positions, heartbeat=heartbeat)
        return {
            self._strategy: RunningStrategy(
                id=self._strategy,
                enabled=seen.enabled,
                parameters=None,
                bot=bot,
                paused=seen.state == "paused",
            )
        }

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Start the bot, and wait until its loop has come round.

        Parameters are the bot's own configuration: what it tells of them was judged when it was read. A
        bot that is another one by now is not started.
        """
        del parameters, connection, token
        seen = await self._settled(LOOKS)
        if self._judged != seen.identity:
            raise failed(Kind.WRONG_BOT, "the bot is not the one that was read and judged in this pass")
        self._strategy = strategy
        if seen.state == "running":
            return
        before = await self._heartbeat()
        await self._told("/start", {"running"}, seen)
        with in_doubt():
            await self._worked_since(before)

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Take note of new parameters: the API changes none, and those that the bot tells are judged.

        Another connection is refused: the key stands in the bot's own configuration, and no answer shows
        which one it is.
        """
        del parameters, token
        mine = self._enabled_by_us.get(strategy)
        if mine is not None and mine.connection != connection:
            raise failed(
                Kind.REFUSED,
                f"freqtrade cannot move to the key of {connection} while it runs: write `enabled: false`, "
                "apply, give the bot the other key, restart it, then enable the strategy again",
            )

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Have the bot open nothing more: stop it, or pause its entries.

        A bot that is off is not paused: pausing a stopped one would start it.
        """
        del strategy, token
        seen = await self._settled(LOOKS)
        if seen.state == "stopped" or (seen.state == "paused" and how is not OnDisable.STOP):
            return
        if how is OnDisable.STOP:
            await self._told("/stop", {"stopped"}, seen)
        elif seen.version < PAUSES_FROM:
            raise failed(
                Kind.WRONG_VERSION,
                "this freqtrade cannot pause its entries in a way that can be read back: upgrade it to "
                "2025.4 or newer, or write `disable: stop`",
            )
        else:
            await self._told("/pause", {"paused", "stopped"}, seen)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()

    async def _told(self, path: str, wanted: set[str], seen: _Seen) -> None:
        """Tell the bot something, and again where a reload that was on its way swallowed it.

        ``seen`` is how it was before.
        """
        await self._post(path)
        with in_doubt():
            for _ in range(LOOKS):
                now = await self._later(replace(seen, state=""))
                if now.state in wanted:
                    return
                if now.state not in _RELOADING:
                    await self._post(path)
                await self._sleep(PAUSE)
            raise failed(
                Kind.REFUSED, f"the bot took POST {path}, but did not follow within {LOOKS * PAUSE:.0f} s"
            )

    async def _worked_since(self, before: datetime | None) -> None:
        """Return once its loop has come round again: the proof that it does what it says."""
        for _ in range(LOOKS):
            now = await self._heartbeat()
            if now is not None and (before is None or now > before):
                return
            await self._sleep(PAUSE)
        raise failed(
            Kind.REFUSED,
            f"the bot took the start, but did not work within {LOOKS * PAUSE:.0f} s: read its log",
        )

    async def _settled(self, looks: int) -> _Seen:
        """The bot, once it is not in the middle of a reload, which would swallow what it is told."""
        seen = await self._seen()
        for _ in range(looks):
            if seen.state not in _RELOADING:
                break
            await self._sleep(PAUSE)
            seen = await self._later(seen)
        return seen

    async def _later(self, before: _Seen) -> _Seen:
        """The bot now; as it was before while its API is away, as it is for a second in a reload."""
        try:
            return await self._seen()
        except RuntimeFailed as error:
            if error.kind is Kind.UNREACHABLE:
                return before
            raise

    async def _seen(self) -> _Seen:
        told, config = await self._get("/version"), await self._get("/show_config")
        version = _version(told.text("version"))
        if config.text("runmode") not in _BOTS:
            raise failed(Kind.WRONG_BOT, "what answers is a freqtrade, but no bot: it does not trade at all")
        dry = config.flag("dry_run") or config.flag("demo_trading", default=False)
        market = config.text("trading_mode")
        if market not in _MARKETS:
            raise failed(Kind.UNEXPECTED_ANSWER, "the bot trades on a market that this tool does not know")
        bot = Bot(
            version=told.text("version"),
            exchange=config.text("exchange"),
            money=Money.DRY_RUN if dry else Money.LIVE,
            market=_MARKETS[market],
            account_mode=config.text("margin_mode", default="") or None,
            stake=_stake(config),
            averaging=_averaging(config),
            strategy=config.text("strategy"),
        )
        return _Seen(state=config.text("state"), version=version, bot=bot)

    async def _pairs(self) -> tuple[str, ...] | None:
        """What it trades. Before its first round a bot has no list yet, which is not an empty one."""
        return (await self._get("/whitelist")).texts("whitelist") or None

    async def _positions(self) -> tuple[str, ...] | None:
        """The pairs of its open trades; ``None`` where its exchange does not let it tell in time."""
        try:
            trades = await self._login.call("GET", "/api/v1/status")
        except RuntimeFailed as error:
            if error.kind in (Kind.UNREACHABLE, Kind.REFUSED):
                return None
            raise
        if not isinstance(trades, list):
            raise failed(Kind.UNEXPECTED_ANSWER, "the answer to GET /status is no list")
        return tuple(sorted(Fields.of("GET /status", trade).text("pair") for trade in trades))

    async def _heartbeat(self) -> datetime | None:
        """When its loop last came round; ``None`` while it never has."""
        health = await self._get("/health")
        stamp = health.number("last_process_ts")
        try:
            return None if stamp is None else datetime.fromtimestamp(stamp, UTC)
        except (ValueError, OverflowError, OSError):
            return health.refuse("names a moment that no calendar has")

    async def _get(self, path: str) -> Fields:
        return Fields.of(f"GET {path}", await self._login.call("GET", f"/api/v1{path}"))

    async def _post(self, path: str) -> None:
        await self._login.call("POST", f"/api/v1{path}")


def _holder(opening: Opening) -> str:
    """The strategy that the bot is told under: what git has and this tool started, else either."""
    both = opening.wanted.keys() & opening.enabled.keys()
    known = sorted(both) or sorted(opening.enabled) or sorted(opening.wanted)
    return known[0] if known else f"{opening.spec.id}/bot"


def _version(text: str) -> tuple[int, int]:
    """Year and month of ``2026.9`` or ``docker-2026.10-dev``. Raise ``RuntimeFailed`` below the oldest."""
    found = _VERSION.search(text)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise failed(
            Kind.WRONG_VERSION, f"this freqtrade is older than {oldest}, or does not tell its version"
        )
    return version


def _stake(config: Fields) -> Stake:
    """What all trades together may take. Without a limit where the stake, or their number, has none.

    Neither has one where the strategy may add to its positions, unless the bot's capital is limited.
    """
    adds = _averaging(config).additions != 0
    amount, trades = _decimal(config.text("stake_amount")), config.number("max_open_trades")
    bounded = amount is not None and trades is not None and trades >= 0 and not adds
    most = amount * int(trades) if bounded and amount is not None and trades is not None else None
    capital = config.number("available_capital")
    limits = [one for one in (most, None if capital is None else Decimal(str(capital))) if one is not None]
    return Stake(currency=config.text("stake_currency"), most=min(limits, default=None))


def _averaging(config: Fields) -> Averaging:
    """How often it may add to an open trade: freqtrade counts entries after the first, and -1 is no limit.

    With 0 it may only take parts of a trade out (``check_and_call_adjust_trade_position`` in its source).
    """
    if not config.flag("position_adjustment_enable", default=False):
        return Averaging(additions=0)
    most = config.number("max_entry_position_adjustment")
    return Averaging(additions=None if most is None or most < 0 else int(most))


def _decimal(text: str) -> Decimal | None:
    """``None`` for ``unlimited``."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


#: Its API changes nothing, so nothing is given. It tells no step and no multiplier of its additions, which
#: are code of its strategy; and its stop loss is one of each trade, no drawdown of the whole.
TAKES: Final[Takes] = MappingProxyType(
    dict.fromkeys((Parameter.PAIRS, Parameter.MARGIN_LIMIT, Parameter.MAX_ADDITIONS), Taking.COMPARED)
)

TYPE: Final = RuntimeType(
    name="freqtrade",
    open=Freqtrade,
    credentials=("username", "password"),
    single=True,
    settings=frozenset({"strategy"}),
    takes=TAKES,
    disables=(OnDisable.STOP_ENTRIES, OnDisable.STOP),
    tells_positions=True,
)
