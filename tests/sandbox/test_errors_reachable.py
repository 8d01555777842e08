"""Every error that the exchanges document can be had over HTTP, with the body that they give it."""

from __future__ import annotations

import json

import aiohttp
import pytest

from reconciler.sandbox.scenario import ExchangeSpec, Scenario
from reconciler.sandbox.venue import REQUIRED_ERRORS
from reconciler.sandbox.venues import VENUES, venue

EVERY = [(exchange, name) for exchange in sorted(VENUES) for name in sorted(venue(exchange).errors)]

MEXC_ROWS = {
    "invalid_key": (400, 10072, "Api key info invalid"),
    "key_format": (400, 700001, "API-key format invalid."),
    "bad_signature": (400, 700002, "Signature for this request is not valid."),
    "clock_skew": (400, 700003, "Timestamp for this request is outside of the recvWindow."),
    "request_time": (400, 10073, "Invalid Request-Time"),
    "ip_not_allowed": (400, 700006, "IP [203.0.113.10] not in the ip white list"),
    "permission_denied": (400, 700007, "No permission to access the endpoint."),
    "key_required": (400, 400, "api key required"),
    "key_unknown": (400, 730706, "API KEY information does not exist"),
    "no_authority": (401, 401, "No authority"),
    "symbol_not_permitted": (400, 30020, "no permission for the symbol"),
    "pair_user_banned": (400, 70011, "Pair user ban trade apikey."),
    "account_abnormal": (400, 60005, "your account is abnormal"),
    "risk_control": (400, 10098, "risk control system detected abnormal"),
    "rate_limited": (429, 429, "Too Many Requests"),
    "rate_banned": (418, 418, "Too Many Requests"),
    "maintenance": (500, 500, "Under maintenance, please try again later"),
}

FUTURES_ROWS = {
    "futures_login": 401,
    "futures_key_expired": 402,
    "futures_ip_not_allowed": 406,
    "futures_rate_limited": 510,
    "futures_no_access": 511,
    "futures_clock_skew": 513,
    "futures_bad_signature": 602,
    "futures_account_read": 701,
    "futures_account_write": 702,
    "futures_deal_read": 703,
    "futures_deal_write": 704,
}

KUCOIN_ROWS = {
    "header_missing": (401, "400001"),
    "clock_skew": (400, "400002"),
    "invalid_key": (401, "400003"),
    "invalid_key_old": (401, "400003"),
    "wrong_passphrase": (401, "400004"),
    "bad_signature": (401, "400005"),
    "ip_not_allowed": (403, "400006"),
    "ip_not_allowed_unnamed": (403, "400006"),
    "permission_denied": (403, "400007"),
    "account_frozen": (200, "411100"),
    "risk_control": (200, "400700"),
    "order_forbidden": (200, "400200"),
    "token_region_blocked": (200, "400500"),
    "region_unsupported": (200, "600004"),
    "region_blocked": (200, "400302"),
    "rate_limited": (429, "429000"),
    "rate_limited_short": (429, "200002"),
    "not_unified": (200, "112010"),
}


@pytest.fixture
def answer(running):
    """What the exchange answers while its fault is ``error``: status, headers and text."""

    async def ask(exchange, error):
        spec = ExchangeSpec(id=exchange)
        spec.faults.error = error
        sandbox = await running(Scenario(exchanges={exchange: spec}))
        url = sandbox.endpoints[exchange] + "/api/v1/anything"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, response.headers, await response.text()

    return ask


@pytest.mark.parametrize(("exchange", "error"), EVERY)
async def test_every_error_arrives_with_its_status_and_nothing_left_to_fill(answer, exchange, error):
    expected = venue(exchange).errors[error]
    status, headers, text = await answer(exchange, error)
    assert status == expected.status
    assert headers["Content-Type"].startswith(
        "text/html" if isinstance(expected.body, str) else "application/json"
    )
    assert "{ip}" not in text
    assert not any("{" in value for value in headers.values())


@pytest.mark.parametrize("error", sorted(MEXC_ROWS))
async def test_mexc_rows(answer, error):
    status, _, text = await answer("mexc", error)
    body = json.loads(text)
    assert (status, body["code"], body.get("msg", body.get("message"))) == MEXC_ROWS[error]


@pytest.mark.parametrize("error", sorted(FUTURES_ROWS))
async def test_mexc_futures_rows(answer, error):
    _, _, text = await answer("mexc", error)
    body = json.loads(text)
    assert (body["success"], body["code"]) == (False, FUTURES_ROWS[error])


@pytest.mark.parametrize("error", sorted(KUCOIN_ROWS))
async def test_kucoin_rows(answer, error):
    status, _, text = await answer("kucoin", error)
    assert (status, json.loads(text)["code"]) == KUCOIN_ROWS[error]


async def test_limits_say_when_to_come_back_as_each_exchange_does(answer):
    _, headers, _ = await answer("mexc", "rate_limited")
    assert headers["Retry-After"] == "1"
    _, headers, _ = await answer("kucoin", "rate_limited")
    assert headers["gw-ratelimit-reset"] == "1000"
    assert "Retry-After" not in headers


async def test_the_edge_answers_in_html(answer):
    status, _, text = await answer("mexc", "edge_block")
    assert (status, "Access Denied" in text) == (403, True)
    status, _, text = await answer("kucoin", "edge_block")
    assert (status, "Error 1015" in text) == (403, True)


@pytest.mark.parametrize("exchange", sorted(VENUES))
def test_every_venue_has_the_errors_that_the_server_names_and_a_source_for_each(exchange):
    errors = venue(exchange).errors
    assert set(errors) >= REQUIRED_ERRORS
    assert [name for name, reply in errors.items() if not reply.source] == []


@pytest.mark.parametrize("exchange", sorted(VENUES))
def test_every_route_names_errors_and_hosts_that_the_venue_has(exchange):
    made = venue(exchange)(ExchangeSpec(id=exchange))
    for route in made.routes():
        assert route.denied in made.errors
        assert route.host in made.hosts
        assert route.method == "GET"
