"""Bitget's classic (v2) and unified (v3) APIs.

Sources: V2 is www.bitget.com/api-doc/spot, /contract and /margin, UTA is www.bitget.com/api-doc/uta, HUB
is BitgetLimited/agent_hub ``mcp-smoke-report.full.json``, JK is JKorf/Bitget.Net. Business errors
come with HTTP 400 (HUB). Where these say nothing, the choice made here is marked as assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue, milliseconds, same, sign
from reconciler.sandbox.venues import markets

_WINDOW_MS: Final = 30_000  # assumed
_STAMP: Final = 1695808949356
_V2: Final = "/api/v2/"
_V3: Final = "/api/v3/"
_SPOT: Final = frozenset({"stor", "stow", "readonly", "trade"})
_MARGIN: Final = frozenset({"smor", "smow", "readonly", "trade"})
_FUTURES: Final = frozenset({"coor", "coow", "cpor", "cpow", "readonly", "trade"})
_UTA_READ: Final = frozenset({"uta_mgt"})
_UTA_TRADE: Final = frozenset({"uta_trade"})


def _error(code: str, text: str, *, status: int = 400, source: str = "V2 error codes") -> Reply:
    body = {"code": code, "msg": text, "requestTime": _STAMP, "data": None}
    return Reply(status=status, body=body, source=source)


ERRORS: Final[Mapping[str, Reply]] = {
    "key_empty": _error("40001", "ACCESS_KEY cannot be empty"),
    "signature_empty": _error("40003", "Signature cannot be empty"),
    "request_expired": _error("40004", "Request timestamp expired"),
    "timestamp": _error("40005", "Invalid ACCESS_TIMESTAMP"),
    "invalid_key": _error("40006", "Invalid ACCESS_KEY"),
    "clock_skew": _error("40008", "Request timestamp expired"),
    "window": _error("40078", "Request timestamp expired", source="JK"),
    "clock_skew_uta": _error("40911", "Request timestamp expired", source="JK"),
    "bad_signature": _error("40009", "sign signature error"),
    "timed_out": _error("40010", "Request timed out", source="JK; ccxt takes it for a signature error"),
    "passphrase_empty": _error("40011", "ACCESS_PASSPHRASE cannot be empty"),
    "passphrase_parameter": _error("400172", "Parameter ACCESS_PASSPHRASE cannot be empty", source="assumed"),
    "wrong_passphrase": _error("40012", "apikey/password is incorrect"),
    "passphrase_error": _error("40036", "passphrase error", source="JK"),
    "key_unknown": _error("40037", "Apikey does not exist"),
    "key_missing": _error("40041", "API key doesn't exist", source="JK"),
    "user_abnormal": _error("40013", "User status is abnormal"),
    "permission_denied": _error(
        "40014", "Incorrect permissions, need {right} read or {right} write permissions", source="HUB"
    ),
    "write_denied": _error("40014", "Incorrect permissions, need {right} write permissions", source="HUB"),
    "unbound": _error("22010", "Please bind ip whitelist address", source="UTA error codes"),
    "ip_not_allowed": _error("40018", "Invalid IP,Current request IP {ip}", source="HUB"),
    "ip_not_allowed_unnamed": _error(
        "40018", "Invalid IP,Current request IP {0}", source="HUB, word for word"
    ),
    "ip_not_whitelisted": _error("40038", "IP address not whitelisted", source="JK"),
    "wrong_environment": _error("40099", "exchange environment is incorrect"),
    "classic_account": _error(
        "40084",
        "You are in Classic Account mode, and the Unified Account API is not supported at this time",
        source="hummingbot bitget_perpetual_constants.py",
    ),
    "unified_account": _error(
        "40085",
        "You are in Unified Account mode, and the Classic Account API is not supported at this time",
        source="ccxt bitget.py",
    ),
    "two_factor_required": _error("40016", "The user must bind the phone or Google"),
    "account_restricted": _error("40022", "The account is restricted", source="JK"),
    "account_restricted_2": _error("40023", "The account is restricted", source="JK"),
    "account_frozen": _error("40024", "Account frozen", source="JK"),
    "regional_currency": _error(
        "40024",
        "The currency is a regional currency and does not meet the purchase conditions.",
        source="ccxt bitget.py",
    ),
    "account_restricted_3": _error("40025", "The account is restricted", source="JK"),
    "account_disabled": _error("40026", "User disabled", source="JK"),
    "account_cancelled": _error("40031", "The account has been cancelled and cannot be used again"),
    "region_blocked": _error("40103", "Your country or region is not supported", source="JK"),
    "parameter": _error("40017", "Parameter verification failed"),
    "parameter_empty": _error("40019", "Parameter {parameter} cannot be empty"),
    "rate_limited": _error("429", "Too Many Requests", status=429),
    "system_abnormal": _error("40015", "System is abnormal, please try again later"),
    "busy": _error("40725", "system release error", source="V2; HUB"),
    "release": _error("40808", "system release, please try again later", source="FAQ Q14; text assumed"),
    "parameter_check": _error(
        "40808", "Parameter verification exception size checkBDScale error value=1", source="ccxt bitget.py"
    ),
    "unknown_error": _error("45001", "Unknown error", source="JK"),
    "maintenance": _error("40200", "Server upgrade, please try again later"),
    "not_found": _error("40404", "Request URL NOT FOUND", status=404),
    "edge_block": Reply(
        status=403,
        body="<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head>"
        "<body><h1>Sorry, you have been blocked</h1></body></html>",
        source="assumed: Cloudflare's page",
    ),
}


class Bitget(Venue):
    """Bitget: each key speaks the API of its account's mode alone (``unified`` in the scenario)."""

    id: ClassVar[str] = "bitget"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, the time, what a key is, balances and open orders of both modes."""
        return (
            *markets.bitget(self.spec),
            Route(path=f"{_V2}public/time", answer=_time, signed=False),
            Route(path=f"{_V2}spot/account/info", answer=_key_info),
            Route(path=f"{_V2}spot/account/assets", answer=_assets),
            Route(path=f"{_V2}spot/trade/unfilled-orders", answer=_spot_orders),
            Route(path=f"{_V2}margin/crossed/account/assets", answer=_margin_assets),
            Route(path=f"{_V2}margin/crossed/open-orders", answer=_margin_orders),
            Route(path=f"{_V2}mix/account/accounts", answer=_futures_accounts),
            Route(path=f"{_V2}mix/order/orders-pending", answer=_futures_orders),
            Route(path=f"{_V3}account/info", answer=_unified_key_info),
            Route(path=f"{_V3}account/assets", answer=_unified_assets),
            Route(path=f"{_V3}trade/unfilled-orders", answer=_unified_orders),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``ACCESS-KEY``."""
        return incoming.headers.get("ACCESS-KEY")

    def success(self, data: Json) -> Json:
        """Bitget's envelope; its codes are text."""
        return {"code": "00000", "msg": "success", "requestTime": _STAMP, "data": data}

    def error(self, name: str, **details: str) -> Reply:
        """The documented error; which right is missing is named where the route knows it."""
        return super().error(name, **{"right": "spot order", "parameter": "symbol"} | details)

    def refuse_write(self, incoming: Incoming) -> str:
        """The missing right to write."""
        del incoming
        return "write_denied"

    def authenticate(self, incoming: Incoming) -> Key:
        """Headers, time, key, environment, signature, passphrase, address, mode: the order is assumed."""
        stamp = _headers(incoming)
        asked = milliseconds(stamp)
        if asked is None:
            raise Refused("timestamp")
        if abs(incoming.now_ms - asked) > _WINDOW_MS:
            raise Refused("clock_skew")
        key = self.find(self.claimed(incoming))
        if key is None:
            raise Refused("invalid_key")
        if bool(key.options.get("demo", False)) != (incoming.headers.get("PAPTRADING") == "1"):
            raise Refused("wrong_environment")
        query = f"?{unquote(incoming.query)}" if incoming.query else ""
        payload = f"{stamp}{incoming.method}{incoming.path}{query}".encode() + incoming.body
        if not same(incoming.headers["ACCESS-SIGN"], sign(key.secret, payload, encoding="base64")):
            raise Refused("bad_signature")
        if not same(incoming.headers["ACCESS-PASSPHRASE"], key.passphrase or ""):
            raise Refused("wrong_passphrase")
        self.admit(key, incoming.caller)
        _check_mode(key, incoming)
        return key


def _headers(incoming: Incoming) -> str:
    """The timestamp of a request that has every header."""
    errors = {"ACCESS-KEY": "key_empty", "ACCESS-SIGN": "signature_empty"}
    errors |= {"ACCESS-PASSPHRASE": "passphrase_empty", "ACCESS-TIMESTAMP": "timestamp"}
    for name, error in errors.items():
        if not incoming.headers.get(name):
            raise Refused(error)
    return incoming.headers["ACCESS-TIMESTAMP"]


def _check_mode(key: Key, incoming: Incoming) -> None:
    if key.unified and incoming.path.startswith(_V2):
        raise Refused("unified_account")
    if not key.unified and incoming.path.startswith(_V3):
        raise Refused("classic_account")


def _need(asked: Incoming, words: frozenset[str], right: str) -> Key:
    if not words & asked.key.words():
        raise Refused("permission_denied", right=right)
    return asked.key


def _time(asked: Incoming) -> Json:
    return {"serverTime": str(asked.now_ms)}


def _words(key: Key) -> list[str]:
    return list(key.permissions) if isinstance(key.permissions, list) else sorted(key.words())


def _registered(key: Key) -> str:
    return str(int(key.created.timestamp() * 1000))


def _key_info(asked: Incoming) -> Json:
    """V2 "Get Account Information": the time is the account's, and nothing tells the key's."""
    key = _need(asked, _SPOT, "spot order")
    parent = key.parent_uid or key.uid
    told = {
        "userId": key.uid,
        "inviterId": "",
        "ips": ",".join(key.ip_whitelist),
        "authorities": _words(key),
        "parentId": int(parent) if parent.isdecimal() else parent,
        "traderType": "not_trader",
        "channelCode": "XXX",
        "channel": "YYY",
        "regisTime": _registered(key),
    }
    return key.describe(told)


def _unified_key_info(asked: Incoming) -> Json:
    """UTA "Get Account Info"."""
    key = asked.key
    told = {
        "userId": key.uid,
        "inviterId": "",
        "parentId": key.parent_uid or "",
        "channelCode": "",
        "channel": "",
        "ips": ",".join(key.ip_whitelist),
        "permType": "read-only" if key.options.get("read_only", False) else "read-and-write",
        "permissions": _words(key),
        "regisTime": _registered(key),
    }
    return key.describe(told)


def _held(key: Key) -> list[dict[str, Any]]:
    nothing = {"frozen": "0", "locked": "0"}
    return [{"coin": asset, "available": amount} | nothing for asset, amount in key.balances.items()]


def _assets(asked: Incoming) -> Json:
    return _held(_need(asked, _SPOT, "spot order"))


def _spot_orders(asked: Incoming) -> Json:
    return _orders(_need(asked, _SPOT, "spot order"), asked)


def _margin_assets(asked: Incoming) -> Json:
    key = _need(asked, _MARGIN, "margin order")
    nothing = {"frozen": "0", "borrow": "0", "interest": "0", "coupon": "0"}
    return [
        {"coin": asset, "totalAmount": amount, "available": amount, "net": amount} | nothing
        for asset, amount in key.balances.items()
    ]


def _margin_orders(asked: Incoming) -> Json:
    key = _need(asked, _MARGIN, "margin order")
    _want(asked, "symbol", "startTime")
    return {"orderList": _orders(key, asked), "maxId": "", "minId": ""}


def _futures_accounts(asked: Incoming) -> Json:
    key = _need(asked, _FUTURES, "futures holdings")
    _want(asked, "productType")
    return [
        {"marginCoin": asset, "locked": "0", "available": amount, "accountEquity": amount}
        for asset, amount in key.balances.items()
    ]


def _futures_orders(asked: Incoming) -> Json:
    key = _need(asked, _FUTURES, "futures order")
    _want(asked, "productType")
    return {"entrustedList": _orders(key, asked) or None, "endId": None}


def _unified_assets(asked: Incoming) -> Json:
    key = _need(asked, _UTA_READ, "UTA mgt.")
    return {"accountEquity": "0", "usdtEquity": "0", "btcEquity": "0", "assets": _unified_held(key)}


def _unified_held(key: Key) -> list[dict[str, Any]]:
    nothing = {"usdValue": "0", "debt": "0", "locked": "0"}
    return [
        {"coin": asset, "equity": amount, "balance": amount, "available": amount} | nothing
        for asset, amount in key.balances.items()
    ]


def _unified_orders(asked: Incoming) -> Json:
    key = _need(asked, _UTA_TRADE, "UTA trade")
    return {"list": _orders(key, asked), "cursor": None}


def _want(asked: Incoming, *names: str) -> None:
    for name in names:
        if not asked.params.get(name):
            raise Refused("parameter_empty", parameter=name)


def _orders(key: Key, asked: Incoming) -> list[dict[str, Any]]:
    wanted = asked.params.get("symbol")
    return [order for order in key.open_orders if wanted in {None, order.get("symbol")}]
