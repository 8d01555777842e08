"""DCA bots of one user of 3Commas, switched on and off through its public API.

3Commas holds the exchange keys itself: what runs there runs on a key that it was given, which it shows to
nobody. Disabling keeps a bot from starting deals; those that are open go on to their end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from reconciler.model.bot import Bot
from reconciler.model.desired import Market, Money, OnDisable, RuntimeSpec
from reconciler.model.errors import RuntimeFailed
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.taking import Parameter, Takes, Taking
from reconciler.runtimes.each import each
from reconciler.runtimes.failing import failed, in_doubt
from reconciler.runtimes.fields import Fields
from reconciler.runtimes.holders import holders
from reconciler.runtimes.interface import Opening, RuntimeType
from reconciler.runtimes.threecommas_api import Api, Mode
from reconciler.runtimes.threecommas_bot import DcaBot, Wallet, identity, symbol
from reconciler.runtimes.threecommas_pace import READS, Pace, pace_of

#: None is given: 3Commas' update wants the whole bot, and what it is not told again is lost.
TAKES: Final[Takes] = MappingProxyType(
    dict.fromkeys(
        (
            Parameter.PAIRS,
            Parameter.MARGIN_LIMIT,
            Parameter.MAX_ADDITIONS,
            Parameter.STEP,
            Parameter.MULTIPLIER,
        ),
        Taking.COMPARED,
    )
)

#: Statuses from here on say that the server itself is in trouble.
_BROKEN: Final = 500

Positions: TypeAlias = Mapping[int, tuple[str, ...]] | None
"""The pairs of open deals by bot, as 3Commas spells them; ``None`` where they cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One look at a bot, and the world in which it was found.

    ``bot`` is ``None`` where it could not be understood, and ``why`` says so: it can be switched off all
    the same.
    """

    id: int
    enabled: bool
    mode: Mode
    bot: DcaBot | None
    why: str = ""

    @classmethod
    def of(cls, told: Fields, mode: Mode) -> _Seen:
        """What an answer says."""
        id_, enabled = identity(told, "id"), told.flag("is_enabled")
        try:
            return cls(id=id_, enabled=enabled, mode=mode, bot=DcaBot.of(told))
        except RuntimeFailed as error:
            return cls(id=id_, enabled=enabled, mode=mode, bot=None, why=error.message)


class ThreeCommas:
    """The bots that git, or what this tool enabled, names by their ids.

    Another one that is enabled is told as ``<runtime>/<its id>``, an id that no strategy in git can have.
    A named one that is not there is told as nothing, once both worlds were asked for it.
    """

    def __init__(self, opening: Opening, pace: Pace | None = None) -> None:
        spec = opening.spec
        self._runtime = spec.id
        self._enabled_by_us = opening.enabled
        self._mode = Mode.PAPER if spec.mode is Money.DRY_RUN else Mode.REAL
        url = spec.url or ""
        self._api = Api(
            url,
            opening.credentials,
            timeout=opening.timeout,
            pace=pace or pace_of(url),
            sleep=opening.sleep,
        )
        self._holders = holders(opening, _bot_id)
        self._on: dict[int, Mode] = {}
        self._judged: dict[int, tuple[object, ...] | None] = {}
        self._wallets: dict[int, Wallet | None] = {}
        self._positions: dict[Mode, Positions] = {}

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Each strategy whose bot is there, and whatever else is enabled.

        What is open, and the accounts, are read once in a pass, so that looking again costs little.
        """
        listed = {identity(one, "id"): one for one in await self._api.bots(self._mode)}
        seen = await self._known(listed)
        await self._learn_wallets(seen)
        await self._learn_positions(seen)
        held: dict[str, RunningStrategy] = {}
        for bot, one in sorted(seen.items()):
            self._judged.setdefault(bot, one.bot.judged if one.bot else None)
            self._note(bot, one)
            _join(held, self._running(one, self._holders[bot]))
        for bot in sorted(listed.keys() - seen.keys()):
            if listed[bot].flag("is_enabled"):
                id_ = f"{self._runtime}/{bot}"
                held[id_] = RunningStrategy(id=id_, enabled=True, parameters=None)
        return held

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Enable its bot. One that is another by now than was read and judged in this pass is not."""
        del connection, token
        bot = _named(parameters)
        seen = await self._find(bot)
        if seen is None:
            raise failed(Kind.WRONG_BOT, f"3Commas has no DCA bot {bot} that this token may see")
        if seen.bot is None:
            raise failed(Kind.UNEXPECTED_ANSWER, seen.why)
        if self._judged.get(bot) != seen.bot.judged:
            raise failed(Kind.WRONG_BOT, f"bot {bot} is not the one that was read and judged in this pass")
        self._holders[bot] = strategy
        if seen.enabled:
            return
        if self._wallet(seen.bot) is None:
            raise failed(
                Kind.REFUSED,
                f"bot {bot} trades on an account of which nobody knows here on which exchange it is: nothing "
                "can be compared with its key",
            )
        await self._switch(bot, seen.mode, on=True)

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Take note of new parameters, which are compared and never sent.

        Another connection, or another bot, is refused: what runs goes on with the key of the old one.
        """
        del token
        mine = self._enabled_by_us.get(strategy)
        if mine is None:
            return
        old, new = _bot_id(mine.parameters), _bot_id(parameters)
        if mine.connection != connection or old != new:
            what = f"to the key of {connection}" if mine.connection != connection else f"to bot {new}"
            raise failed(
                Kind.REFUSED,
                f"bot {old} cannot move {what} while it runs: write `enabled: false`, apply, change what has "
                "to change, then enable the strategy again",
            )

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Keep all that is its own from starting deals; those that are open go on. It knows no other way.

        A bot that was on when it was last read is told so at once: no trouble with looking keeps it on.
        """
        del token, how
        mine = sorted(bot for bot, holder in self._holders.items() if holder == strategy)
        if not mine:
            raise failed(Kind.WRONG_BOT, f"nobody knows any more which bot {strategy} was")
        await each(self._stop(bot) for bot in mine)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def _stop(self, bot: int) -> None:
        mode = self._on.pop(bot, None)
        if mode is None:
            seen = await self._find(bot, most=None)
            mode = seen.mode if seen is not None and seen.enabled else None
        if mode is not None:
            await self._switch(bot, mode, on=False)

    def _note(self, bot: int, seen: _Seen) -> None:
        """Remember which bots are on, and in which world."""
        if seen.enabled:
            self._on[bot] = seen.mode
        else:
            self._on.pop(bot, None)

    async def _known(self, listed: Mapping[int, Fields]) -> dict[int, _Seen]:
        """Every named bot that is there. One that the list does not have is asked for by itself."""
        found = {bot: _Seen.of(listed[bot], self._mode) for bot in self._holders if bot in listed}
        missing = sorted(self._holders.keys() - found.keys())
        looks = await asyncio.gather(*map(self._find, missing))
        return found | {bot: seen for bot, seen in zip(missing, looks, strict=True) if seen is not None}

    async def _find(self, bot: int, *, most: int | None = READS) -> _Seen | None:
        """A bot, in whichever world it is: what one of them does not have may run in the other."""
        for mode in (self._mode, self._mode.other):
            told = await self._api.bot(bot, mode, most=most)
            if told is not None:
                if identity(told, "id") != bot:
                    told.refuse("is another bot")
                return _Seen.of(told, mode)
        return None

    async def _learn_wallets(self, seen: Mapping[int, _Seen]) -> None:
        for one in seen.values():
            account = one.bot.account if one.bot else None
            if account is not None and account not in self._wallets:
                self._wallets[account] = await self._account(account, one.mode)

    async def _account(self, account: int, mode: Mode) -> Wallet | None:
        """An account. One that 3Commas itself cannot tell of hides none of the others."""
        try:
            told = await self._api.account(account, mode)
            return Wallet.of(told) if told is not None else None
        except RuntimeFailed as error:
            if error.kind is Kind.UNEXPECTED_ANSWER or (error.status or 0) >= _BROKEN:
                return None
            raise

    async def _learn_positions(self, seen: Mapping[int, _Seen]) -> None:
        open_ = {one.mode for one in seen.values() if one.bot and one.bot.deals}
        for mode in sorted(open_ - self._positions.keys()):
            self._positions[mode] = await self._deals(mode)

    async def _deals(self, mode: Mode) -> Positions:
        """What is open. Where that cannot be read, everything else still can."""
        try:
            deals = await self._api.deals(mode)
            pairs = [(identity(deal, "bot_id"), deal.text("pair")) for deal in deals or ()]
        except RuntimeFailed:
            return None
        if deals is None:
            return None
        open_: dict[int, tuple[str, ...]] = {}
        for bot, pair in pairs:
            open_[bot] = (*open_.get(bot, ()), pair)
        return open_

    def _running(self, seen: _Seen, strategy: str) -> RunningStrategy:
        """The bot as its strategy. Of one that is on, and cannot be compared, nobody knows how it runs."""
        sure = seen.bot is not None and self._wallet(seen.bot) is not None
        return RunningStrategy(
            id=strategy,
            enabled=seen.enabled if sure or not seen.enabled else None,
            parameters=None,
            bot=self._told(seen, seen.bot) if seen.bot else None,
        )

    def _told(self, seen: _Seen, bot: DcaBot) -> Bot:
        wallet = self._wallets.get(bot.account)
        market = wallet.market if wallet else None
        return Bot(
            exchange=wallet.exchange if wallet else None,
            money=wallet.money if wallet else None,
            market=market,
            account=wallet.account if wallet else None,
            pairs=bot.symbols(market),
            stake=bot.stakes(market),
            averaging=bot.averaging,
            strategy=bot.name,
            open_positions=self._open(seen, bot, market),
        )

    def _open(self, seen: _Seen, bot: DcaBot, market: Market | None) -> tuple[str, ...] | None:
        """The pairs of its open deals; ``None`` unless there are as many as the bot itself counts."""
        known = self._positions.get(seen.mode)
        pairs = known.get(seen.id, ()) if known is not None else ()
        return tuple(sorted(symbol(pair, market) for pair in pairs)) if len(pairs) == bot.deals else None

    def _wallet(self, bot: DcaBot) -> Wallet | None:
        """The account that a bot trades on, where this release knows at which exchange that is."""
        wallet = self._wallets.get(bot.account)
        return wallet if wallet is not None and wallet.known else None

    async def _switch(self, bot: int, mode: Mode, *, on: bool) -> None:
        """Enable or disable it. What it then says of itself has to be what it was told."""
        told = await self._api.switch(bot, mode, on=on)
        with in_doubt():
            if identity(told, "id") != bot or told.flag("is_enabled") is not on:
                did = "enable" if on else "disable"
                raise failed(Kind.REFUSED, f"3Commas took the order to {did} bot {bot}, and did not")


def _join(held: dict[str, RunningStrategy], one: RunningStrategy) -> None:
    """Add one bot to what others of the same strategy are: one that is on, or may be, says what runs."""
    before = held.get(one.id)
    if before is None or (one.enabled is not False and before.enabled is not True):
        held[one.id] = one


def _bot_id(parameters: Mapping[str, Any]) -> int | None:
    settings = parameters.get("settings")
    bot = settings.get("bot_id") if isinstance(settings, Mapping) else None
    return bot if _is_id(bot) else None


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _named(parameters: Mapping[str, Any]) -> int:
    bot = _bot_id(parameters)
    if bot is None:
        raise failed(Kind.WRONG_BOT, "the strategy names no bot in `settings.bot_id`")
    return bot


def place(spec: RuntimeSpec, parameters: Mapping[str, Any]) -> str:
    """Which bot of 3Commas a strategy is: no two users have one of the same number.

    Raise ``ValueError`` where it names none, or an account that is none.
    """
    del spec
    bot = _bot_id(parameters)
    if bot is None:
        raise ValueError("`settings.bot_id` must be the number of a DCA bot in 3Commas")
    settings = parameters["settings"]
    if "account_id" in settings and not _is_id(settings["account_id"]):
        raise ValueError("`settings.account_id` must be the number of an account in 3Commas")
    return f"the DCA bot {bot} of 3Commas"


TYPE: Final = RuntimeType(
    name="3commas",
    open=ThreeCommas,
    credentials=("api_key", "secret"),
    settings=frozenset({"bot_id", "account_id", "strategy"}),
    takes=TAKES,
    place=place,
    disables=(OnDisable.STOP_ENTRIES,),
    tells_positions=True,
)
