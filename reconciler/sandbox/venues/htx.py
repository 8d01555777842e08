"""HTX's spot (v1), account (v2) and contract (v5) APIs, whose hosts differ and whose paths do not collide.

Sources: HDOC is huobiapi.github.io/docs/spot/v1/en, HDM the same site's docs/dm, CX ccxt 4.5.90
``htx.py``. Where these say nothing, the choice made here is marked as assumed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from reconciler.sandbox.scenario import Key
from reconciler.sandbox.venue import Incoming, Json, Refused, Reply, Route, Venue, same, sign
from reconciler.sandbox.venues import markets

_WINDOW_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_PERMANENT: Final = -1
_METHOD: Final = {"SignatureMethod": "HmacSHA256", "SignatureVersion": "2"}
_READ: Final = frozenset({"readOnly"})


def _old(code: str, text: str, *, source: str = "HDOC error codes") -> Reply:
    return Reply(body={"status": "error", "err-code": code, "err-msg": text, "data": None}, source=source)


def _invalid(text: str, *, source: str = "HDOC FAQ") -> Reply:
    return _old("api-signature-not-valid", f"Signature not valid: {text}", source=source)


def _contract(code: int, text: str, *, source: str = "HDM error codes") -> Reply:
    return Reply(body={"status": "error", "err_code": code, "err_msg": text, "ts": 0}, source=source)


def _new(code: int, text: str, *, source: str = "HDOC v2 error codes") -> Reply:
    return Reply(body={"code": code, "message": text}, source=source)


_KEY: Final = "Incorrect Access key [Access key错误]"
_SIGN: Final = "Verification failure [校验失败]"
_IP: Final = "Incorrect IP address [IP地址错误]:{ip}"
_EXPIRED: Final = "API key has expired [API Key已经过期]"
_TIME: Final = "Invalid submission time or incorrect time format [无效的提交时间]"
_DENIED: Final = "API key has no permission [API Key没有权限]"

#: Errors without prefix are those of v1; ``v2_`` is what v2 and v5 answer for the same cause, and
#: ``contract_`` what the older contract APIs do.
ERRORS: Final[Mapping[str, Reply]] = {
    "invalid_key": _invalid(_KEY, source="CX"),
    "bad_signature": _invalid(_SIGN),
    "ip_not_allowed": _invalid(_IP),
    "key_expired": _invalid(_EXPIRED),
    "clock_skew": _invalid(_TIME),
    "permission_denied": _invalid(_DENIED, source="CX"),
    "signature_other": _invalid("Incorrect Signature version"),
    "signature_check": _old("api-signature-check-failed", "Signature check failed", source="CX"),
    "rate_limited": Reply(
        body={
            "status": "error",
            "err-code": "rate-too-many-requests",
            "err-msg": "exceeded rate limit",
            "data": None,
        },
        headers={
            "X-HB-RateLimit-Requests-Remain": "0",
            "X-HB-RateLimit-Requests-Expire": "{until_ms}",
        },
        source="CX; HDOC rate limiting",
    ),
    "rate_exceeded": _old(
        "base-request-exceed-frequency-limit",
        "Frequency of requests has exceeded the limit, please try again later",
        source="CX",
    ),
    "rate_parameter": _old("invalid-parameter", "request limit", source="CX"),
    "maintenance": _old("system-maintenance", "System is in maintenance!", source="CX"),
    "busy": _old("gateway-internal-error", "Failed to load data. Try again later.", source="CX"),
    "timeout": _old("timeout", "Request Timeout", source="CX"),
    "parameter_invalid": _old("invalid-parameter", "invalid symbol"),
    "parameter_missing": _old("validation-constraints-required", "Field is missing: {parameter}."),
    "not_found": Reply(
        status=404,
        body={"status": "error", "err-code": "base-not-found", "err-msg": "Not Found", "data": None},
        source="assumed",
    ),
    "v2_invalid_key": _new(1002, "unauthorized"),
    "v2_bad_signature": _new(1003, "invalid signature", source="CX"),
    "v2_ip_not_allowed": _new(401, "Incorrect IP address [IP地址错误]"),
    "v2_key_expired": _new(401, _EXPIRED, source="assumed: the text of v1 under the code for addresses"),
    "v2_clock_skew": _new(401, _TIME, source="assumed: the text of v1 under the code for addresses"),
    "v2_permission_denied": _new(403, _DENIED, source="CX; HDOC: a sub user is refused with 403"),
    "v2_field_invalid": _new(2002, "invalid field value in `uid`"),
    "v2_field_missing": _new(2003, "missing mandatory field `uid`"),
    "v2_internal": _new(500, "internal error"),
    "v2_rate_limited": _new(1006, "exceeded rate limit", source="recorded by others"),
    "v2_unknown": _new(2000, "failure", source="assumed text: the code is listed, its meaning is not"),
    "v2_not_unified": _new(
        4007, "Unified account special interface, non - one account is not available", source="CX"
    ),
    "contract_invalid_key": _contract(403, _KEY, source="CX"),
    "contract_bad_signature": _contract(403, _SIGN),
    "contract_time": _contract(12001, "Invalid submission time."),
    "contract_expired": _contract(12004, "Private key is expired."),
    "contract_ip": _contract(12005, "Incorrect IP address."),
    "contract_verification": _contract(12008, "Verification failed."),
    "contract_locked": _contract(12009, "The user is locked."),
    "contract_not_opened": _contract(
        1220, "You don't have access permission as you have not opened contracts trading.", source="CX"
    ),
    "contract_no_account": _contract(1010, "Account doesnt exist.", source="CX"),
    "contract_rate": _contract(1032, "The number of access exceeded limit."),
    "contract_busy": _contract(1004, "System busy. Please try again later."),
    "contract_maintenance": _contract(1431, "No order access because the system is in maintenance now."),
}


class Htx(Venue):
    """HTX. A key of a sub-account (``is_master: false``) may not ask about users and keys.

    ``options: {accounts: [...]}`` replaces the accounts of its user; ``valid_days`` the days left.
    """

    id: ClassVar[str] = "htx"
    errors: ClassVar[Mapping[str, Reply]] = ERRORS

    def routes(self) -> tuple[Route, ...]:
        """Markets, time, status, whose key it is, what it may do, accounts, balances, open orders."""
        return (
            *markets.htx(self.spec),
            Route(path="/v1/common/timestamp", answer=lambda asked: _ok(asked.now_ms), signed=False),
            Route(path="/v2/market-status", answer=lambda _: _done({"marketStatus": 1}), signed=False),
            _route("/v2/user/uid", lambda asked: _done(int(_main(asked).uid))),
            _route("/v2/user/api-key", self._keys),
            _route("/v1/account/accounts", lambda asked: _ok(_accounts(asked.key))),
            _route("/v1/account/accounts/{account_id}/balance", _balance),
            _route("/v1/order/openOrders", _orders),
            _route("/v5/account/balance", _futures_balance),
            _route("/v5/trade/order/opens", lambda asked: _done(asked.key.open_orders)),
        )

    def claimed(self, incoming: Incoming) -> str | None:
        """``AccessKeyId`` in the query."""
        return incoming.params.get("AccessKeyId")

    def limited(self, incoming: Incoming) -> str:
        """The error in the dialect of the API that was asked."""
        return _dialect(incoming, "rate_limited")

    def authenticate(self, incoming: Incoming) -> Key:
        """Parameters, key, time, signature, life, address: the order is assumed; each error is documented."""
        params = incoming.params
        key = self.find(params.get("AccessKeyId"))
        if key is None:
            raise Refused(_dialect(incoming, "invalid_key"))
        if any(params.get(name) != value for name, value in _METHOD.items()):
            raise Refused("signature_other")
        _check_time(incoming, params.get("Timestamp", ""))
        if not _signed_by(key, incoming):
            raise Refused(_dialect(incoming, "bad_signature"))
        if key.expires is not None and key.expires.timestamp() * 1000 <= incoming.now_ms:
            raise Refused(_dialect(incoming, "key_expired"))
        if not key.admits(incoming.caller):
            raise Refused(_dialect(incoming, "ip_not_allowed"), ip=incoming.caller)
        return key

    def _keys(self, asked: Incoming) -> Json:
        """HDOC "API key query": the user is required, the key is not; without it, all of that user's."""
        own, params = _main(asked), asked.params
        if not params.get("uid"):
            raise Refused("v2_field_missing")
        wanted = params.get("accessKey")
        mine = [k for k in self.spec.keys.values() if params["uid"] == k.uid == own.uid]
        return _done([_described(k, asked) for k in mine if wanted in (None, k.api_key)])


def _route(path: str, answer: Callable[[Incoming], Json]) -> Route:
    """A route for keys that read, which are all; its refusal is in the dialect of ``path``."""
    denied = "permission_denied" if path.startswith("/v1/") else "v2_permission_denied"
    return Route(path=path, answer=answer, needs=_READ, denied=denied)


def _dialect(incoming: Incoming, error: str) -> str:
    return error if incoming.path.startswith("/v1/") else f"v2_{error}"


def _check_time(incoming: Incoming, stamp: str) -> None:
    """HDOC "authentication": UTC, to the second, within a minute."""
    try:
        asked = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise Refused(_dialect(incoming, "clock_skew")) from error
    if abs(incoming.now_ms - asked.timestamp() * 1000) > _WINDOW_MS:
        raise Refused(_dialect(incoming, "clock_skew"))


def _signed_by(key: Key, incoming: Incoming) -> bool:
    """HDOC "authentication": method, host, path and the sorted query, a line each; the body is not signed."""
    parts = [part for part in incoming.query.split("&") if part]
    given = [part.removeprefix("Signature=") for part in parts if part.startswith("Signature=")]
    query = "&".join(sorted(part for part in parts if not part.startswith("Signature=")))
    payload = f"{incoming.method}\n{incoming.host.lower()}\n{incoming.path}\n{query}"
    return len(given) == 1 and same(unquote(given[0]), sign(key.secret, payload, encoding="base64"))


def _main(asked: Incoming) -> Key:
    """The key, when it is one of a main account. HDOC lists no endpoint about keys for sub users."""
    if not asked.key.is_master:
        raise Refused("v2_permission_denied")
    return asked.key


def _ok(data: Json) -> Reply:
    return Reply(body={"status": "ok", "data": data})


def _done(data: Json) -> Reply:
    return Reply(body={"code": 200, "message": "success", "data": data})


def _described(key: Key, asked: Incoming) -> dict[str, Any]:
    words = key.permissions if isinstance(key.permissions, str) else ",".join(sorted(key.words()))
    created = int(key.created.timestamp() * 1000)
    return key.describe(
        {
            "accessKey": key.api_key,
            "status": "normal",
            "note": key.label,
            "permission": words,
            "ipAddresses": ",".join(key.ip_whitelist),
            "validDays": _valid_days(key, asked),
            "createTime": created,
            "updateTime": created,
        }
    )


def _valid_days(key: Key, asked: Incoming) -> int:
    if key.expires is None:
        return _PERMANENT
    return max(0, math.ceil((key.expires.timestamp() * 1000 - asked.now_ms) / _DAY_MS))


def _accounts(key: Key) -> list[dict[str, Any]]:
    default = [
        {"id": 1528640, "type": "spot", "subtype": "", "state": "working"},
        {"id": 1528641, "type": "margin", "subtype": "btcusdt", "state": "working"},
        {"id": 1528642, "type": "margin", "subtype": "ethusdt", "state": "working"},
    ]
    return list(key.options.get("accounts", default))


def _balance(asked: Incoming) -> Json:
    """HDOC "Get account balance of a specific account"."""
    wanted = asked.path.split("/")[-2]
    account = next((each for each in _accounts(asked.key) if str(each["id"]) == wanted), None)
    if account is None:
        raise Refused("parameter_invalid")
    held = [{"currency": a.lower(), "type": "trade", "balance": n} for a, n in asked.key.balances.items()]
    return _ok(account | {"list": held})


def _orders(asked: Incoming) -> Json:
    """HDOC "Get all open orders": account and symbol together, or neither."""
    account, symbol = asked.params.get("account-id"), asked.params.get("symbol")
    if bool(account) is not bool(symbol):
        raise Refused("parameter_missing", parameter="symbol" if account else "account-id")
    return _ok([order for order in asked.key.open_orders if not symbol or order.get("symbol") == symbol])


def _futures_balance(asked: Incoming) -> Json:
    """The unified contract account, in the shape that CX parses."""
    details = [{"currency": asset, "equity": n, "available": n} for asset, n in asked.key.balances.items()]
    return _done({"state": "normal", "equity": "0", "details": details})
