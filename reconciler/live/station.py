"""All that readings share about one exchange behind one egress: budget, clock, health, own address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.exchanges.errors import unexpected
from reconciler.exchanges.interface import Call, Exchange, Json, Listing
from reconciler.live.budget import Bucket, BudgetSpent
from reconciler.live.client import Client, guard_for
from reconciler.live.egress import Exit
from reconciler.live.guard import GuardedSession
from reconciler.live.listing import Listed, listed
from reconciler.live.retry import attempts
from reconciler.model.kinds import KINDS
from reconciler.model.live import CallFailed, Failure, FailureKind, Health
from reconciler.model.secret import Credentials

#: How long, in seconds, nobody is asked again whether an exchange answers at all, once it did not.
DOWN_FOR = 1.0
#: How long all calls rest after a "too many requests" that names no time, in seconds.
DEFAULT_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an exchange says to anybody. ``skew`` in seconds, this machine's clock minus the exchange's.

    ``down`` is set when nothing could be asked at all: then no key of it is tried.
    """

    skew: float | None = None
    health: Health = Health.UNKNOWN
    my_ip: str | None = None
    down: Failure | None = None


class Station:
    """One exchange behind one egress. Every call to it goes through :meth:`ask`."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        made: Any,  # noqa: ANN401 - a prototype of ``client``
        way_out: Exit,
        timeout: float,
        max_parallel: int,
        bucket: Bucket | None = None,
        clock: Callable[[], float] = time.time,
        fresh_for: float | None = None,
    ) -> None:
        self.exchange = exchange
        self.places = asyncio.Semaphore(max_parallel)
        self._made = made
        self._session = GuardedSession(guard=guard_for(exchange, made), way_out=way_out, timeout=timeout)
        self._bucket = bucket or Bucket(exchange.budget)
        self._clock = clock
        self._public = Client(made=made, session=self._session, clock=clock)
        self._fresh_for = fresh_for
        self._surroundings: asyncio.Task[Surroundings] | None = None
        self._told_at = 0.0
        self._measuring = asyncio.Lock()

    def client(self, credentials: Credentials, *, skew: float | None) -> Client:
        """A client for one key, which signs by the exchange's clock."""
        return Client(
            made=self._made,
            session=self._session,
            credentials=credentials,
            skew=skew or 0.0,
            clock=self._clock,
        )

    async def surroundings(self) -> Surroundings:
        """Time, status and own address, asked once however many wait for it.

        They hold for the whole run, or for ``fresh_for`` seconds by this machine's clock: after it was
        set, everything is asked anew.
        """
        if self._surroundings is None or self._outdated(self._surroundings):
            self._surroundings = asyncio.create_task(self._look_around())
        # Shielded: one connection that is cancelled must not take the answer from the others.
        return await asyncio.shield(self._surroundings)

    def _outdated(self, asked: asyncio.Task[Surroundings]) -> bool:
        if self._fresh_for is None or not asked.done():
            return False
        if asked.cancelled() or asked.exception() is not None:
            return True
        held_for = min(DOWN_FOR, self._fresh_for) if asked.result().down else self._fresh_for
        return not 0 <= self._clock() - self._told_at <= held_for

    async def close(self) -> None:
        """End what still runs here."""
        if self._surroundings is not None:
            self._surroundings.cancel()
            await asyncio.gather(self._surroundings, return_exceptions=True)
        self._public.close()

    async def ask(self, client: Client, call: Call, params: Mapping[str, Any] | None = None) -> Json:
        """The body of a success, asked within the budget and again where that can help.

        Raises:
            CallFailed: what the last attempt found.
        """
        body, _ = await self._told(client, call, params)
        return body

    async def listed(self, listing: Listing, *, bases: Collection[str]) -> Mapping[str, Listed]:
        """The markets of ``bases`` in one of the exchange's lists; raises what :func:`listed` raises.

        A list is asked for once: it can wait. That it is not to be had holds back no key's calls, unless
        the exchange asks everybody for a pause.
        """
        return await listed(self._made, listing, self._ask_once, bases=bases)

    async def _ask_once(self, call: Call, params: Mapping[str, Any]) -> Json:
        body, _ = await self._once(self._public, call, params, alone=True)
        return body

    async def measure_skew(self) -> float | None:
        """This machine's clock minus the exchange's, in seconds, allowing for the time on the way."""
        call = self.exchange.time
        if call is None:
            return None
        async with self._measuring:
            body, when = await self._told(self._public, call)
        try:
            told = self.exchange.parse_time(body) / 1000
        except ValueError:
            raise unexpected(call.name, "it tells no time that we can read.") from None
        return when - told

    async def _told(
        self, client: Client, call: Call, params: Mapping[str, Any] | None = None
    ) -> tuple[Json, float]:
        """The body of a success, and when it was told: half-way through the one call that succeeded."""
        async for attempt in attempts():
            with attempt:
                return await self._once(client, call, params)
        raise AssertionError("an attempt either returns or raises")

    async def _once(
        self, client: Client, call: Call, params: Mapping[str, Any] | None, *, alone: bool = False
    ) -> tuple[Json, float]:
        try:
            await self._bucket.take(call.weight)
        except BudgetSpent as spent:
            raise CallFailed(_paused(call, spent.seconds)) from None
        started = self._clock()
        answer = await client.call(call, params)
        middle = (started + self._clock()) / 2
        failure = self.exchange.judge(answer)
        if failure is None:
            return answer.body, middle
        if not alone or failure.kind is FailureKind.RATE_LIMITED:
            self._rest(failure)
        raise CallFailed(failure)

    def _rest(self, failure: Failure) -> None:
        """Let all calls rest for as long as the exchange asks; an overloaded one asks too (503)."""
        if failure.retryable and failure.retry_after is not None:
            self._bucket.penalise(failure.retry_after)
        elif failure.kind is FailureKind.RATE_LIMITED:
            self._bucket.penalise(DEFAULT_PAUSE)

    async def _look_around(self) -> Surroundings:
        try:
            return await self._asked_around()
        finally:
            self._told_at = self._clock()

    async def _asked_around(self) -> Surroundings:
        try:
            skew = await self.measure_skew()
        except CallFailed as failed:
            if failed.failure.kind is FailureKind.UNAVAILABLE and failed.failure.status is None:
                return Surroundings(down=failed.failure)
            skew = None
        health, my_ip = await asyncio.gather(self._health(), self._my_ip())
        return Surroundings(skew=skew, health=health, my_ip=my_ip)

    async def _health(self) -> Health:
        call = self.exchange.status
        if call is None:
            return Health.UNKNOWN
        try:
            return self.exchange.parse_status(await self.ask(self._public, call))
        except CallFailed:
            return Health.UNKNOWN

    async def _my_ip(self) -> str | None:
        call = self.exchange.my_ip
        if call is None:
            return None
        try:
            return self.exchange.parse_my_ip(await self.ask(self._public, call))
        except CallFailed:
            return None


def _paused(call: Call, seconds: float) -> Failure:
    kind = FailureKind.RATE_LIMITED
    message = f"{KINDS[kind].title}: the exchange asks for a pause of {seconds:.0f} s, so nothing was sent."
    return Failure(kind=kind, message=message, retry_after=seconds, call=call.name)
