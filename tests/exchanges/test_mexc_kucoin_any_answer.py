"""Whatever MEXC or KuCoin answer: a report or a failure, and never a denial that was not made."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges import kucoin, mexc, registry
from reconciler.exchanges.interface import Answer
from reconciler.model.desired import Market
from reconciler.model.errors import ObservationError
from reconciler.model.live import CallFailed, Failure, Health, KeyReport, Permission

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class Told:
    """An ``Ask`` that answers every call alike, through the exchange's own judge."""

    def __init__(self, exchange, body, status=200):
        self.exchange, self.body, self.status = exchange, body, status

    async def __call__(self, call, params=None):
        failure = self.exchange.judge(Answer(call=call, status=self.status, body=self.body))
        if failure is not None:
            raise CallFailed(failure)
        return self.body

    def now(self):
        return NOW


def read(exchange, body, status=200):
    try:
        return asyncio.run(exchange.read_key(Told(exchange, body, status), Market.SPOT))
    except CallFailed as failed:
        return failed.failure


def fields(name, listed):
    """Bodies in the neighbourhood of the real one: its field names, anything as values."""
    names = ["note", "permissions", "remainingValidity", "ipWhiteList", "status", "createTime", "data"]
    if name == "kucoin":
        names = ["remark", "permission", "ipWhitelist", "createdAt", "uid", "isMaster", "expiredAt"]
    words = st.lists(st.sampled_from(sorted(listed)) | st.text(max_size=10), max_size=6)
    shaped = JSON | words | words.map(",".join)
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=8), shaped, max_size=8)


BODIES = {
    "mexc": fields("mexc", mexc.WORDS) | JSON,
    "kucoin": fields("kucoin", kucoin.WORDS).map(lambda data: {"code": "200000", "data": data}) | JSON,
}


@pytest.mark.parametrize("name", ["mexc", "kucoin"])
@given(data=st.data())
def test_any_json_is_a_report_or_a_failure(name, data):
    exchange = registry.get(name)
    body = data.draw(BODIES[name])
    told = read(exchange, body, data.draw(st.sampled_from([200, 200, 200, 400, 500])))
    assert isinstance(told, KeyReport | Failure)
    if isinstance(told, KeyReport):
        check_denials(name, body, told)
    for market in Market:
        for reading in (exchange.read_balance, lambda a, m: exchange.read_orders(a, m, ())):
            with contextlib.suppress(CallFailed):
                asyncio.run(reading(Told(exchange, body), market))
    assert exchange.parse_status(body) in Health
    exchange.parse_my_ip(body)


def check_denials(name, body, report):
    """A second reading of the payload, written apart: False needs a whole list of known words."""
    inner = body["data"] if isinstance(body.get("data"), dict) else body
    raw = inner.get("permissions" if name == "mexc" else "permission")
    known = {word.casefold() for word in (mexc.WORDS if name == "mexc" else kucoin.WORDS)}
    listed = raw.split(",") if isinstance(raw, str) else raw
    clear = (
        isinstance(listed, list)
        and all(isinstance(word, str) for word in listed)
        and any(word.strip() for word in listed)
        and all(word.strip().casefold() in known for word in listed if word.strip())
    )
    denied = {p for p, value in report.permissions.items() if value is False}
    if not clear:
        assert denied == set()
    elif any(word.strip().casefold() in {"spot_withdraw_write", "transfer"} for word in listed):
        assert Permission.WITHDRAW not in denied


MEXC_BODY = {
    "note": "note2",
    "accessKey": "mx0npKfh57kEEVmyLa",
    "createTime": "2026-09-14T18:53:36.000+00:00",
    "permissions": "SPOT_ACCOUNT_READ,SPOT_DEAL_READ",
    "remainingValidity": 82,
    "ipWhiteList": "",
    "status": "VALID",
}


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"remainingValidity": -999}, "expires_at", None),
        ({"remainingValidity": "-999"}, "expires_at", None),
        ({"remainingValidity": 0}, "expires_at", datetime(2026, 10, 1, tzinfo=UTC)),
        ({"remainingValidity": "82"}, "expires_at", datetime(2026, 12, 22, tzinfo=UTC)),
        ({"remainingValidity": 10**9}, "expires_at", None),
        ({"createTime": 1789412016000}, "created_at", datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC)),
        ({"status": "FROZEN"}, "disabled", True),
        ({"status": "DELETE"}, "disabled", True),
        ({"status": "VALID"}, "disabled", False),
        ({"status": "NEW"}, "disabled", None),
        ({"status": None}, "disabled", None),
        ({"note": ""}, "label", None),
    ],
    ids=str,
)
def test_mexc_shapes(change, field, value):
    report = read(registry.get("mexc"), MEXC_BODY | change)
    assert getattr(report, field) == value


def test_mexc_documented_field_name_and_envelope():
    documented = {k: v for k, v in MEXC_BODY.items() if k != "accessKey"} | {"apikey": "x"}
    for body in (documented, {"code": 200, "data": documented}, {"code": 0, "data": MEXC_BODY}):
        assert read(registry.get("mexc"), body).permissions.withdraw is False


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("SPOT_ACCOUNT_READ", True),
        ("CONTRACT_ACCOUNT_READ", True),
        ("SPOT_DEAL_READ,SPOT_DEAL_WRITE", None),
        ("CONTRACT_DEAL_READ", None),
        ("SPOT_WITHDRAW_READ", None),
        ("SPOT_DEAL_WRITE", False),
    ],
)
def test_mexc_reads_of_another_kind_leave_the_account_open(words, told):
    """The words tell that something may be read: only without any of them is reading denied."""
    permissions = read(registry.get("mexc"), MEXC_BODY | {"permissions": words}).permissions
    assert permissions.read is told
    assert permissions.withdraw is False


def test_mexc_lets_a_broker_s_sub_account_withdraw_with_the_reading_of_transfers():
    """So its documents say, and no answer tells whose sub-account it is."""
    words = "SPOT_ACCOUNT_READ,SPOT_DEAL_WRITE,SPOT_TRANSFER_READ"
    report = read(registry.get("mexc"), MEXC_BODY | {"permissions": words})
    assert (report.permissions.withdraw, report.permissions.transfer) == (None, None)
    assert (report.permissions.spot, report.permissions.futures) == (True, False)
    assert report.unknown_words == ()


@pytest.mark.parametrize(
    ("call", "status", "body", "kind"),
    [
        ("balance-futures", 200, {"success": False, "code": 500, "message": "Internal error"}, "unavailable"),
        ("balance-futures", 200, {"success": False, "code": 501, "message": "System busy"}, "unavailable"),
        ("key", 200, {"code": 503, "msg": "service not available, please try again"}, "unavailable"),
        ("key", 200, {"code": 504, "msg": "Gateway Time-out"}, "unavailable"),
        ("key", 403, {"code": 403, "msg": "Access Denied"}, "unavailable"),
        ("key", 500, {"code": 500, "message": "Under maintenance, please try again later"}, "maintenance"),
        ("key", 200, {"code": 500, "message": "Under maintenance, please try again later"}, "maintenance"),
    ],
)
def test_mexc_outages_are_no_word_about_the_key(judge, call, status, body, kind):
    # ccxt's class for 403, which must not decide: MEXC names its firewall so.
    assert judge("mexc", call, status=status, body=body, ccxt_error="PermissionDenied").kind == kind


@pytest.mark.parametrize("words", ["", [], None, 7, {}, ","])
def test_no_list_denies_nothing(words):
    reports = (
        read(registry.get("mexc"), MEXC_BODY | {"permissions": words}),
        read(registry.get("kucoin"), {"code": "200000", "data": {"uid": 1, "permission": words}}),
    )
    for report in reports:
        assert {value for _, value in report.permissions.items()} == {None}


def test_a_new_field_that_sounds_like_a_right_denies_nothing():
    report = read(registry.get("mexc"), MEXC_BODY | {"withdrawEnabled": False})
    assert report.permissions.withdraw is None
    assert report.unknown_words == ("withdrawEnabled",)
    data = {"uid": 1, "permission": "General", "withdrawAllowed": True}
    report = read(registry.get("kucoin"), {"code": "200000", "data": data})
    assert report.permissions.withdraw is None


def test_kucoin_transfer_may_reach_own_accounts_too():
    body = {"code": "200000", "data": {"uid": 1, "permission": "General,Transfer"}}
    permissions = read(registry.get("kucoin"), body).permissions
    assert (permissions.withdraw, permissions.transfer) == (True, None)


@pytest.mark.parametrize(
    ("words", "transfer"),
    [
        ("General", False),
        ("General,Earn", False),
        ("General,Margin", False),
        ("General,Spot", None),
        ("General,Futures", None),
        ("General,Unified", None),
        ("General,Spot,InnerTransfer", True),
    ],
)
def test_kucoin_trading_may_move_money_between_the_accounts_of_one_owner(words, transfer):
    body = {"code": "200000", "data": {"uid": 1, "permission": words}}
    permissions = read(registry.get("kucoin"), body).permissions
    assert (permissions.transfer, permissions.withdraw) == (transfer, False)


@pytest.mark.parametrize(
    ("data", "health"),
    [
        ({"status": "open"}, Health.OPERATIONAL),
        ({"status": "close"}, Health.MAINTENANCE),
        ({"status": "cancelonly"}, Health.MAINTENANCE),
        ({"status": "new"}, Health.UNKNOWN),
        ([], Health.UNKNOWN),
    ],
)
def test_kucoin_status(data, health):
    assert registry.get("kucoin").parse_status({"code": "200000", "data": data}) is health


def test_clocks():
    assert registry.get("mexc").parse_time({"serverTime": 1645539742000}) == 1645539742000
    assert registry.get("kucoin").parse_time({"data": "1546837113087"}) == 1546837113087
    for name in ("mexc", "kucoin"):
        for odd in ({}, [], None, {"serverTime": "x", "data": 1.5}):
            with pytest.raises(ValueError, match=r"time|Time"):
                registry.get(name).parse_time(odd)


def test_an_unknown_exchange_is_told_with_the_known_ones():
    with pytest.raises(ObservationError) as caught:
        registry.get("moonex")
    assert "kucoin" in caught.value.hint
    assert not registry.known("moonex")


@pytest.mark.parametrize("name", ["mexc", "kucoin"])
def test_every_fact_has_a_source(name):
    exchange = registry.get(name)
    module = mexc if name == "mexc" else kucoin
    assert all(call.source for call in exchange.calls)
    assert all(row.source for row in module.ROWS)
    assert exchange.budget.source


@pytest.mark.parametrize("status", ["SUSPENDED", "LIMITED", 7])
def test_a_state_of_a_mexc_key_that_nobody_knows_denies_nothing(status):
    """It could be any kind of "off": the key is not told to be on, nor to lack a right."""
    report = read(registry.get("mexc"), MEXC_BODY | {"status": status})
    assert report.disabled is None
    assert report.unknown_words == (f"status {status}",)
    assert False not in dict(report.permissions.items()).values()


@pytest.mark.parametrize(
    ("name", "body"), [("mexc", MEXC_BODY), ("kucoin", {"code": "200000", "data": {"uid": 1}})]
)
@pytest.mark.parametrize("status", [0, 201, 302, 400, 401, 500])
def test_only_http_200_is_a_success(name, body, status):
    assert isinstance(read(registry.get(name), body, 200), KeyReport)
    assert isinstance(read(registry.get(name), body, status), Failure)
