"""One list of an exchange's markets: asked for by us, read by ccxt, which can send nothing meanwhile.

To read a list of thousands as ccxt does takes up to half a second of this processor, so rows of other
currencies are left out before, and the rest is read on a thread: the clock of an exchange is measured by
how long calls take, and nothing may make them seem longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from reconciler.exchanges import parse
from reconciler.exchanges.interface import Call, Json, Listing
from reconciler.live.client import isolated

AskPublic: TypeAlias = Callable[[Call, Mapping[str, Any]], Awaitable[Json]]
"""Makes one public call within the budget and gives the body of a judged success."""

_Answered: TypeAlias = Sequence[tuple[Call, Mapping[str, Any], Json]]

#: So many rows are read whatever they are of: they show that ccxt understands the list.
_WITNESSES: Final = 20

MOST: Final = 10_000
"""Rows that a list may have: three times as many as the longest has, and no more than a second of ccxt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What ccxt reads of one market: whether it is open for trading, and for trading on margin."""

    open: bool | None
    margin: bool | None


async def listed(
    made: Any,  # noqa: ANN401 - a prototype of ``client``
    listing: Listing,
    ask: AskPublic,
    *,
    bases: Collection[str],
) -> Mapping[str, Listed]:
    """The markets of ``listing`` whose base is one of ``bases``, by ccxt symbol; maybe some others.

    Raises:
        CallFailed: a request failed.
        ValueError: there is not one market, there are more pages or too many rows: no list that anything
            follows from.
        Exception: whatever ccxt raises on an answer of another shape.
    """
    names = _names(made, bases)
    answered = [
        (call, params, _thinned(_whole(await ask(call, params), listing), names))
        for call, params in listing.requests
    ]
    markets = await asyncio.to_thread(lambda: asyncio.run(_read(made, listing, answered)))
    found = {str(market["symbol"]): _listed(market) for market in markets}
    if not found:
        raise ValueError("there is not one market")
    return found


def _names(made: Any, bases: Collection[str]) -> tuple[str, ...]:  # noqa: ANN401 - a prototype
    """What the exchange calls ``bases``, in capitals: ccxt renames some, such as KuCoin's XBT."""
    renamed = (name for name, code in made.commonCurrencies.items() if code in bases)
    return tuple({name.upper() for name in (*bases, *renamed)})


def _whole(body: Json, listing: Listing) -> Json:
    """``body``, unless there is another page of it."""
    cursor = body if listing.cursor else None
    for name in listing.cursor:
        cursor = parse.fields(cursor).get(name)
    if cursor:
        raise ValueError("the list has more pages than one")
    return body


def _thinned(body: Json, names: tuple[str, ...]) -> Json:
    """``body`` with every list of rows cut down to those that begin with one of ``names``, and a few more.

    Names of markets begin with their base, and so do the fields that hold it.
    """
    if isinstance(body, dict):
        return {name: _thinned(value, names) for name, value in body.items()}
    if not isinstance(body, list):
        return body
    if len(body) > MOST:
        raise ValueError("the list is longer than any exchange's")
    return [*body[:_WITNESSES], *(row for row in body[_WITNESSES:] if _mentions(row, names))]


def _mentions(row: Json, names: tuple[str, ...]) -> bool:
    words = (value.upper() for value in parse.fields(row).values() if isinstance(value, str))
    return any(word.startswith(names) for word in words)


async def _read(made: Any, listing: Listing, answered: _Answered) -> Iterable[Mapping[str, Any]]:  # noqa: ANN401
    """What ccxt makes of the answers, on a loop of its own, as its readers wait for many at once."""
    reader = isolated(made)
    for name, value in listing.options.items():
        before = reader.options.get(name)
        reader.options[name] = {**(before if isinstance(before, dict) else {}), **value}
    reader.request = _nothing
    for implicit in {call.implicit for call, _, _ in answered}:
        setattr(reader, implicit, _replay([each for each in answered if each[0].implicit == implicit]))
    markets: Iterable[Mapping[str, Any]] = await getattr(reader, listing.reads)({})
    return markets


def _replay(answered: _Answered) -> Callable[..., Awaitable[Json]]:
    """In the place of one of ccxt's methods: the answer to the request that it would have sent."""

    async def answer(params: Mapping[str, Any] | None = None) -> Json:
        asked = (params or {}).items()
        return next((body for _, given, body in answered if asked <= dict(given).items()), {})

    return answer


async def _nothing(*asked: object, **costs: object) -> Json:
    """In the place of every other request of ccxt: nobody needs the answer here."""
    del asked, costs
    return {}


def _listed(market: Mapping[str, Any]) -> Listed:
    told = [value if isinstance(value := market.get(name), bool) else None for name in ("active", "margin")]
    return Listed(open=told[0], margin=told[1])
