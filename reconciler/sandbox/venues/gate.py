"""Gate's APIv4: one host, no envelope, failures told by a label.

Sources: GDOC is www.gate.com/docs/developers/apiv4, GSDK is gateio/gateapi-python 7.2.57, OB is
Drakkar-Software/OctoBot-Tentacles (texts recorded live). Where these say nothing, the choice made here
is marked as assumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import unquote_plus

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import (
    Incoming,
    Json,
    Refused,
    Reply,
    Route,
    Venue,
    milliseconds,
    same,
    sign,
)
from reconciler.sandbox.venues import markets

_WINDOW_S: Final = 60
_SHOWN: Final = 12
_BASE: Final = "/api/v4"
#: Permission names whose lack a read can show (GSDK AccountKeyInfoPerms).
_SCOPES: Final = ("account", "spot", "futures", "wallet")


def _error(label: str, text: str, *, status: int = 400, source: str = "GDOC label list") -> Reply:
    return Reply(status=status, body={"label": label, "message": text}, source=source)


def _lacks(scope: str) -> Reply:
    return _error("FORBIDDEN", f"Request API key does not have {scope} permission", status=403, source="OB")


ERRORS: Final[Mapping[str, Reply]] = {
    "invalid_key": _error("INVALID_KEY", "Invalid key provided", status=401),
    "bad_signature": _error("INVALID_SIGNATURE", "Signature mismatch", status=401),
    "credentials": _error("INVALID_CREDENTIALS", "Invalid credentials", status=401, source="ccxt gate.py"),
    "clock_skew": _error(
        "REQUEST_EXPIRED",
        "gap between request Timestamp and server time exceeds 60",
        status=403,
        source="GDOC",
    ),
    "header_missing": _error("MISSING_REQUIRED_HEADER", "Missing required header: {header}"),
    "ip_not_allowed": _error("FORBIDDEN", "Request IP not in whitelist: {ip}", status=403, source="OB"),
    "ip_forbidden": _error("IP_FORBIDDEN", "Request IP is not allowed: {ip}", status=403),
    "permission_denied": _lacks("spot"),
    **{f"no_{scope}_permission": _lacks(scope) for scope in _SCOPES},
    "read_only": _error("READ_ONLY", "API key is read-only", status=403),
    "forbidden": _error("FORBIDDEN", "Forbidden", status=403, source="assumed: a text that names no reason"),
    "main_account_only": _error(
        "FORBIDDEN", "Only the main account can query its keys", status=403, source="assumed"
    ),
    "account_locked": _error("ACCOUNT_LOCKED", "Account is locked", status=403),
    "sub_account_locked": _error("SUB_ACCOUNT_LOCKED", "Sub account is locked", status=403),
    "user_not_found": _error(
        "USER_NOT_FOUND", "please transfer funds first to create futures account", source="GDOC futures"
    ),
    "parameter_missing": _error("MISSING_REQUIRED_PARAM", "Missing required parameter: {parameter}"),
    "parameter_invalid": _error("INVALID_PARAM_VALUE", "Invalid argument: {parameter}"),
    "method_not_allowed": _error("METHOD_NOT_ALLOWED", "Method not allowed", status=405),
    "rate_limited": Reply(
        status=429,
        body={"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded"},
        headers={
            "X-Gate-RateLimit-Requests-Remain": "0",
            "X-Gate-RateLimit-Limit": "200",
            "X-Gate-RateLimit-Reset-Timestamp": "{until_ms}",
        },
        source="GDOC rate limit; that the header counts in ms is assumed",
    ),
    "too_fast": _error("TOO_FAST", "Too fast", status=429, source="ccxt gate.py"),
    "busy": _error("TOO_BUSY", "The system is busy, please try again later", status=503),
    "internal": _error("INTERNAL", "Internal server error", status=500),
    "server_error": _error("SERVER_ERROR", "Server error", status=500),
    "maintenance": _error("SERVER_ERROR", "System maintenance", status=503, source="assumed: no label"),
    "edge_block": Reply(
        status=403,
        body="<html><head><title>403 Forbidden</title></head><body>403 Forbidden</body></html>",
        source="assumed: the page of the firewall in front",
    ),
    "not_found": _error("NOT_FOUND", "Not found: {path}", status=404, source="assumed"),
}


class Gate(Venue):
    """Gate. A scenario's permissions are names, or a mapping of names to ``read-only`` or ``read-write``.

    ``options: {futures: false}`` is a user who never opened the futures account.
    """

    id: ClassVar[str] = "gate"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, time, the account, the keys of the main account, balances and open orders."""
        return (
            *markets.gate(self.spec),
            Route(
                path=f"{_BASE}/spot/time", answer=lambda asked: {"server_time": asked.now_ms}, signed=False
            ),
            _route("account", "account/detail", _detail),
            _route("account", "account/main_keys", self._main_keys),
            _route("spot", "spot/accounts", _spot_accounts),
            _route("spot", "spot/open_orders", _spot_orders),
            # GDOC names the permission "spot/margin"; that isolated margin asks for it is assumed.
            _route("spot", "margin/accounts", lambda _: []),
            _route("futures", "futures/{settle}/accounts", _futures_account),
            _route("futures", "futures/{settle}/orders", _futures_orders),
            _route("wallet", "wallet/total_balance", _total_balance),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``KEY``."""
        return incoming.headers.get("KEY")

    def refuse_write(self, incoming: Incoming) -> str:
        """No key of a scenario may write."""
        del incoming
        return "read_only"

    def authenticate(self, incoming: Incoming) -> Key:
        """Headers, time, then key (measured by others); signature and address follow (order assumed)."""
        for name in ("KEY", "SIGN", "Timestamp"):
            if not incoming.headers.get(name):
                raise Refused("header_missing", header=name)
        stamp, signature = incoming.headers["Timestamp"], incoming.headers["SIGN"]
        asked = milliseconds(stamp)
        if asked is None or abs(incoming.now_ms / 1000 - asked) > _WINDOW_S:
            raise Refused("clock_skew")
        key = self.find(self.claimed(incoming))
        if key is None:
            raise Refused("invalid_key")
        if not same(signature.lower(), sign(key.secret, _payload(incoming, stamp), algorithm="sha512")):
            raise Refused("bad_signature")
        self.admit(key, incoming.caller)
        return key

    def _main_keys(self, asked: Incoming) -> Json:
        """GDOC "Query all main account key information": every key of the user, masked."""
        if not asked.key.is_master:
            raise Refused("main_account_only")
        mine = (key for key in self.spec.keys.values() if key.is_master and key.uid == asked.key.uid)
        return [_described(key) for key in mine]


def _route(scope: str, path: str, answer: Callable[[Incoming], Json]) -> Route:
    return Route(
        path=f"{_BASE}/{path}",
        answer=answer,
        needs=frozenset({scope}),
        denied=f"no_{scope}_permission",
    )


def _payload(incoming: Incoming, stamp: str) -> str:
    """GDOC "APIv4 signed request requirements": the query string is signed without URL encoding."""
    digest = hashlib.sha512(incoming.body).hexdigest()
    return "\n".join((incoming.method, incoming.path, unquote_plus(incoming.query), digest, stamp))


def _detail(asked: Incoming) -> Json:
    """GDOC "Retrieve user account information", as a real answer stands in ccxt's gate.py."""
    key = asked.key
    told = {
        "user_id": int(key.uid),
        "ip_whitelist": list(key.ip_whitelist),
        "currency_pairs": [],
        "key": {"mode": 1},
        "tier": 0,
        "tier_expire_time": "0001-01-01T00:00:00Z",
        "copy_trading_role": 0,
    }
    return told | key.options.get("detail", {})


def _described(key: Key) -> dict[str, Any]:
    created = int(key.created.timestamp())
    return key.describe(
        {
            "state": 1,
            "mode": 1,
            "name": key.label,
            "user_id": int(key.uid),
            "perms": _perms(key),
            "ip_whitelist": list(key.ip_whitelist),
            "currency_pairs": [],
            "key": f"{key.api_key[:_SHOWN]}*****",
            "created_at": created,
            "update_at": created,
            "last_access": created,
        }
    )


def _perms(key: Key) -> list[dict[str, Any]]:
    modes = key.permissions if isinstance(key.permissions, dict) else {}
    return [{"name": name, "read_only": modes.get(name) == "read-only"} for name in sorted(key.words())]


def _spot_accounts(asked: Incoming) -> Json:
    return [{"currency": asset, "available": n, "locked": "0"} for asset, n in asked.key.balances.items()]


def _spot_orders(asked: Incoming) -> Json:
    """GDOC "List all open orders": grouped by pair."""
    orders = asked.key.open_orders
    pairs = dict.fromkeys(order.get("currency_pair", "") for order in orders)
    grouped = {pair: [o for o in orders if o.get("currency_pair", "") == pair] for pair in pairs}
    return [{"currency_pair": pair, "total": len(own), "orders": own} for pair, own in grouped.items()]


def _opened(asked: Incoming) -> None:
    if asked.key.options.get("futures") is False:
        raise Refused("user_not_found")


def _futures_account(asked: Incoming) -> Json:
    """GDOC "Get futures account"."""
    _opened(asked)
    currency = asked.path.removeprefix(f"{_BASE}/futures/").partition("/")[0].upper()
    held = asked.key.balances.get(currency, "0")
    nothing = {"unrealised_pnl": "0", "position_margin": "0", "order_margin": "0", "in_dual_mode": False}
    return {"user": int(asked.key.uid), "currency": currency, "total": held, "available": held} | nothing


def _futures_orders(asked: Incoming) -> Json:
    """GDOC "Query futures order list": a status is required, a contract is not."""
    _opened(asked)
    if not asked.params.get("status"):
        raise Refused("parameter_missing", parameter="status")
    return asked.key.open_orders


def _total_balance(asked: Incoming) -> Json:
    """GDOC "Query personal account totals"."""
    held = asked.key.balances.get("USDT", "0")
    return {"total": {"currency": "USDT", "amount": held}, "details": {"spot": {"amount": held}}}
