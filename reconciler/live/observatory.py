"""What stays open between two looks: ways out, and a station with its budget for each exchange behind one."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from reconciler.exchanges import registry
from reconciler.live.client import hosts_of, prototype
from reconciler.live.egress import Exits, way
from reconciler.live.endpoints import refuse_clear
from reconciler.live.markets import Markets
from reconciler.live.reading import ObserveOptions, Target, read
from reconciler.live.station import Station
from reconciler.model.live import Observation

#: Both proofs of one connection run at once.
_CALLS_AT_ONCE: Final = 2
_Place: TypeAlias = tuple[str, tuple[str, str]]
"""An exchange, and the way out to it: what one budget is for."""


class Observatory:
    """Reads keys for as long as its ``async with`` block runs, be that one look or months.

    Budgets, bans, sessions and lists of markets outlive a reading; what an exchange says to anybody
    (its clock, its status, our address) is asked again once it is older than ``fresh_for`` seconds,
    without it never.
    """

    def __init__(self, options: ObserveOptions, *, fresh_for: float | None = None) -> None:
        self._options = options
        self._fresh_for = fresh_for
        self._exits = Exits(limit=options.max_parallel * _CALLS_AT_ONCE)
        self._made: dict[str, Any] = {}
        self._stations: dict[_Place, Station] = {}
        self._markets = Markets(clock=lambda: options.now().timestamp())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.keep_only(())

    async def open(self, target: Target) -> None:
        """Be ready to read ``target``; nothing is sent, and nothing opened for one that is not to be tried.

        Call it for one target after another, never side by side.

        Raises:
            UsageError: an endpoint names a host that its exchange has not, or is in clear where an
                egress's proxy would read it.
            ObservationError: an egress or an exchange that cannot be used at all.
        """
        if not _wanted(target):
            return
        place, exchange = _place(target), registry.get(target.connection.exchange)
        self._markets.want(exchange, target.connection.market, target.listed)
        if place in self._stations:
            return
        if exchange.id not in self._made:
            self._made[exchange.id] = prototype(exchange, self._options.endpoints)
        made = self._made[exchange.id]
        if target.egress is not None:
            refuse_clear(hosts_of(made), target.egress.proxy)
        self._stations[place] = Station(
            exchange=exchange,
            made=made,
            way_out=await self._exits.get(target.egress),
            timeout=self._options.timeout,
            max_parallel=self._options.max_parallel,
            clock=lambda: self._options.now().timestamp(),
            fresh_for=self._fresh_for,
        )

    async def read(self, target: Target) -> Observation:
        """The observation of one connection that this was opened for, whatever happens."""
        return await read(target, self._stations.get(_place(target)), self._options, self._markets)

    async def keep_only(self, targets: Iterable[Target]) -> None:
        """Close every station and way out that none of ``targets`` uses, and forget its prototype."""
        kept = {_place(target) for target in targets}
        await self._markets.keep_only({exchange for exchange, _ in kept})
        for place in [place for place in self._stations if place not in kept]:
            await self._stations.pop(place).close()
        exchanges = {exchange for exchange, _ in self._stations}
        self._made = {name: made for name, made in self._made.items() if name in exchanges}
        await self._exits.keep_only({way_ for _, way_ in self._stations})


def _place(target: Target) -> _Place:
    return target.connection.exchange, way(target.egress)


def _wanted(target: Target) -> bool:
    return target.unread is None and target.credentials is not None
