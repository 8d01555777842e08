"""Reads every connection live, all at once but bounded, and gives one observation for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconciler.exchanges import parse, registry
from reconciler.exchanges.interface import Call, Exchange, Json
from reconciler.live.client import Client, hosts_of, missing, prototype
from reconciler.live.egress import Exits, way
from reconciler.live.endpoints import refuse_clear
from reconciler.live.scrub import scrub_failure, scrub_report
from reconciler.live.station import Station, Surroundings
from reconciler.model.desired import EMPTY, Connection, Egress
from reconciler.model.kinds import KINDS
from reconciler.model.live import (
    REFUSALS,
    CallFailed,
    Failure,
    FailureKind,
    KeyReport,
    Observation,
    Proof,
)
from reconciler.model.secret import Credentials

_LOG: Final = logging.getLogger("reconciler.live")
#: Both proofs of one connection run at once.
_CALLS_AT_ONCE: Final = 2
#: An exchange, and the way out to it: what one budget is for.
_Place = tuple[str, tuple[str, str]]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One connection to read. ``unread`` says why it is not to be tried; ``pairs`` are ccxt symbols."""

    connection: Connection
    credentials: Credentials | None
    unread: str | None = None
    egress: Egress | None = None
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOptions:
    """How to read. ``timeout`` (of one request) and ``deadline`` (of the whole) are in seconds.

    ``endpoints`` come from the operator (:func:`reconciler.live.endpoints.parse_endpoints`);
    ``max_parallel`` is how many connections are read at once on one exchange behind one egress.
    """

    endpoints: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    timeout: float = 10.0
    max_parallel: int = 64
    deadline: float | None = None
    now: Callable[[], datetime] = _now


async def observe(
    targets: Sequence[Target],
    *,
    options: ObserveOptions,
    progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, Observation]:
    """An observation of every target, by connection id; ``progress`` hears ``(done, all)``.

    One connection's trouble is in its own observation and never stops another's.

    Raises:
        UsageError: an endpoint names a host that its exchange has not, or is in clear where an
            egress's proxy would read it.
        ObservationError: an egress or an exchange that cannot be used at all.
    """
    async with AsyncExitStack() as stack:
        stations = await _stations(targets, options, stack)
        tasks = {
            asyncio.create_task(_read(target, stations.get(_place(target)), options)): target
            for target in targets
        }
        try:
            done = await _finish(tasks, options, progress)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return {target.connection.id: done[target.connection.id] for target in targets}


def _place(target: Target) -> _Place:
    return target.connection.exchange, way(target.egress)


async def _stations(
    targets: Sequence[Target], options: ObserveOptions, stack: AsyncExitStack
) -> dict[_Place, Station]:
    """One station for each exchange and way out that will be asked; one prototype for each exchange."""
    exits = await stack.enter_async_context(Exits(limit=options.max_parallel * _CALLS_AT_ONCE))
    made: dict[str, Any] = {}
    stations: dict[_Place, Station] = {}
    for target in targets:
        place = _place(target)
        if place in stations or not _wanted(target):
            continue
        exchange = registry.get(target.connection.exchange)
        if exchange.id not in made:
            made[exchange.id] = prototype(exchange, options.endpoints)
        if target.egress is not None:
            refuse_clear(hosts_of(made[exchange.id]), target.egress.proxy)
        stations[place] = Station(
            exchange=exchange,
            made=made[exchange.id],
            way_out=await exits.get(target.egress),
            timeout=options.timeout,
            max_parallel=options.max_parallel,
            clock=lambda: options.now().timestamp(),
        )
        stack.push_async_callback(stations[place].close)
    return stations


def _wanted(target: Target) -> bool:
    return target.unread is None and target.credentials is not None


async def _finish(
    tasks: Mapping[asyncio.Task[Observation], Target],
    options: ObserveOptions,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Observation]:
    """Every observation; connections that the deadline cut off are told as such."""
    found: dict[str, Observation] = {}
    for coming in asyncio.as_completed(tasks, timeout=options.deadline):
        try:
            seen = await coming
        except TimeoutError:  # the deadline's: what a task itself runs into is in its observation
            break
        found[seen.connection] = seen
        if progress is not None:
            progress(len(found), len(tasks))
    targets = (target for target in tasks.values() if target.connection.id not in found)
    return found | {target.connection.id: _late(target, options) for target in targets}


def _late(target: Target, options: ObserveOptions) -> Observation:
    kind = FailureKind.UNAVAILABLE
    message = f"{KINDS[kind].title}: not read within {options.deadline:g} s, the deadline of the whole run."
    return _blank(target, options, failure=Failure(kind=kind, message=message))


async def _read(target: Target, station: Station | None, options: ObserveOptions) -> Observation:
    """The observation of one connection, whatever happens: the one boundary of this room."""
    if station is None or target.credentials is None or target.unread is not None:
        return _blank(target, options, unread=target.unread or "it has no credentials")
    lacking = missing(station.exchange, target.credentials)
    if lacking is not None:
        return _blank(target, options, failure=lacking)
    try:
        async with station.places:
            return await _look(target, target.credentials, station, options)
    except Exception as error:  # noqa: BLE001 - a fault in reading one key must not hide the others
        # By class name only: the text of an unforeseen error may hold anything.
        _LOG.error("reading %s failed by %s", target.connection.id, type(error).__name__)
        kind = FailureKind.UNEXPECTED_RESPONSE
        message = f"{KINDS[kind].title}: reading it failed inside this tool ({type(error).__name__})."
        return _blank(target, options, failure=Failure(kind=kind, message=message))


def _blank(
    target: Target, options: ObserveOptions, *, failure: Failure | None = None, unread: str | None = None
) -> Observation:
    return Observation(
        connection=target.connection.id,
        exchange=target.connection.exchange,
        observed_at=options.now(),
        failure=failure,
        unread=unread,
    )


class _Reader:
    """Asks for one key. It is the ``Ask`` that exchange modules are given."""

    def __init__(self, client: Client, station: Station, credentials: Credentials) -> None:
        self._client = client
        self._station = station
        self._credentials = credentials
        self.skew: float | None = None
        self.now: Callable[[], datetime] = _now

    def owns(self, shown: str) -> bool:
        return parse.shows(shown, self._credentials.api_key.reveal())

    async def __call__(self, call: Call, params: Mapping[str, Any] | None = None) -> Json:
        try:
            return await self._asked(call, params)
        except CallFailed as failed:
            raise CallFailed(scrub_failure(failed.failure, self._credentials)) from None

    async def _asked(self, call: Call, params: Mapping[str, Any] | None) -> Json:
        try:
            return await self._station.ask(self._client, call, params)
        except CallFailed as failed:
            if failed.failure.kind is not FailureKind.CLOCK_SKEW:
                raise
            skew = await self._station.measure_skew()
            if skew is None:
                raise
            self.skew = skew
            self._client.correct_clock(skew)
        return await self._station.ask(self._client, call, params)


async def _look(
    target: Target, credentials: Credentials, station: Station, options: ObserveOptions
) -> Observation:
    around = await station.surroundings()
    if around.down is not None:
        return _blank(target, options, failure=around.down)
    client = station.client(credentials, skew=around.skew)
    reader = _Reader(client, station, credentials)
    reader.skew = around.skew
    reader.now = lambda: options.now() - timedelta(seconds=reader.skew or 0.0)
    try:
        report, failure = await _report(target, credentials, station.exchange, reader)
        proofs = await _proofs(target, station.exchange, reader, after=failure)
    finally:
        client.close()
    caller, source = _caller(target, around, (failure, *(proof.failure for proof in proofs.values())))
    return Observation(
        connection=target.connection.id,
        exchange=target.connection.exchange,
        observed_at=options.now(),
        report=report,
        failure=failure,
        proofs=proofs,
        health=around.health,
        clock_skew=reader.skew,
        caller_ip=caller,
        caller_ip_source=source,
    )


async def _report(
    target: Target, credentials: Credentials, exchange: Exchange, reader: _Reader
) -> tuple[KeyReport | None, Failure | None]:
    try:
        report = await exchange.read_key(reader, target.connection.market)
    except CallFailed as failed:
        return None, failed.failure
    return scrub_report(report, credentials), None


async def _proofs(
    target: Target, exchange: Exchange, reader: _Reader, *, after: Failure | None
) -> dict[str, Proof]:
    """Balance and orders, unless asking would teach nothing: the key was refused, or nobody answers."""
    if after is not None and (after.kind in REFUSALS or after.retryable):
        return {}
    market = target.connection.market
    if exchange.one_at_a_time:
        first = await _proof("balance", exchange.read_balance(reader, market))
        second = await _proof("orders", exchange.read_orders(reader, market, target.pairs))
        return {first.name: first, second.name: second}
    async with asyncio.TaskGroup() as both:
        balance = both.create_task(_proof("balance", exchange.read_balance(reader, market)))
        orders = both.create_task(_proof("orders", exchange.read_orders(reader, market, target.pairs)))
    return {task.result().name: task.result() for task in (balance, orders)}


async def _proof(name: str, reading: Awaitable[None]) -> Proof:
    try:
        await reading
    except CallFailed as failed:
        return Proof(name=name, failure=failed.failure)
    return Proof(name=name)


def _caller(
    target: Target, around: Surroundings, failures: Sequence[Failure | None]
) -> tuple[str | None, str | None]:
    """The address that calls left from, and who says so; what a failure names stays in the failure too."""
    if around.my_ip is not None:
        return around.my_ip, "exchange"
    named = next((failure.caller_ip for failure in failures if failure and failure.caller_ip), None)
    if named is not None:
        return named, "failure"
    addresses = target.egress.addresses if target.egress else ()
    if len(addresses) == 1 and addresses[0].num_addresses == 1:
        return str(addresses[0].network_address), "operator"
    return None, None
