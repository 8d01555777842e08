"""Binance's spot (``/api``), wallet and margin (``/sapi``) and USD-M futures (``/fapi``) APIs.

The real hosts differ (``api.binance.com``, ``fapi.binance.com``), their paths do not collide.

Sources: BSPOT is binance/binance-spot-api-docs ``rest-api.md`` and ``errors.md``, BDOC is
developers.binance.com/docs. Where these say nothing, the choice made here is marked as assumed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue, milliseconds, same, sign
from reconciler.sandbox.venues import binance_market, markets

_MAX_WINDOW_MS: Final = 60_000
_DEFAULT_WINDOW_MS: Final = 5_000
_AHEAD_MS: Final = 1_000
_FORMAT: Final = re.compile(r"[A-Za-z0-9]+")
_READ: Final = frozenset({"enableReading"})
_FUTURES: Final = frozenset({"enableFutures"})
_REFUSED: Final = "Invalid API-key, IP, or permissions for action."

#: The flags in the order in which BDOC "Get API Key Permission" shows them.
FLAGS: Final = (
    *("enableReading", "enableWithdrawals", "enableInternalTransfer", "enableMargin", "enableFutures"),
    *("permitsUniversalTransfer", "enableVanillaOptions", "enableFixApiTrade", "enableFixReadOnly"),
    *("enableSpotAndMarginTrading", "enablePortfolioMarginTrading"),
)


def _error(code: int, text: str, *, status: int = 400, source: str = "BSPOT errors.md") -> Reply:
    return Reply(status=status, body={"code": code, "msg": text}, source=source)


#: Errors carry the prefix of their API (``sapi_``, ``fapi_``) where these differ for one cause.
ERRORS: Final[Mapping[str, Reply]] = {
    "key_format": _error(-2014, "API-key format invalid.", status=401),
    "invalid_key": _error(-2008, "Invalid Api-Key ID.", status=401, source="ccxt binance.py"),
    "bad_signature": _error(-1022, "Signature for this request is not valid."),
    "clock_skew": _error(-1021, "Timestamp for this request is outside of the recvWindow."),
    "clock_ahead": _error(-1021, "Timestamp for this request was 1000ms ahead of the server's time."),
    "ip_not_allowed": _error(-2015, _REFUSED, status=401),
    "permission_denied": _error(-2015, _REFUSED, status=401),
    "sapi_refused": _error(-2015, _REFUSED, source="github.com/ccxt/ccxt/issues/18653"),
    "fapi_refused": _error(
        -2015,
        "Invalid API-key, IP, or permissions for action, request ip: {ip}",
        status=401,
        source="github.com/jaggedsoft/node-binance-api/issues/629",
    ),
    "unauthorized": _error(-1002, "You are not authorized to execute this request.", status=401),
    "parameter_missing": _error(
        -1102, "Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed."
    ),
    "window_too_large": _error(-1131, "recvWindow must be less than 60000"),
    "bad_symbol": _error(-1121, "Invalid symbol."),
    "bad_interval": _error(-1120, "Invalid interval."),
    "account_disabled": _error(-2010, "This action is disabled on this account."),
    "symbol_not_permitted": _error(-2010, "Symbol not whitelisted for API key."),
    "keys_locked": _error(-2017, "API Keys are locked on this account.", source="BDOC derivatives errors"),
    "no_margin_account": _error(-3003, "Margin account does not exist.", source="BDOC margin errors"),
    "trading_banned": _error(-3022, "You account's trading is banned.", source="BDOC margin errors"),
    "orders_blocked": _error(-4088, "User can not place order currently", source="BDOC derivatives errors"),
    "cooling_off": _error(
        -4192, "Trade forbidden due to Cooling-off Period.", source="BDOC derivatives errors"
    ),
    "rate_limited": Reply(
        status=429,
        body={
            "code": -1003,
            "msg": "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
        },
        headers={"Retry-After": "{retry_after}"},
        source="BSPOT limits",
    ),
    "rate_banned": Reply(
        status=418,
        body={
            "code": -1003,
            "msg": "Way too much request weight used; IP banned until {until_ms}. Please use WebSocket "
            "Streams for live updates to avoid bans.",
        },
        headers={"Retry-After": "{retry_after}"},
        source="BSPOT limits: an address that goes on after 429 is banned for 2 minutes to 3 days",
    ),
    "region_blocked": _error(
        0,
        "Service unavailable from a restricted location according to 'b. Eligibility' in "
        "https://www.binance.com/en/terms. Please contact customer service if you believe you received this "
        "message in error.",
        status=451,
    ),
    "edge_block": Reply(
        status=403,
        body="<html><head><title>403 Forbidden</title></head><body><center><h1>403 Forbidden</h1></center>"
        "</body></html>",
        source="BSPOT HTTP return codes: the web application firewall",
    ),
    "timeout": _error(
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        status=504,
    ),
    "busy": _error(
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
        status=503,
    ),
    "internal": _error(
        -1001, "Internal error; unable to process your request. Please try again.", status=500
    ),
    "maintenance": _error(
        -10001,
        "The system is under maintenance, please try again later.",
        status=503,
        source="ccxt binance.py",
    ),
    "system_maintenance": Reply(
        body={"status": 1, "msg": "system_maintenance"}, source="BDOC wallet, System Status"
    ),
    "not_found": Reply(
        status=404,
        body={"status": 404, "error": "Not Found", "message": "No message available", "path": "{path}"},
        source="assumed",
    ),
}


class Binance(Venue):
    """Binance, whose APIs share keys and signatures, but not the words of a refusal."""

    id: ClassVar[str] = "binance"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, time and status, what a key is, balances and orders of spot, margin and futures."""
        return (
            *binance_market.routes(self.spec),
            markets.binance_futures(self.spec),
            Route(path="/api/v3/time", answer=_time, signed=False),
            Route(path="/fapi/v1/time", answer=_time, signed=False),
            Route(
                path="/sapi/v1/system/status", answer=lambda _: {"status": 0, "msg": "normal"}, signed=False
            ),
            *(
                Route(path=path, answer=answer, needs=needs, denied=_refusal(path), weight=weight)
                for path, answer, needs, weight in (
                    ("/sapi/v1/account/apiRestrictions", _restrictions, _READ, 1),
                    ("/api/v3/account", _account, _READ, 20),
                    ("/api/v3/openOrders", _orders, _READ, 6),
                    ("/sapi/v1/margin/account", _margin_account, _READ, 10),
                    ("/sapi/v1/margin/openOrders", _orders, _READ, 10),
                    ("/fapi/v3/balance", _futures_balance, _FUTURES, 5),
                    ("/fapi/v1/openOrders", _orders, _FUTURES, 1),
                )
            ),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``X-MBX-APIKEY``."""
        return incoming.headers.get("X-MBX-APIKEY")

    def refuse_write(self, incoming: Incoming) -> str:
        """The missing trade permission, in the words of the API that was asked."""
        return _refusal(incoming.path)

    def authenticate(self, incoming: Incoming) -> Key:
        """Format, parameters, time, key, signature, address: the order is assumed, each error documented."""
        api_key = self.claimed(incoming) or ""
        if not _FORMAT.fullmatch(api_key):
            raise Refused("key_format")
        signed, signature = _split(incoming)
        _check_window(incoming)
        key = self.find(api_key)
        if key is None:
            # The futures API tells an unknown key in the words of any other refusal (assumed: #629, #60).
            refusal = _refusal(incoming.path)
            raise Refused(refusal if refusal == "fapi_refused" else "invalid_key")
        if not _signed_by(key, signed, signature):
            raise Refused("bad_signature")
        if key.status != "VALID" or not key.admits(incoming.caller):
            raise Refused(_refusal(incoming.path))
        return key


def _refusal(path: str) -> str:
    names = {"/sapi": "sapi_refused", "/fapi": "fapi_refused"}
    return next((name for prefix, name in names.items() if path.startswith(prefix)), "permission_denied")


def _split(incoming: Incoming) -> tuple[bytes, str]:
    """What is signed (BSPOT: query string, then body) and the signature, which stands last."""
    total = incoming.query + incoming.body.decode()
    signed, found, signature = total.rpartition("&signature=")
    if not found or not signature:
        raise Refused("parameter_missing", parameter="signature")
    return signed.encode(), unquote(signature)


def _check_window(incoming: Incoming) -> None:
    """BSPOT "timing security": ``timestamp < server + 1000`` and ``server - timestamp <= recvWindow``."""
    params = incoming.params | _form(incoming)
    stamp = milliseconds(params.get("timestamp"))
    if stamp is None:
        raise Refused("parameter_missing", parameter="timestamp")
    window = milliseconds(params.get("recvWindow")) or _DEFAULT_WINDOW_MS
    if window > _MAX_WINDOW_MS:
        raise Refused("window_too_large")
    if stamp >= incoming.now_ms + _AHEAD_MS:
        raise Refused("clock_ahead")
    if incoming.now_ms - stamp > window:
        raise Refused("clock_skew")


def _form(incoming: Incoming) -> dict[str, str]:
    return Incoming(method=incoming.method, path=incoming.path, query=incoming.body.decode()).params


def _signed_by(key: Key, signed: bytes, signature: str) -> bool:
    """BSPOT "signed endpoint security": HMAC-SHA256 in hex; RSA (PKCS#1 v1.5) and Ed25519 in base64.

    For an asymmetric key the scenario holds the private key as the secret, as its owner does.
    """
    if "PRIVATE KEY" not in key.secret:
        return same(signature.lower(), sign(key.secret, signed))
    public = load_pem_private_key(key.secret.encode(), None).public_key()
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(raw, signed)
        elif isinstance(public, rsa.RSAPublicKey):
            public.verify(raw, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            return False
    except (InvalidSignature, binascii.Error):
        return False
    return True


def _time(asked: Incoming) -> Json:
    return {"serverTime": asked.now_ms}


def _restrictions(asked: Incoming) -> Json:
    """BDOC "Get API Key Permission"; without a whitelist the right to trade ends (BSW)."""
    key, words = asked.key, asked.key.words()
    told: dict[str, Any] = {
        "ipRestrict": bool(key.ip_whitelist),
        "createTime": int(key.created.timestamp() * 1000),
        **{flag: flag in words for flag in FLAGS},
    }
    if key.expires is not None and not key.ip_whitelist:
        told["tradingAuthorityExpirationTime"] = int(key.expires.timestamp() * 1000)
    return key.describe(told)


def _account(asked: Incoming) -> Json:
    """BSPOT "account information": its flags and permissions are the account's, not the key's."""
    commission = {"makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0}
    flags = {"canTrade": True, "canWithdraw": True, "canDeposit": True, "brokered": False}
    balances = [{"asset": a, "free": n, "locked": "0.00000000"} for a, n in asked.key.balances.items()]
    held = {"accountType": "SPOT", "balances": balances, "permissions": ["SPOT"], "uid": int(asked.key.uid)}
    return commission | flags | {"updateTime": asked.now_ms} | held


def _margin_account(asked: Incoming) -> Json:
    """BDOC "Query Cross Margin Account Details"."""
    if asked.key.options.get("margin") is False:
        raise Refused("no_margin_account")
    nothing = {"borrowed": "0", "interest": "0", "locked": "0"}
    assets = [{"asset": a, "free": n, "netAsset": n} | nothing for a, n in asked.key.balances.items()]
    totals = {
        "marginLevel": "999",
        "totalAssetOfBtc": "0",
        "totalLiabilityOfBtc": "0",
        "totalNetAssetOfBtc": "0",
    }
    flags = {"created": True, "borrowEnabled": True, "tradeEnabled": True, "transferInEnabled": True}
    return flags | totals | {"accountType": "MARGIN_1", "userAssets": assets}


def _futures_balance(asked: Incoming) -> Json:
    """BDOC "Futures Account Balance V3"."""
    nothing = {"crossUnPnl": "0", "marginAvailable": True, "updateTime": asked.now_ms}
    return [
        {"accountAlias": "SgsR", "asset": asset, "balance": amount}
        | {"crossWalletBalance": amount, "availableBalance": amount, "maxWithdrawAmount": amount}
        | nothing
        for asset, amount in asked.key.balances.items()
    ]


def _orders(asked: Incoming) -> Json:
    """Of one symbol, or of all when none is given (BSPOT: then it costs far more)."""
    symbol = asked.params.get("symbol")
    return [order for order in asked.key.open_orders if symbol in (None, order.get("symbol", symbol))]
