"""The one HTTP client of runtimes: bounded in time and size, and it goes nowhere but where git says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reconciler import __version__
from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RUNTIME_KINDS
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind

if TYPE_CHECKING:
    import ssl

    import aiohttp
    import stamina

Json: TypeAlias = Any
"""A JSON document as Python values."""

MAX_BODY: Final = 4 << 20
"""Bytes that an answer may have, after decompression. A bot with hundreds of trades tells some 500 KiB."""

CONNECT_SECONDS: Final = 5.0
"""How long a connection may take, where the whole request may take longer."""

ATTEMPTS: Final = 3
#: Seconds: two pauses outlast the second for which a freqtrade that reloads does not listen.
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 2.0
_UNAUTHORISED: Final = frozenset({401, 403})
_SAFE: Final = frozenset({"GET", "HEAD"})
_JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    body: bytes


class Http:
    """Requests to one runtime. Its connections live until :meth:`close`.

    TLS certificates are verified. No redirect is followed, no cookie kept, and no proxy of the
    environment used: credentials go to the url that the secret file names, and nowhere else. Messages
    name our own method and path; nothing that the other side said, and no header, is in them. ``tls``
    verifies the server, where not those verify it that the machine trusts.
    """

    def __init__(self, url: str, *, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, answers: Collection[int] = ()
    ) -> Json:
        """The JSON of a success. Asked up to three times where nothing answers, as asking changes nothing.

        Raise as :meth:`send`.
        """
        async for attempt in attempts():
            with attempt:
                return await self.send("GET", path, headers=headers, answers=answers)
        raise AssertionError("an attempt either returns or raises")

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: Json = None,
        headers: Mapping[str, str] | None = None,
        call: str = "",
        answers: Collection[int] = (),
    ) -> Json:
        """The JSON of a success (2xx), ``None`` where it has no content. Sent exactly once.

        ``body`` is sent as JSON; bytes are JSON already, and sent as they are, since they may be signed.
        ``call`` is what messages name it, where method and path say too little. What the statuses in
        ``answers`` come with is given as well: for an API whose refusals say what they are.

        Raises:
            RuntimeFailed: ``untouched`` only where the request surely had no effect: nothing was sent,
                it was refused (4xx), or it was one that has none.
        """
        call = call or f"{method} {path.partition('?')[0]}"
        safe = method in _SAFE
        reply = await self._exchange(method, path, body, headers or {}, call)
        if reply.status in answers:
            return _json(reply, call, untouched=safe)
        if reply.status in _UNAUTHORISED:
            raise _failed(Kind.UNAUTHORISED, f"{call} was answered {reply.status}", reply, untouched=True)
        if 300 <= reply.status < 400:  # noqa: PLR2004 - the redirects
            told = f"{call} was answered with a redirect ({reply.status}), which is never followed"
            raise _failed(Kind.UNEXPECTED_ANSWER, told, reply, untouched=safe)
        if reply.status >= 400:  # noqa: PLR2004 - refusals and troubles of the server
            untouched = safe or reply.status < 500  # noqa: PLR2004 - the server itself is in trouble
            raise _failed(Kind.REFUSED, f"{call} was answered {reply.status}", reply, untouched=untouched)
        return _json(reply, call, untouched=safe)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(
        self, method: str, path: str, body: Json, headers: Mapping[str, str], call: str
    ) -> _Reply:
        import aiohttp  # noqa: PLC0415 - what never talks to a runtime does not pay for it

        safe = method in _SAFE
        try:
            async with self._opened().request(
                method,
                self._url + path,
                data=body if isinstance(body, bytes) else None,
                json=None if isinstance(body, bytes) else body,
                headers={**(_JSON if isinstance(body, bytes) else {}), **headers},
                allow_redirects=False,
                ssl=self._tls or True,
            ) as response:
                return _Reply(status=response.status, body=await _read(response, call, untouched=safe))
        except aiohttp.ClientConnectorCertificateError:
            told = f"{call}: the certificate of the runtime could not be verified"
            raise _failed(Kind.UNREACHABLE, told, untouched=True) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise _failed(Kind.UNREACHABLE, f"{call}: no connection", untouched=True) from None
        except TimeoutError:
            told = f"{call}: no answer within {self._timeout:g} s"
            raise _failed(Kind.UNREACHABLE, told, untouched=safe) from None
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError):
            told = f"{call}: the connection broke off"
            raise _failed(Kind.UNREACHABLE, told, untouched=safe) from None
        except (aiohttp.ClientError, ValueError):
            told = f"{call} was answered with something else than HTTP"
            raise _failed(Kind.UNEXPECTED_ANSWER, told, untouched=safe) from None

    def _opened(self) -> aiohttp.ClientSession:
        """The session, which belongs to the loop that runs now."""
        import aiohttp  # noqa: PLC0415 - as above

        if self._session is None:
            self._session = aiohttp.ClientSession(
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=self._timeout, connect=min(CONNECT_SECONDS, self._timeout)
                ),
                headers={"Accept": "application/json", "User-Agent": f"reconciler/{__version__}"},
            )
        return self._session


def attempts() -> AsyncIterable[stamina.Attempt]:
    """Up to three attempts at what changes nothing, with a wait after each one that nothing answered."""
    import stamina  # noqa: PLC0415 - as above

    return stamina.retry_context(
        on=_curable,
        attempts=ATTEMPTS,
        wait_initial=_FIRST_WAIT,
        wait_max=_LONGEST_WAIT,
        wait_jitter=_FIRST_WAIT,
    )


def _curable(error: Exception) -> bool:
    return isinstance(error, RuntimeFailed) and error.kind is Kind.UNREACHABLE


def _json(reply: _Reply, call: str, *, untouched: bool) -> Json:
    try:
        return json.loads(reply.body) if reply.body else None
    except (ValueError, RecursionError):
        told = f"{call} was answered with something else than JSON"
        raise _failed(Kind.UNEXPECTED_ANSWER, told, reply, untouched=untouched) from None


async def _read(response: aiohttp.ClientResponse, call: str, *, untouched: bool) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            told = f"{call} was answered with more than {MAX_BODY:,} bytes"
            raise _failed(Kind.UNEXPECTED_ANSWER, told, untouched=untouched)
    return bytes(body)


def _failed(kind: Kind, message: str, reply: _Reply | None = None, *, untouched: bool) -> RuntimeFailed:
    return RuntimeFailed(
        message,
        kind=kind,
        untouched=untouched,
        hint=RUNTIME_KINDS[kind].fix,
        status=reply.status if reply else None,
    )
