"""Every documented error answer becomes its kind, through real ccxt."""

from __future__ import annotations

import pytest

from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import Faults, Verbatim

MEXC = {
    "key_required": Kind.INVALID_KEY,
    "invalid_key": Kind.INVALID_KEY,
    "key_format": Kind.INVALID_KEY,
    "key_unknown": Kind.INVALID_KEY,
    "key_parameter": Kind.BAD_REQUEST,
    "bad_signature": Kind.BAD_SIGNATURE,
    "clock_skew": Kind.CLOCK_SKEW,
    "request_time": Kind.CLOCK_SKEW,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "permission_denied": Kind.PERMISSION_DENIED,
    "no_authority": Kind.AMBIGUOUS_AUTH,
    "symbol_not_permitted": Kind.PERMISSION_DENIED,
    "pair_user_banned": Kind.ACCOUNT_RESTRICTED,
    "account_abnormal": Kind.ACCOUNT_RESTRICTED,
    "risk_control": Kind.ACCOUNT_RESTRICTED,
    "edge_block": Kind.UNAVAILABLE,
    "maintenance": Kind.MAINTENANCE,
    "busy": Kind.UNAVAILABLE,
    "not_found": Kind.UNEXPECTED_RESPONSE,
    "futures_login": Kind.AMBIGUOUS_AUTH,
    "futures_key_expired": Kind.KEY_EXPIRED,
    "futures_ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "futures_no_access": Kind.PERMISSION_DENIED,
    "futures_clock_skew": Kind.CLOCK_SKEW,
    "futures_bad_signature": Kind.BAD_SIGNATURE,
    "futures_account_read": Kind.PERMISSION_DENIED,
    "futures_account_write": Kind.PERMISSION_DENIED,
    "futures_deal_read": Kind.PERMISSION_DENIED,
    "futures_deal_write": Kind.PERMISSION_DENIED,
    "futures_maintenance": Kind.MAINTENANCE,
}
KUCOIN = {
    "header_missing": Kind.BAD_REQUEST,
    "clock_skew": Kind.CLOCK_SKEW,
    "invalid_key": Kind.INVALID_KEY,
    "invalid_key_old": Kind.INVALID_KEY,
    "wrong_passphrase": Kind.WRONG_PASSPHRASE,
    "bad_signature": Kind.BAD_SIGNATURE,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "ip_not_allowed_unnamed": Kind.IP_NOT_ALLOWED,
    "permission_denied": Kind.PERMISSION_DENIED,
    "parameter": Kind.BAD_REQUEST,
    "order_forbidden": Kind.ACCOUNT_RESTRICTED,
    "region_blocked": Kind.REGION_BLOCKED,
    "identity_required": Kind.ACCOUNT_RESTRICTED,
    "token_region_blocked": Kind.REGION_BLOCKED,
    "risk_control": Kind.ACCOUNT_RESTRICTED,
    "region_unsupported": Kind.REGION_BLOCKED,
    "account_frozen": Kind.ACCOUNT_RESTRICTED,
    "not_unified": Kind.WRONG_ACCOUNT_MODE,
    "maintenance": Kind.MAINTENANCE,
    "internal": Kind.UNAVAILABLE,
    "not_found": Kind.UNEXPECTED_RESPONSE,
}
ROWS = [("mexc", *row) for row in MEXC.items()] + [("kucoin", *row) for row in KUCOIN.items()]


@pytest.mark.parametrize(("exchange", "error", "kind"), ROWS, ids=str)
async def test_error_answers(read_one, exchange, error, kind):
    faults = Faults(paths={"/api/v3/apiKeyInfo": Faults(error=error)})
    if exchange == "kucoin":
        faults = Faults(
            paths={path: Faults(error=error) for path in ("/api/v1/user/api-key", "/api/ua/v1/user/api-key")}
        )
    seen = await read_one(exchange, faults=faults)
    assert seen.report is None
    assert seen.failure.kind is kind
    assert "http" not in seen.failure.message.lower().replace("http ", "")


@pytest.mark.parametrize("exchange", ["mexc", "kucoin"])
class TestTheSandboxsOwnChecks:
    async def test_unknown_key(self, read_one, exchange):
        seen = await read_one(exchange, secrets={"api_key": "nobody-knows-77"})
        assert seen.failure.kind is Kind.INVALID_KEY
        assert seen.proofs == {}

    async def test_wrong_secret(self, read_one, exchange):
        seen = await read_one(exchange, secrets={"secret": "another-secret-1"})
        assert seen.failure.kind in {Kind.BAD_SIGNATURE, Kind.WRONG_PASSPHRASE}

    async def test_wrong_address_is_named(self, read_one, exchange):
        seen = await read_one(exchange, ip_whitelist=["198.51.100.7"], caller_ip="192.0.2.44")
        assert seen.failure.kind is Kind.IP_NOT_ALLOWED
        assert seen.failure.caller_ip == "192.0.2.44"
        told = {"mexc": ("192.0.2.44", "failure"), "kucoin": ("203.0.113.10", "exchange")}
        assert (seen.caller_ip, seen.caller_ip_source) == told[exchange]

    async def test_refused_connection(self, read_one, exchange):
        seen = await read_one(exchange, faults=Faults(outage="refused"))
        assert seen.failure.kind is Kind.UNAVAILABLE
        assert "no connection" in seen.failure.message

    async def test_hung_up(self, read_one, exchange):
        seen = await read_one(exchange, faults=Faults(outage="closed"))
        assert seen.failure.kind is Kind.UNAVAILABLE

    async def test_cut_in_the_middle(self, read_one, exchange):
        seen = await read_one(exchange, faults=Faults(cut=True))
        assert seen.failure.kind is Kind.UNAVAILABLE
        assert "broke" in seen.failure.message

    async def test_page_of_maintenance_with_status_200(self, read_one, exchange):
        seen = await read_one(exchange, faults=Faults(html=200))
        assert seen.failure.kind is Kind.MAINTENANCE
        assert "<" not in seen.failure.message

    @pytest.mark.parametrize(
        "body",
        [{}, [], "", "ok", "<p>hello</p>", {"code": "200000"}, {"data": None}, {"success": True}, "[" * 3000],
        ids=str,
    )
    async def test_shapes_that_nobody_documented(self, read_one, exchange, body):
        path = "/api/v3/apiKeyInfo" if exchange == "mexc" else "/api/v1/user/api-key"
        seen = await read_one(exchange, faults=Faults(paths={path: Faults(verbatim=Verbatim(body=body))}))
        assert seen.report is None
        assert seen.failure.kind is Kind.UNEXPECTED_RESPONSE

    async def test_a_redirect_is_not_followed(self, read_one, exchange):
        away = Verbatim(status=302, headers={"Location": "http://127.0.0.1:1/steal"})
        seen = await read_one(exchange, faults=Faults(verbatim=away))
        assert seen.failure.kind is Kind.UNEXPECTED_RESPONSE
        assert "redirects" in seen.failure.message


async def test_no_passphrase_is_told_before_any_request(start, a_key, a_target, look):
    key = a_key("kucoin")
    sandbox = await start({"kucoin": [key]})
    seen = await look(sandbox, a_target(key, exchange="kucoin", passphrase=None))
    assert seen["kucoin-main"].failure.kind is Kind.MISSING_PASSPHRASE
    assert not [request for request in sandbox.requests if request.key]


async def test_a_refused_key_is_asked_once(start, a_key, a_target, look):
    key = a_key()
    sandbox = await start({"mexc": [key]})
    await look(sandbox, a_target(key, secret="another-secret-1"))
    assert len([request for request in sandbox.requests if request.key]) == 1


async def test_an_outage_is_asked_three_times(start, a_key, a_target, look):
    key = a_key(faults=Faults(outage=503))
    sandbox = await start({"mexc": [key]})
    seen = await look(sandbox, a_target(key))
    asked = [request for request in sandbox.requests if request.path == "/api/v3/apiKeyInfo"]
    assert seen["mexc-main"].failure.kind is Kind.UNAVAILABLE
    assert len(asked) == 3


@pytest.mark.parametrize("offset", [-90_000, 90_000])
@pytest.mark.parametrize("exchange", ["mexc", "kucoin"])
async def test_a_wrong_clock_hides_nothing_and_is_told(read_one, exchange, offset):
    seen = await read_one(exchange, clock_offset_ms=offset)
    assert seen.failure is None
    assert seen.clock_skew == pytest.approx(-offset / 1000, abs=1)


@pytest.mark.parametrize("exchange", ["mexc", "kucoin"])
async def test_a_secret_that_an_error_echoes_is_masked(read_one, exchange):
    echo = Verbatim(status=400, body={"code": "s3cret-main-5518", "msg": "bad secret s3cret-main-5518"})
    seen = await read_one(exchange, faults=Faults(verbatim=echo))
    assert seen.failure.call == "key"
    assert "bad secret ********" in seen.failure.message
    assert "s3cret" not in repr(seen)
