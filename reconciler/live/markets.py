"""What the exchanges list, asked lazily, once for everybody, and remembered for an hour."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from reconciler.exchanges.interface import Exchange, Listing
from reconciler.exchanges.pairs import kind_of
from reconciler.live.listing import Listed
from reconciler.live.station import Station
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed

_LOG: Final = logging.getLogger("reconciler.live")

#: Seconds that a list counts. Exchanges announce the end of a market days before it.
HELD_FOR: Final = 3600.0
#: Seconds until a list that could not be had is asked for again.
AGAIN_AFTER: Final = 300.0

_List: TypeAlias = Mapping[str, Listed]
_Key: TypeAlias = tuple[str, int]
"""An exchange, and which of its lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a list says of the markets of ``bases``; of all others it says nothing."""

    markets: _List
    bases: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A list of ``bases`` that was asked for ``at`` a time of ``clock`` and ``since`` one of the loop.

    ``known`` is the one before, which counts for as long as this one is on its way.
    """

    task: asyncio.Task[_List | None]
    bases: frozenset[str]
    at: float
    since: float
    known: _Known | None

    def now(self) -> _Known | None:
        """What it says at this moment."""
        if not self.task.done():
            return self.known
        markets = None if self.task.cancelled() else self.task.result()
        return None if markets is None else _Known(markets=markets, bases=self.bases)


class Markets:
    """The lists of all exchanges, for as long as somebody uses them.

    Nobody's reading of a key waits for a list longer than its patience, and a list that cannot be had
    leaves the pairs in it unknown, nothing else. ``clock`` gives seconds.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bases: dict[_Key, set[str]] = defaultdict(set)
        self._asked: dict[_Key, _Asked] = {}

    def want(self, exchange: Exchange, market: Market, pairs: Iterable[str]) -> None:
        """Have ``pairs`` read from the lists that are asked for from now on."""
        for key, _, pair in _places(exchange, market, pairs):
            self._bases[key].add(_base(pair))

    def begin(self, station: Station, market: Market, pairs: Iterable[str]) -> None:
        """Ask for the lists that hold ``pairs``, unless they are known or being asked for."""
        for key, listing, pair in _places(station.exchange, market, pairs):
            before = self._asked.get(key)
            if before is None or self._outdated(before, _base(pair)):
                bases = frozenset(self._bases[key] | {_base(pair)})
                self._asked[key] = _Asked(
                    task=asyncio.create_task(_read(station, listing, bases)),
                    bases=bases,
                    at=self._clock(),
                    since=asyncio.get_running_loop().time(),
                    known=before.now() if before else None,
                )

    async def told(
        self, exchange: Exchange, market: Market, pairs: Iterable[str], *, patience: float
    ) -> Mapping[str, bool | None]:
        """Whether each of ``pairs`` is open for trading, ``None`` where that is not known.

        A list that is on its way is waited for until ``patience`` seconds after it was asked for. Of
        pairs for whose list this exchange is never asked there is nothing.
        """
        found: dict[str, bool | None] = {}
        for key, _, pair in _places(exchange, market, pairs):
            asked = self._asked.get(key)
            known = await _waited(asked, _base(pair), patience) if asked else None
            found[pair] = None if known is None else _open(known.markets.get(pair), market)
        return found

    async def keep_only(self, exchanges: Collection[str]) -> None:
        """Forget the lists of every exchange but these."""
        for key in [key for key in self._bases if key[0] not in exchanges]:
            del self._bases[key]
        gone = [self._asked.pop(key).task for key in tuple(self._asked) if key[0] not in exchanges]
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)

    def _outdated(self, asked: _Asked, base: str) -> bool:
        if not asked.task.done():
            return False
        held_for = AGAIN_AFTER if asked.now() is None else HELD_FOR
        return base not in asked.bases or not 0 <= self._clock() - asked.at <= held_for


def _places(exchange: Exchange, market: Market, pairs: Iterable[str]) -> Iterator[tuple[_Key, Listing, str]]:
    """Each pair with the list that it is to be found in, as far as the exchange is asked for it."""
    for pair in pairs:
        listing = exchange.listings.get(kind_of(market, pair))
        if listing is not None:
            yield (exchange.id, id(listing)), listing, pair


def _base(pair: str) -> str:
    return pair.partition("/")[0]


async def _waited(asked: _Asked, base: str, patience: float) -> _Known | None:
    """The list that tells of ``base``: the one before where that does, else the one that was asked for."""
    left = asked.since + patience - asyncio.get_running_loop().time()
    if left > 0 and base in asked.bases and not (asked.known and base in asked.known.bases):
        await asyncio.wait({asked.task}, timeout=left)
    known = asked.now()
    return known if known and base in known.bases else None


async def _read(station: Station, listing: Listing, bases: Collection[str]) -> _List | None:
    """The list, or ``None`` for whatever kept it from being read."""
    try:
        return await station.listed(listing, bases=bases)
    except CallFailed as failed:
        _LOG.info("the markets of %s could not be read: %s", station.exchange.id, failed.failure.kind.value)
    except Exception as error:  # noqa: BLE001 - ccxt raises anything on shapes that it does not expect
        _LOG.warning("the markets of %s were not understood (%s)", station.exchange.id, type(error).__name__)
    return None


def _open(found: Listed | None, market: Market) -> bool | None:
    if found is None:
        return False
    told = (found.open, found.margin) if market is Market.MARGIN else (found.open,)
    return False if False in told else None if None in told else True
