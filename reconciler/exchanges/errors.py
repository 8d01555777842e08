"""A table-driven classifier: rows of an exchange first, rows that hold for all next, ccxt's class last."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final

from reconciler.exchanges import parse
from reconciler.exchanges.interface import Answer, Transport
from reconciler.model.kinds import KINDS
from reconciler.model.live import CallFailed, Failure, FailureKind

MAX_MESSAGE: Final = 200
MAX_CODE: Final = 40
HTTP_OK: Final = 200
SERVER_ERROR: Final = 500
_REDIRECTS: Final = range(300, 400)

_URL_QUERY: Final = re.compile(r"(https?://[^\s?\"']+)\?\S*")
#: Long runs that hold a digit: keys, signatures, key ids. Words and addresses never match.
_TOKEN: Final = re.compile(r"(?=[A-Za-z+/=_-]*\d)[A-Za-z0-9+/=_-]{20,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One row of an error table: which answers it holds for, and what they mean.

    Every condition that is given must hold: ``status`` and ``code`` equal one of theirs, ``match``
    (case-insensitive) is found in the exchange's message or, without JSON, in the page's text. A
    group ``until_ms`` in ``match`` names the end of a ban in ms since 1970. ``retry_header`` counts
    in ``retry_unit`` seconds; ``until_header`` names the end of the wait as a time since 1970 (s or
    ms); ``retry_after`` is in seconds, for when the answer names no time.
    ``note`` is one more sentence for people. ``html`` limits the row to answers that are not JSON
    (True) or that are (False).
    """

    kind: FailureKind
    source: str
    status: int | Collection[int] | None = None
    code: str | Collection[str] | None = None
    match: str | None = None
    html: bool | None = None
    retry_after: float | None = None
    retry_header: str = "retry-after"
    retry_unit: float = 1.0
    until_header: str = ""
    candidates: tuple[FailureKind, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    status: int
    code: str | None
    message: str
    json: bool


_HTTP: Final = "RFC 9110"

#: Holds for every exchange, after its own rows.
BASE_ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(kind=FailureKind.RATE_LIMITED, status={418, 429}, source="RFC 6585 §4; 418 is Binance's ban"),
    ErrorRow(kind=FailureKind.REGION_BLOCKED, status=451, source="RFC 7725"),
    ErrorRow(
        kind=FailureKind.REGION_BLOCKED,
        status=403,
        html=True,
        match=r"restricted (?:location|country|region)|your (?:country|region)",
        source="CloudFront and Cloudflare block pages",
    ),
    ErrorRow(kind=FailureKind.RATE_LIMITED, html=True, match=r"error 1015", source="Cloudflare error 1015"),
    ErrorRow(
        kind=FailureKind.MAINTENANCE, html=True, match=r"maintenance|being upgraded", source="gateway pages"
    ),
    ErrorRow(
        kind=FailureKind.UNAVAILABLE,
        status=403,
        html=True,
        note="A firewall in front of the exchange turned the request away before the key was looked at.",
        source="Akamai and Cloudflare pages, ccxt#15873",
    ),
    ErrorRow(kind=FailureKind.UNAVAILABLE, status={408, *range(500, 600)}, source=_HTTP),
)

#: ccxt class -> kind; the fallback for codes that no row knows. Narrow classes have their own line
#: because ccxt's tree puts ``PermissionDenied`` under ``AuthenticationError``.
_CCXT_KINDS: Final[Mapping[str, FailureKind]] = MappingProxyType(
    {
        "PermissionDenied": FailureKind.PERMISSION_DENIED,
        "AccountNotEnabled": FailureKind.ACCOUNT_RESTRICTED,
        "AccountSuspended": FailureKind.ACCOUNT_RESTRICTED,
        "RestrictedLocation": FailureKind.REGION_BLOCKED,
        "AuthenticationError": FailureKind.AMBIGUOUS_AUTH,
        "RateLimitExceeded": FailureKind.RATE_LIMITED,
        "DDoSProtection": FailureKind.RATE_LIMITED,
        "OnMaintenance": FailureKind.MAINTENANCE,
        "InvalidNonce": FailureKind.CLOCK_SKEW,
        "RequestTimeout": FailureKind.UNAVAILABLE,
        "BadRequest": FailureKind.BAD_REQUEST,
        "BadSymbol": FailureKind.BAD_REQUEST,
        "ArgumentsRequired": FailureKind.BAD_REQUEST,
    }
)

#: Kinds whose messages may name the address that the exchange saw.
_NAMES_CALLER: Final = frozenset(
    {FailureKind.IP_NOT_ALLOWED, FailureKind.REGION_BLOCKED, FailureKind.AMBIGUOUS_AUTH}
)

_ANY_AUTH: Final = (
    FailureKind.INVALID_KEY,
    FailureKind.BAD_SIGNATURE,
    FailureKind.IP_NOT_ALLOWED,
    FailureKind.PERMISSION_DENIED,
)

_TRANSPORT_TEXT: Final[Mapping[Transport, str]] = MappingProxyType(
    {
        Transport.TIMEOUT: "no answer in time",
        Transport.CONNECT: "no connection could be made",
        Transport.TLS: "TLS failed, or the exchange's certificate was not accepted",
        Transport.PROXY: "the egress's proxy refused or failed",
        Transport.BROKEN: "the connection broke before the answer was complete",
    }
)


def classify(
    rows: Sequence[ErrorRow], *, call: str, status: int, code: str | None, message: str, answer: Answer
) -> Failure:
    """The failure in an answer that is none of the exchange's successes; the first row that holds wins.

    ``code`` and ``message`` are the exchange's own, as its module found them in the body; an
    answer without JSON is matched by the text of its page, which is never quoted.
    """
    if answer.transport is not None:
        return _transport_failure(answer.transport, call)
    has_json = answer.body is not None
    facts = _Facts(status=status, code=code, message=message if has_json else answer.text, json=has_json)
    for row in (*rows, *BASE_ROWS):
        found = _holds(row, facts)
        if found is not None:
            return _from_row(row, found, call=call, facts=facts, answer=answer)
    return _fallback(call=call, facts=facts, answer=answer)


def redact(text: str, *, limit: int = MAX_MESSAGE) -> str:
    """``text`` of a stranger made fit to show: one printable line, no URL query, no long token."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: limit * 10]).split())
    masked = _TOKEN.sub("********", _URL_QUERY.sub(r"\1?********", line))
    return masked if len(masked) <= limit else masked[: limit - 1] + "…"


def retry_after(
    headers: Mapping[str, str], *, header: str = "retry-after", unit: float = 1.0
) -> float | None:
    """Seconds to wait by ``Retry-After`` (seconds or an HTTP date) or a header like it, or ``None``."""
    value = headers.get(header, "").strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d+)?", value):
        return float(value) * unit
    until, now = _http_date(value), _http_date(headers.get("date", ""))
    return max(0.0, until - now) if until is not None and now is not None else None


def _http_date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError):
        return None


def _holds(row: ErrorRow, facts: _Facts) -> re.Match[str] | bool | None:
    """``None`` when the row does not hold, else the match of its pattern (True without one)."""
    if row.status is not None and facts.status not in _some(row.status):
        return None
    if row.code is not None and facts.code not in _some(row.code):
        return None
    if row.html is not None and row.html is facts.json:
        return None
    return True if row.match is None else re.search(row.match, facts.message, re.IGNORECASE)


def _some(value: int | str | Collection[int] | Collection[str]) -> Collection[object]:
    return (value,) if isinstance(value, int | str) else value


def _from_row(
    row: ErrorRow, found: re.Match[str] | bool, *, call: str, facts: _Facts, answer: Answer
) -> Failure:
    groups = {} if isinstance(found, bool) else found.groupdict()
    return Failure(
        kind=row.kind,
        message=_sentence(row.kind, facts, note=row.note),
        caller_ip=_caller(facts.message) if row.kind in _NAMES_CALLER else None,
        retry_after=_wait(row, groups.get("until_ms"), answer.headers),
        candidates=row.candidates,
        call=call,
        code=_code(facts),
        status=facts.status,
    )


def _wait(row: ErrorRow, until_ms: str | None, headers: Mapping[str, str]) -> float | None:
    named = retry_after(headers, header=row.retry_header, unit=row.retry_unit)
    now = _http_date(headers.get("date", ""))
    until = parse.moment(until_ms or headers.get(row.until_header))
    if named is None and until is not None and now is not None:
        named = max(0.0, until.timestamp() - now)
    return row.retry_after if named is None else named


def _fallback(*, call: str, facts: _Facts, answer: Answer) -> Failure:
    kind = _CCXT_KINDS.get(answer.ccxt_error or "", FailureKind.UNEXPECTED_RESPONSE)
    # ccxt maps most 4xx to ExchangeNotAvailable; only without an HTTP error is it what it says.
    if answer.ccxt_error == "ExchangeNotAvailable" and facts.status == HTTP_OK:
        kind = FailureKind.UNAVAILABLE
    if not facts.json and facts.status == HTTP_OK:
        kind = FailureKind.UNEXPECTED_RESPONSE
    return Failure(
        kind=kind,
        message=_sentence(kind, facts, note=_shape(facts)),
        retry_after=retry_after(answer.headers),
        candidates=_ANY_AUTH if kind is FailureKind.AMBIGUOUS_AUTH else (),
        call=call,
        code=_code(facts),
        status=facts.status,
    )


def _shape(facts: _Facts) -> str:
    if facts.status in _REDIRECTS:
        return "It redirects elsewhere, and a signed request is never sent on."
    return "" if facts.json else "The answer is not JSON."


def _transport_failure(transport: Transport, call: str) -> Failure:
    title = KINDS[FailureKind.UNAVAILABLE].title
    return Failure(kind=FailureKind.UNAVAILABLE, message=f"{title}: {_TRANSPORT_TEXT[transport]}.", call=call)


def _sentence(kind: FailureKind, facts: _Facts, *, note: str) -> str:
    said = redact(facts.message) if facts.json else ""
    parts = [
        f"HTTP {facts.status}",
        f"code {_code(facts)}" if facts.code else "",
        f"“{said}”" if said else "",
    ]
    title = f"{KINDS[kind].title} ({', '.join(part for part in parts if part)})."
    return f"{title} {note}" if note else title


def _code(facts: _Facts) -> str | None:
    return redact(facts.code, limit=MAX_CODE) if facts.code else None


def _caller(message: str) -> str | None:
    """The address that a message names, when it names exactly one."""
    found = {_address(token.strip(".:")) for token in re.split(r"[^0-9a-fA-F.:]+", message)} - {None}
    return found.pop() if len(found) == 1 else None


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def unexpected(call: str, why: str) -> CallFailed:
    """The failure to raise when a judged success lacks what a parser needs; ``why`` is a sentence of ours."""
    kind = FailureKind.UNEXPECTED_RESPONSE
    return CallFailed(Failure(kind=kind, message=f"{KINDS[kind].title}: {why}", call=call))
