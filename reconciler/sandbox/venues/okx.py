"""OKX's v5 API: one host, one envelope, live and demo trading told apart by a header.

Sources: OKX is www.okx.com/docs-v5 (copy of July 2026), 401 is the table of HTTP 401 answers in
github.com/pyted/okx/issues/1. Where these say nothing, the choice made here is marked as assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue, same, sign
from reconciler.sandbox.venues import markets

_WINDOW_MS: Final = 30_000
_READ: Final = frozenset({"read_only"})
_SIMULATED: Final = "x-simulated-trading"
#: Header -> error when it is missing or empty, in the order of the checks (401; the rest assumed).
_HEADERS: Final[Mapping[str, str]] = {
    "OK-ACCESS-KEY": "key_missing",
    "OK-ACCESS-SIGN": "signature_missing",
    "OK-ACCESS-TIMESTAMP": "timestamp_missing",
    "OK-ACCESS-PASSPHRASE": "passphrase_missing",
}


#: The fields of a real answer that say nothing about the key (JKorf/OKX.Net fixtures).
SETTINGS: Final[dict[str, Any]] = {
    "acctLv": "2",
    "acctStpMode": "cancel_maker",
    "autoLoan": False,
    "ctIsoMode": "automatic",
    "enableSpotBorrow": False,
    "greeksType": "PA",
    "feeType": "0",
    "kycLv": "3",
    "level": "Lv1",
    "levelTmp": "",
    "liquidationGear": "-1",
    "mgnIsoMode": "automatic",
    "opAuth": "1",
    "posMode": "long_short_mode",
    "roleType": "0",
    "spotBorrowAutoRepay": False,
    "spotOffsetType": "",
    "spotRoleType": "0",
    "spotTraderInsts": [],
    "stgyType": "0",
    "traderInsts": [],
    "settleCcy": "USDC",
    "settleCcyList": ["USD", "USDC", "USDG"],
}


def _error(code: str, text: str, *, status: int = 401, source: str = "OKX error codes") -> Reply:
    return Reply(status=status, body={"msg": text, "code": code, "data": []}, source=source)


ERRORS: Final[Mapping[str, Reply]] = {
    "key_missing": _error("50103", 'Request header "OK-ACCESS-KEY" can\'t be empty.'),
    "passphrase_missing": _error("50104", 'Request header "OK-ACCESS-PASSPHRASE" can\'t be empty.'),
    "signature_missing": _error("50106", 'Request header "OK-ACCESS-SIGN" can\'t be empty.'),
    "timestamp_missing": _error("50107", 'Request header "OK-ACCESS-TIMESTAMP" can\'t be empty.'),
    "clock_skew": _error("50102", "Timestamp request expired"),
    "timestamp_invalid": _error("50112", "Invalid OK-ACCESS-TIMESTAMP"),
    "invalid_key": _error("50119", "API key doesn't exist", source="401"),
    "key_format": _error("50111", "Invalid OK-ACCESS-KEY"),
    "wrong_environment": _error("50101", "APIKey does not match current environment."),
    "wrong_passphrase": _error("50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.'),
    "bad_signature": _error("50113", "Invalid Sign"),
    "ip_not_allowed": _error(
        "50110",
        "Your IP {ip} is not included in your API key's b68428e0-7f7b-4d0c-9a0c-3b6f5c2a1d9e IP whitelist.",
        source="401",
    ),
    "ip_binding_required": _error(
        "50035", "This endpoint requires that APIKey must be bound to IP", status=403
    ),
    "permission_denied": _error(
        "50120", "This API key doesn't have permission to use this function", status=200
    ),
    "no_permission": _error("50030", "You don't have permission to use this API endpoint", status=200),
    "authorization_invalid": _error("50114", "Invalid Authorization"),
    "key_frozen": _error("50100", "API frozen, please contact customer service.", status=400),
    "region_blocked": _error(
        "50121", "You can't access our services through the IP address ({ip})", status=200
    ),
    "compliance": _error(
        "50051", "Due to local laws and regulations, our services are not available to you.", status=200
    ),
    "pair_compliance": Reply(
        body={
            "code": "1",
            "data": [
                {
                    "ordId": "",
                    "sCode": "51155",
                    "sMsg": "You can't trade this pair or borrow this crypto due to local compliance "
                    "restrictions. ",
                }
            ],
            "msg": "All operations failed",
        },
        source="ccxt okx.py",
    ),
    "account_blocked": _error("50007", "This API key is blocked because its user is blocked.", status=200),
    "account_mode": _error(
        "51010", "You can't complete this request under your current account mode.", status=200
    ),
    "rate_limited": _error("50011", "Too Many Requests", status=429),
    "rate_limited_soft": _error(
        "50011",
        "Rate limit reached. Please refer to API documentation and throttle requests accordingly.",
        status=200,
    ),
    "rate_limited_bare": Reply(status=429, body="Too Many Requests", source="ccxt okx.py httpExceptions"),
    "busy": _error("50013", "Systems are busy. Please try again later.", status=429),
    "parameter": _error("51000", "Parameter {parameter} error", status=400),
    "internal": _error("50026", "System error. Try again later", status=500),
    "internal_number": Reply(
        status=500, body={"code": 500, "data": {}, "msg": "Internal Server Error"}, source="seen live"
    ),
    "maintenance": _error("50001", "Service temporarily unavailable. Try again later.", status=503),
    "demo_unavailable": _error("50038", "This feature is unavailable in demo trading", status=200),
    "main_account_only": _error("59500", "Only the APIKey of the main account has permission", status=200),
    "sub_key_unknown": _error("59506", "APIKey does not exist", status=200),
    "not_found": Reply(
        status=404,
        body={"msg": "The requested resource could not be found.", "code": "404"},
        source="assumed",
    ),
}


class Okx(Venue):
    """OKX: live keys, and demo keys (``options: {demo: true}``) behind the same host."""

    id: ClassVar[str] = "okx"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, time, status, the account's configuration with the key's rights, balance, orders."""
        return (
            markets.okx(self.spec),
            Route(path="/api/v5/public/time", answer=lambda asked: [{"ts": str(asked.now_ms)}], signed=False),
            Route(path="/api/v5/system/status", answer=lambda _: [], signed=False, weight=5),
            Route(path="/api/v5/account/config", answer=_config, needs=_READ),
            Route(path="/api/v5/account/balance", answer=_balance, needs=_READ),
            Route(path="/api/v5/trade/orders-pending", answer=_orders, needs=_READ),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``OK-ACCESS-KEY``."""
        return incoming.headers.get("OK-ACCESS-KEY")

    def success(self, data: Json) -> Json:
        """OKX's envelope; its codes are text."""
        return {"code": "0", "data": data, "msg": ""}

    def authenticate(self, incoming: Incoming) -> Key:
        """Headers, time, key (401); then environment, passphrase, signature, address (order assumed)."""
        for name, error in _HEADERS.items():
            if not incoming.headers.get(name):
                raise Refused(error)
        _check_time(incoming)
        key = self.find(self.claimed(incoming))
        if key is None:
            raise Refused("invalid_key")
        if (incoming.headers.get(_SIMULATED) == "1") is not bool(key.options.get("demo")):
            raise Refused("wrong_environment")
        if not same(incoming.headers["OK-ACCESS-PASSPHRASE"], key.passphrase or ""):
            raise Refused("wrong_passphrase")
        stamp = incoming.headers["OK-ACCESS-TIMESTAMP"]
        payload = f"{stamp}{incoming.method}{incoming.target}".encode() + incoming.body
        if not same(incoming.headers["OK-ACCESS-SIGN"], sign(key.secret, payload, encoding="base64")):
            raise Refused("bad_signature")
        self.admit(key, incoming.caller)
        if key.status == "FROZEN":
            raise Refused("key_frozen")
        return key


def _check_time(incoming: Incoming) -> None:
    """ISO 8601 in UTC with milliseconds, at most 30 s away (OKX "making requests")."""
    try:
        stamp = datetime.fromisoformat(incoming.headers["OK-ACCESS-TIMESTAMP"])
    except ValueError as error:
        raise Refused("timestamp_invalid") from error
    if stamp.tzinfo is None:
        raise Refused("timestamp_invalid")
    if abs(incoming.now_ms - stamp.timestamp() * 1000) > _WINDOW_MS:
        raise Refused("clock_skew")


def _config(asked: Incoming) -> Json:
    """OKX "get account configuration", with the fields of a real answer."""
    key = asked.key
    words = key.permissions if isinstance(key.permissions, str) else ",".join(sorted(key.words()))
    told = {
        "type": "0" if key.is_master else "1",
        "uid": key.uid,
        "mainUid": key.uid if key.is_master else (key.parent_uid or ""),
        "label": key.label,
        "ip": ",".join(key.ip_whitelist),
        "perm": words,
    }
    return [key.describe(SETTINGS | told)]


def _balance(asked: Incoming) -> Json:
    """OKX "get balance"."""
    details = [
        {"ccy": asset, "eq": amount, "cashBal": amount, "availBal": amount, "frozenBal": "0"}
        for asset, amount in asked.key.balances.items()
    ]
    return [{"uTime": str(asked.now_ms), "totalEq": "0", "adjEq": "", "details": details}]


def _orders(asked: Incoming) -> Json:
    """OKX "get order list", of one instrument type when one is given."""
    kind = asked.params.get("instType")
    return [order for order in asked.key.open_orders if kind in (None, order.get("instType", kind))]
