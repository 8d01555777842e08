"""MEXC's spot API (v3) and futures API (v1), which share the host ``api.mexc.com`` and no path.

Sources: MX3 is mexcdevelop.github.io/apidocs/spot_v3_en, MXC is .../contract_v1_en, MXN is
www.mexc.com/api-docs (2026). Where these say nothing, the choice made here is marked as assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Final
from urllib.parse import parse_qsl, urlencode

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue, milliseconds, same, sign
from reconciler.sandbox.venues import markets

_DEFAULT_WINDOW_MS: Final = 5_000
_MAX_WINDOW_MS: Final = 60_000
_AHEAD_MS: Final = 1_000
_FUTURES_WINDOW_MS: Final = 10_000
_DAY_MS: Final = 86_400_000
_PERMANENT: Final = -999
_FUTURES_PATH: Final = "/api/v1/"


def _spot(code: int, text: str, *, status: int = 400, source: str = "MX3 error codes") -> Reply:
    return Reply(status=status, body={"code": code, "msg": text}, source=source)


def _futures(code: int, text: str) -> Reply:
    body = {"success": False, "code": code, "message": text}
    return Reply(body=body, source="MXC error codes (assumed to come with HTTP 200)")


#: Futures errors carry the prefix ``futures_`` where both APIs have one for the same cause.
ERRORS: Final[Mapping[str, Reply]] = {
    "key_required": _spot(400, "api key required"),
    "invalid_key": _spot(10072, "Api key info invalid"),
    "key_format": _spot(700001, "API-key format invalid."),
    "key_unknown": _spot(730706, "API KEY information does not exist"),
    "key_parameter": _spot(730707, "accessKey cannot be null"),
    "bad_signature": _spot(700002, "Signature for this request is not valid."),
    "clock_skew": _spot(700003, "Timestamp for this request is outside of the recvWindow."),
    "request_time": _spot(10073, "Invalid Request-Time"),
    "parameter_missing": _spot(
        700004, "Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed."
    ),
    "window_too_large": _spot(700005, "recvWindow must less than 60000"),
    "ip_not_allowed": _spot(700006, "IP [{ip}] not in the ip white list"),
    "permission_denied": _spot(700007, "No permission to access the endpoint."),
    "no_authority": _spot(401, "No authority", status=401),
    "symbol_not_permitted": _spot(30020, "no permission for the symbol"),
    "pair_user_banned": _spot(70011, "Pair user ban trade apikey."),
    "account_abnormal": _spot(60005, "your account is abnormal"),
    "risk_control": _spot(10098, "risk control system detected abnormal"),
    "account_suspended": _spot(30018, "Account temporarily unable to place orders, please contact support"),
    "user_status_unusual": _spot(730100, "Unusual user status"),
    "rate_limited": Reply(
        status=429,
        body={"code": 429, "msg": "Too Many Requests"},
        headers={"Retry-After": "{retry_after}"},
        source="MX3 limits",
    ),
    "rate_banned": Reply(
        status=418,
        body={"code": 418, "msg": "Too Many Requests"},
        headers={"Retry-After": "{retry_after}"},
        source="MX3 limits: an address that goes on after 429 is banned",
    ),
    "edge_block": Reply(
        status=403,
        body="<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>"
        "You don't have permission to access this server.</BODY></HTML>",
        source="github.com/ccxt/ccxt/issues/15873",
    ),
    "maintenance": Reply(
        status=500,
        body={
            "code": 500,
            "message": "Under maintenance, please try again later",
            "announcement": "https://www.mexc.com/support/articles/17827791510263",
        },
        source="ccxt mexc.py exceptions",
    ),
    "busy": _spot(503, "service not available, please try again", status=503),
    "not_found": Reply(status=404, body={"code": 404, "msg": "Not Found"}, source="assumed"),
    "futures_not_found": Reply(
        status=404, body={"success": False, "code": 404, "message": "Not Found"}, source="assumed"
    ),
    "futures_login": _futures(401, "Not logged in or login has expired"),
    "futures_key_expired": _futures(402, "API Key expired, please apply again"),
    "futures_ip_not_allowed": _futures(406, "Accessing IP is not in the whitelist"),
    "futures_rate_limited": _futures(510, "Requests are too frequent, please try again later"),
    "futures_no_access": _futures(511, "You do not have access to the interface"),
    "futures_clock_skew": _futures(513, "Invalid request, please try again later"),
    "futures_bad_signature": _futures(602, "Signature verification failed"),
    "futures_account_read": _futures(701, "Please enable API Key read access"),
    "futures_account_write": _futures(702, "Please enable API Key write access"),
    "futures_deal_read": _futures(703, "Trading information read access is required"),
    "futures_deal_write": _futures(704, "Please enable API Key trading information write access"),
    "futures_maintenance": _futures(801, "System under maintenance"),
}


class Mexc(Venue):
    """MEXC, whose two APIs sign differently: spot in the query, futures in headers."""

    id: ClassVar[str] = "mexc"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, ping and time, what a key is, whose it is, balances and open orders."""
        read, deals = frozenset({"SPOT_ACCOUNT_READ"}), frozenset({"SPOT_DEAL_READ"})
        account, orders = frozenset({"CONTRACT_ACCOUNT_READ"}), frozenset({"CONTRACT_DEAL_READ"})
        private = f"{_FUTURES_PATH}private"
        return (
            *markets.mexc(self.spec),
            Route(path="/api/v3/ping", answer=lambda _: {}, signed=False),
            Route(path="/api/v3/time", answer=lambda asked: {"serverTime": asked.now_ms}, signed=False),
            # MXN names no permission for apiKeyInfo; SPOT_ACCOUNT_READ is assumed.
            Route(path="/api/v3/apiKeyInfo", answer=_key_info, needs=read),
            Route(path="/api/v3/uid", answer=lambda asked: {"uid": asked.key.uid}, needs=read),
            Route(path="/api/v3/account", answer=_account, needs=read, weight=10),
            Route(path="/api/v3/openOrders", answer=_open_orders, needs=deals, weight=3),
            Route(path=f"{_FUTURES_PATH}contract/ping", answer=_futures_ping, signed=False),
            Route(
                path=f"{private}/account/assets",
                answer=_futures_assets,
                needs=account,
                denied="futures_account_read",
                weight=2,
            ),
            *(
                Route(
                    path=f"{private}/order/list/open_orders{symbol}",
                    answer=_futures_orders,
                    needs=orders,
                    denied="futures_deal_read",
                    weight=2,
                )
                for symbol in ("", "/{symbol}")
            ),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``X-MEXC-APIKEY`` on spot, ``ApiKey`` on futures."""
        return incoming.headers.get("ApiKey" if _is_futures(incoming) else "X-MEXC-APIKEY")

    def refuse_write(self, incoming: Incoming) -> str:
        """The missing write permission, in the words of the API that was asked."""
        return "futures_deal_write" if _is_futures(incoming) else "permission_denied"

    def limited(self, incoming: Incoming) -> str:
        """Code 510 on futures, HTTP 429 on spot."""
        return "futures_rate_limited" if _is_futures(incoming) else "rate_limited"

    def reply(self, incoming: Incoming, host: str = "") -> Reply:
        """The answer, with an unknown path told in the shape of the API that was asked."""
        if self.route(incoming, host) is None and _is_futures(incoming) and incoming.method == "GET":
            return self.error("futures_not_found")
        return super().reply(incoming, host)

    def authenticate(self, incoming: Incoming) -> Key:
        """Key, time, signature, life, address: the order is assumed; each error is documented."""
        return self._futures_key(incoming) if _is_futures(incoming) else self._spot_key(incoming)

    def _spot_key(self, incoming: Incoming) -> Key:
        if not self.claimed(incoming):
            raise Refused("key_required")
        key = self.find(self.claimed(incoming))
        if key is None:
            raise Refused("invalid_key")
        _check_window(incoming)
        signed, _, signature = incoming.query.rpartition("&signature=")
        if not same(signature.lower(), sign(key.secret, signed.encode() + incoming.body)):
            raise Refused("bad_signature")
        # ccxt's mexc.py notes that an expired key is told the same as a bad signature; that it may
        # still ask about itself follows from the documented remainingValidity of 0.
        if _expired(key, incoming) and incoming.path != "/api/v3/apiKeyInfo":
            raise Refused("bad_signature")
        self.admit(key, incoming.caller)
        return key

    def _futures_key(self, incoming: Incoming) -> Key:
        key = self.find(self.claimed(incoming))
        stamp = incoming.headers.get("Request-Time", "")
        signature = incoming.headers.get("Signature", "")
        if key is None or not stamp or not signature:
            raise Refused("futures_login")
        asked = milliseconds(stamp)
        if asked is None or abs(incoming.now_ms - asked) > _FUTURES_WINDOW_MS:
            raise Refused("futures_clock_skew")
        payload = key.api_key.encode() + stamp.encode() + _futures_payload(incoming)
        if not same(signature.lower(), sign(key.secret, payload)):
            raise Refused("futures_bad_signature")
        if _expired(key, incoming):
            raise Refused("futures_key_expired")
        if not key.admits(incoming.caller):
            raise Refused("futures_ip_not_allowed")
        return key


def _is_futures(incoming: Incoming) -> bool:
    return incoming.path.startswith(_FUTURES_PATH)


def _check_window(incoming: Incoming) -> None:
    """MX3 "timing security": ``timestamp < server + 1000`` and ``server - timestamp <= recvWindow``."""
    params = incoming.params
    for name in ("timestamp", "signature"):
        if not params.get(name):
            raise Refused("parameter_missing", parameter=name)
    stamp, window = milliseconds(params["timestamp"]), milliseconds(params.get("recvWindow", "5000"))
    if stamp is None:
        raise Refused("parameter_missing", parameter="timestamp")
    window = _DEFAULT_WINDOW_MS if window is None else window
    if window > _MAX_WINDOW_MS:
        raise Refused("window_too_large")
    if stamp >= incoming.now_ms + _AHEAD_MS or incoming.now_ms - stamp > window:
        raise Refused("clock_skew")


def _futures_payload(incoming: Incoming) -> bytes:
    """MXC "signature": the body of a POST, else the parameters in order of their names."""
    if incoming.method == "POST":
        return incoming.body
    return urlencode(sorted(parse_qsl(incoming.query, keep_blank_values=True))).encode()


def _expired(key: Key, incoming: Incoming) -> bool:
    return key.expires is not None and key.expires.timestamp() * 1000 <= incoming.now_ms


def _remaining_days(key: Key, incoming: Incoming) -> int:
    if key.expires is None:
        return _PERMANENT
    return max(0, math.ceil((key.expires.timestamp() * 1000 - incoming.now_ms) / _DAY_MS))


def _key_info(asked: Incoming) -> Json:
    """MXN "query API key info", with the field names that the exchange really sends."""
    key, wanted = asked.key, asked.params.get("accessKey")
    if not wanted:
        raise Refused("key_parameter")
    if wanted != key.api_key:
        raise Refused("key_unknown")
    words = key.permissions if isinstance(key.permissions, str) else ",".join(sorted(key.words()))
    return key.describe(
        {
            "note": key.label,
            "accessKey": key.api_key,
            "createTime": _rfc3339(key.created),
            "permissions": words,
            "remainingValidity": _remaining_days(key, asked),
            "ipWhiteList": ",".join(key.ip_whitelist),
            "status": key.status,
        }
    )


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _account(asked: Incoming) -> Json:
    """MX3 "account information": its flags are the account's, not the key's."""
    balances = [{"asset": a, "free": n, "locked": "0"} for a, n in asked.key.balances.items()]
    flags = {"canTrade": True, "canWithdraw": True, "canDeposit": True, "updateTime": None}
    return {**flags, "accountType": "SPOT", "balances": balances, "permissions": ["SPOT"]}


def _open_orders(asked: Incoming) -> Json:
    symbol = asked.params.get("symbol")
    if not symbol:
        raise Refused("parameter_missing", parameter="symbol")
    return [order for order in asked.key.open_orders if order.get("symbol", symbol) == symbol]


def _futures_success(data: Json) -> Reply:
    return Reply(body={"success": True, "code": 0, "data": data})


def _futures_ping(asked: Incoming) -> Json:
    return _futures_success(asked.now_ms)


def _futures_assets(asked: Incoming) -> Json:
    nothing = {"positionMargin": 0, "frozenBalance": 0, "unrealized": 0, "bonus": 0}
    return _futures_success(
        [
            {"currency": asset, "availableBalance": float(n), "cashBalance": float(n), "equity": float(n)}
            | nothing
            for asset, n in asked.key.balances.items()
        ]
    )


def _futures_orders(asked: Incoming) -> Json:
    symbol = asked.path.rpartition("/open_orders")[2].lstrip("/")
    return _futures_success(
        [order for order in asked.key.open_orders if not symbol or order.get("symbol") == symbol]
    )
