"""What ccxt makes of MEXC's and KuCoin's answers where the readers do not follow it.

Each test fails when ccxt mends what is worked round: then the workaround can go.
"""

from __future__ import annotations

import json

import ccxt.async_support as ccxt
import pytest

from reconciler.exchanges import registry
from reconciler.model.live import FailureKind as Kind

FAULTS = [
    ("mexc", "key", 400, {"code": 10072, "msg": "Api key info invalid"}, ccxt.BadRequest, Kind.INVALID_KEY),
    ("mexc", "key", 400, {"code": 10073, "msg": "Invalid Request-Time"}, ccxt.BadRequest, Kind.CLOCK_SKEW),
    (
        *("mexc", "key", 400, {"code": 700006, "msg": "IP [203.0.113.10] not in the ip white list"}),
        *(ccxt.BadRequest, Kind.IP_NOT_ALLOWED),
    ),
    (
        *("mexc", "key", 400, {"code": 700007, "msg": "No permission to access the endpoint."}),
        *(ccxt.AuthenticationError, Kind.PERMISSION_DENIED),
    ),
    ("mexc", "key", 403, {"code": 403, "msg": "Access Denied"}, ccxt.PermissionDenied, Kind.UNAVAILABLE),
    (
        *("mexc", "balance-futures", 200, {"success": False, "code": 513, "message": "Invalid request"}),
        *(ccxt.BadRequest, Kind.CLOCK_SKEW),
    ),
    (
        *("mexc", "balance-futures", 200, {"success": False, "code": 500, "message": "Internal error"}),
        *(ccxt.ExchangeError, Kind.UNAVAILABLE),
    ),
    (
        *("kucoin", "key", 403, {"code": "400006", "msg": "the current clientIp is:203.0.113.10"}),
        *(ccxt.AuthenticationError, Kind.IP_NOT_ALLOWED),
    ),
    (
        *("kucoin", "key", 403, {"code": "400007", "msg": "Access denied, require more permission"}),
        *(ccxt.AuthenticationError, Kind.PERMISSION_DENIED),
    ),
    (
        *("kucoin", "key", 429, {"code": "200002", "msg": "Too many requests in a short period of time"}),
        *(ccxt.ExchangeError, Kind.RATE_LIMITED),
    ),
]


@pytest.fixture
async def made():
    """ccxt's exchanges by their ids, closed afterwards."""
    found = {"mexc": ccxt.mexc(), "kucoin": ccxt.kucoin()}
    yield found
    for exchange in found.values():
        await exchange.close()


def judged_by_ccxt(exchange, status, body):
    with pytest.raises(ccxt.BaseError) as caught:
        exchange.handle_errors(status, "", "", "GET", {}, json.dumps(body), body, {}, None)
    return type(caught.value)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault[0]}-{fault[3]['code']}")
def test_a_code_of_a_class_that_misleads(made, judge, fault):
    name, call, status, body, wrong, kind = fault
    assert judged_by_ccxt(made[name], status, body) is wrong
    assert judge(name, call, status=status, body=body, ccxt_error=wrong.__name__).kind is kind


def test_a_success_that_ccxt_takes_for_a_refusal(made, judge):
    body = {"code": "200000", "data": {"uid": 1, "remark": "require more permission"}}
    assert judged_by_ccxt(made["kucoin"], 200, body) is ccxt.PermissionDenied
    assert judge("kucoin", "key", body=body, ccxt_error="PermissionDenied") is None


@pytest.mark.parametrize(
    ("call", "missing"), [("my-ip", "publicGetMyIp"), ("key-uta", "utaPrivateGetUserApiKey")]
)
def test_calls_that_ccxt_has_no_name_for(made, call, missing):
    asked = next(each for each in registry.get("kucoin").calls if each.name == call)
    assert asked.raw is not None
    assert not hasattr(made["kucoin"], missing)
