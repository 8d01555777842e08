"""The base of every venue: how one exchange's wire protocol is told to the sandbox.

A venue talks to nobody. It is given an :class:`Incoming` request and gives a :class:`Reply`, so
that a test can hold it to the documentation without a socket; ``server.py`` does the HTTP.

To add an exchange, write ``venues/<id>.py`` with one subclass of :class:`Venue` and its line in
``venues/__init__.py``:

- ``id``: the name in scenarios and in ``--endpoint``;
- ``hosts``: one entry per host name whose paths would collide on one port (KuCoin's spot and
  futures APIs both have ``/api/v1/orders``), ``""`` being the main one;
- ``errors``: every error that the exchange documents, by a name of ours, with its real body;
- ``routes``: what it answers; ``claimed``: which key a request says it uses; ``authenticate``: the
  exchange's own order of checks, raising :class:`Refused` with the name of an error.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import parse_qsl

from reconciler.sandbox.scenario import ExchangeSpec, Key

Json: TypeAlias = Any
"""A JSON document as Python values."""

#: Every venue has at least these errors: the server and the base class name them.
REQUIRED_ERRORS: Final = frozenset(
    {"not_found", "invalid_key", "bad_signature", "clock_skew", "ip_not_allowed", "permission_denied"}
    | {"rate_limited", "maintenance"}
)

HTML_PAGE: Final = (
    "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One request as it stood on the wire.

    ``query`` is the query string exactly as sent, without the question mark: signatures cover
    it. ``headers`` compare without regard to case when they come from the server. ``host`` is the
    ``Host`` header, ``now_ms`` the exchange's clock, ``caller`` the address that it sees.
    ``signer`` is the key that authentication proved.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    host: str = ""
    now_ms: int = 0
    caller: str = ""
    signer: Key | None = field(default=None, repr=False)

    @property
    def params(self) -> dict[str, str]:
        """The query, decoded; the last value of a name wins."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def target(self) -> str:
        """Path and query as they stood in the request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def seen_from(self, caller: str) -> Incoming:
        """The same request as it is seen when it comes from the address ``caller``."""
        return replace(self, caller=caller)

    @property
    def key(self) -> Key:
        """The key that signed. Raise ``LookupError`` on a public route."""
        if self.signer is None:
            raise LookupError("a public request is signed by no key")
        return self.signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: ``body`` is sent as JSON, or as HTML when it is text.

    In an error table, text values may hold ``{ip}`` (the caller's address) and the details that
    :class:`Refused` was given. ``source`` names the document that the answer was taken from.
    """

    status: int = 200
    body: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body, separators=(",", ":"))
        return text.encode()

    @property
    def content_type(self) -> str:
        """The media type that goes with the body."""
        return "text/html; charset=utf-8" if isinstance(self.body, str) else "application/json"

    def filled(self, details: Mapping[str, str]) -> Reply:
        """The same answer with ``{name}`` replaced by each detail, in the body and the headers."""
        headers = {name: _fill(value, details) for name, value in self.headers.items()}
        return replace(self, body=_fill(self.body, details), headers=headers)


class Refused(Exception):
    """The exchange refuses a request with one of its documented errors.

    ``error`` is the name in :attr:`Venue.errors`; ``details`` fill its placeholders.
    """

    def __init__(self, error: str, **details: str) -> None:
        super().__init__(error)
        self.error = error
        self.details = details


Answer: TypeAlias = Callable[[Incoming], Json]
"""Gives the data of a success (see :meth:`Venue.success`), or a whole :class:`Reply`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint. ``path`` may hold ``{name}`` segments.

    ``signed`` routes go through :meth:`Venue.authenticate`; then the key must hold one word of
    ``needs`` (empty: any key may), else it is refused with the error named ``denied``. ``weight``
    is what the call costs in the exchange's own unit, for scenarios with a rate limit.
    """

    path: str
    answer: Answer
    method: str = "GET"
    host: str = ""
    signed: bool = True
    needs: frozenset[str] = frozenset()
    denied: str = "permission_denied"
    weight: float = 1.0

    def matches(self, method: str, path: str) -> bool:
        """Whether this route is the one that was asked."""
        return method == self.method and _pattern(self.path).fullmatch(path) is not None


class Venue(ABC):
    """One exchange of a running sandbox, holding the keys of its scenario."""

    id: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]] = ("",)
    errors: ClassVar[Mapping[str, Reply]]

    def __init__(self, spec: ExchangeSpec) -> None:
        self.spec = spec
        self._found: dict[str, Key] = {}

    @abstractmethod
    def routes(self) -> tuple[Route, ...]:
        """Everything that the venue answers; anything else is its ``not_found``."""

    @abstractmethod
    def claimed(self, incoming: Incoming) -> str | None:
        """The API key that the request says it uses, before anything is verified."""

    @abstractmethod
    def authenticate(self, incoming: Incoming) -> Key:
        """The key that signed the request, after the exchange's own checks in its own order.

        Raises:
            Refused: with the error that the exchange answers at the first check that fails.
        """

    def success(self, data: Json) -> Json:
        """The body of a success that carries ``data``; override it for an envelope."""
        return data

    def refuse_write(self, incoming: Incoming) -> str:
        """The error for an authenticated write that the venue has no route for."""
        del incoming
        return "permission_denied"

    def error(self, name: str, **details: str) -> Reply:
        """The documented error ``name`` with its placeholders filled."""
        return self.errors[name].filled(details)

    def limited(self, incoming: Incoming) -> str:
        """The error for a request that is one too many."""
        del incoming
        return "rate_limited"

    def page(self, status: int) -> Reply:
        """What stands before the API while it is away: a page for people, in HTML."""
        return Reply(status=status, body=HTML_PAGE.replace("{title}", "Under maintenance"))

    def find(self, api_key: str | None) -> Key | None:
        """The key with this API key, if the exchange has one."""
        key = self._found.get(api_key or "")
        if key is None or key.api_key != api_key or self.spec.keys.get(key.name) is not key:
            key = next((key for key in self.spec.keys.values() if key.api_key == api_key), None)
            if key is not None:
                self._found[key.api_key] = key
        return key

    def caller(self, api_key: str | None) -> str:
        """The address that the exchange sees for a request that claims ``api_key``."""
        key = self.find(api_key)
        return (key and key.caller_ip) or self.spec.caller_ip

    def admit(self, key: Key, caller: str) -> None:
        """Raise ``Refused("ip_not_allowed")`` unless the key's whitelist holds ``caller``."""
        if not key.admits(caller):
            raise Refused("ip_not_allowed", ip=caller)

    def route(self, incoming: Incoming, host: str) -> Route | None:
        """The route that was asked, or ``None``."""
        return next(
            (r for r in self._routes if r.host == host and r.matches(incoming.method, incoming.path)), None
        )

    def reply(self, incoming: Incoming, host: str = "") -> Reply:
        """The venue's answer to one request on one of its hosts."""
        try:
            return self._reply(incoming, self.route(incoming, host))
        except Refused as refused:
            return self.error(refused.error, **{"ip": incoming.caller, **refused.details})

    @cached_property
    def _routes(self) -> tuple[Route, ...]:
        return self.routes()

    def _reply(self, incoming: Incoming, route: Route | None) -> Reply:
        if route is None:
            if incoming.method != "GET" and self.claimed(incoming):
                self.authenticate(incoming)
                raise Refused(self.refuse_write(incoming))
            raise Refused("not_found", path=incoming.path, method=incoming.method)
        asked = self._signed(incoming, route) if route.signed else incoming
        data = route.answer(asked)
        return data if isinstance(data, Reply) else Reply(body=self.success(data))

    def _signed(self, incoming: Incoming, route: Route) -> Incoming:
        key = self.authenticate(incoming)
        if route.needs and not route.needs & key.words():
            raise Refused(route.denied)
        return replace(incoming, signer=key)


def sign(secret: str, payload: str | bytes, *, algorithm: str = "sha256", encoding: str = "hex") -> str:
    """HMAC of ``payload`` as ``hex`` (lower case) or ``base64``, the two forms that exchanges use."""
    data = payload.encode() if isinstance(payload, str) else payload
    digest = hmac.new(secret.encode(), data, getattr(hashlib, algorithm)).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def same(given: str, expected: str) -> bool:
    """Whether two signatures are equal, compared in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def milliseconds(text: str | None) -> int | None:
    """A timestamp as it stood in a request, or ``None`` when it is no whole number."""
    return int(text) if text and re.fullmatch(r"\d{1,17}", text) else None


def required(headers: Mapping[str, str], *names: str, error: str) -> tuple[str, ...]:
    """The values of ``names`` in ``headers``; raise :class:`Refused` when one is missing or empty."""
    values = tuple(headers.get(name, "") for name in names)
    if not all(values):
        raise Refused(error)
    return values


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))


def _fill(value: Json, details: Mapping[str, str]) -> Json:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: details.get(found[1], found[0]), value)
    if isinstance(value, Mapping):
        return {name: _fill(item, details) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, details) for item in value]
    return value
