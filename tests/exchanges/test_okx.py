"""OKX: every documented answer, through the parser, the sandbox and real ccxt."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges.interface import Answer
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.okx import ROWS, WORDS, Okx
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Health, Permission
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Verbatim
from reconciler.sandbox.venue import Incoming
from reconciler.sandbox.venues.okx import ERRORS, SETTINGS
from reconciler.sandbox.venues.okx import Okx as OkxVenue

KEY_PATH = "/api/v5/account/config"
TRADE = (Permission.SPOT, Permission.MARGIN, Permission.FUTURES, Permission.OPTIONS, Permission.TRANSFER)
BY_MODE = (Permission.MARGIN, Permission.FUTURES, Permission.OPTIONS)
#: A real answer: its ids are beyond what a float can hold.
CONFIG = SETTINGS | {
    "ip": "",
    "type": "0",
    "label": "v5 test",
    "mainUid": "44705892343619584",
    "perm": "read_only,withdraw,trade",
    "uid": "44705892343619584",
}


def a_key(**changes):
    given_ = {
        "name": "main",
        "api_key": "a1b2c3d4-0000-4000-8000-1234567890ab",
        "secret": "22582BD0CFF14C41EDBF1AB98506286D",
        "passphrase": "Correct-Horse-7",
        "permissions": "read_only,trade",
        "ip_whitelist": ["203.0.113.10", "2001:db8::/48"],
        "label": "bot eu",
        "uid": "44705892343619584",
        "balances": {"USDT": "12.5"},
    }
    return Key(**(given_ | changes))


@pytest.fixture
def told(report):
    """The report of the real answer with ``changes``; a change to ``...`` leaves the field out."""

    def read(**changes):
        config = {n: v for n, v in (CONFIG | changes).items() if v is not ...}
        return report("okx", key={"code": "0", "data": [config], "msg": ""})

    return read


class TestReport:
    def test_a_real_answer(self, told):
        seen = told()
        assert {value for _, value in seen.permissions.items()} == {True}
        assert (seen.ip_whitelist.restricted, seen.ip_whitelist.addresses) == (False, ())
        assert (seen.account.uid, seen.account.is_sub) == ("44705892343619584", False)
        assert seen.label == "v5 test"
        assert (seen.created_at, seen.expires_at, seen.expiry_rule, seen.disabled) == (None, None, None, None)
        assert seen.unknown_words == ()

    @pytest.mark.parametrize(
        ("perm", "granted"),
        [
            ("read_only", {Permission.READ}),
            ("read", {Permission.READ}),
            ("read_only,trade", {Permission.READ, *TRADE}),
            (" trade , read_only", {Permission.READ, *TRADE}),
            (["read_only", "withdraw"], {Permission.READ, Permission.WITHDRAW}),
            ("READ_ONLY,Withdraw", {Permission.READ, Permission.WITHDRAW}),
        ],
    )
    def test_words(self, told, perm, granted):
        seen = told(perm=perm).permissions
        assert {p for p, value in seen.items() if value} == granted
        assert {value for p, value in seen.items() if p not in granted} <= {False}

    @pytest.mark.parametrize("perm", [..., None, "", ",", [], 7, {"trade": True}, [["trade"]]])
    def test_a_list_that_is_not_told_denies_nothing(self, told, perm):
        assert {value for _, value in told(perm=perm).permissions.items()} == {None}

    @pytest.mark.parametrize("perm", ["trade", "withdraw", "trade,withdraw"])
    def test_a_key_that_was_read_is_never_said_not_to_read(self, told, perm):
        seen = told(perm=perm).permissions
        assert seen.read is None
        assert seen.withdraw is ("withdraw" in perm)

    def test_an_unknown_word_may_mean_anything(self, told):
        seen = told(perm="read_only,move_funds")
        assert seen.unknown_words == ("move_funds",)
        assert seen.permissions.read is True
        assert {v for p, v in seen.permissions.items() if p is not Permission.READ} == {None}

    def test_a_new_field_that_sounds_like_a_right_of_the_key(self, told):
        seen = told(perm="read_only", withdrawalScope="all")
        assert (seen.unknown_words, seen.permissions.withdraw) == (("withdrawalScope",), None)

    @pytest.mark.parametrize("field", ["enableNewThing", "spotTradeMode", "authLevel"])
    def test_a_new_setting_of_the_account_is_none(self, told, field):
        seen = told(perm="read_only", **{field: "1"})
        assert (seen.unknown_words, seen.permissions.withdraw) == ((), False)

    @pytest.mark.parametrize(
        ("mode", "reach"),
        [("1", None), ("2", True), ("3", True), ("4", True), (2, True), ("9", None), ("", None), (..., None)],
    )
    def test_how_far_trading_reaches_depends_on_the_mode(self, told, mode, reach):
        seen = told(perm="read_only,trade", acctLv=mode).permissions
        assert {seen[permission] for permission in BY_MODE} == {reach}
        assert (seen.spot, seen.transfer, seen.withdraw) == (True, True, False)

    def test_the_mode_gives_nothing_to_a_key_that_may_not_trade(self, told):
        seen = told(perm="read_only", acctLv="1").permissions
        assert {seen[permission] for permission in TRADE} == {False}

    @pytest.mark.parametrize(("active", "options"), [("1", True), ("0", None), (..., None)])
    def test_options_are_switched_on_apart(self, told, active, options):
        assert told(opAuth=active).permissions.options is options

    @pytest.mark.parametrize(
        ("ip", "restricted", "addresses"),
        [
            ("", False, ()),
            ("117.37.203.58", True, ("117.37.203.58",)),
            ("117.37.203.58,2001:db8::1", True, ("117.37.203.58", "2001:db8::1")),
            ("117.37.203.0/24", True, ("117.37.203.0/24",)),
            (["1.2.3.4"], True, ("1.2.3.4",)),
            ("117.37.203.*", True, None),
            ("office", None, None),
            (None, None, None),
            (..., None, None),
        ],
    )
    def test_addresses(self, told, ip, restricted, addresses):
        seen = told(ip=ip).ip_whitelist
        assert (seen.restricted, seen.addresses) == (restricted, addresses)

    @pytest.mark.parametrize(
        ("uid", "main", "is_sub", "parent"),
        [
            ("44705892343619584", "44705892343619584", False, None),
            ("9", "44705892343619584", True, "44705892343619584"),
            (44705892343619585, "44705892343619584", True, "44705892343619584"),
            ("9", "", None, None),
            ("9", ..., None, None),
        ],
    )
    def test_accounts(self, told, uid, main, is_sub, parent):
        account = told(uid=uid, mainUid=main).account
        assert (account.uid, account.is_sub, account.parent_uid) == (str(uid), is_sub, parent)

    @pytest.mark.parametrize(
        "data",
        [[], [{}], ["text"], [{"acctLv": "2"}], [CONFIG | {"perm": "read_only"}, CONFIG], [CONFIG, None]],
    )
    def test_an_answer_that_describes_no_key(self, report, data):
        with pytest.raises(CallFailed) as caught:
            report("okx", key={"code": "0", "data": data, "msg": ""})
        assert caught.value.failure.kind is Kind.UNEXPECTED_RESPONSE


class TestJudge:
    @pytest.mark.parametrize(
        "body",
        [
            {"code": 0, "data": []},
            {"code": "0"},
            {"code": "0", "data": {}},
            {"code": "00000", "data": []},
            {"code": "2", "data": []},
            {"code": [], "data": []},
            {"code": {"1": "2"}, "data": [{"sCode": ["50119"]}]},
            {"data": [CONFIG]},
            [],
            "ok",
            None,
        ],
    )
    def test_http_200_alone_is_no_success(self, judge, body):
        assert judge("okx", "key", body=body).kind is Kind.UNEXPECTED_RESPONSE

    def test_a_success_is_the_text_zero_with_http_200(self, judge):
        body = {"code": "0", "data": [], "msg": ""}
        assert judge("okx", "orders", body=body) is None
        assert judge("okx", "orders", body=body, status=202) is not None

    def test_the_key_s_own_id_is_not_shown(self, judge):
        body = {
            "code": "50110",
            "msg": "Your IP 185.14.47.178 is not included in your API key's "
            "b68428e0-7f7b-4d0c-9a0c-3b6f5c2a1d9e IP whitelist.",
        }
        found = judge("okx", "key", status=401, body=body)
        assert (found.kind, found.caller_ip) == (Kind.IP_NOT_ALLOWED, "185.14.47.178")
        assert "b68428e0" not in found.message

    def test_busy_is_no_rate_limit_though_it_comes_as_one(self, judge):
        assert judge("okx", "key", status=429, body={"code": "50013"}).kind is Kind.UNAVAILABLE

    def test_every_row_names_its_source(self):
        assert all(row.source for row in ROWS)

    @pytest.mark.parametrize(
        ("events", "health"),
        [
            ([], Health.OPERATIONAL),
            ([{"state": "ongoing", "env": "1", "serviceType": "5"}], Health.MAINTENANCE),
            ([{"state": "ongoing"}], Health.MAINTENANCE),
            ([{"state": "pre_open", "env": "1", "serviceType": "1"}], Health.MAINTENANCE),
            ([{"state": "scheduled", "env": "1", "serviceType": "5"}], Health.OPERATIONAL),
            ([{"state": "ongoing", "env": "1"}, {"state": "scheduled", "env": "1"}], Health.MAINTENANCE),
            ([{"state": "ongoing", "env": "2", "serviceType": "5"}], Health.OPERATIONAL),
            ([{"state": "ongoing", "env": "1", "serviceType": "3"}], Health.OPERATIONAL),
            ([{"state": "ongoing", "env": "1", "serviceType": "99"}], Health.UNKNOWN),
            ([{"state": "completed"}, {"state": "canceled"}], Health.OPERATIONAL),
            ([{"state": "paused"}], Health.UNKNOWN),
            (["text"], Health.UNKNOWN),
            (None, Health.UNKNOWN),
        ],
    )
    def test_status(self, events, health):
        assert Okx().parse_status({"code": "0", "data": events}) is health

    def test_time(self):
        assert Okx().parse_time({"code": "0", "data": [{"ts": "1597026383085"}]}) == 1597026383085
        with pytest.raises(ValueError, match="ts"):
            Okx().parse_time({"code": "0", "data": []})


#: Every error of the sandbox's table (and so of the facts) and what it means.
KINDS = {
    "key_missing": Kind.BAD_REQUEST,
    "signature_missing": Kind.BAD_REQUEST,
    "timestamp_missing": Kind.BAD_REQUEST,
    "parameter": Kind.BAD_REQUEST,
    "passphrase_missing": Kind.MISSING_PASSPHRASE,
    "clock_skew": Kind.CLOCK_SKEW,
    "timestamp_invalid": Kind.CLOCK_SKEW,
    "invalid_key": Kind.INVALID_KEY,
    "key_format": Kind.INVALID_KEY,
    "wrong_environment": Kind.WRONG_ENVIRONMENT,
    "demo_unavailable": Kind.WRONG_ENVIRONMENT,
    "wrong_passphrase": Kind.WRONG_PASSPHRASE,
    "bad_signature": Kind.BAD_SIGNATURE,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "ip_binding_required": Kind.PERMISSION_DENIED,
    "permission_denied": Kind.PERMISSION_DENIED,
    "no_permission": Kind.PERMISSION_DENIED,
    "authorization_invalid": Kind.PERMISSION_DENIED,
    "main_account_only": Kind.PERMISSION_DENIED,
    "key_frozen": Kind.KEY_DISABLED,
    "region_blocked": Kind.REGION_BLOCKED,
    "compliance": Kind.REGION_BLOCKED,
    "pair_compliance": Kind.REGION_BLOCKED,
    "account_blocked": Kind.ACCOUNT_RESTRICTED,
    "account_mode": Kind.WRONG_ACCOUNT_MODE,
    "rate_limited": Kind.RATE_LIMITED,
    "rate_limited_soft": Kind.RATE_LIMITED,
    "rate_limited_bare": Kind.RATE_LIMITED,
    "busy": Kind.UNAVAILABLE,
    "internal": Kind.UNAVAILABLE,
    "internal_number": Kind.UNAVAILABLE,
    "maintenance": Kind.MAINTENANCE,
    "sub_key_unknown": Kind.BAD_REQUEST,
    "not_found": Kind.UNEXPECTED_RESPONSE,
}


class TestEndToEnd:
    def test_every_error_has_its_kind(self):
        assert set(KINDS) == set(ERRORS)

    @pytest.mark.parametrize("error", sorted(KINDS))
    async def test_every_documented_error(self, observed, error):
        faults = Faults(paths={KEY_PATH: Faults(error=error)})
        failure = (await observed("okx", a_key(), faults=faults)).seen.failure
        assert failure.kind is KINDS[error]
        assert failure.call == "key"
        assert failure.candidates == ()

    @pytest.mark.parametrize("market", list(Market))
    async def test_a_good_key_is_read_in_every_market(self, observed, market):
        found = await observed("okx", a_key(is_master=False, parent_uid="44705892343619000"), market=market)
        assert found.seen.failure is None
        assert {name: proof.failure for name, proof in found.seen.proofs.items()} == {
            "balance": None,
            "orders": None,
        }
        report = found.seen.report
        assert (report.account.uid, report.account.is_sub) == ("44705892343619584", True)
        assert report.account.parent_uid == "44705892343619000"
        assert report.ip_whitelist.addresses == ("203.0.113.10", "2001:db8::/48")
        assert report.label == "bot eu"
        assert (report.permissions.futures, report.permissions.withdraw) == (True, False)
        assert found.seen.health is Health.OPERATIONAL
        lists = set(calls_of(Okx.listings))
        assert {path for _, path in found.requests} == {call.path for call in set(Okx.calls) - lists}
        assert {method for method, _ in found.requests} == {"GET"}

    @pytest.mark.parametrize(
        ("wrong", "kind"),
        [
            ({"secret": "not-the-secret"}, Kind.BAD_SIGNATURE),
            ({"api_key": "00000000-0000-0000-0000-000000000000"}, Kind.INVALID_KEY),
            ({"passphrase": "Wrong-Horse-7"}, Kind.WRONG_PASSPHRASE),
        ],
    )
    async def test_wrong_credentials(self, observed, wrong, kind):
        found = await observed("okx", a_key(), credentials=wrong)
        assert found.seen.failure.kind is kind
        assert found.seen.proofs == {}

    async def test_a_missing_passphrase_is_told_before_any_request(self, observed):
        found = await observed("okx", a_key(), credentials={"passphrase": None})
        assert found.seen.failure.kind is Kind.MISSING_PASSPHRASE
        assert KEY_PATH not in {path for _, path in found.requests}

    async def test_an_address_that_is_not_allowed_is_named(self, observed):
        found = await observed("okx", a_key(ip_whitelist=["198.51.100.7"]))
        assert found.seen.failure.kind is Kind.IP_NOT_ALLOWED
        assert (found.seen.caller_ip, found.seen.caller_ip_source) == ("203.0.113.10", "failure")

    async def test_an_ipv6_caller_of_a_segment(self, observed):
        found = await observed("okx", a_key(caller_ip="2001:db8::7"))
        assert found.seen.failure is None

    async def test_a_demo_key_is_not_a_live_one(self, observed):
        found = await observed("okx", a_key(options={"demo": True}))
        assert found.seen.failure.kind is Kind.WRONG_ENVIRONMENT

    async def test_a_frozen_key(self, observed):
        assert (await observed("okx", a_key(status="FROZEN"))).seen.failure.kind is Kind.KEY_DISABLED

    async def test_a_key_that_may_not_read(self, observed):
        found = await observed("okx", a_key(permissions="trade"))
        assert found.seen.failure.kind is Kind.PERMISSION_DENIED

    async def test_a_clock_that_differs_does_not_hide_the_key(self, observed):
        found = await observed("okx", a_key(), clock_offset_ms=-90_000)
        assert found.seen.failure is None
        assert found.seen.clock_skew == pytest.approx(90, abs=2)

    @pytest.mark.parametrize(
        ("market", "raw", "kind"),
        [
            (Market.SPOT, {"acctLv": "1"}, None),
            (Market.FUTURES, {"acctLv": "1"}, Kind.WRONG_ACCOUNT_MODE),
            (Market.MARGIN, {"acctLv": "1"}, Kind.WRONG_ACCOUNT_MODE),
            (Market.MARGIN, {"acctLv": "1", "enableSpotBorrow": True}, None),
            (Market.FUTURES, {"acctLv": "3"}, None),
        ],
    )
    async def test_a_market_that_the_account_s_mode_has_not(self, observed, market, raw, kind):
        proofs = (await observed("okx", a_key(raw=raw), market=market)).seen.proofs
        failure = proofs["orders"].failure
        assert (failure and failure.kind) == kind
        assert proofs["balance"].failure is None
        assert failure is None or f"takes no {market.value} orders" in failure.message

    async def test_an_ongoing_event_is_maintenance(self, observed):
        events = [{"state": "ongoing", "env": "1", "serviceType": "5"}, {"state": "scheduled", "env": "1"}]
        body = {"code": "0", "data": events, "msg": ""}
        faults = Faults(paths={"/api/v5/system/status": Faults(verbatim=Verbatim(body=body))})
        assert (await observed("okx", a_key(), faults=faults)).seen.health is Health.MAINTENANCE

    @pytest.mark.parametrize("status", [200, 403, 503])
    async def test_a_page_is_never_a_success(self, observed, status):
        faults = Faults(paths={KEY_PATH: Faults(verbatim=Verbatim(status=status, body="<html>hi</html>"))})
        found = await observed("okx", a_key(), faults=faults)
        assert found.seen.report is None
        assert found.seen.failure.kind in {Kind.UNEXPECTED_RESPONSE, Kind.UNAVAILABLE}

    @pytest.mark.parametrize(
        ("changed", "body"),
        [
            ({"OK-ACCESS-TIMESTAMP": "yesterday"}, "50112"),
            ({"OK-ACCESS-TIMESTAMP": "2026-10-01T12:00:00"}, "50112"),
            ({"OK-ACCESS-SIGN": ""}, "50106"),
            ({"OK-ACCESS-KEY": ""}, "50103"),
        ],
    )
    def test_the_venue_checks_the_headers_first(self, changed, body):
        venue, incoming = venue_and_request()
        headers = dict(incoming.headers) | changed
        assert venue.reply(replace(incoming, headers=headers)).body["code"] == body


class TestCcxtFaults:
    """Each fails when ccxt mends what is worked round: then the workaround can go."""

    @pytest.fixture
    async def exchange(self):
        made = ccxt.okx({"apiKey": "k", "secret": "s", "password": "p", "timeout_on_exit": 0})
        yield made
        await made.close()

    @pytest.mark.parametrize(
        ("code", "wrong"),
        [
            ("50119", ccxt.ExchangeError),
            ("50035", ccxt.ExchangeError),
            ("50120", ccxt.ExchangeError),
            ("50030", ccxt.ExchangeError),
            ("50100", ccxt.ExchangeError),
            ("50121", ccxt.ExchangeError),
            ("50112", ccxt.AuthenticationError),
            ("50114", ccxt.AuthenticationError),
        ],
    )
    def test_codes_of_a_class_that_misleads(self, exchange, code, wrong):
        body = {"code": code, "data": [], "msg": ""}
        with pytest.raises(ccxt.BaseError) as caught:
            exchange.handle_errors(401, "", "", "GET", {}, exchange.json(body), body, {}, None)
        assert type(caught.value) is wrong

    def test_a_bare_rate_limit_reads_as_an_outage(self, exchange):
        with pytest.raises(ccxt.ExchangeNotAvailable):
            exchange.handle_http_status_code(429, "", "", "GET", "")

    async def test_the_last_event_hides_an_ongoing_one(self, exchange):
        async def events(params):
            return {"code": "0", "data": [{"state": "ongoing"}, {"state": "scheduled"}]}

        exchange.publicGetSystemStatus = events
        assert (await exchange.fetch_status())["status"] == "ok"


def venue_and_request():
    """A venue and a request that ccxt signed for its key."""
    key = a_key()
    made = ccxt.okx({"apiKey": key.api_key, "secret": key.secret, "password": key.passphrase})
    signed = made.sign("account/config", ["private"], "GET", {})
    spec = ExchangeSpec(id="okx", keys={key.name: key})
    now = datetime.now(UTC).timestamp() * 1000
    incoming = Incoming(
        method="GET", path=KEY_PATH, headers=signed["headers"], now_ms=int(now), caller="203.0.113.10"
    )
    return OkxVenue(spec), incoming


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
perms = st.lists(st.sampled_from([*WORDS, "move", "", "TRADE "]), max_size=5)
configs = st.dictionaries(
    st.sampled_from([*CONFIG, "permissions", "withdrawAll"]),
    anything | perms | perms.map(",".join) | st.sampled_from(["1", "2", "3"]),
    max_size=8,
)


class TestAnyAnswer:
    @given(config=configs)
    def test_never_denies_what_is_not_denied(self, config):
        with contextlib.suppress(CallFailed):
            self.holds(read({"code": "0", "data": [config], "msg": ""}), config)

    def holds(self, seen, config):
        perm = config.get("perm")
        listed = perm.split(",") if isinstance(perm, str) else perm
        told = isinstance(listed, list) and all(isinstance(word, str) for word in listed)
        words = {word.strip().casefold() for word in listed} - {""} if told else set()
        for permission, value in seen.permissions.items():
            granting = {word for word, grants in WORDS.items() if permission in grants}
            if value is False:
                assert words
                assert words <= set(WORDS)
                assert not words & granting
                assert not seen.unknown_words
            if value is True:
                assert words & granting

    @given(body=anything)
    def test_of_any_shape_is_a_report_or_a_failure(self, body):
        with contextlib.suppress(CallFailed):
            read(body)

    @given(body=anything, status=st.integers(0, 599), call=st.sampled_from(Okx.calls))
    def test_is_judged(self, body, status, call):
        found = Okx().judge(Answer(call=call, status=status, body=body))
        assert found is not None
        assert found.message

    @given(body=anything)
    def test_leaves_health_and_time_without_surprises(self, body):
        assert Okx().parse_status(body) in Health
        with contextlib.suppress(ValueError):
            assert isinstance(Okx().parse_time(body), int)


def read(body):
    """The report of one body, judged first, without an event loop."""
    reader = Okx()

    class Ask:
        async def __call__(self, call, params=None):
            failure = reader.judge(Answer(call=call, status=200, body=body))
            if failure is not None:
                raise CallFailed(failure)
            return body

    running = reader.read_key(Ask(), Market.SPOT)
    try:
        running.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("nothing here waits")
