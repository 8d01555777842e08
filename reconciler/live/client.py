"""ccxt without its weight: it signs and knows the endpoints; sending and judging are ours.

One prepared instance per exchange, copied for each key. The copy has its own credentials and
options, so nothing of one key reaches another, and no session: ccxt itself cannot open a socket.
Its ``fetch`` is replaced by the guarded session, so ccxt's exceptions, whose texts hold whole
signed URLs, and its debug log, which holds headers, never come to exist.
"""

from __future__ import annotations

import copy
import json
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from reconciler.exchanges.interface import OWN_KEY, Answer, Call, Exchange, Json, Transport
from reconciler.live import light
from reconciler.live.endpoints import origins, redirect
from reconciler.live.guard import Guard, GuardedSession, Reply
from reconciler.model.errors import ObservationError
from reconciler.model.kinds import KINDS
from reconciler.model.live import CallFailed, Failure, FailureKind
from reconciler.model.secret import Credentials

MAX_TEXT: Final = 2000
#: Clocks that agree this far need no correction: every exchange grants more.
TOLERATED_SKEW: Final = 1.0
_CCXT_ERRORS: Final = light.package().errors
_Ccxt = Any  # an instance of a ccxt class; ccxt carries no types that mypy could use


def prototype(exchange: Exchange, endpoints: Mapping[str, str]) -> _Ccxt:
    """A ccxt instance of ``exchange`` without credentials or session, to be copied for each key.

    Raises:
        UsageError: ``endpoints`` names a host that the exchange has not.
    """
    # ``session`` is named so that ccxt does not make its own.
    made: _Ccxt = light.load(exchange.ccxt_id)({"enableRateLimit": False, "session": None})
    made.urls = copy.deepcopy(made.urls)
    redirect(made.urls, exchange.id, endpoints)
    return made


def guard_for(exchange: Exchange, made: _Ccxt) -> Guard:
    """The guard that lets through the calls of ``exchange`` to the hosts of ``made`` and nothing else."""
    return Guard(exchange.id, calls=exchange.calls, origins=hosts_of(made))


def hosts_of(made: _Ccxt) -> frozenset[str]:
    """Every origin that ``made`` may call."""
    return origins(made.urls, getattr(made, "hostname", None))


class Client:
    """One key's way to its exchange; without credentials it makes public calls only.

    ``skew`` is this machine's clock minus the exchange's in seconds: beyond a second the
    exchange's time is used to sign, so that a wrong clock here does not hide the state of the key.
    """

    def __init__(
        self,
        *,
        made: _Ccxt,
        session: GuardedSession,
        credentials: Credentials | None = None,
        skew: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ccxt = isolated(made)
        self._session = session
        self._clock = clock
        self._ccxt.fetch = self._fetch
        self._ccxt.sign = _signing(self._ccxt)
        self._set_credentials(credentials)
        self.correct_clock(skew)

    def __repr__(self) -> str:
        return f"Client({self._ccxt.id})"

    async def call(self, call: Call, params: Mapping[str, Any] | None = None) -> Answer:
        """Make one listed call and give what came back, unjudged.

        Raises:
            CallFailed: ``bad_signature`` when the credentials cannot sign at all.
            WriteRefused: the call is not one that the guard knows.
        """
        own = self._ccxt.apiKey
        filled = {name: own if value is OWN_KEY else value for name, value in (params or {}).items()}
        try:
            reply: Reply = await self._ask_ccxt(call, filled)
        except (aiohttp.ClientError, ProxyError, ProxyConnectionError, TimeoutError, OSError) as error:
            return Answer(call=call, transport=_transport(error))
        return self._answer(call, reply)

    def correct_clock(self, skew: float) -> None:
        """Sign with the exchange's time from now on, or with this machine's where both agree."""
        clock, ahead = self._clock, skew if abs(skew) > TOLERATED_SKEW else 0.0
        self._ccxt.milliseconds = lambda: int((clock() - ahead) * 1000)
        self._ccxt.microseconds = lambda: int((clock() - ahead) * 1_000_000)
        self._ccxt.seconds = lambda: int(clock() - ahead)

    def close(self) -> None:
        """Forget the credentials and let go of the session; the client makes no call after this."""
        for name in ("apiKey", "secret", "password"):
            setattr(self._ccxt, name, None)
        del self._ccxt.fetch, self._ccxt.sign

    async def _ask_ccxt(self, call: Call, params: dict[str, Any]) -> Any:  # noqa: ANN401 - see _Ccxt
        if call.raw is not None:
            path, api = call.raw
            return await self._ccxt.request(path, list(api), call.method, params, {})
        return await getattr(self._ccxt, call.implicit)(params)

    async def _fetch(
        self,
        url: str,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: str | None = None,
    ) -> Reply:
        """What ccxt calls to send what it signed."""
        prepared = self._ccxt.prepare_request_headers(headers)
        return await self._session.request(method, url, headers=prepared, body=body)

    def _set_credentials(self, credentials: Credentials | None) -> None:
        if credentials is None:
            return
        self._ccxt.apiKey = credentials.api_key.reveal()
        self._ccxt.secret = credentials.secret.reveal()
        if credentials.passphrase is not None:
            self._ccxt.password = credentials.passphrase.reveal()

    def _answer(self, call: Call, reply: Reply) -> Answer:
        text = reply.body.decode("utf-8", errors="replace").strip()
        body = _decoded(text)
        return Answer(
            call=call,
            status=reply.status,
            headers=reply.headers,
            body=body,
            text="" if body is not None else text[:MAX_TEXT],
            ccxt_error=self._ccxt_class(call, reply, text, body),
        )

    def _ccxt_class(self, call: Call, reply: Reply, text: str, body: Json) -> str | None:
        """The class that ccxt would have raised for this answer, be it by a fault of its own.

        No URL is given to it.
        """
        try:
            self._ccxt.handle_errors(
                reply.status, reply.reason, "", call.method, dict(reply.headers), text, body, {}, None
            )
            self._ccxt.handle_http_status_code(reply.status, reply.reason, "", call.method, text)
        except Exception as error:  # noqa: BLE001 - ccxt's parsers raise anything on shapes that they do not expect
            return type(error).__name__
        return None


def missing(exchange: Exchange, credentials: Credentials) -> Failure | None:
    """The failure of credentials that ``exchange`` cannot sign with, told before any request."""
    if "passphrase" in exchange.credentials and not credentials.passphrase:
        kind = FailureKind.MISSING_PASSPHRASE
        return Failure(kind=kind, message=f"{KINDS[kind].title}: {exchange.name} signs with a passphrase.")
    if not credentials.api_key or not credentials.secret:
        kind = FailureKind.INVALID_KEY
        return Failure(kind=kind, message=f"{KINDS[kind].title}: the API key or its secret is empty.")
    return exchange.unusable(credentials)


def isolated(made: _Ccxt) -> _Ccxt:
    """A copy of ``made`` that shares what is constant and owns what a call may change."""
    twin = copy.copy(made)
    for name, value in vars(made).items():
        if type(value) in (dict, list) and not value:  # an empty container is a cache to be
            setattr(twin, name, type(value)())
    twin.options = _fresh(made.options)
    twin.headers = dict(made.headers)
    twin.set_last_request = _forget
    return twin


def _fresh(value: Any) -> Any:  # noqa: ANN401 - ccxt's options hold anything
    """Containers copied to the last level, leaves shared: ten times faster than ``copy.deepcopy``."""
    if type(value) is dict:
        return {key: _fresh(item) for key, item in value.items()}
    return [_fresh(item) for item in value] if type(value) is list else value


def _forget(request: object) -> None:
    """Keep nothing of a signed request; ccxt would keep its headers, URL and body."""


def _signing(instance: _Ccxt) -> Callable[..., Any]:
    """The signing of ``instance``, whose errors may quote a secret, with errors of ours."""
    sign = instance.sign

    def signed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - ccxt's own signature
        try:
            return sign(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - libraries for keys raise anything on a malformed one
            _cannot_sign(error, instance.id)

    return signed


#: What code raises that asks for something that is not there; no form of a secret leads to it.
_FAULTS: Final = (AttributeError, KeyError, NameError)


def _cannot_sign(error: Exception, exchange: str) -> NoReturn:
    ccxts = isinstance(error, _CCXT_ERRORS.BaseError)
    refused = isinstance(error, _CCXT_ERRORS.AuthenticationError)
    # "Wrong secret" stops a running bot at once, so a fault in ccxt must never be told as one.
    if isinstance(error, _FAULTS) or (ccxts and not refused):
        raise ObservationError(f"ccxt cannot form a request to {exchange} ({type(error).__name__})") from None
    kind = FailureKind.BAD_SIGNATURE
    message = f"{KINDS[kind].title}: the secret does not have the form that {exchange} signs with."
    raise CallFailed(Failure(kind=kind, message=message)) from None


def _decoded(text: str) -> Json:
    """The JSON document, or ``None`` for anything else; integers keep every digit."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


#: Error classes in the order in which they must be tried: the narrow ones first.
_TRANSPORTS: Final[tuple[tuple[type[BaseException], Transport], ...]] = (
    (aiohttp.ClientProxyConnectionError, Transport.PROXY),
    (aiohttp.ClientHttpProxyError, Transport.PROXY),
    (ProxyTimeoutError, Transport.PROXY),
    (ProxyConnectionError, Transport.PROXY),
    (ProxyError, Transport.PROXY),
    (TimeoutError, Transport.TIMEOUT),
    (aiohttp.ClientSSLError, Transport.TLS),
    (ssl.SSLError, Transport.TLS),
    (aiohttp.ClientConnectorError, Transport.CONNECT),
)


def _transport(error: BaseException) -> Transport:
    if type(error) is aiohttp.ClientOSError and error.__cause__ is not None:
        error = error.__cause__  # what went wrong inside the tunnel of a SOCKS proxy
    return next((kind for each, kind in _TRANSPORTS if isinstance(error, each)), Transport.BROKEN)
