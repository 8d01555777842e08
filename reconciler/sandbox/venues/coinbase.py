"""Coinbase's Advanced Trade API (``/api/v3/brokerage``).

Sources: CDP is docs.cdp.coinbase.com (pages by their titles), SDK is coinbase/coinbase-advanced-py, CX is
ccxt ``coinbase.py``. Where these say nothing, the choice made here is marked as assumed.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue
from reconciler.sandbox.venues import markets

_LIFE_S: Final = 120
_RAW_BYTES: Final = 64
_HALF: Final = 32
_SEED: Final = 32
_RIGHTS: Final = ("can_view", "can_trade", "can_transfer")
_VIEW: Final = frozenset({"can_view"})
_V3: Final = "/api/v3/brokerage"


def _error(status: int, error: str, text: str, *, source: str) -> Reply:
    body = {"error": error, "error_details": text, "message": text}
    return Reply(status=status, body=body, source=source)


def _v2(status: int, id_: str, text: str) -> Reply:
    body = {"errors": [{"id": id_, "message": text}]}
    return Reply(status=status, body=body, source="CX, from the error table of the v2 API")


def _unauthorized(source: str) -> Reply:
    return Reply(status=401, body="Unauthorized\n", source=source)


ERRORS: Final[Mapping[str, Reply]] = {
    "invalid_key": _unauthorized("SDK issue 56"),
    "bad_signature": _unauthorized("SDK issue 132"),
    "clock_skew": _unauthorized("CDP API Key Authentication: the token has expired"),
    "ip_not_allowed": _unauthorized("assumed: nothing tells it apart"),
    "unauthorized_empty": Reply(status=401, body="", source="assumed"),
    "permission_denied": _error(
        403, "PERMISSION_DENIED", "Missing required scopes", source="github.com/ccxt/ccxt/issues/19034"
    ),
    "permission_unknown": _error(
        403, "unknown", "Missing required scopes", source="github.com/ccxt/ccxt/issues/19034"
    ),
    "permission_required": _error(403, "unknown", "permission is required", source="OctoBot-Tentacles#1431"),
    "v2_invalid_key": _v2(401, "authentication_error", "invalid api key"),
    "v2_bad_signature": _v2(401, "authentication_error", "invalid signature"),
    "v2_expired": _v2(401, "authentication_error", "request timestamp expired"),
    "v2_authentication": _v2(401, "authentication_error", "authentication failed"),
    "v2_scope": _v2(403, "invalid_scope", "Your request does not have the required scope"),
    "v2_identity": _v2(400, "identity_verification_required", "Identity verification is required"),
    "v2_deleted_user": _v2(401, "invalid_authentication_method", "API access is blocked for deleted users"),
    "rate_limited": _error(429, "rate_limit_exceeded", "Rate limit exceeded", source="CX"),
    "rate_limited_bare": Reply(status=429, body="", source="CDP Rate Limits"),
    "exhausted": _error(429, "resource_exhausted", "Resource has been exhausted", source="CX"),
    "internal": _error(500, "internal_server_error", "Internal server error", source="CX"),
    "internal_unknown": _error(500, "INTERNAL", "unknown", source="assumed"),
    "unavailable": Reply(status=503, body="Service Unavailable\n", source="assumed"),
    "maintenance": Reply(
        status=503,
        body="<html><body><h1>Coinbase is under maintenance</h1></body></html>",
        source="assumed: a page before the API",
    ),
    "bad_request": _error(400, "INVALID_ARGUMENT", "order_status is not valid", source="CX"),
    "no_futures_account": _error(404, "NOT_FOUND", "account not found", source="assumed"),
    "not_found": _error(404, "NOT_FOUND", "the path is not known", source="assumed"),
}


class Coinbase(Venue):
    """Coinbase. ``permissions`` are the flags ``can_view``, ``can_trade``, ``can_transfer``; ``uid`` is the
    portfolio. ``secret`` is the private key, of which the exchange itself keeps the public half alone.

    ``options``: ``portfolio_type``; ``futures: true`` for an account with US futures.
    """

    id: ClassVar[str] = "coinbase"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, the time, what a key is, accounts, open orders and the futures account."""
        return (
            markets.coinbase(self.spec),
            Route(path=f"{_V3}/time", answer=_time, signed=False),
            Route(path=f"{_V3}/key_permissions", answer=_key_info),
            Route(path=f"{_V3}/accounts", answer=_accounts, needs=_VIEW),
            Route(path=f"{_V3}/orders/historical/batch", answer=_orders, needs=_VIEW),
            Route(path=f"{_V3}/cfm/balance_summary", answer=_futures, needs=_VIEW),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``kid`` of the token, or the header of the keys that ended in 2025."""
        name = _Token(incoming).header.get("kid") or incoming.headers.get("CB-ACCESS-KEY")
        return name if isinstance(name, str) else None

    def authenticate(self, incoming: Incoming) -> Key:
        """Key, signature, claims, address: the order is assumed, and every answer is the same.

        Source: CDP API Key Authentication; SDK ``jwt_generator.py``.
        """
        token = _Token(incoming)
        key = self.find(self.claimed(incoming))
        if key is None or not token.signature:
            raise Refused("invalid_key")
        if not _signed(token, key.secret):
            raise Refused("bad_signature")
        if not _current(token.claims, incoming.now_ms / 1000):
            raise Refused("clock_skew")
        if token.claims.get("sub") != key.api_key or not _meant(token.claims, incoming):
            raise Refused("bad_signature")
        self.admit(key, incoming.caller)
        return key


class _Token:
    """A JSON Web Token as it stood in a request; empty parts where there was none or a broken one."""

    def __init__(self, incoming: Incoming) -> None:
        scheme, _, text = incoming.headers.get("Authorization", "").partition(" ")
        parts = text.split(".") if scheme == "Bearer" else []
        head, body, signature = parts if len(parts) == 3 else ("", "", "")  # noqa: PLR2004 - RFC 7515
        self.header = _fields(head)
        self.claims = _fields(body)
        self.signed = f"{head}.{body}".encode()
        self.signature = _bytes(signature)


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _fields(part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _signed(token: _Token, secret: str) -> bool:
    """Whether the private key ``secret`` made the token's signature, by the algorithm it is for."""
    try:
        if secret.startswith("-----BEGIN"):
            return token.header.get("alg") == "ES256" and _by_ecdsa(token, secret)
        return token.header.get("alg") == "EdDSA" and _by_ed25519(token, secret)
    except InvalidSignature:
        return False


def _by_ecdsa(token: _Token, secret: str) -> bool:
    private = load_pem_private_key(secret.encode(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or len(token.signature) != _RAW_BYTES:
        return False
    r, s = (int.from_bytes(half) for half in (token.signature[:_HALF], token.signature[_HALF:]))
    private.public_key().verify(encode_dss_signature(r, s), token.signed, ec.ECDSA(hashes.SHA256()))
    return True


def _by_ed25519(token: _Token, secret: str) -> bool:
    seed = base64.b64decode(secret)[:_SEED]
    public = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key()
    public.verify(token.signature, token.signed)
    return True


def _current(claims: Mapping[str, Any], now: float) -> bool:
    """Whether the token is valid now, and for no longer than Coinbase allows."""
    start, end = claims.get("nbf"), claims.get("exp")
    if not isinstance(start, int) or not isinstance(end, int):
        return False
    return start <= now + 1 and now < end <= start + _LIFE_S


def _meant(claims: Mapping[str, Any], incoming: Incoming) -> bool:
    """Whether the token is for this method, host and path; the query is no part of it."""
    listed = claims.get("uris", [claims.get("uri")])
    # ccxt takes only "https://" off its URL, so that over plain HTTP the scheme stays in the claim.
    told = {re.sub(r"^([A-Z]+) http://", r"\1 ", uri) for uri in listed if isinstance(uri, str)}
    return f"{incoming.method} {incoming.host}{incoming.path}" in told


def _time(asked: Incoming) -> Json:
    now = datetime.fromtimestamp(asked.now_ms / 1000, UTC).isoformat(timespec="seconds")
    return {"iso": now, "epochSeconds": str(asked.now_ms // 1000), "epochMillis": str(asked.now_ms)}


def _key_info(asked: Incoming) -> Json:
    """CDP "Get API Key Permissions"."""
    key = asked.key
    told: dict[str, Any] = {right: right in key.words() for right in _RIGHTS}
    told["portfolio_uuid"] = key.uid
    told["portfolio_type"] = key.options.get("portfolio_type", "DEFAULT")
    return key.describe(told)


def _accounts(asked: Incoming) -> Json:
    nothing = {"active": True, "type": "ACCOUNT_TYPE_CRYPTO", "ready": True}
    held = [
        {"name": f"{asset} Wallet", "currency": asset} | _available(asset, amount) | nothing
        for asset, amount in asked.key.balances.items()
    ]
    return {"accounts": held, "has_next": False, "cursor": "", "size": len(held)}


def _available(asset: str, amount: str) -> dict[str, Any]:
    """What orders do not hold back, and what they do."""
    amounts = {"available_balance": amount, "hold": "0.0000000000000000"}
    return {name: {"value": value, "currency": asset} for name, value in amounts.items()}


def _orders(asked: Incoming) -> Json:
    return {"orders": asked.key.open_orders, "sequence": "0", "has_next": False, "cursor": ""}


def _futures(asked: Incoming) -> Json:
    if not asked.key.options.get("futures", False):
        raise Refused("no_futures_account")
    cash = {"value": asked.key.balances.get("USD", "0"), "currency": "USD"}
    return {"balance_summary": {"futures_buying_power": cash, "total_usd_balance": cash}}
