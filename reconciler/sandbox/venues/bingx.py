"""BingX's account, spot and swap APIs (``/openApi``).

Sources: BX is bingx-api.github.io/docs (pages by their titles), SK is BingX's api-ai-skills, CX is ccxt
``bingx.py``. Errors come with HTTP 200 (BX). Where these say nothing, the choice made here is
marked as assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue, milliseconds, same, sign
from reconciler.sandbox.venues import markets

_WINDOW_MS: Final = 5_000
_STAMP: Final = 1702289687211
_READ: Final = frozenset({"2", "enableReading"})
_FLAGS: Final = (
    *("enableReading", "enableSpotAndMarginTrading", "enableWithdrawals", "enableInternalTransfer"),
    *("enableFutures", "permitsUniversalTransfer", "enableVanillaOptions"),
)


def _error(code: int, text: str, *, status: int = 200, source: str = "BX Common Error Codes") -> Reply:
    return Reply(status=status, body={"code": code, "msg": text, "timestamp": _STAMP}, source=source)


_PERMISSIONS: Final = "BX Query user API Key permissions, errors"
ERRORS: Final[Mapping[str, Reply]] = {
    "invalid_key": _error(100413, "Incorrect apiKey"),
    "bad_signature": _error(100001, "Signature verification failed"),
    "signature_missing": _error(100412, "Null signature"),
    "clock_skew": _error(
        100421,
        "Null timestamp or timestamp mismatch, try to run our sample code from the link "
        "https://bingx-api.github.io/docs/#/en-us/spot/account-api.html#Query%20Assets",
    ),
    "timestamp": _error(80014, "timestamp is invalid", source=_PERMISSIONS),
    "timestamp_new": _error(109400, "timestamp is invalid"),
    "arguments": _error(100400, "arguments invalid"),
    "parameter": _error(80014, "Invalid parameters, err:Key: 'GetTickerRequest.Symbol'", source="CX"),
    "pair_restricted": _error(100421, "This pair is currently restricted from API trading", source="CX"),
    "ip_not_allowed": _error(
        100419,
        "your current request IP is {ip} does not match IP whitelist , please go to "
        "https://bingx.com/en/account/api/ to verify the ip you have set",
        source="BX; the address as reported by users",
    ),
    "permission_denied": _error(
        100004,
        "Permission denied as the API key was created without the permission\uff0cthis api need {right} "
        "permission\uff0c please config it in https://bingx.com/en/account/api",
        source="BX; the whole sentence as reported by users",
    ),
    "main_account_only": _error(100403, "Forbidden", source="BX Get sub-account list; text assumed"),
    "unauthorized": _error(100401, "Unauthorized", source="assumed: nothing explains it"),
    "rate_limited": _error(100410, "rate limited", source=_PERMISSIONS),
    "rate_blocked": _error(
        100410,
        "code:100410:The endpoint trigger frequency limit rule is currently in the disabled period and will "
        "be unblocked after {until_ms}",
        source=_PERMISSIONS,
    ),
    "error_blocked": _error(
        100410,
        "over 20 error code:100202 requests within 480000 ms for this api, please verify and fix it ,can "
        "retry after time: {until_ms}",
        source=_PERMISSIONS,
    ),
    "rate_limited_swap": _error(109429, "rate limited", source="CX; text assumed"),
    "rate_limited_http": _error(429, "Too Many Requests", status=429),
    "rate_banned_http": _error(418, "I'm a teapot", status=418),
    "account_restricted": _error(100414, "Code: 100414, Msg: risk control check fail,code(1)", source="CX"),
    "system_busy": _error(100410, "The current system is busy, please try again later", source="CX"),
    "internal": _error(100500, "The current system is busy, please try again later", source="CX"),
    "unavailable": _error(100503, "Service Unavailable", source="CX; text assumed"),
    "swap_unavailable": _error(80012, "Service Unavailable"),
    "maintenance": _error(100503, "The system is under maintenance", source="assumed"),
    "not_found": _error(100404, "the api does not exist", status=404, source="assumed"),
}


class Bingx(Venue):
    """BingX: rights as numbers, kept in ``permissions`` as a list or as text.

    ``options: {shape: ...}`` is the form in which a key is told: ``bare`` (BX, the default),
    ``enveloped``, or ``flags`` (SK).
    """

    id: ClassVar[str] = "bingx"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, the time, what a key is, balances and open orders; everything signed needs reading."""
        return (
            *markets.bingx(self.spec),
            Route(path="/openApi/swap/v2/server/time", answer=_time, signed=False),
            Route(path="/openApi/v1/account/apiPermissions", answer=_key_info, needs=_READ),
            Route(path="/openApi/v1/account/apiRestrictions", answer=_restrictions, needs=_READ),
            Route(path="/openApi/account/v1/uid", answer=_uid, needs=_READ),
            Route(path="/openApi/account/v1/apiKey/query", answer=self._keys, needs=_READ),
            Route(path="/openApi/spot/v1/account/balance", answer=_balance, needs=_READ),
            Route(path="/openApi/spot/v1/trade/openOrders", answer=_orders, needs=_READ),
            Route(path="/openApi/swap/v3/user/balance", answer=_futures_balance, needs=_READ),
            Route(path="/openApi/swap/v2/trade/openOrders", answer=_orders, needs=_READ),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``X-BX-APIKEY``."""
        return incoming.headers.get("X-BX-APIKEY")

    def success(self, data: Json) -> Json:
        """BingX's envelope."""
        return {"code": 0, "timestamp": _STAMP, "data": data}

    def error(self, name: str, **details: str) -> Reply:
        """The documented error; which right is missing is named."""
        return super().error(name, **{"right": "Read"} | details)

    def authenticate(self, incoming: Incoming) -> Key:
        """Key, signature and time are there, time, signature, address: the order is assumed."""
        key = self.find(self.claimed(incoming))
        if key is None:
            raise Refused("invalid_key")
        given = parse_qsl(incoming.query, keep_blank_values=True)
        params = dict(given)
        if not params.get("signature"):
            raise Refused("signature_missing")
        stamp = milliseconds(params.get("timestamp"))
        window = milliseconds(params.get("recvWindow", str(_WINDOW_MS)))
        if stamp is None or abs(incoming.now_ms - stamp) > min(window or 0, _WINDOW_MS):
            raise Refused("clock_skew")
        payload = "&".join(f"{name}={value}" for name, value in sorted(given) if name != "signature")
        if not same(params["signature"], sign(key.secret, payload)):
            raise Refused("bad_signature")
        self.admit(key, incoming.caller)
        return key

    def _keys(self, asked: Incoming) -> Json:
        """BX "Query the API Key of a sub-account": a main account's own keys, all of one uid."""
        if not asked.key.is_master:
            raise Refused("main_account_only")
        wanted, only = asked.params.get("uid"), asked.params.get("apiKey")
        if not wanted:
            raise Refused("arguments")
        listed = [key for key in self.spec.keys.values() if key.uid == wanted]
        return {"apiInfos": [_listed(key) for key in listed if only in {None, key.api_key}]}


def _time(asked: Incoming) -> Json:
    return {"serverTime": asked.now_ms}


def _rights(key: Key) -> list[Any]:
    if isinstance(key.permissions, list):
        return key.permissions
    return [int(word) if word.isdecimal() else word for word in sorted(key.words())]


def _created(key: Key) -> int:
    return int(key.created.timestamp() * 1000)


def _key_info(asked: Incoming) -> Json:
    """BX and SK "Query API Key Permissions": they show different answers."""
    key = asked.key
    shape = key.options.get("shape", "bare")
    if shape == "flags":
        flags = {name: name in key.words() for name in _FLAGS}
        told: dict[str, Any] = {"ipRestrict": bool(key.ip_whitelist), "createTime": _created(key)} | flags
    else:
        told = {"apiKey": key.api_key, "permissions": _rights(key), "ipAddresses": key.ip_whitelist}
        told["note"] = key.label
    described = key.describe(told)
    return described if shape == "enveloped" else Reply(body=described)


def _restrictions(asked: Incoming) -> Reply:
    """BX "Query API Key Restrictions": no right to withdraw and no addresses, bare."""
    rights = {str(right) for right in _rights(asked.key)} | asked.key.words()
    told = {
        "ipRestrict": bool(asked.key.ip_whitelist),
        "createTime": _created(asked.key),
        "permitsUniversalTransfer": not rights.isdisjoint({"4", "permitsUniversalTransfer"}),
        "enableReading": True,
        "enableFutures": not rights.isdisjoint({"3", "enableFutures"}),
        "enableSpotAndMarginTrading": not rights.isdisjoint({"1", "enableSpotAndMarginTrading"}),
    }
    return Reply(body=told)


def _uid(asked: Incoming) -> Json:
    return {"uid": int(asked.key.uid) if asked.key.uid.isdecimal() else asked.key.uid}


def _listed(key: Key) -> Json:
    return {
        "apiKey": f"{key.api_key[:2]}*******{key.api_key[-2:]}",
        "note": key.label,
        "permissions": _rights(key),
        "ipAddresses": key.ip_whitelist or [""],
        "status": 0,
        "createTime": _created(key),
        "updateTime": _created(key),
    }


def _balance(asked: Incoming) -> Json:
    held = asked.key.balances.items()
    return {"balances": [{"asset": asset, "free": amount, "locked": "0"} for asset, amount in held]}


def _futures_balance(asked: Incoming) -> Json:
    held = asked.key.balances.items()
    nothing = {"unrealizedProfit": "0.0000", "usedMargin": "0.0000", "freezedMargin": "0.0000"}
    return [
        {"asset": asset, "balance": amount, "equity": amount, "availableMargin": amount} | nothing
        for asset, amount in held
    ]


def _orders(asked: Incoming) -> Json:
    wanted = asked.params.get("symbol")
    return {"orders": [o for o in asked.key.open_orders if wanted in {None, o.get("symbol")}]}
