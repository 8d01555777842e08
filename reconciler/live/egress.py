"""One HTTP session for each way out, all on one TLS context: how requests leave this machine."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
import certifi
from aiohttp.abc import ResolveResult
from aiohttp_socks import ProxyConnector

from reconciler.model.desired import Egress
from reconciler.model.errors import ObservationError

_FAMILIES: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_SOCKS: Final = frozenset({"socks5", "socks5h"})
_DNS_CACHE_SECONDS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """An open way out: the session, and the HTTP proxy to name on each request, if any."""

    session: aiohttp.ClientSession = field(repr=False)
    proxy: str | None = field(default=None, repr=False)


def way(egress: Egress | None) -> tuple[str, str]:
    """What tells one way out from another: its proxy, or the family of a direct call.

    Egresses without a proxy all leave this machine by one address, whatever they are called and
    whatever addresses they declare; ``None`` leaves straight from here by IPv4.
    """
    if egress is None:
        return "", "ipv4"
    return (egress.proxy, "") if egress.proxy else ("", egress.family)


class _OneFamily(aiohttp.ThreadedResolver):
    """Resolves names to addresses of one family; an address that is written out keeps its own."""

    def __init__(self, family: socket.AddressFamily) -> None:
        super().__init__()
        self._family = family

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family  # the connector's, which is any, so that it takes written addresses of both
        return await super().resolve(host, port, self._family)


class Exits:
    """The open sessions of one run; closed together at the end of the ``async with``.

    One family per egress, because a host with both would see the other's address, which no
    whitelist holds; behind a proxy it is the proxy that chooses. No cookies and no environment
    proxies: nothing of one key's answers, and nothing of the machine's settings, may reach
    another key's requests. ``limit`` is of connections to one host, so that an exchange that
    hangs takes none from another.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._exits: dict[tuple[str, str], Exit] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.keep_only(())

    async def get(self, egress: Egress | None) -> Exit:
        """The exit through ``egress``, opened on first use; egresses that leave alike share it."""
        key = way(egress)
        if key not in self._exits:
            self._exits[key] = await self._open(egress)
        return self._exits[key]

    async def keep_only(self, ways: Collection[tuple[str, str]]) -> None:
        """Close every exit but those that :func:`way` gives for what is still used."""
        for key in [key for key in self._exits if key not in ways]:
            await self._exits.pop(key).session.close()

    async def _open(self, egress: Egress | None) -> Exit:
        proxy = egress.proxy if egress else None
        socks = proxy is not None and _scheme(proxy) in _SOCKS
        session = aiohttp.ClientSession(
            connector=self._socks(proxy) if proxy and socks else self._connector(egress),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return Exit(session=session, proxy=None if socks else proxy)

    def _connector(self, egress: Egress | None) -> aiohttp.TCPConnector:
        family = _FAMILIES[egress.family if egress else "ipv4"]
        proxied = egress is not None and egress.proxy is not None
        return aiohttp.TCPConnector(
            ssl=_trusting(certifi.where()),
            # The address of a proxy may be of either family, whatever leaves from it.
            resolver=None if proxied else _OneFamily(family),
            limit=0,
            limit_per_host=self._limit,
            ttl_dns_cache=_DNS_CACHE_SECONDS,
        )

    def _socks(self, proxy: str) -> aiohttp.TCPConnector:
        url = proxy.replace("socks5h://", "socks5://", 1)
        # Names are resolved by the proxy: its country's answer is the one that counts.
        connector: aiohttp.TCPConnector = ProxyConnector.from_url(
            url, ssl=_trusting(certifi.where()), limit=0, limit_per_host=self._limit, rdns=True
        )
        return connector


@cache
def _trusting(authorities: str) -> ssl.SSLContext:
    """A context that trusts the file of ``authorities``. Reading it takes 15-40 ms, so once a process."""
    return ssl.create_default_context(cafile=authorities)


def _scheme(proxy: str) -> str:
    scheme = urlsplit(proxy).scheme
    if scheme not in {"http", "https", *_SOCKS}:
        raise ObservationError("an egress has a proxy of an unknown kind", hint="use http, https or socks5")
    return scheme
