"""Bitget's wire, request by request: headers, time, what a signature covers, the account's mode."""

from __future__ import annotations

import pytest

from reconciler.sandbox.scenario import ExchangeSpec, Key
from reconciler.sandbox.venue import Incoming, sign
from reconciler.sandbox.venues.bitget import Bitget

NOW = 1_790_000_000_000
SECRET = "0f9e8d7c6b5a4938"
CLASSIC = "/api/v2/spot/account/info"
UNIFIED = "/api/v3/account/info"


@pytest.fixture
def key():
    return Key(
        name="main",
        api_key="bg_main",
        secret=SECRET,
        passphrase="botPassphrase1",
        permissions=["stow"],
        ip_whitelist=["203.0.113.10"],
        uid="1234567890",
    )


@pytest.fixture
def ask(key):
    """Sends one request to the venue and gives HTTP status, code and body; ``signed`` is what is signed."""
    venue = Bitget(ExchangeSpec(id="bitget", keys={key.name: key}))

    def run(path=CLASSIC, query="", *, method="GET", body=b"", stamp=NOW, signed=None, **headers):
        target = f"{path}?{query}" if query else path
        payload = signed or f"{stamp}{method}{target}{body.decode()}"
        given = {
            "ACCESS-KEY": "bg_main",
            "ACCESS-SIGN": sign(SECRET, payload, encoding="base64"),
            "ACCESS-TIMESTAMP": str(stamp),
            "ACCESS-PASSPHRASE": "botPassphrase1",
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        incoming = Incoming(
            method=method,
            path=path,
            query=query,
            body=body,
            headers=given,
            now_ms=NOW,
            caller="203.0.113.10",
        )
        reply = venue.reply(incoming)
        return reply.status, reply.body["code"], reply.body

    return run


def test_a_good_request_is_answered_in_the_envelope(ask):
    status, code, body = ask()
    assert (status, code, body["msg"]) == (200, "00000", "success")
    assert (body["data"]["authorities"], body["data"]["ips"]) == (["stow"], "203.0.113.10")
    assert (body["data"]["userId"], body["data"]["parentId"]) == ("1234567890", 1234567890)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("ACCESS_KEY", "40001"),
        ("ACCESS_SIGN", "40003"),
        ("ACCESS_PASSPHRASE", "40011"),
        ("ACCESS_TIMESTAMP", "40005"),
    ],
)
def test_every_header_is_wanted(ask, header, code):
    assert ask(**{header: ""})[:2] == (400, code)


@pytest.mark.parametrize(
    ("stamp", "code"),
    [
        (NOW - 30_000, "00000"),
        (NOW + 30_000, "00000"),
        (NOW - 30_001, "40008"),
        (NOW + 30_001, "40008"),
        ("soon", "40005"),
    ],
)
def test_the_time_must_be_near(ask, stamp, code):
    assert ask(stamp=stamp)[1] == code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"ACCESS_KEY": "bg_other"}, "40006"),
        ({"ACCESS_SIGN": "bm90IGl0"}, "40009"),
        ({"ACCESS_PASSPHRASE": "another1"}, "40012"),
        ({"PAPTRADING": "1"}, "40099"),
    ],
)
def test_each_fault_has_its_code(ask, headers, code):
    assert ask(**headers)[:2] == (400, code)


def test_the_signature_covers_method_path_and_decoded_query(ask):
    path, decoded = "/api/v2/spot/trade/unfilled-orders", "symbol=BTC USDT"
    good = f"{NOW}GET{path}?{decoded}"
    assert ask(path, "symbol=BTC%20USDT", signed=good)[1] == "00000"
    assert ask(path, "symbol=ETH", signed=good)[1] == "40009"
    assert ask(path, signed=f"{NOW}POST{path}")[1] == "40009"


def test_the_caller_is_named(ask, key):
    key.ip_whitelist = ["198.51.100.7"]
    status, code, body = ask()
    assert (status, code, body["msg"]) == (400, "40018", "Invalid IP,Current request IP 203.0.113.10")


def test_each_mode_refuses_the_api_of_the_other(ask, key):
    assert ask(UNIFIED)[:2] == (400, "40084")
    key.unified, key.permissions = True, ["uta_trade"]
    assert ask(CLASSIC)[:2] == (400, "40085")
    assert ask(UNIFIED)[2]["data"]["permType"] == "read-and-write"
    assert "UTA mgt." in ask("/api/v3/account/assets")[2]["msg"]


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/api/v2/mix/account/accounts", "productType=USDT-FUTURES", "40014"),
        ("/api/v2/margin/crossed/account/assets", "", "40014"),
        ("/api/v2/spot/account/assets", "", "00000"),
        ("/api/v2/nothing", "", "40404"),
    ],
)
def test_rights_are_of_one_market(ask, path, query, code):
    assert ask(path, query)[1] == code


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/api/v2/mix/order/orders-pending", "", "40019"),
        ("/api/v2/mix/order/orders-pending", "productType=USDT-FUTURES", "00000"),
        ("/api/v2/margin/crossed/open-orders", "symbol=BTCUSDT", "40019"),
        ("/api/v2/margin/crossed/open-orders", "symbol=BTCUSDT&startTime=1", "00000"),
    ],
)
def test_what_must_be_named(ask, key, path, query, code):
    key.permissions = ["smow", "coow"]
    assert ask(path, query)[1] == code


def test_no_write_is_ever_done(ask):
    status, code, body = ask("/api/v2/spot/trade/place-order", method="POST", body=b'{"symbol":"BTCUSDT"}')
    assert (status, code) == (400, "40014")
    assert body["msg"].endswith("write permissions")
