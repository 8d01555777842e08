"""Reads one key: what its exchange says of it, and whether what a bot needs succeeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.interface import Call, Exchange, Json
from reconciler.live.client import Client, missing
from reconciler.live.markets import Markets
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
    Wallet,
)
from reconciler.model.secret import Credentials

_LOG: Final = logging.getLogger("reconciler.live")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One connection to read. ``unread`` says why it is not to be tried.

    ``pairs`` are ccxt symbols; the exchange's list is asked for those of them in ``listed``.
    """

    connection: Connection
    credentials: Credentials | None
    unread: str | None = None
    egress: Egress | None = None
    pairs: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveOptions:
    """How to read. ``timeout`` (of one request) and ``deadline`` (of the whole) are in seconds.

    ``endpoints`` come from the operator (:func:`reconciler.live.endpoints.parse_endpoints`);
    ``max_parallel`` is how many connections are read at once on one exchange behind one egress.
    ``patience`` is how many seconds after a list of markets was asked for somebody still waits for it.
    """

    endpoints: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    timeout: float = 10.0
    max_parallel: int = 64
    deadline: float | None = None
    patience: float = 0.0
    now: Callable[[], datetime] = _now


async def read(
    target: Target, station: Station | None, options: ObserveOptions, markets: Markets
) -> Observation:
    """The observation of one connection, whatever happens: the one boundary of this room."""
    seen = await _key_of(target, station, options, markets)
    if station is None or not target.listed:
        return seen
    # Not in one of the station's places: while a list is waited for, the next key is read.
    pairs = await markets.told(
        station.exchange, target.connection.market, target.listed, patience=options.patience
    )
    return replace(seen, pairs=pairs)


async def _key_of(
    target: Target, station: Station | None, options: ObserveOptions, markets: Markets
) -> Observation:
    if station is None or target.credentials is None or target.unread is not None:
        return blank(target, options, unread=target.unread or "it has no credentials")
    lacking = missing(station.exchange, target.credentials)
    if lacking is not None:
        return blank(target, options, failure=lacking)
    try:
        async with station.places:
            return await _look(target, target.credentials, station, options, markets)
    except Exception as error:  # noqa: BLE001 - a fault in reading one key must not hide the others
        # By class name only: the text of an unforeseen error may hold anything.
        _LOG.error("reading %s failed by %s", target.connection.id, type(error).__name__)
        kind = FailureKind.UNEXPECTED_RESPONSE
        message = f"{KINDS[kind].title}: reading it failed inside this tool ({type(error).__name__})."
        return blank(target, options, failure=Failure(kind=kind, message=message))


def blank(
    target: Target, options: ObserveOptions, *, failure: Failure | None = None, unread: str | None = None
) -> Observation:
    """The observation of a connection of which nothing was learned, and why."""
    return Observation(
        connection=target.connection.id,
        exchange=target.connection.exchange,
        observed_at=options.now(),
        failure=failure,
        unread=unread,
    )


def late(target: Target, options: ObserveOptions) -> Observation:
    """The observation of a connection that the deadline cut off."""
    kind = FailureKind.UNAVAILABLE
    message = f"{KINDS[kind].title}: not read within {options.deadline:g} s, the deadline of the whole run."
    return blank(target, options, failure=Failure(kind=kind, message=message))


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
    target: Target, credentials: Credentials, station: Station, options: ObserveOptions, markets: Markets
) -> Observation:
    around = await station.surroundings()
    if around.down is not None:
        return blank(target, options, failure=around.down)
    markets.begin(station, target.connection.market, target.listed)
    client = station.client(credentials, skew=around.skew)
    reader = _Reader(client, station, credentials)
    reader.skew = around.skew
    reader.now = lambda: options.now() - timedelta(seconds=reader.skew or 0.0)
    try:
        report, failure = await _report(target, credentials, station.exchange, reader)
        proofs, wallet = await _proofs(target, station.exchange, reader, after=failure)
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
        wallet=wallet,
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
) -> tuple[dict[str, Proof], Wallet | None]:
    """Balance and orders, unless asking would teach nothing: the key was refused, or nobody answers."""
    if after is not None and (after.kind in REFUSALS or after.retryable):
        return {}, None
    market = target.connection.market
    if exchange.one_at_a_time:
        first, wallet = await _proof("balance", exchange.read_balance(reader, market))
        second, _ = await _proof("orders", exchange.read_orders(reader, market, target.pairs))
    else:
        async with asyncio.TaskGroup() as both:
            balance = both.create_task(_proof("balance", exchange.read_balance(reader, market)))
            orders = both.create_task(_proof("orders", exchange.read_orders(reader, market, target.pairs)))
        (first, wallet), (second, _) = balance.result(), orders.result()
    return {first.name: first, second.name: second}, wallet


async def _proof(name: str, reading: Awaitable[Wallet | None]) -> tuple[Proof, Wallet | None]:
    try:
        wallet = await reading
    except CallFailed as failed:
        return Proof(name=name, failure=failed.failure), None
    return Proof(name=name), wallet


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
