"""KuCoin's classic spot, margin and futures APIs and its unified (UTA) API.

The futures API has a host of its own (``api-futures.kucoin.com``) on which the same paths mean
other things, so it gets a port of its own here.

Sources: KSDK is Kucoin/kucoin-universal-sdk ``spec/rest/api``, KDOC is Kucoin/kucoin-api-docs.
Where these say nothing, the choice made here is marked as assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import (
    Incoming,
    Json,
    Refused,
    Reply,
    Route,
    Venue,
    milliseconds,
    required,
    same,
    sign,
)
from reconciler.sandbox.venues import markets

_WINDOW_MS: Final = 5_000
_KEY_VERSION: Final = 3
_FUTURES: Final = "futures"
_UTA: Final = "/api/ua/v1"
_GENERAL: Final = frozenset({"General"})


def _error(code: str, text: str, *, status: int = 200, source: str = "KDOC error codes") -> Reply:
    return Reply(status=status, body={"code": code, "msg": text}, source=source)


ERRORS: Final[Mapping[str, Reply]] = {
    "header_missing": _error(
        "400001",
        "Please check the header of your request for KC-API-KEY, KC-API-SIGN, KC-API-TIMESTAMP, "
        "KC-API-PASSPHRASE",
        status=401,
    ),
    "clock_skew": _error("400002", "Invalid KC-API-TIMESTAMP", status=400),
    "invalid_key": _error("400003", "The API key does not exist or site mismatch.", status=401),
    "invalid_key_old": _error("400003", "KC-API-KEY not exists", status=401),
    "wrong_passphrase": _error("400004", "Invalid KC-API-PASSPHRASE", status=401),
    "bad_signature": _error("400005", "Invalid KC-API-SIGN", status=401),
    "ip_not_allowed": _error(
        "400006", "Invalid request ip, the current clientIp is:{ip}", status=403, source="KDOC"
    ),
    "ip_not_allowed_unnamed": _error(
        "400006",
        "The requested ip address is not in the api whitelist",
        status=403,
        source="github.com/Kucoin/kucoin-api-docs/issues/395",
    ),
    "permission_denied": _error("400007", "Access denied, require more permission", status=403),
    "parameter": _error("400100", "{message}"),
    "order_forbidden": _error("400200", "Forbidden to place an order"),
    "region_blocked": _error(
        "400302",
        "Our services are currently unavailable in the U.S. To ensure a seamless experience, please access "
        "our platform from a non-restricted country/region using a supported IP address. "
        "(current ip: {ip} and current area: US)",
    ),
    "identity_required": _error(
        "400303",
        "To enjoy the full range of our products and services, we kindly request you complete the identity "
        "verification process.",
    ),
    "token_region_blocked": _error(
        "400500", "Your located country/region is currently not supported for the trading of this token"
    ),
    "risk_control": _error("400700", "Transaction restricted, there's a risk problem in your account"),
    "region_unsupported": _error("600004", "Your located country/region is currently not supported"),
    "account_frozen": _error("411100", "User are frozen"),
    "not_unified": _error("112010", "The current account is not a unified account", source="ccxt kucoin.py"),
    "rate_limited": Reply(
        status=429,
        body={"code": "429000", "msg": "Too Many Requests"},
        headers={
            "gw-ratelimit-limit": "2000",
            "gw-ratelimit-remaining": "0",
            "gw-ratelimit-reset": "{retry_after_ms}",
        },
        source="KDOC request rate limit: the reset is in milliseconds and there is no Retry-After",
    ),
    "rate_limited_short": _error(
        "200002", "Too many requests in a short period of time, please retry later", status=429
    ),
    "edge_block": Reply(
        status=403,
        body="<!DOCTYPE html><html><head><title>Access denied | api.kucoin.com used Cloudflare to restrict "
        "access</title></head><body><h1>Error 1015</h1><p>You are being rate limited</p></body></html>",
        source="KDOC: 500 requests in 10 s from one address",
    ),
    "maintenance": _error("503000", "Service under maintenance", status=503, source="assumed"),
    "internal": _error("500000", "Internal Server Error", status=500),
    "not_found": Reply(
        status=404,
        body={"code": "404", "msg": "Not Found", "retry": False, "success": False},
        source="ccxt kucoin.py",
    ),
}


class Kucoin(Venue):
    """KuCoin: spot, margin and unified accounts on the main host, futures on the second."""

    id: ClassVar[str] = "kucoin"
    hosts: ClassVar[tuple[str, ...]] = ("", _FUTURES)
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, time, status, own address; what a key is; balances and orders of each account type."""
        listed = markets.kucoin(self.spec, futures_host=_FUTURES)
        return (*_public(), *listed, *_classic(), *_futures(), *_unified())

    def claimed(self, incoming: Incoming) -> str | None:
        """``KC-API-KEY``."""
        return incoming.headers.get("KC-API-KEY")

    def success(self, data: Json) -> Json:
        """KuCoin's envelope; its codes are text."""
        return {"code": "200000", "data": data}

    def authenticate(self, incoming: Incoming) -> Key:
        """Headers, time, key, passphrase, signature, address (assumed: passphrase before signature)."""
        names = ("KC-API-KEY", "KC-API-SIGN", "KC-API-TIMESTAMP", "KC-API-PASSPHRASE")
        api_key, signature, stamp, passphrase = required(incoming.headers, *names, error="header_missing")
        asked = milliseconds(stamp)
        if asked is None or abs(incoming.now_ms - asked) > _WINDOW_MS:
            raise Refused("clock_skew")
        key = self.find(api_key)
        if key is None or _expired(key, incoming):
            raise Refused("invalid_key")
        if not same(passphrase, _passphrase(key)):
            raise Refused("wrong_passphrase")
        payload = f"{stamp}{incoming.method}{incoming.target}".encode() + incoming.body
        if not same(signature, sign(key.secret, payload, encoding="base64")):
            raise Refused("bad_signature")
        self.admit(key, incoming.caller)
        return key


def _public() -> tuple[Route, ...]:
    def clock(asked: Incoming) -> Json:
        return asked.now_ms

    def status(_: Incoming) -> Json:
        return {"status": "open", "msg": ""}

    def address(asked: Incoming) -> Json:
        return asked.caller

    def unified_status(asked: Incoming) -> Json:
        trade_type = asked.params.get("tradeType", "SPOT")
        return {"tradeType": trade_type, "serverStatus": "open", "msg": ""}

    both = tuple(
        Route(path=path, answer=answer, host=host, signed=False, weight=3)
        for host in Kucoin.hosts
        for path, answer in (("/api/v1/timestamp", clock), ("/api/v1/status", status))
    )
    return (
        *both,
        Route(path="/api/v1/my-ip", answer=address, signed=False, weight=0),
        Route(path=f"{_UTA}/user/my-ip", answer=address, signed=False, weight=20),
        Route(path=f"{_UTA}/server/status", answer=unified_status, signed=False, weight=6),
    )


def _classic() -> tuple[Route, ...]:
    """KSDK names General as the permission of every one of these reads."""
    return tuple(
        Route(path=path, answer=answer, needs=_GENERAL, weight=weight)
        for path, answer, weight in (
            ("/api/v1/user/api-key", _key_info, 20),
            ("/api/v1/accounts", _accounts, 5),
            ("/api/v1/hf/orders/active", _orders_of_symbol, 2),
            ("/api/v1/orders", _orders_paged, 2),
            ("/api/v3/margin/accounts", _margin_accounts, 15),
            ("/api/v3/hf/margin/orders/active", _orders_of_symbol, 4),
        )
    )


def _futures() -> tuple[Route, ...]:
    """KSDK names General for futures reads too: only orders need Futures."""
    return tuple(
        Route(path=path, answer=answer, host=_FUTURES, needs=_GENERAL, weight=weight)
        for path, answer, weight in (
            ("/api/v1/account-overview", _futures_overview, 10),
            ("/api/v1/orders", _orders_paged, 4),
        )
    )


def _unified() -> tuple[Route, ...]:
    return tuple(
        Route(path=f"{_UTA}/{path}", answer=answer, needs=_GENERAL, weight=weight)
        for path, answer, weight in (
            ("account/mode", _account_mode, 60),
            ("user/api-key", _unified_key_info, 20),
            ("unified/account/balance", _unified_balance, 10),
            ("unified/account/overview", _unified_overview, 10),
            ("unified/order/open-list", _unified_orders, 8),
        )
    )


def _expired(key: Key, incoming: Incoming) -> bool:
    """An expired key is deleted, so that it no longer exists (assumed)."""
    return key.expires is not None and key.expires.timestamp() * 1000 <= incoming.now_ms


def _passphrase(key: Key) -> str:
    """What ``KC-API-PASSPHRASE`` must hold: plain for a key of version 1, signed for later ones (KDOC)."""
    plain = key.passphrase or ""
    return plain if _version(key) == 1 else sign(key.secret, plain, encoding="base64")


def _version(key: Key) -> int:
    return int(key.options.get("api_version", _KEY_VERSION))


def _told(key: Key) -> dict[str, Any]:
    """KSDK ``openapi-account-...api-key``: without a whitelist or a sub-account the field is absent."""
    words = key.permissions if isinstance(key.permissions, str) else ",".join(sorted(key.words()))
    told: dict[str, Any] = {
        "remark": key.label,
        "apiKey": key.api_key,
        "apiVersion": _version(key),
        "permission": words,
    }
    if key.ip_whitelist:
        told["ipWhitelist"] = ",".join(key.ip_whitelist)
    told |= {"createdAt": int(key.created.timestamp() * 1000), "uid": _number(key.uid)}
    told["isMaster"] = key.is_master
    if key.sub_name is not None:
        told["subName"] = key.sub_name
    if key.expires is not None:
        told["expiredAt"] = int(key.expires.timestamp() * 1000)
    return told


def _number(uid: str) -> int | str:
    """KuCoin sends a uid as a number."""
    return int(uid) if uid.isdecimal() else uid


def _key_info(asked: Incoming) -> Json:
    return asked.key.describe(_told(asked.key))


def _unified_key_info(asked: Incoming) -> Json:
    key = _unified_only(asked)
    told = _told(key) | {"region": "SG", "kycStatus": 1, "siteType": "global"}
    if key.parent_uid is not None:
        told["parentUid"] = _number(key.parent_uid)
    return key.describe(told)


def _unified_only(asked: Incoming) -> Key:
    if not asked.key.unified:
        raise Refused("not_unified")
    return asked.key


def _accounts(asked: Incoming) -> Json:
    return [
        {
            "id": f"5c6a4fd399a1d81c{n:08x}",
            "currency": asset,
            "type": "trade",
            "balance": amount,
            "available": amount,
            "holds": "0",
        }
        for n, (asset, amount) in enumerate(asked.key.balances.items())
    ]


def _orders_of_symbol(asked: Incoming) -> Json:
    symbol = asked.params.get("symbol")
    if not symbol:
        raise Refused("parameter", message="symbol is required")
    return [order for order in asked.key.open_orders if order.get("symbol", symbol) == symbol]


def _orders_paged(asked: Incoming) -> Json:
    orders = asked.key.open_orders
    pages = {"currentPage": 1, "pageSize": 50, "totalNum": len(orders), "totalPage": min(1, len(orders))}
    return pages | {"items": orders}


def _margin_accounts(asked: Incoming) -> Json:
    accounts = [
        {"currency": asset, "total": amount, "available": amount, "hold": "0", "liability": "0"}
        | {"maxBorrowSize": "0", "borrowEnabled": True, "transferInEnabled": True}
        for asset, amount in asked.key.balances.items()
    ]
    totals = {"totalAssetOfQuoteCurrency": "0", "totalLiabilityOfQuoteCurrency": "0", "debtRatio": "0"}
    return totals | {"status": "EFFECTIVE", "accounts": accounts}


def _futures_overview(asked: Incoming) -> Json:
    currency = asked.params.get("currency", "XBT")
    amount = float(asked.key.balances.get(currency, "0"))
    nothing = {"unrealisedPNL": 0, "positionMargin": 0, "orderMargin": 0, "frozenFunds": 0}
    held = {"accountEquity": amount, "marginBalance": amount, "availableBalance": amount}
    return held | nothing | {"currency": currency}


def _account_mode(asked: Incoming) -> Json:
    return {"selfAccountMode": "UNIFIED" if asked.key.unified else "CLASSIC"}


def _unified_balance(asked: Incoming) -> Json:
    currencies = [
        {"currency": asset, "equity": amount, "hold": "0", "balance": amount, "available": amount}
        | {"liability": "0"}
        for asset, amount in _unified_only(asked).balances.items()
    ]
    return {"accountType": "UNIFIED", "ts": asked.now_ms, "accounts": [{"currencies": currencies}]}


def _unified_overview(asked: Incoming) -> Json:
    _unified_only(asked)
    names = ("riskRatio", "equity", "liability", "availableMargin", "adjustedEquity", "im", "mm")
    return {"accountType": "UNIFIED"} | dict.fromkeys(names, "0")


def _unified_orders(asked: Incoming) -> Json:
    orders = _unified_only(asked).open_orders
    return {"tradeType": asked.params.get("tradeType", "SPOT"), "items": orders, "lastId": None}
