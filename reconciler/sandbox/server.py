"""The sandbox itself: every venue of a scenario behind HTTP on loopback."""

from __future__ import annotations

import asyncio
import copy
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from reconciler.model.errors import UsageError
from reconciler.sandbox.faults import Disturber
from reconciler.sandbox.scenario import Key, Scenario
from reconciler.sandbox.venue import Incoming, Reply, Venue
from reconciler.sandbox.venues import venue

LOOPBACK: Final = "127.0.0.1"
_REMEMBERED: Final = 100_000
_KEY_SHOWN: Final = 4
_SHUTDOWN_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request that arrived. ``key`` is the first four characters of the API key it claims, or ``""``."""

    exchange: str
    method: str
    path: str
    key: str
    at: datetime


class Sandbox:
    """Exchanges on loopback, from entering the context until leaving it.

    ``scenario`` is copied, so that two sandboxes never share a key; ``self.scenario`` is the copy,
    and changing it changes what the exchanges answer next. ``ports`` fixes the port of an endpoint
    by its name; every other one is free for the system to choose. ``clock`` gives seconds since
    1970; each exchange adds its own offset.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        ports: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.scenario = copy.deepcopy(scenario)
        self.endpoints: dict[str, str] = {}
        self.requests: deque[Seen] = deque(maxlen=_REMEMBERED)
        self._ports = dict(ports or {})
        self._clock = clock
        self._stack = AsyncExitStack()

    @property
    def keys(self) -> dict[str, Key]:
        """Every key by its name in the scenario; change one and the exchange knows it at once."""
        return self.scenario.keys

    async def __aenter__(self) -> Self:
        """Start every exchange; ``endpoints`` then gives a URL for ``<id>`` and each ``<id>.<host>``.

        Raises:
            UsageError: a port is taken, or no endpoint has the name that a port was given for.
        """
        async with AsyncExitStack() as stack:
            for spec in self.scenario.exchanges.values():
                exchange = venue(spec.id)(spec)
                disturber = Disturber(exchange)
                for host in exchange.hosts:
                    await self._open(stack, exchange, disturber, host)
            unknown = sorted(set(self._ports) - set(self.endpoints))
            if unknown:
                known = ", ".join(self.endpoints)
                raise UsageError(f"no endpoint is called {unknown[0]!r}", hint=f"this scenario has {known}")
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every exchange; requests still waiting are cut."""
        await self._stack.aclose()

    async def _open(self, stack: AsyncExitStack, exchange: Venue, disturber: Disturber, host: str) -> None:
        name = f"{exchange.id}.{host}" if host else exchange.id
        listener = _bind(name, self._ports.get(name, 0))
        stack.callback(listener.close)
        self.endpoints[name] = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        if exchange.spec.faults.outage == "refused":
            return  # bound and never listening: the system refuses, and nobody else can take the port

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._handle(request, exchange, disturber, host)

        runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()

    async def _handle(
        self, request: web.BaseRequest, exchange: Venue, disturber: Disturber, host: str
    ) -> web.StreamResponse:
        incoming = await self._read(request, exchange)
        fault = disturber.disturb(incoming, host=host, now=self._clock())
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.close:
            return _hang_up(request)
        reply = fault.reply or exchange.reply(incoming, host)
        return await _cut(request, reply) if fault.cut else _response(reply)

    async def _read(self, request: web.BaseRequest, exchange: Venue) -> Incoming:
        path, _, query = request.raw_path.partition("?")
        now = self._clock()
        incoming = Incoming(
            method=request.method,
            path=path,
            query=query,
            headers=request.headers,
            body=await request.read(),
            host=request.host,
            now_ms=int(now * 1000) + exchange.spec.clock_offset_ms,
            caller=exchange.spec.caller_ip,
        )
        claimed = exchange.claimed(incoming) or ""
        seen = Seen(
            exchange=exchange.id,
            method=request.method,
            path=path,
            key=claimed[:_KEY_SHOWN],
            at=datetime.fromtimestamp(now, UTC),
        )
        self.requests.append(seen)
        return incoming.seen_from(exchange.caller(claimed))


def _bind(name: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"the sandbox cannot listen on port {port} for {name}: {error.strerror}",
            hint="stop what uses the port, or choose another",
        ) from error
    return listener


def _response(reply: Reply) -> web.Response:
    headers = {**reply.headers, "Content-Type": reply.content_type}
    return web.Response(status=reply.status, body=reply.content, headers=headers)


async def _cut(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Announce the whole body, send half of it and hang up."""
    content = reply.content or b"{}"
    headers = {"Content-Type": reply.content_type, "Content-Length": str(len(content))}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
