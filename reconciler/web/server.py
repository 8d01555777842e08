"""A small server beside the loop, on its event loop: what does not answer here does not go round either."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web
from aiohttp.typedefs import Handler

from reconciler.model.errors import UsageError

#: Who names no host is heard on this machine alone.
LOOPBACK: Final = "127.0.0.1"
_SHUTDOWN_S: Final = 1.0
_KEEP_ALIVE_S: Final = 15.0
_TOP_PORT: Final = 65_535
_HINT: Final = "write HOST:PORT, or a port alone for this machine: 127.0.0.1:9187, 0.0.0.0:9187, [::1]:9187"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one path answers."""

    body: str
    status: int = 200
    content_type: str = "application/json"


Routes: TypeAlias = Mapping[str, Callable[[], Answer]]
"""What each path answers. More of them are a matter of merging mappings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen. Port 0 is one that the system chooses."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Address:
    """The address that ``text`` names: ``HOST:PORT``, ``[IPV6]:PORT``, ``:PORT`` or a port alone.

    Raise :class:`UsageError` for anything else.
    """
    host, separator, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"--listen {text!r} is no address", hint=_HINT)
    if not (port.isascii() and port.isdecimal()) or int(port) > _TOP_PORT or (separator and " " in host):
        raise UsageError(f"--listen {text!r} is no address", hint=_HINT)
    return Address(host=host or LOOPBACK, port=int(port))


@asynccontextmanager
async def serving(where: Address, routes: Routes) -> AsyncIterator[Address]:
    """Answer ``routes`` for as long as the block runs; gives the address that is really listened on.

    Raise :class:`UsageError` where nothing can listen there.
    """
    app = web.Application(middlewares=[_plain], client_max_size=1024)
    for path, answer in routes.items():
        app.router.add_get(path, _handler(answer))
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=_SHUTDOWN_S, keepalive_timeout=_KEEP_ALIVE_S
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, where.host, where.port).start()
        except OSError as error:
            reason = (error.strerror or "the system refuses").lower()
            raise UsageError(f"nothing can listen on {where}: {reason}", hint=_HINT) from None
        yield Address(host=where.host, port=int(runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def _handler(answer: Callable[[], Answer]) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        found = answer()
        return web.Response(
            status=found.status,
            text=found.body,
            headers={"Content-Type": f"{found.content_type}; charset=utf-8"},
        )

    return handle


@web.middleware
async def _plain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors without a word of ours, no name and version of the server, nothing for caches."""
    try:
        response = await handler(request)
    except web.HTTPException as refused:
        response = web.Response(status=refused.status, headers={"Allow": "GET, HEAD"})
    except Exception:  # noqa: BLE001 - what went wrong here is nothing for whoever asks
        response = web.Response(status=500)
    response.headers["Server"] = "reconciler"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
