"""Bybit's wire, request by request: headers, the edges of the time window, what a signature covers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.sandbox.scenario import ExchangeSpec, Key
from reconciler.sandbox.venue import Incoming, sign
from reconciler.sandbox.venues.bybit import Bybit

NOW = 1_790_000_000_000
KEY = "8wYkmpLsMg10eNQyPm"
SECRET = "Ouxc34myDnXvei54XsBZgoQzfGxO4bkr2Zsj"
INFO = "/v5/user/query-api"


@pytest.fixture
def key():
    return Key(
        name="main",
        api_key=KEY,
        secret=SECRET,
        permissions={"Spot": ["SpotTrade"]},
        ip_whitelist=["203.0.113.10"],
        uid="1448939",
        unified=True,
        created=datetime(2026, 9, 1, tzinfo=UTC),
    )


@pytest.fixture
def ask(key):
    """Sends one request to the venue and gives HTTP status and body; ``changes`` are made after signing."""
    venue = Bybit(ExchangeSpec(id="bybit", keys={key.name: key}))

    def run(path=INFO, query="", *, method="GET", body=b"", stamp=NOW, window="5000", **changes):
        payload = query if method == "GET" else body.decode()
        headers = {
            "X-BAPI-API-KEY": KEY,
            "X-BAPI-TIMESTAMP": str(stamp),
            "X-BAPI-RECV-WINDOW": window,
            "X-BAPI-SIGN": sign(SECRET, f"{stamp}{KEY}{window}{payload}"),
        }
        headers |= changes.pop("headers", {})
        given = {"method": method, "path": path, "query": query, "body": body, "headers": headers}
        incoming = Incoming(**(given | {"now_ms": NOW, "caller": "203.0.113.10"} | changes))
        reply = venue.reply(incoming)
        return reply.status, reply.body

    return run


def test_a_good_request_is_answered_in_the_envelope(ask):
    status, body = ask()
    assert (status, body["retCode"], body["retMsg"], body["time"]) == (200, 0, "OK", NOW)
    assert body["result"]["permissions"]["Spot"] == ["SpotTrade"]
    assert body["result"]["permissions"]["Wallet"] == []
    assert (body["result"]["deadlineDay"], body["result"]["expiredAt"]) == (-2, "1970-01-01T00:00:00Z")
    assert (body["result"]["userID"], body["result"]["parentUid"]) == (1448939, "0")


@pytest.mark.parametrize("name", ["API-KEY", "TIMESTAMP", "SIGN"])
def test_without_its_headers_a_request_is_nobody_s(ask, name):
    assert ask(headers={f"X-BAPI-{name}": ""}) == (401, "")


@pytest.mark.parametrize(
    ("stamp", "window", "code"),
    [
        (NOW + 999, "5000", 0),
        (NOW + 1_000, "5000", 10002),
        (NOW - 5_000, "5000", 0),
        (NOW - 5_001, "5000", 10002),
        (NOW - 20_000, "20000", 0),
        ("soon", "5000", 10002),
    ],
)
def test_the_time_must_lie_in_the_window(ask, stamp, window, code):
    status, body = ask(stamp=stamp, window=window)
    assert (status, body["retCode"]) == (200, code)


def test_both_times_are_told(ask):
    _, body = ask(stamp=NOW - 9_000)
    assert f"req_timestamp[{NOW - 9_000}],server_timestamp[{NOW}],recv_window[5000]" in body["retMsg"]


@pytest.mark.parametrize("changes", [{"query": "x=1"}, {"headers": {"X-BAPI-SIGN": "0" * 64}}])
def test_the_signature_covers_the_query(ask, changes):
    signed = dict(changes)
    query = signed.pop("query", None)
    if query:
        headers = {"X-BAPI-SIGN": sign(SECRET, f"{NOW}{KEY}5000")}
        assert ask(query=query, headers=headers)[1]["retCode"] == 10004
    else:
        assert ask(**signed)[1]["retCode"] == 10004


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"api_key": "another"}, 10003),
        ({"secret": "another"}, 10004),
        ({"expires": datetime(2026, 9, 2, tzinfo=UTC)}, 33004),
        ({"ip_whitelist": ["198.51.100.7"]}, 10010),
        ({"ip_whitelist": [], "created": datetime(2026, 1, 1, tzinfo=UTC)}, 33004),
    ],
)
def test_each_fault_of_a_key_has_its_code(ask, key, change, code):
    for name, value in change.items():
        setattr(key, name, value)
    assert ask()[1]["retCode"] == code


def test_an_unbound_key_is_told_with_a_star_and_its_days(ask, key):
    key.ip_whitelist = []
    result = ask()[1]["result"]
    assert (result["ips"], result["deadlineDay"]) == (["*"], 70)
    assert result["expiredAt"] == "2026-11-30T00:00:00Z"


@pytest.mark.parametrize(
    ("unified", "wallet", "code"),
    [(True, "UNIFIED", 0), (True, "SPOT", 10001), (False, "SPOT", 0), (False, "UNIFIED", 10028)],
)
def test_each_kind_of_account_has_wallets_of_its_own(ask, key, unified, wallet, code):
    key.unified = unified
    assert ask("/v5/account/wallet-balance", f"accountType={wallet}")[1]["retCode"] == code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("category=spot", 0),
        ("category=linear", 10001),
        ("category=linear&settleCoin=USDT", 10005),
        ("category=nonsense", 10005),
    ],
)
def test_orders_want_a_category_that_the_key_has(ask, query, code):
    assert ask("/v5/order/realtime", query)[1]["retCode"] == code


def test_no_write_is_ever_done(ask):
    body = b'{"category":"spot","symbol":"BTCUSDT"}'
    assert ask("/v5/order/create", method="POST", body=body)[1]["retCode"] == 10005
    assert ask("/v5/nothing") == (404, "404 page not found")
