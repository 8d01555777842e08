"""Bots and controllers of one hummingbot-api: https://github.com/hummingbot/hummingbot-api.

A bot is a Docker container that starts its strategy by itself. What the API says of a bot is what it last
heard over its message broker, so a bot that it calls "stopped" may be one that starts, or waits for an
exchange that refuses its key. The proof that a strategy runs are its figures; that it does not, its last
word, or that its container has ended.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from reconciler.model.desired import OnDisable, RuntimeSpec
from reconciler.model.errors import RuntimeFailed
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.taking import Parameter, Takes, Taking
from reconciler.runtimes.each import each
from reconciler.runtimes.failing import failed, in_doubt
from reconciler.runtimes.holders import holders
from reconciler.runtimes.hummingbot_api import SILENT, Api, Overview
from reconciler.runtimes.hummingbot_bots import NAME, Place, Seen
from reconciler.runtimes.interface import Opening, RuntimeType

#: Seconds between two looks at a bot that was told something.
PAUSE: Final = 2.0

#: How often a bot is looked at: until the API has forgotten what it heard from it (30 seconds), until its
#: strategy runs, until it has wound down (``ExecutorOrchestrator.stop`` takes up to 30 seconds), and until
#: its container has ended.
FORGET_LOOKS: Final = 20
START_LOOKS: Final = 30
WIND_LOOKS: Final = 25
END_LOOKS: Final = 10

#: Seconds of a clock on the wall after which its container is ended, however slowly the server answers: what
#: is left of the time of an act is for that.
WIND_SECONDS: Final = 85.0

#: So soon a strategy that was told to stop sends figures no more.
_OBEY_LOOKS: Final = 3

#: Seconds that a bot may take to cancel its orders after its last word (``TradingCore.KILL_TIMEOUT`` is 20).
CANCEL_SECONDS: Final = 22.0

#: Seconds until a bot has read the files of its controllers again, which it does every ten.
APPLY_SECONDS: Final = 12.0

#: How often a bot is told something that was not passed on to it, and how many are read at once.
_TRIES: Final = 3
_AT_ONCE: Final = 10

#: How many bots wind down at once. Their containers end one after the other, as the server answers nobody
#: while it waits for one to end, and all of that has to fit into the time of an act.
_STOPS_AT_ONCE: Final = 3

#: What an id does not show of names that a server tells.
_UNSHOWN: Final = re.compile(r"[^A-Za-z0-9_.-]")


class Hummingbot:
    """The bots of one server. Those that neither git nor this tool names are told as ``<runtime>/<bot>``."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._sleep = opening.sleep
        self._api = Api(opening.spec.url or "", opening.credentials, timeout=opening.timeout)
        self._holders = holders(opening, Place.of)
        self._judged: dict[Place, tuple[object, ...]] = {}
        self._ending = asyncio.Lock()

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Each strategy whose bot is there, and what else runs on the server."""
        await self._api.identify()
        overview = await self._api.overview()
        seen = await self._every(overview)
        held = dict(self._others(seen, overview.bots - seen.keys()))
        for place, strategy in sorted(self._holders.items()):
            one = seen[place.bot]
            if one.there(place):
                self._judged.setdefault(place, one.identity(place))
                self._join(held, strategy, place, one)
        return held

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Start its bot and wait for its figures, or release the kill switch of its controller.

        One that is another by now than was read in this pass is not started.
        """
        del connection, token
        place = _named(parameters)
        seen = await self._now(place.bot)
        if not seen.there(place) or self._judged.get(place) != seen.identity(place):
            raise failed(Kind.WRONG_BOT, f"{place} is not there, or not the one that was read in this pass")
        if seen.configs is None:
            raise failed(Kind.REFUSED, f"what {place} trades cannot be read from its files")
        self._refuse_shared(place.bot)
        self._holders[place] = strategy
        if seen.on(place):
            return
        if place.controller:
            await self._release(place, seen)
        else:
            await self._start(place.bot, seen)

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Take note of new parameters: what the bot tells of them is compared, and none is given to it.

        Another connection, or another bot, is refused: what runs goes on with the old one.
        """
        del token
        mine = self._opening.enabled.get(strategy)
        if mine is None:
            return
        old, new = Place.of(mine.parameters), Place.of(parameters)
        if mine.connection != connection or old != new:
            what = f"to the key of {connection}" if mine.connection != connection else f"to {new}"
            raise failed(
                Kind.REFUSED,
                f"{old} cannot move {what} while it runs: write `enabled: false`, apply, change what has to "
                "change, then enable the strategy again",
            )

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Have all that is its own wind down, and end its container; or set the kill switch.

        It knows no other way.
        """
        del token, how
        mine = sorted(place for place, holder in self._holders.items() if holder == strategy)
        if not mine:
            raise failed(Kind.WRONG_BOT, f"nobody knows any more which bot {strategy} was")
        await each(self._stop(place) for place in mine)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._api.close()

    async def _stop(self, place: Place) -> None:
        seen = await self._now(place.bot)
        if place.controller and seen.there(place) and seen.on(place) is not False:
            await self._switch(place, off=True)
        elif not place.controller and seen.up:
            await self._end(place.bot, seen)

    async def _every(self, overview: Overview) -> dict[str, Seen]:
        """A look at every bot. One of which the server cannot tell is unknown, and hides none of the others.

        Raise where it can tell of none of ours.
        """
        named, gate = {place.bot for place in self._holders}, asyncio.Semaphore(_AT_ONCE)

        async def look(bot: str) -> Seen | RuntimeFailed:
            async with gate:
                try:
                    return await self._look(bot, overview, files=bot in named)
                except RuntimeFailed as error:
                    return error

        bots = sorted(named | {one for one in overview.bots if NAME.fullmatch(one)})
        looks = dict(zip(bots, await asyncio.gather(*map(look, bots)), strict=True))
        ours = [looks[bot] for bot in sorted(named)] or list(looks.values())
        failures = [one for one in ours if isinstance(one, RuntimeFailed)]
        if failures and len(failures) == len(ours):
            raise failures[0]
        return {
            bot: Seen.of(bot, overview, SILENT, None) if isinstance(one, RuntimeFailed) else one
            for bot, one in looks.items()
        }

    async def _now(self, bot: str) -> Seen:
        return await self._look(bot, await self._api.overview(), files=True)

    async def _look(self, bot: str, overview: Overview, *, files: bool) -> Seen:
        report = await self._api.report(bot)
        configs = await self._api.configs(bot) if files else None
        return Seen.of(bot, overview, report, configs)

    def _join(self, held: dict[str, RunningStrategy], strategy: str, place: Place, seen: Seen) -> None:
        """Add what is at one place to the others of a strategy that moved: one that runs is enough."""
        before = held.get(strategy)
        states = {seen.on(place), before.enabled if before else False}
        told = True if True in states else None if None in states else False
        wanted = self._opening.wanted.get(strategy)
        moved = before is not None and wanted is not None and Place.of(wanted.parameters) != place
        bot = before.bot if before is not None and moved else seen.bot(place)
        held[strategy] = RunningStrategy(id=strategy, enabled=told, parameters=None, bot=bot)

    def _others(
        self, seen: Mapping[str, Seen], unnameable: Iterable[str]
    ) -> Iterator[tuple[str, RunningStrategy]]:
        """What runs, or may, and is nobody's here: whole bots, and controllers beside one that is ours."""
        mine = {place.bot for place in self._holders}
        found: dict[str, bool | None] = {bot: one.runs for bot, one in seen.items() if bot not in mine}
        found |= dict.fromkeys(unnameable)
        for bot in mine - {place.bot for place in self._holders if not place.controller}:
            for config in seen[bot].configs or ():
                place = Place(bot, str(config.get("_config_name", "")))
                if place.controller and place not in self._holders:
                    found[f"{bot}/{place.controller}"] = seen[bot].on(place)
        for name, runs in found.items():
            shown = "/".join(_UNSHOWN.sub("?", part) for part in name[:120].split("/"))
            id_ = f"{self._opening.spec.id}/{shown}"
            yield id_, RunningStrategy(id=id_, enabled=runs, parameters=None)

    def _refuse_shared(self, bot: str) -> None:
        """A bot that is one strategy as a whole, and another by a controller, is started for neither."""
        places = [Place.of(one.parameters) for one in self._opening.wanted.values()]
        if len({bool(one.controller) for one in places if one and one.bot == bot}) > 1:
            raise failed(
                Kind.REFUSED,
                f"one strategy is the whole bot {bot}, and another is a controller of it: name only "
                "controllers of that bot, or only the bot",
            )

    async def _start(self, bot: str, seen: Seen) -> None:
        """Start the container, which starts the strategy; a process without one is ended before.

        ``start-bot`` is of no use: it carries ``script``, which a Hummingbot from 2.13 on does not take.
        """
        if seen.container is None:
            raise failed(
                Kind.REFUSED, f"the bot {bot} is no container of this server, and is started where it runs"
            )
        if seen.container.running and seen.runs is None:
            raise failed(
                Kind.REFUSED,
                f"the bot {bot} is up and tells nothing: it may trade, and is not started twice. "
                "Read its log, and stop its container",
            )
        if seen.container.running:
            await self._stop_container(bot)
        await self._forgotten(bot)
        await self._api.start_container(bot)
        with in_doubt():
            await self._until_it_runs(bot)

    async def _forgotten(self, bot: str) -> None:
        """Return once old figures cannot be taken for those of the new process."""
        for _ in range(FORGET_LOOKS):
            if (await self._api.report(bot)).status in ("not_found", "stopped"):
                return
            await self._sleep(PAUSE)
        raise failed(
            Kind.REFUSED,
            f"the container of {bot} has ended, and a bot of that name still sends messages: two must not "
            "trade at once",
        )

    async def _until_it_runs(self, bot: str) -> None:
        for _ in range(START_LOOKS):
            seen = await self._now(bot)
            if not seen.up:
                raise failed(Kind.REFUSED, f"the container of {bot} ended again at once: read its log")
            if seen.runs and seen.report.heard:
                return
            await self._sleep(PAUSE)
        raise failed(
            Kind.REFUSED,
            f"the container of {bot} was started, but its strategy told nothing within "
            f"{START_LOOKS * PAUSE:.0f} s: read its log",
        )

    async def _end(self, bot: str, seen: Seen) -> None:
        """Have it wind down, then end its container, whatever became of the first."""
        with in_doubt():
            ended = seen.report.runs is False or await self._winds_down(bot)
            if seen.container is not None:
                await self._stop_container(bot)
            elif not ended:
                raise failed(
                    Kind.REFUSED,
                    f"the bot {bot} was told to stop and did not say that it has. It is no container of this "
                    "server, so nothing else can end it from here",
                )

    async def _winds_down(self, bot: str) -> bool:
        """Whether it did. Neither trouble nor a slow server keeps anybody from ending its container."""
        try:
            async with asyncio.timeout(WIND_SECONDS):
                return await self._told_to_stop(bot) and await self._wound_down(bot)
        except (RuntimeFailed, TimeoutError):
            return False

    async def _told_to_stop(self, bot: str) -> bool:
        """Whether the bot may have been told: surely not where the API could not pass it on."""
        for _ in range(_TRIES):
            try:
                if await self._api.stop_bot(bot):
                    return True
            except RuntimeFailed as error:
                return not error.untouched
            await self._sleep(PAUSE)
        return False

    async def _wound_down(self, bot: str) -> bool:
        """Whether it said that it has, with time for its orders to be cancelled."""
        for look in range(WIND_LOOKS):
            await self._sleep(PAUSE)
            report = await self._api.report(bot)
            if report.runs is False:
                await self._sleep(CANCEL_SECONDS)
                return True
            if look >= _OBEY_LOOKS and (report.runs or not report.heard):
                return False  # it did not hear, or does not follow
        return False

    async def _stop_container(self, bot: str) -> None:
        try:
            async with self._ending:
                await self._api.stop_container(bot)
        except RuntimeFailed as error:
            if error.untouched or error.kind is not Kind.UNREACHABLE:
                raise  # else no answer came, and looking tells
        for _ in range(END_LOOKS):
            container = (await self._api.overview()).containers.get(bot)
            if container is None or not container.running:
                return
            await self._sleep(PAUSE)
        raise failed(Kind.REFUSED, f"the container of {bot} did not end", untouched=False)

    async def _release(self, place: Place, seen: Seen) -> None:
        if not seen.runs:
            raise failed(
                Kind.REFUSED,
                f"the bot {place.bot} does not run, or tells nothing: start its container, which this tool "
                "does not do for one of its controllers",
            )
        await self._switch(place, off=False)

    async def _switch(self, place: Place, *, off: bool) -> None:
        """Write the kill switch, and see that it still stands there once the bot must have read it."""
        await self._api.set_kill_switch(place.bot, place.controller, on=off)
        with in_doubt():
            await self._sleep(APPLY_SECONDS)
            if (await self._now(place.bot)).on(place) is off:
                raise failed(
                    Kind.REFUSED, f"the kill switch of {place} was set back at once: somebody else writes it"
                )


def _named(parameters: Mapping[str, Any]) -> Place:
    found = Place.of(parameters)
    if found is None:
        raise failed(Kind.WRONG_BOT, "the strategy names no bot in `settings.bot`")
    return found


def place(spec: RuntimeSpec, parameters: Mapping[str, Any]) -> str:
    """Which bot, or controller, a strategy is. Raise ``ValueError`` where it names none."""
    del spec
    found = Place.of(parameters)
    if found is None:
        raise ValueError(
            "`settings.bot` must be the name of a bot's container, and `settings.controller`, where it is "
            "only one of that bot's controllers, the name of its file without .yml"
        )
    return str(found)


#: Its API is given none of them, and what a bot tells is compared.
TAKES: Final[Takes] = MappingProxyType(
    {Parameter.PAIRS: Taking.COMPARED, Parameter.MARGIN_LIMIT: Taking.COMPARED}
)

TYPE: Final = RuntimeType(
    name="hummingbot",
    open=Hummingbot,
    credentials=("username", "password"),
    settings=frozenset({"bot", "controller", "strategy"}),
    place=place,
    takes=TAKES,
    stops_at_once=_STOPS_AT_ONCE,
)
