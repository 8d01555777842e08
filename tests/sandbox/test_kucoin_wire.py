"""Real ccxt against the sandbox's KuCoin: what a good key reads, and how each fault of a key is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import ccxt.async_support as ccxt
import pytest

UTA_KEY = ("user/api-key", ["utaPrivate"], "GET", {}, {"cost": 20})


async def refusal(client, call):
    """The JSON body with which the exchange refused ``call``."""
    with pytest.raises(ccxt.BaseError):
        await call
    return json.loads(client.last_http_response)


async def test_a_good_key_is_described_in_the_exchanges_own_fields(kucoin):
    _, client = await kucoin()
    assert await client.privateGetUserApiKey() == {
        "code": "200000",
        "data": {
            "remark": "kucoin-main",
            "apiKey": "67testmain",
            "apiVersion": 3,
            "permission": "General,Spot,Margin,Futures",
            "ipWhitelist": "203.0.113.10,198.51.100.0/24",
            "createdAt": 1789412016000,
            "uid": 165111215,
            "isMaster": True,
        },
    }


async def test_every_read_of_a_good_key_is_answered(kucoin):
    _, client = await kucoin()
    assert abs((await client.publicGetTimestamp())["data"] - client.milliseconds()) < 5_000
    assert (await client.publicGetStatus())["data"]["status"] == "open"
    assert (await client.futuresPublicGetStatus())["data"]["status"] == "open"
    assert (await client.futuresPublicGetTimestamp())["code"] == "200000"
    assert (await client.request("my-ip", ["public"], "GET"))["data"] == "203.0.113.10"
    assert (await client.utaGetUserMyIp())["data"] == "203.0.113.10"
    assert (await client.utaGetServerStatus({"tradeType": "FUTURES"}))["data"]["serverStatus"] == "open"
    assert (await client.privateGetAccounts())["data"][0]["balance"] == "12.5"
    assert (await client.privateGetHfOrdersActive({"symbol": "BTC-USDT"}))["data"][0]["id"] == "b1"
    assert (await client.privateGetOrders({"status": "active"}))["data"]["totalNum"] == 1
    assert (await client.privateGetMarginAccounts())["data"]["accounts"][0]["total"] == "12.5"
    margin = {"symbol": "ETH-USDT", "tradeType": "MARGIN_TRADE"}
    assert (await client.privateGetHfMarginOrdersActive(margin))["data"] == []
    overview = await client.futuresPrivateGetAccountOverview({"currency": "USDT"})
    assert overview["data"]["accountEquity"] == 12.5
    assert (await client.futuresPrivateGetOrders({"status": "active"}))["data"]["items"][0]["id"] == "b1"


async def test_absent_is_how_no_whitelist_and_no_sub_account_are_told(kucoin):
    sandbox, client = await kucoin(lambda given: given.keys["kucoin-main"].ip_whitelist.clear())
    body = (await client.privateGetUserApiKey())["data"]
    assert not {"ipWhitelist", "subName", "expiredAt"} & set(body)
    key = sandbox.keys["kucoin-main"]
    key.is_master, key.sub_name = False, "grid1"
    key.expires = datetime.now(UTC) + timedelta(days=3)
    body = (await client.privateGetUserApiKey())["data"]
    assert (body["isMaster"], body["subName"]) == (False, "grid1")
    assert body["expiredAt"] == int(key.expires.timestamp() * 1000)


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ({"apiKey": "67unknown"}, "400003"),
        ({"password": "another"}, "400004"),
        ({"secret": "another"}, "400004"),
    ],
)
async def test_bad_credentials_are_refused(kucoin, credentials, code):
    """A wrong secret spoils the signed passphrase first."""
    _, client = await kucoin(**credentials)
    assert (await refusal(client, client.privateGetUserApiKey()))["code"] == code
    assert (await refusal(client, client.futuresPrivateGetAccountOverview()))["code"] == code


async def test_a_signature_over_something_else_is_refused(kucoin):
    _, client = await kucoin()
    real = client.sign

    def tampered(*args, **options):
        signed = real(*args, **options)
        return {**signed, "url": signed["url"] + "&currency=BTC"}

    client.sign = tampered
    body = await refusal(client, client.privateGetAccounts({"type": "trade"}))
    assert body == {"code": "400005", "msg": "Invalid KC-API-SIGN"}


async def test_a_key_of_version_one_takes_its_passphrase_in_clear_and_later_ones_signed(kucoin):
    sandbox, client = await kucoin()
    key, real = sandbox.keys["kucoin-main"], client.sign

    def in_clear(*args, **options):
        signed = real(*args, **options)
        signed["headers"] |= {"KC-API-KEY-VERSION": "1", "KC-API-PASSPHRASE": "kucoinpass"}
        return signed

    client.sign = in_clear
    assert (await refusal(client, client.privateGetUserApiKey()))["code"] == "400004"
    key.options["api_version"] = 1
    assert (await client.privateGetUserApiKey())["data"]["apiVersion"] == 1
    client.sign = real
    assert (await refusal(client, client.privateGetUserApiKey()))["code"] == "400004"


@pytest.mark.parametrize("offset", [6_000, -6_000])
async def test_a_skewed_clock_hides_even_an_unknown_key(kucoin, offset):
    def change(given):
        given.exchanges["kucoin"].clock_offset_ms = offset

    _, client = await kucoin(change, apiKey="67unknown")
    body = await refusal(client, client.privateGetUserApiKey())
    assert body == {"code": "400002", "msg": "Invalid KC-API-TIMESTAMP"}


async def test_a_skew_within_five_seconds_is_let_through(kucoin):
    _, client = await kucoin(lambda given: setattr(given.exchanges["kucoin"], "clock_offset_ms", 3_000))
    assert (await client.privateGetUserApiKey())["code"] == "200000"


@pytest.mark.parametrize("address", ["34.58.165.144", "2001:db8::5"])
async def test_a_caller_outside_the_whitelist_is_refused_by_name(kucoin, address):
    _, client = await kucoin(lambda given: setattr(given.keys["kucoin-main"], "caller_ip", address))
    body = await refusal(client, client.privateGetUserApiKey())
    assert body == {"code": "400006", "msg": f"Invalid request ip, the current clientIp is:{address}"}


async def test_a_network_in_the_whitelist_admits_its_addresses(kucoin):
    _, client = await kucoin(lambda given: setattr(given.keys["kucoin-main"], "caller_ip", "198.51.100.77"))
    assert (await client.privateGetUserApiKey())["code"] == "200000"


async def test_reading_needs_general(kucoin):
    _, client = await kucoin(lambda given: setattr(given.keys["kucoin-main"], "permissions", "Spot"))
    body = await refusal(client, client.privateGetUserApiKey())
    assert body == {"code": "400007", "msg": "Access denied, require more permission"}


async def test_a_remark_may_hold_the_words_of_an_error_and_ccxt_takes_it_for_one(kucoin):
    """The trap that a reader built on ccxt's classes falls into."""
    _, client = await kucoin(
        lambda given: setattr(given.keys["kucoin-main"], "label", "require more permission")
    )
    assert (await refusal(client, client.privateGetUserApiKey()))["code"] == "200000"


async def test_a_classic_account_is_no_unified_one(kucoin):
    _, client = await kucoin()
    assert (await refusal(client, client.request(*UTA_KEY)))["code"] == "112010"
    assert (await client.utaPrivateGetAccountMode())["data"] == {"selfAccountMode": "CLASSIC"}
    balance = client.utaPrivateGetAccountModeAccountBalance({"accountMode": "unified"})
    assert (await refusal(client, balance))["code"] == "112010"


async def test_a_unified_account_answers_on_its_own_paths(kucoin):
    def change(given):
        given.keys["kucoin-main"].unified = True
        given.keys["kucoin-main"].parent_uid = "165111200"

    _, client = await kucoin(change)
    told = (await client.request(*UTA_KEY))["data"]
    assert (told["parentUid"], told["siteType"]) == (165111200, "global")
    assert (await client.utaPrivateGetAccountMode())["data"] == {"selfAccountMode": "UNIFIED"}
    mode = {"accountMode": "unified"}
    balance = (await client.utaPrivateGetAccountModeAccountBalance(mode))["data"]
    assert balance["accounts"][0]["currencies"][0]["available"] == "12.5"
    assert (await client.utaPrivateGetAccountModeAccountOverview(mode))["data"]["accountType"] == "UNIFIED"
    assert (await client.utaPrivateGetAccountModeOrderOpenList(mode))["data"]["items"][0]["id"] == "b1"


async def test_an_expired_key_does_not_exist(kucoin):
    end = datetime.now(UTC) - timedelta(seconds=1)
    _, client = await kucoin(lambda given: setattr(given.keys["kucoin-main"], "expires", end))
    assert (await refusal(client, client.privateGetUserApiKey()))["code"] == "400003"


async def test_orders_of_one_symbol_want_the_symbol(kucoin):
    _, client = await kucoin()
    assert (await refusal(client, client.privateGetHfOrdersActive()))["code"] == "400100"


async def test_any_documented_shape_can_be_told(kucoin):
    def change(given):
        key = given.keys["kucoin-main"]
        key.raw = {"ipWhitelist": "203.**.154,103.**.34", "expiredAt": None, "thirdPartyApp": "bots"}
        key.omit = ["isMaster"]
        key.permissions = ["Spot", "General"]
        key.uid = "not-a-number"

    _, client = await kucoin(change)
    body = (await client.privateGetUserApiKey())["data"]
    assert body["ipWhitelist"] == "203.**.154,103.**.34"
    assert (body["expiredAt"], body["thirdPartyApp"], body["uid"]) == (None, "bots", "not-a-number")
    assert body["permission"] == "General,Spot"
    assert "isMaster" not in body


async def test_no_write_is_ever_done_and_each_is_seen(kucoin):
    sandbox, client = await kucoin()
    order = {"symbol": "BTC-USDT", "side": "buy", "type": "market", "size": "1", "clientOid": "x"}
    assert (await refusal(client, client.privatePostHfOrders(order)))["code"] == "400007"
    assert (await refusal(client, client.futuresPrivateDeleteOrders({"symbol": "X"})))["code"] == "400007"
    assert [(seen.exchange, seen.method, seen.path, seen.key) for seen in sandbox.requests] == [
        ("kucoin", "POST", "/api/v1/hf/orders", "67te"),
        ("kucoin", "DELETE", "/api/v1/orders", "67te"),
    ]


async def test_unknown_paths_answer_not_found_as_do_paths_of_the_other_host(kucoin):
    sandbox, client = await kucoin()
    assert (await refusal(client, client.publicGetCurrencies()))["msg"] == "Not Found"
    client.urls["api"]["private"] = sandbox.endpoints["kucoin.futures"]
    assert (await refusal(client, client.privateGetUserApiKey()))["msg"] == "Not Found"
