"""The read-only transport guard: whatever was signed above it, only listed reads reach a socket."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from reconciler.exchanges.interface import Call
from reconciler.live.egress import Exit
from reconciler.model.errors import WriteRefused

_SEGMENT: Final = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came over the wire. ``headers`` are lower-cased; neither it nor ``body`` is in the repr."""

    status: int
    reason: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Guard:
    """Lets a request through only when method, path and origin are those of a listed call.

    ``origins`` are scheme, host and port of the exchange's own hosts or of the operator's
    endpoint; ``calls`` are the exchange module's.
    """

    def __init__(self, exchange: str, *, calls: Iterable[Call], origins: Collection[str]) -> None:
        self._exchange = exchange
        self._origins = frozenset(str(URL(origin).origin()) for origin in origins)
        self._listed = tuple((call.method, _pattern(call.path), call.largest) for call in calls)

    def check(self, method: str, url: URL) -> int:
        """How many bytes of the answer may be read, when the request is a listed read.

        Raises:
            WriteRefused: it is none; no socket was opened.
        """
        if url.user is not None or url.password is not None or str(url.origin()) not in self._origins:
            raise WriteRefused(
                f"{self._exchange}: a request to a host that is not the exchange's was stopped"
            )
        for listed, path, largest in self._listed:
            if method == listed and path.fullmatch(url.raw_path):
                return largest
        raise WriteRefused(f"{self._exchange}: a {method} request that is no listed read was stopped")


class GuardedSession:
    """All of HTTP that is given to the code that signs: one method, behind the guard."""

    __slots__ = ("_exit", "_guard", "_timeout")

    def __init__(self, *, guard: Guard, way_out: Exit, timeout: float) -> None:
        self._guard = guard
        self._exit = way_out
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=timeout, sock_read=timeout)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: str | None = None
    ) -> Reply:
        """Send one request and give the answer, whatever its status.

        A redirect is an answer like any other: a signed request is never sent on.

        Raises:
            WriteRefused: the guard stopped it.
            aiohttp.ClientError, TimeoutError, OSError: no answer came.
        """
        target = URL(url, encoded=True)
        largest = self._guard.check(method, target)
        async with self._exit.session.request(
            method,
            target,
            headers=headers,
            data=body.encode() if body else None,
            proxy=self._exit.proxy,
            timeout=self._timeout,
            allow_redirects=False,
        ) as response:
            content = await _read(response, largest)
            lowered = {name.lower(): value for name, value in response.headers.items()}
            return Reply(status=response.status, reason=response.reason or "", headers=lowered, body=content)


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > largest:
            break
    return bytes(content[:largest])


def _pattern(path: str) -> re.Pattern[str]:
    """A path template as a pattern: ``{name}`` stands for one plain segment."""
    return re.compile(re.sub(r"\\\{\w+\\\}", lambda _: _SEGMENT, re.escape(path)))
