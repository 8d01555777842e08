"""Real ccxt against the sandbox's MEXC: what a good key reads, and how each fault of a key is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import ccxt.async_support as ccxt
import pytest


async def refusal(client, call):
    """The JSON body with which the exchange refused ``call``."""
    with pytest.raises(ccxt.BaseError):
        await call
    return json.loads(client.last_http_response)


def told(client):
    return client.spotPrivateGetApiKeyInfo({"accessKey": client.apiKey})


async def test_a_good_key_is_described_in_the_exchanges_own_fields(mexc):
    _, client = await mexc()
    assert await told(client) == {
        "note": "mexc-main",
        "accessKey": "mx0testMain",
        "createTime": "2026-09-14T18:53:36.000+00:00",
        "permissions": "SPOT_ACCOUNT_READ,SPOT_DEAL_READ,CONTRACT_ACCOUNT_READ,CONTRACT_DEAL_READ",
        "remainingValidity": -999,
        "ipWhiteList": "203.0.113.10",
        "status": "VALID",
    }


async def test_every_read_of_a_good_key_is_answered(mexc):
    _, client = await mexc()
    assert await client.spotPublicGetPing() == {}
    assert abs((await client.spotPublicGetTime())["serverTime"] - client.milliseconds()) < 5_000
    assert await client.spotPrivateGetUid() == {"uid": "209302839"}
    account = await client.spotPrivateGetAccount()
    assert account["balances"][0] == {"asset": "USDT", "free": "12.5", "locked": "0"}
    assert account["permissions"] == ["SPOT"]
    orders = await client.spotPrivateGetOpenOrders({"symbol": "ETHUSDT"})
    assert orders == [{"symbol": "ETHUSDT", "orderId": "a2"}]
    assert (await client.contractPublicGetPing())["success"] is True
    assert (await client.contractPrivateGetAccountAssets())["data"][1]["availableBalance"] == 0.1
    assert len((await client.contractPrivateGetOrderListOpenOrders())["data"]) == 2
    one = await client.contractPrivateGetOrderListOpenOrdersSymbol({"symbol": "BTCUSDT"})
    assert [order["orderId"] for order in one["data"]] == ["a1"]


@pytest.mark.parametrize(
    ("credentials", "code"),
    [({"apiKey": "mx0unknown"}, 10072), ({"secret": "another"}, 700002)],
)
async def test_spot_refuses_bad_credentials(mexc, credentials, code):
    _, client = await mexc(**credentials)
    assert (await refusal(client, client.spotPrivateGetUid()))["code"] == code


@pytest.mark.parametrize(
    ("credentials", "code"),
    [({"apiKey": "mx0unknown"}, 401), ({"secret": "another"}, 602)],
)
async def test_futures_refuses_bad_credentials_in_its_own_shape(mexc, credentials, code):
    _, client = await mexc(**credentials)
    body = await refusal(client, client.contractPrivateGetAccountAssets())
    assert body["success"] is False
    assert body["code"] == code


@pytest.mark.parametrize(("offset", "spot", "futures"), [(7_000, 700003, None), (-30_000, 700003, 513)])
async def test_a_skewed_clock_is_refused_beyond_each_apis_window(mexc, offset, spot, futures):
    _, client = await mexc(lambda given: setattr(given.exchanges["mexc"], "clock_offset_ms", offset))
    assert (await refusal(client, client.spotPrivateGetUid()))["code"] == spot
    if futures is None:
        assert (await client.contractPrivateGetAccountAssets())["success"] is True
    else:
        assert (await refusal(client, client.contractPrivateGetAccountAssets()))["code"] == futures


async def test_the_receive_window_widens_what_may_lie_behind_and_not_what_lies_ahead(mexc):
    sandbox, client = await mexc(lambda given: setattr(given.exchanges["mexc"], "clock_offset_ms", 20_000))
    client.options["recvWindow"] = 30_000
    assert await client.spotPrivateGetUid() == {"uid": "209302839"}
    client.options["recvWindow"] = 60_001
    assert (await refusal(client, client.spotPrivateGetUid()))["code"] == 700005
    client.options["recvWindow"] = 30_000
    sandbox.scenario.exchanges["mexc"].clock_offset_ms = -3_000
    assert (await refusal(client, client.spotPrivateGetUid()))["code"] == 700003


async def test_a_caller_outside_the_whitelist_is_refused_by_name(mexc):
    _, client = await mexc(lambda given: setattr(given.keys["mexc-main"], "caller_ip", "33.33.33.33"))
    body = await refusal(client, told(client))
    assert body == {"code": 700006, "msg": "IP [33.33.33.33] not in the ip white list"}
    assert (await refusal(client, client.contractPrivateGetAccountAssets()))["code"] == 406


@pytest.mark.parametrize(
    ("held", "call", "code"),
    [
        ("SPOT_DEAL_READ", "spotPrivateGetUid", 700007),
        ("SPOT_ACCOUNT_READ", "spotPrivateGetOpenOrders", 700007),
        ("CONTRACT_DEAL_READ", "contractPrivateGetAccountAssets", 701),
        ("CONTRACT_ACCOUNT_READ", "contractPrivateGetOrderListOpenOrders", 703),
    ],
)
async def test_each_read_needs_its_own_permission(mexc, held, call, code):
    _, client = await mexc(lambda given: setattr(given.keys["mexc-main"], "permissions", held))
    assert (await refusal(client, getattr(client, call)({"symbol": "BTCUSDT"})))["code"] == code


async def test_a_permission_taken_away_is_missing_from_the_next_request_on(mexc):
    sandbox, client = await mexc()
    await client.spotPrivateGetUid()
    sandbox.keys["mexc-main"].permissions = ""
    assert (await refusal(client, client.spotPrivateGetUid()))["code"] == 700007


@pytest.mark.parametrize(
    ("parameters", "code"), [({"accessKey": "mx0other"}, 730706), ({"accessKey": ""}, 730707), ({}, 730707)]
)
async def test_a_key_can_ask_only_about_itself(mexc, parameters, code):
    _, client = await mexc()
    assert (await refusal(client, client.spotPrivateGetApiKeyInfo(parameters)))["code"] == code


async def test_open_orders_want_a_symbol(mexc):
    _, client = await mexc()
    assert (await refusal(client, client.spotPrivateGetOpenOrders()))["code"] == 700004


@pytest.mark.parametrize(("hours", "days"), [(24 * 82, 82), (1, 1), (25, 2), (-1, 0)])
async def test_remaining_validity_is_told_in_days_and_zero_once_expired(mexc, hours, days):
    end = datetime.now(UTC) + timedelta(hours=hours)
    _, client = await mexc(lambda given: setattr(given.keys["mexc-main"], "expires", end))
    assert (await told(client))["remainingValidity"] == days


async def test_an_expired_key_reads_nothing_else(mexc):
    end = datetime.now(UTC) - timedelta(hours=1)
    _, client = await mexc(lambda given: setattr(given.keys["mexc-main"], "expires", end))
    assert (await refusal(client, client.spotPrivateGetAccount()))["code"] == 700002
    assert (await refusal(client, client.contractPrivateGetAccountAssets()))["code"] == 402


async def test_any_documented_shape_can_be_told(mexc):
    def change(given):
        key = given.keys["mexc-main"]
        key.raw = {"remainingValidity": "82", "apikey": key.api_key, "newField": None}
        key.omit = ["accessKey", "status"]
        key.permissions = ["SPOT_DEAL_READ", "SPOT_ACCOUNT_READ"]
        key.ip_whitelist = []

    _, client = await mexc(change)
    body = await told(client)
    assert "accessKey" not in body
    assert "status" not in body
    assert (body["remainingValidity"], body["apikey"], body["newField"]) == ("82", "mx0testMain", None)
    assert (body["permissions"], body["ipWhiteList"]) == ("SPOT_ACCOUNT_READ,SPOT_DEAL_READ", "")


async def test_no_write_is_ever_done_and_each_is_seen(mexc):
    sandbox, client = await mexc()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    assert (await refusal(client, client.spotPrivatePostOrder(order)))["code"] == 700007
    assert (await refusal(client, client.contractPrivatePostOrderSubmit({"symbol": "X"})))["code"] == 704
    assert [(seen.method, seen.path, seen.key) for seen in sandbox.requests] == [
        ("POST", "/api/v3/order", "mx0t"),
        ("POST", "/api/v1/private/order/submit", "mx0t"),
    ]


async def test_a_write_with_a_wrong_secret_is_refused_for_its_signature(mexc):
    _, client = await mexc(secret="another")
    assert (await refusal(client, client.spotPrivatePostOrder({"symbol": "X"})))["code"] == 700002


async def test_unknown_paths_answer_not_found_in_the_shape_of_their_api(mexc):
    _, client = await mexc()
    assert (await refusal(client, client.spotPublicGetDepth({"symbol": "X"})))["msg"] == "Not Found"
    assert (await refusal(client, client.contractPublicGetSupportCurrencies()))["success"] is False
