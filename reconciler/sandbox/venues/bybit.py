"""Bybit's v5 API.

Sources: BY is bybit-exchange/docs ``docs/v5`` (July 2026), DB is deltabadger
``app/models/exchanges`` (texts recorded live). Where these say nothing, the choice made here is
marked as assumed.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue, milliseconds, same, sign
from reconciler.sandbox.venues import markets

_DEFAULT_WINDOW_MS: Final = 5_000
_AHEAD_MS: Final = 1_000
_DAY_MS: Final = 86_400_000
#: BY user/create-subuid-apikey: a key without a bound address is invalid after 90 days.
_UNBOUND: Final = timedelta(days=90)
_GROUPS: Final = (
    *("ContractTrade", "Spot", "Wallet", "Options", "Derivatives", "CopyTrading", "BlockTrade", "Exchange"),
    *("NFT", "Affiliate", "Earn", "FiatP2P", "FiatConvertBroker", "FiatGlobalPay", "FiatBitPay"),
    *("BitCard", "ByXPost"),
)
_SPOT: Final = frozenset({"Spot"})
_FUTURES: Final = frozenset({"ContractTrade", "Derivatives"})
_STAMP: Final = 1672738134824


def _error(code: int, text: str, *, status: int = 200, source: str = "BY error") -> Reply:
    body = {"retCode": code, "retMsg": text, "result": {}, "retExtInfo": {}, "time": _STAMP}
    return Reply(status=status, body=body, source=source)


ERRORS: Final[Mapping[str, Reply]] = {
    "unauthenticated": Reply(status=401, body="", source="BY error, HTTP 401; DB: sometimes for 10003"),
    "invalid_key": _error(10003, "API key is invalid."),
    "bad_signature": _error(
        10004,
        "Error sign, please check your signature generation algorithm. origin_string[{origin}]",
        source="BY error; that it quotes what was signed is assumed",
    ),
    "clock_skew": _error(
        10002,
        "invalid request, please check your server timestamp or recv_window param. "
        "req_timestamp[{sent}],server_timestamp[{now}],recv_window[{window}]",
    ),
    "request_expired": _error(-1, "request expired: o@0, now[1] diff[1]"),
    "key_expired": _error(33004, "Your api key has expired."),
    "key_expired_spot": _error(-2015, "Your api key has expired."),
    "ip_not_allowed": _error(10010, "Unmatched IP, please check your API key's bound IP addresses."),
    "permission_denied": _error(10005, "Permission denied, please check your API key permissions."),
    "unclear": _error(-2015, "Invalid API-key, IP, or permissions for action.", source="DB"),
    "authentication_failed": _error(10007, "User authentication failed."),
    "sign_parameters": _error(10001, "openapi sign params error!", source="DB"),
    "parameter": _error(10001, "Request parameter error"),
    "banned": _error(10008, "Common banned, please check your account mode"),
    "region_blocked": _error(
        10009,
        "Service Restricted: Access is currently unavailable for your region. Please contact our support "
        "team for further assistance",
    ),
    "compliance": _error(10024, "Compliance rules triggered"),
    "transactions_banned": _error(10027, "Transactions are banned."),
    "symbol_not_permitted": _error(10029, "The requested symbol is invalid, please check symbol whitelist"),
    "not_unified": _error(10028, "The API can only be accessed by unified account users."),
    "unified": _error(100028, "The API cannot be accessed by unified account users."),
    "rate_limited": Reply(
        body={
            "retCode": 10006,
            "retMsg": "Too many visits. Exceeded the API Rate Limit.",
            "result": {},
            "retExtInfo": {},
            "time": _STAMP,
        },
        headers={
            "X-Bapi-Limit": "10",
            "X-Bapi-Limit-Status": "0",
            "X-Bapi-Limit-Reset-Timestamp": "{until_ms}",
        },
        source="BY rate-limit: per second and account",
    ),
    "rate_limited_ip": _error(10018, "Exceeded the IP Rate Limit."),
    "rate_banned": Reply(
        status=403, body="403, access too frequent", source="BY rate-limit: for at least 10 minutes"
    ),
    "edge_block": Reply(
        status=403,
        body="<!DOCTYPE HTML><html><head><title>ERROR: The request could not be satisfied</title></head>"
        "<body><h1>403 ERROR</h1><p>The Amazon CloudFront distribution is configured to block access from "
        "your country.</p></body></html>",
        source="BY guide: addresses in the US or mainland China",
    ),
    "busy": _error(429, "The trading service is experiencing a high server load. Please retry."),
    "timeout": _error(10000, "Server Timeout"),
    "internal": _error(10016, "Server error."),
    "maintenance": Reply(
        status=503,
        body="<!DOCTYPE html><html><head><title>System maintenance</title></head>"
        "<body><h1>System maintenance</h1></body></html>",
        source="assumed",
    ),
    "route_not_found": _error(10017, "Route not found."),
    "not_found": Reply(status=404, body="404 page not found", source="BY error, HTTP 404"),
}


class Bybit(Venue):
    """Bybit: unified accounts, and classic ones for keys with ``unified: false``."""

    id: ClassVar[str] = "bybit"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, time and status, what a key is, wallets and open orders."""
        return (
            markets.bybit(self.spec),
            Route(path="/v5/market/time", answer=_time, signed=False),
            Route(path="/v5/system/status", answer=_status, signed=False),
            Route(path="/v5/user/query-api", answer=_key_info),
            Route(path="/v5/account/wallet-balance", answer=_wallet),
            Route(path="/v5/order/realtime", answer=_orders),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``X-BAPI-API-KEY``."""
        return incoming.headers.get("X-BAPI-API-KEY")

    def authenticate(self, incoming: Incoming) -> Key:
        """Headers, key, time, signature, life, address: the order is assumed; each error is documented."""
        headers = incoming.headers
        if not all(headers.get(f"X-BAPI-{name}") for name in ("API-KEY", "TIMESTAMP", "SIGN")):
            raise Refused("unauthenticated")
        key = self.find(self.claimed(incoming))
        if key is None:
            raise Refused("invalid_key")
        window = headers.get("X-BAPI-RECV-WINDOW", "")
        _check_window(incoming, headers["X-BAPI-TIMESTAMP"], milliseconds(window) or _DEFAULT_WINDOW_MS)
        origin = f"{headers['X-BAPI-TIMESTAMP']}{key.api_key}{window}{_payload(incoming)}"
        if not _signed(key, origin, headers["X-BAPI-SIGN"]):
            raise Refused("bad_signature", origin=origin)
        ends = _ends(key)
        if ends is not None and ends.timestamp() * 1000 <= incoming.now_ms:
            raise Refused("key_expired")
        self.admit(key, incoming.caller)
        return key


def _check_window(incoming: Incoming, stamp: str, window: int) -> None:
    """BY guide: ``server_time - recv_window <= timestamp < server_time + 1000``."""
    sent, now = milliseconds(stamp), incoming.now_ms
    if sent is None or not now - window <= sent < now + _AHEAD_MS:
        raise Refused("clock_skew", sent=stamp, now=str(now), window=str(window))


def _payload(incoming: Incoming) -> str:
    return incoming.body.decode("utf-8", "replace") if incoming.method == "POST" else incoming.query


def _signed(key: Key, origin: str, signature: str) -> bool:
    """HMAC as hex, or RSA as base64 for a key whose secret is the owner's private key (BY guide)."""
    if "PRIVATE KEY" not in key.secret:
        return same(signature, sign(key.secret, origin))
    private = load_pem_private_key(key.secret.encode(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
        private.public_key().verify(raw, origin.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, InvalidSignature):
        return False
    return True


def _ends(key: Key) -> datetime | None:
    """When the key ends: on its own day, or after 90 days when it is bound to no address."""
    if key.expires is not None or key.ip_whitelist:
        return key.expires
    return key.created + _UNBOUND


def _ok(asked: Incoming, result: Json) -> Reply:
    body = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": asked.now_ms}
    return Reply(body=body)


def _time(asked: Incoming) -> Json:
    now = asked.now_ms
    return _ok(asked, {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)})


def _status(asked: Incoming) -> Json:
    return _ok(asked, {"list": []})


def _key_info(asked: Incoming) -> Json:
    """BY user/apikey-info: ``*`` stands for no bound address, 1970 for no end."""
    key, ends = asked.key, _ends(asked.key)
    left = -2 if ends is None else math.ceil((ends.timestamp() * 1000 - asked.now_ms) / _DAY_MS)
    held: dict[str, Any] = key.permissions if isinstance(key.permissions, dict) else {}
    told = {
        "id": "2208369",
        "note": key.label,
        "apiKey": key.api_key,
        "readOnly": int(bool(key.options.get("read_only", False))),
        "secret": "",
        "permissions": {group: held.get(group, []) for group in _GROUPS} | held,
        "ips": key.ip_whitelist or ["*"],
        "type": 1,
        "deadlineDay": left,
        "expiredAt": _second(ends or datetime(1970, 1, 1, tzinfo=UTC)),
        "createdAt": _second(key.created),
        "unified": 0,
        "uta": int(key.unified),
        "userID": int(key.uid),
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": key.is_master,
        "parentUid": key.parent_uid or "0",
        "kycLevel": "LEVEL_1",
        "kycRegion": "MYS",
    }
    return _ok(asked, key.describe(told))


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _wallet(asked: Incoming) -> Json:
    """BY account/wallet-balance; a classic account has the wallets SPOT and CONTRACT (assumed)."""
    key, wanted = asked.key, asked.params.get("accountType")
    if key.unified and wanted != "UNIFIED":
        raise Refused("parameter")
    if not key.unified and wanted not in {"SPOT", "CONTRACT"}:
        raise Refused("not_unified")
    coins = [
        {"coin": asset, "equity": amount, "walletBalance": amount, "locked": "0", "borrowAmount": "0"}
        for asset, amount in key.balances.items()
    ]
    return _ok(asked, {"list": [{"accountType": wanted, "accountLTV": "", "coin": coins}]})


def _orders(asked: Incoming) -> Json:
    """BY order/open-order: linear wants a symbol or a coin; that the group must fit is assumed."""
    params = asked.params
    category = params.get("category")
    if category not in {"spot", "linear", "inverse", "option"}:
        raise Refused("permission_denied")
    if category == "linear" and not {"symbol", "baseCoin", "settleCoin"} & set(params):
        raise Refused("parameter")
    if not asked.key.words() & (_SPOT if category == "spot" else _FUTURES):
        raise Refused("permission_denied")
    wanted = params.get("symbol")
    orders = [order for order in asked.key.open_orders if wanted in {None, order.get("symbol")}]
    return _ok(asked, {"category": category, "nextPageCursor": "", "list": orders})
