"""Binance's venue held to the documentation, without a socket: time, signature, refusals."""

from __future__ import annotations

import pytest

from reconciler.sandbox.scenario import ExchangeSpec, Key
from reconciler.sandbox.venue import Incoming, sign
from reconciler.sandbox.venues.binance import Binance

NOW = 1_790_856_000_000
#: The example of the documentation on signed requests.
DOC_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
DOC_QUERY = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
DOC_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


@pytest.fixture
def key():
    return Key(
        name="main",
        api_key="vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
        secret=DOC_SECRET,
        permissions={"enableReading": True, "enableFutures": False},
        ip_whitelist=["203.0.113.10"],
    )


@pytest.fixture
def ask(key):
    """Sends one request that is signed as ccxt does, with changes."""
    venue = Binance(ExchangeSpec(id="binance", keys={key.name: key}))

    def send(
        path="/api/v3/account", *, method="GET", query=f"timestamp={NOW}", signed=True, body=b"", **changes
    ):
        if signed:
            query = f"{query}&signature={sign(key.secret, query.encode() + body)}"
        given = {"headers": {"X-MBX-APIKEY": key.api_key}, "now_ms": NOW, "caller": "203.0.113.10"}
        return venue.reply(Incoming(method=method, path=path, query=query, body=body, **(given | changes)))

    return send


def test_the_signature_of_the_documentation():
    assert sign(DOC_SECRET, f"{DOC_QUERY}&timestamp=1499827319559") == DOC_SIGNATURE


@pytest.mark.parametrize(
    ("offset", "window", "code"),
    [
        (0, "", None),
        (-5000, "", None),
        (-5001, "", -1021),
        (999, "", None),
        (1000, "", -1021),
        (-60000, "&recvWindow=60000", None),
        (-10001, "&recvWindow=10000", -1021),
        (0, "&recvWindow=60001", -1131),
    ],
)
def test_the_window_of_a_timestamp(ask, offset, window, code):
    reply = ask(query=f"timestamp={NOW + offset}{window}")
    assert reply.body.get("code") == code
    assert reply.status == (200 if code is None else 400)


@pytest.mark.parametrize("query", ["timestamp=", "recvWindow=5000", "timestamp=soon"])
def test_a_timestamp_is_mandatory(ask, query):
    assert ask(query=query).body["code"] == -1102


def test_a_signature_is_mandatory_and_covers_everything(ask):
    assert ask(signed=False).body["code"] == -1102
    other = sign(DOC_SECRET, f"timestamp={NOW}")
    tampered = ask(query=f"timestamp={NOW}&omitZeroBalances=true&signature={other}", signed=False)
    assert tampered.body["code"] == -1022


@pytest.mark.parametrize(("sent", "code"), [("", -2014), ("no key", -2014), ("abc123", -2008)])
def test_a_key_has_a_form_and_is_known(ask, sent, code):
    assert ask(headers={"X-MBX-APIKEY": sent}).body["code"] == code


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/api/v3/account", 401, "Invalid API-key, IP, or permissions for action."),
        ("/sapi/v1/account/apiRestrictions", 400, "Invalid API-key, IP, or permissions for action."),
        ("/fapi/v3/balance", 401, "Invalid API-key, IP, or permissions for action, request ip: 198.51.100.9"),
    ],
)
def test_each_api_refuses_an_address_in_its_own_way(ask, path, status, text):
    reply = ask(path, caller="198.51.100.9")
    assert (reply.status, reply.body) == (status, {"code": -2015, "msg": text})


def test_futures_name_the_address_even_when_the_permission_is_missing(ask):
    assert ask("/fapi/v3/balance").body["msg"].endswith("request ip: 203.0.113.10")


def test_a_disabled_key_is_refused_like_any_other(ask, key):
    key.status = "FROZEN"
    assert ask().body["code"] == -2015


def test_a_write_that_is_signed_in_the_body_is_refused_after_the_signature(ask):
    body = f"symbol=LTCBTC&timestamp={NOW}"
    signed = f"{body}&signature={sign(DOC_SECRET, body)}".encode()
    good = ask("/api/v3/order", method="POST", query="", body=signed, signed=False)
    bad = ask("/api/v3/order", method="POST", query="", body=signed[:-1] + b"x", signed=False)
    assert (good.body["code"], bad.body["code"]) == (-2015, -1022)


def test_no_margin_account(ask, key):
    assert ask("/sapi/v1/margin/account").body["userAssets"] == []
    key.options["margin"] = False
    assert ask("/sapi/v1/margin/account").body["code"] == -3003
