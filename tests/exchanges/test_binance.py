"""Binance: every documented answer, through the parser, the sandbox and real ccxt."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import ccxt.async_support as ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges.binance import FLAGS, PERHAPS, ROWS, Binance
from reconciler.exchanges.interface import Answer
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Failure, Health, Permission
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import Faults, Key, Verbatim
from reconciler.sandbox.venues.binance import ERRORS

KEY_PATH = "/sapi/v1/account/apiRestrictions"
#: The example of the documentation, with every flag.
DOCUMENTED = {
    "ipRestrict": False,
    "createTime": 1623840271000,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": True,
    "enableMargin": False,
    "enableFutures": False,
    "permitsUniversalTransfer": True,
    "enableVanillaOptions": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": True,
    "enableSpotAndMarginTrading": False,
    "enablePortfolioMarginTrading": True,
}
OFF = dict.fromkeys(FLAGS, False) | {"ipRestrict": True, "createTime": 1623840271000}
TRADER = ["enableReading", "enableSpotAndMarginTrading", "enableFutures"]
NO_ACCOUNT = CallFailed(Failure(kind=Kind.UNAVAILABLE, message="down"))


def a_key(**changes):
    given_ = {
        "name": "main",
        "api_key": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
        "secret": "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
        "permissions": TRADER,
        "ip_whitelist": ["203.0.113.10"],
        "uid": "354937868",
        "created": datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC),
        "balances": {"USDT": "12.5"},
        "open_orders": [{"symbol": "ETHUSDT", "orderId": 1}],
    }
    return Key(**(given_ | changes))


@pytest.fixture
def told(report):
    """The report of a body in which ``changes`` are made; a change to ``...`` leaves the field out."""

    def read(body=OFF, **changes):
        changed = {n: v for n, v in (body | changes).items() if v is not ...}
        return report("binance", key=changed, balance=NO_ACCOUNT)

    return read


class TestReport:
    def test_the_documented_example(self, report):
        seen = report("binance", key=DOCUMENTED, balance={"uid": 354937868, "balances": []})
        assert dict(seen.permissions.items()) == {
            Permission.READ: True,
            Permission.SPOT: False,
            Permission.MARGIN: None,  # portfolio margin has orders of its own
            Permission.FUTURES: None,
            Permission.OPTIONS: False,
            Permission.TRANSFER: True,
            Permission.WITHDRAW: False,
        }
        assert (seen.ip_whitelist.restricted, seen.ip_whitelist.addresses) == (False, ())
        assert (seen.account.uid, seen.account.is_sub, seen.account.parent_uid) == ("354937868", None, None)
        assert seen.created_at == datetime(2021, 6, 16, 10, 44, 31, tzinfo=UTC)
        assert (seen.label, seen.expires_at, seen.expiry_rule, seen.disabled) == (None, None, None, None)
        assert seen.unknown_words == ()

    def test_everything_off_is_denied(self, told):
        assert {value for _, value in told().permissions.items()} == {False}

    @pytest.mark.parametrize("flag", sorted(FLAGS))
    def test_each_flag_grants_what_it_is_documented_to_grant(self, told, flag):
        seen = told(**{flag: True}).permissions
        for permission, value in seen.items():
            wanted = (
                True if permission in FLAGS[flag] else None if permission in PERHAPS.get(flag, ()) else False
            )
            assert value is wanted, permission

    @pytest.mark.parametrize(("value", "withdraw"), [("true", True), (1, True), ("false", False), (0, False)])
    def test_flags_may_be_texts_and_numbers(self, told, value, withdraw):
        assert told(enableWithdrawals=value).permissions.withdraw is withdraw

    @pytest.mark.parametrize("value", [..., None, "maybe", 2, [], {}])
    def test_a_flag_that_is_not_told_is_unknown(self, told, value):
        assert told(enableWithdrawals=value).permissions.withdraw is None
        assert told(enableInternalTransfer=value).permissions.transfer is None

    @pytest.mark.parametrize(
        "flag", ["enableFixApiTrade", "enableFixReadOnly", "enablePortfolioMarginTrading"]
    )
    def test_a_newer_flag_may_be_absent_but_not_unreadable(self, told, flag):
        assert {v for _, v in told(**{flag: ...}).permissions.items()} == {False}
        seen = told(**{flag: "beta"}).permissions
        assert {p for p, v in seen.items() if v is None} == set(PERHAPS[flag])

    def test_an_unknown_flag_may_mean_anything(self, told):
        seen = told(enableTeleport=True, enableReading=True)
        assert seen.unknown_words == ("enableTeleport",)
        assert seen.permissions.read is True
        assert {v for p, v in seen.permissions.items() if p is not Permission.READ} == {None}

    @pytest.mark.parametrize("value", [True, "true"])
    def test_whatever_is_switched_on_may_be_a_right(self, told, value):
        seen = told(cardSpending=value)
        assert (seen.unknown_words, seen.permissions.withdraw) == (("cardSpending",), None)
        assert told(cardSpending=False).permissions.withdraw is False

    def test_an_unknown_flag_that_is_off_grants_nothing(self, told):
        seen = told(enableTeleport=False)
        assert (seen.unknown_words, seen.permissions.withdraw) == ((), False)

    def test_an_unknown_field_that_is_no_right_changes_nothing(self, told):
        assert told(accountTier="VIP 1").permissions.withdraw is False

    @pytest.mark.parametrize(
        ("value", "restricted", "addresses"),
        [(True, True, None), ("true", True, None), (False, False, ()), (..., None, None), ("?", None, None)],
    )
    def test_the_addresses_are_never_told(self, told, value, restricted, addresses):
        whitelist = told(ipRestrict=value).ip_whitelist
        assert (whitelist.restricted, whitelist.addresses) == (restricted, addresses)

    @pytest.mark.parametrize(
        ("value", "when"),
        [
            (1628985600000, datetime(2021, 8, 15, tzinfo=UTC)),
            ("1628985600000", datetime(2021, 8, 15, tzinfo=UTC)),
            (0, None),
            (-1, None),
            (None, None),
            (..., None),
        ],
    )
    def test_the_right_to_trade_ends_by_itself(self, told, value, when):
        seen = told(tradingAuthorityExpirationTime=value)
        assert (seen.trade_expires_at, seen.expires_at) == (when, None)

    @pytest.mark.parametrize(
        ("uid", "shown"), [(9007199254740993, "9007199254740993"), ("7", "7"), (0, None)]
    )
    def test_the_account_is_a_text(self, report, uid, shown):
        assert report("binance", key=OFF, balance={"balances": [], "uid": uid}).account.uid == shown

    def test_without_the_account_the_key_is_still_read(self, told):
        assert told().account.uid is None


class TestJudge:
    @pytest.mark.parametrize(
        ("call", "body"),
        [
            ("time", {"serverTime": 1}),
            ("status", {"status": 0, "msg": "normal"}),
            ("key", DOCUMENTED),
            ("balance", {"balances": []}),
            ("balance-margin", {"userAssets": []}),
            ("balance-futures", []),
            ("orders", [{"orderId": 1}]),
            ("orders-margin", []),
            ("orders-futures", [{"orderId": 1}]),
        ],
    )
    def test_a_success_has_its_own_shape(self, judge, call, body):
        assert judge("binance", call, body=body) is None
        assert judge("binance", call, body=body, status=202).kind is Kind.UNEXPECTED_RESPONSE

    @pytest.mark.parametrize(
        ("call", "body"),
        [
            ("key", {}),
            ("key", []),
            ("key", {"code": 0, "msg": "success"}),
            ("key", DOCUMENTED | {"code": 200}),
            ("balance", {"assets": []}),
            ("orders", {}),
            ("orders", ["text"]),
            ("orders", [{"code": -9, "msg": "?"}]),
            ("key", None),
            ("orders", "ok"),
        ],
    )
    def test_anything_else_with_http_200_is_none(self, judge, call, body):
        assert judge("binance", call, body=body).kind is Kind.UNEXPECTED_RESPONSE

    def test_an_error_may_come_with_http_200(self, judge):
        body = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
        assert judge("binance", "key", body=body).kind is Kind.AMBIGUOUS_AUTH

    def test_the_end_of_a_ban_is_read_against_the_exchange_s_own_clock(self, judge):
        body = {"code": -1003, "msg": "Way too much request weight used; IP banned until 1790856060000."}
        headers = {"date": "Thu, 01 Oct 2026 12:00:00 GMT"}
        found = judge("binance", "key", status=418, body=body, headers=headers)
        assert (found.kind, found.retry_after) == (Kind.RATE_LIMITED, 60.0)

    @pytest.mark.parametrize("said", ["", ", request ip: 185.93.111.189"])
    def test_a_refusal_for_many_reasons_leaves_none_of_them_out(self, judge, said):
        body = {"code": -2015, "msg": f"Invalid API-key, IP, or permissions for action{said}"}
        assert {Kind.INVALID_KEY, Kind.IP_NOT_ALLOWED, Kind.PERMISSION_DENIED, Kind.RATE_LIMITED} < set(
            judge("binance", "key", status=401, body=body).candidates
        )

    def test_the_region_is_told_with_code_zero(self, judge):
        found = judge("binance", "key", status=451, body={"code": 0, "msg": "restricted location"})
        assert (found.kind, found.retryable) == (Kind.REGION_BLOCKED, False)

    def test_margin_that_must_be_maintained_is_no_maintenance(self, judge):
        body = {"code": -2019, "msg": "Below the maintenance margin."}
        assert judge("binance", "key", status=400, body=body).kind is Kind.UNEXPECTED_RESPONSE

    def test_every_row_names_its_source(self):
        assert all(row.source for row in ROWS)

    @pytest.mark.parametrize(
        ("body", "health"),
        [
            ({"status": 0, "msg": "normal"}, Health.OPERATIONAL),
            ({"status": 1, "msg": "system_maintenance"}, Health.MAINTENANCE),
            ({"status": "1"}, Health.MAINTENANCE),
            ({"status": 2}, Health.UNKNOWN),
            ({}, Health.UNKNOWN),
            (None, Health.UNKNOWN),
        ],
    )
    def test_status(self, body, health):
        assert Binance().parse_status(body) is health

    def test_time(self):
        assert Binance().parse_time({"serverTime": 1499827319559}) == 1499827319559
        with pytest.raises(ValueError, match="serverTime"):
            Binance().parse_time({"serverTime": None})


#: Every error of the sandbox's table (and so of the facts) and what it means.
KINDS = {
    "key_format": Kind.INVALID_KEY,
    "invalid_key": Kind.INVALID_KEY,
    "bad_signature": Kind.BAD_SIGNATURE,
    "clock_skew": Kind.CLOCK_SKEW,
    "clock_ahead": Kind.CLOCK_SKEW,
    "ip_not_allowed": Kind.AMBIGUOUS_AUTH,
    "permission_denied": Kind.AMBIGUOUS_AUTH,
    "sapi_refused": Kind.AMBIGUOUS_AUTH,
    "fapi_refused": Kind.AMBIGUOUS_AUTH,
    "unauthorized": Kind.AMBIGUOUS_AUTH,
    "parameter_missing": Kind.BAD_REQUEST,
    "window_too_large": Kind.BAD_REQUEST,
    "bad_symbol": Kind.BAD_REQUEST,
    "bad_interval": Kind.BAD_REQUEST,
    "account_disabled": Kind.ACCOUNT_RESTRICTED,
    "symbol_not_permitted": Kind.PERMISSION_DENIED,
    "keys_locked": Kind.KEY_DISABLED,
    "no_margin_account": Kind.WRONG_ACCOUNT_MODE,
    "trading_banned": Kind.ACCOUNT_RESTRICTED,
    "orders_blocked": Kind.ACCOUNT_RESTRICTED,
    "cooling_off": Kind.ACCOUNT_RESTRICTED,
    "rate_limited": Kind.RATE_LIMITED,
    "rate_banned": Kind.RATE_LIMITED,
    "region_blocked": Kind.REGION_BLOCKED,
    "edge_block": Kind.UNAVAILABLE,
    "timeout": Kind.UNAVAILABLE,
    "busy": Kind.UNAVAILABLE,
    "internal": Kind.UNAVAILABLE,
    "maintenance": Kind.MAINTENANCE,
    "system_maintenance": Kind.MAINTENANCE,
    "not_found": Kind.UNEXPECTED_RESPONSE,
}


class TestEndToEnd:
    def test_every_error_has_its_kind(self):
        assert set(KINDS) == set(ERRORS)

    @pytest.mark.parametrize("error", sorted(KINDS))
    async def test_every_documented_error(self, observed, error):
        faults = Faults(paths={KEY_PATH: Faults(error=error)})
        failure = (await observed("binance", a_key(), faults=faults)).seen.failure
        assert failure.kind is KINDS[error]
        assert failure.call == "key"
        assert "signature=" not in failure.message
        assert bool(failure.candidates) is (failure.kind is Kind.AMBIGUOUS_AUTH)

    @pytest.mark.parametrize(
        ("market", "paths"),
        [
            (Market.SPOT, {"/api/v3/account", "/api/v3/openOrders"}),
            (Market.MARGIN, {"/sapi/v1/margin/account", "/sapi/v1/margin/openOrders"}),
            (Market.FUTURES, {"/fapi/v3/balance", "/fapi/v1/openOrders"}),
        ],
    )
    async def test_a_good_key_is_read_in_every_market(self, observed, market, paths):
        found = await observed("binance", a_key(), market=market)
        assert found.seen.failure is None
        assert {name: proof.failure for name, proof in found.seen.proofs.items()} == {
            "balance": None,
            "orders": None,
        }
        assert found.seen.report.account.uid == "354937868"
        assert found.seen.report.ip_whitelist.restricted is True
        assert found.seen.report.created_at == datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC)
        assert found.seen.health is Health.OPERATIONAL
        always = {"/api/v3/time", "/sapi/v1/system/status", KEY_PATH, "/api/v3/account"}
        assert {path for _, path in found.requests} == always | paths
        assert {method for method, _ in found.requests} == {"GET"}
        assert {path for _, path in found.requests} <= {call.path for call in Binance.calls}

    @pytest.mark.parametrize(
        ("pairs", "market"),
        [
            (("BTC/USDT",), Market.SPOT),
            (("ETH/USDT:USDT",), Market.FUTURES),
            ((), Market.SPOT),
        ],
    )
    async def test_orders_are_asked_of_one_symbol(self, answers, pairs, market):
        asked = answers(orders=[], orders_futures=[])
        await Binance().read_orders(asked, market, pairs)
        symbol = pairs[0].split(":")[0].replace("/", "") if pairs else "BTCUSDT"
        assert [params for _, params in asked.asked] == [{"symbol": symbol}]

    @pytest.mark.parametrize(
        ("wrong", "kind"),
        [
            ({"secret": "not-the-secret"}, Kind.BAD_SIGNATURE),
            ({"api_key": "unknown1KeyThatBinanceNeverGave"}, Kind.INVALID_KEY),
            ({"api_key": "no key at all"}, Kind.INVALID_KEY),
        ],
    )
    async def test_wrong_credentials(self, observed, wrong, kind):
        found = await observed("binance", a_key(), credentials=wrong)
        assert found.seen.failure.kind is kind
        assert found.seen.proofs == {}

    async def test_a_wrong_address_is_not_claimed_to_be_the_reason(self, observed):
        found = await observed("binance", a_key(ip_whitelist=["198.51.100.7"]), market=Market.FUTURES)
        assert found.seen.failure.kind is Kind.AMBIGUOUS_AUTH
        assert found.seen.failure.candidates == (
            Kind.IP_NOT_ALLOWED,
            Kind.PERMISSION_DENIED,
            Kind.KEY_DISABLED,
            Kind.INVALID_KEY,
            Kind.RATE_LIMITED,
        )
        assert (found.seen.caller_ip, found.seen.caller_ip_source) == ("203.0.113.10", "failure")

    async def test_a_clock_that_differs_does_not_hide_the_key(self, observed):
        found = await observed("binance", a_key(), clock_offset_ms=-45_000)
        assert found.seen.failure is None
        assert found.seen.clock_skew == pytest.approx(45, abs=2)

    async def test_a_key_without_whitelist_loses_its_right_to_trade(self, observed):
        ends = datetime(2026, 12, 24, tzinfo=UTC)
        report = (await observed("binance", a_key(ip_whitelist=[], expires=ends))).seen.report
        assert (report.trade_expires_at, report.expires_at) == (ends, None)
        assert report.ip_whitelist.restricted is False

    async def test_maintenance_is_announced_with_a_success(self, observed):
        faults = Faults(paths={"/sapi/v1/system/status": Faults(error="system_maintenance")})
        assert (await observed("binance", a_key(), faults=faults)).seen.health is Health.MAINTENANCE

    @pytest.mark.parametrize("status", [200, 403, 503])
    async def test_a_page_is_never_a_success(self, observed, status):
        faults = Faults(paths={KEY_PATH: Faults(verbatim=Verbatim(status=status, body="<html>hi</html>"))})
        found = await observed("binance", a_key(), faults=faults)
        assert found.seen.report is None
        assert found.seen.failure.kind in {Kind.UNEXPECTED_RESPONSE, Kind.UNAVAILABLE}

    @pytest.mark.parametrize("ours", [True, False])
    @pytest.mark.parametrize("kind", ["ed25519", "rsa"])
    async def test_asymmetric_keys_sign_too(self, observed, kind, ours):
        key = a_key(secret=pem(kind))
        found = await observed("binance", key, credentials={} if ours else {"secret": pem(kind)})
        assert (found.seen.failure and found.seen.failure.kind) == (None if ours else Kind.BAD_SIGNATURE)


def pem(kind):
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TestSecondQuestion:
    """-2015 says one thing for three reasons; what the key says of itself tells some apart."""

    async def test_futures_that_are_off_are_a_missing_permission(self, observed):
        key = a_key(permissions=["enableReading"])
        found = await observed("binance", key, market=Market.FUTURES)
        assert found.seen.failure is None
        for proof in found.seen.proofs.values():
            assert proof.failure.kind is Kind.PERMISSION_DENIED
            assert "enableFutures is off" in proof.failure.message
            assert proof.failure.caller_ip == "203.0.113.10"
            assert proof.failure.candidates == ()

    async def test_futures_that_are_on_leave_other_reasons(self, observed):
        faults = Faults(paths={"/fapi": Faults(error="fapi_refused")})
        found = await observed("binance", a_key(), market=Market.FUTURES, faults=faults)
        failure = found.seen.proofs["balance"].failure
        assert failure.kind is Kind.AMBIGUOUS_AUTH
        assert failure.candidates == (Kind.PERMISSION_DENIED, Kind.ACCOUNT_RESTRICTED, Kind.RATE_LIMITED)
        assert Kind.IP_NOT_ALLOWED not in failure.candidates

    async def test_reading_that_is_off_refuses_everything(self, observed):
        found = await observed("binance", a_key(permissions=["enableSpotAndMarginTrading"]))
        assert found.seen.failure.kind is Kind.AMBIGUOUS_AUTH
        assert found.seen.proofs["balance"].failure.kind is Kind.AMBIGUOUS_AUTH

    async def test_reading_that_the_key_says_is_off_is_a_missing_permission(self, observed):
        faults = Faults(paths={"/api/v3/account": Faults(error="permission_denied")})
        key = a_key(raw={"enableReading": False})
        found = await observed("binance", key, faults=faults)
        assert found.seen.proofs["balance"].failure.kind is Kind.PERMISSION_DENIED

    async def test_other_failures_ask_no_second_question(self, answers):
        asked = answers(balance=NO_ACCOUNT)
        with pytest.raises(CallFailed):
            await Binance().read_balance(asked, Market.SPOT)
        assert [name for name, _ in asked.asked] == ["balance"]


class TestCcxtFaults:
    """Each fails when ccxt mends what is worked round: then the workaround can go."""

    @pytest.fixture
    async def exchange(self):
        made = ccxt.binance({"apiKey": "k", "secret": "s", "timeout_on_exit": 0})
        yield made
        await made.close()

    def raised(self, exchange, status, body, url="http://127.0.0.1/api/v3/account"):
        with pytest.raises(ccxt.BaseError) as caught:
            exchange.handle_errors(status, "", url, "GET", {}, exchange.json(body), body, {}, None)
        return type(caught.value)

    def test_a_refusal_after_a_success_reads_as_rate_limit(self, exchange):
        body = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
        assert self.raised(exchange, 401, body) is ccxt.AuthenticationError
        exchange.options["hasAlreadyAuthenticatedSuccessfully"] = True
        assert self.raised(exchange, 401, body) is ccxt.DDoSProtection

    def test_an_unknown_key_is_known_on_the_spot_host_alone(self, exchange):
        body = {"code": -2008, "msg": "Invalid Api-Key ID."}
        assert self.raised(exchange, 401, body) is ccxt.ExchangeError
        spot = "https://api.binance.com/api/v3/account"
        assert self.raised(exchange, 401, body, spot) is ccxt.AuthenticationError

    def test_a_restricted_country_is_no_error_of_its_own(self, exchange):
        body = {"code": 0, "msg": "Service unavailable from a restricted location"}
        exchange.handle_errors(451, "", "", "GET", {}, exchange.json(body), body, {}, None)
        with pytest.raises(ccxt.ExchangeNotAvailable):
            exchange.handle_http_status_code(451, "", "", "GET", "{}")

    def test_the_test_net_has_no_wallet_api(self, exchange):
        exchange.set_sandbox_mode(True)
        with pytest.raises(ccxt.NotSupported):
            exchange.sign("account/apiRestrictions", ["sapi"], "GET", {})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
bodies = anything | st.dictionaries(
    st.sampled_from([*FLAGS, "ipRestrict", "createTime", "tradingAuthorityExpirationTime", "code", "msg"])
    | st.text(max_size=12),
    anything | st.sampled_from([True, False, "true", "false", 0, 1]),
    max_size=14,
)


class TestAnyAnswer:
    @given(key=bodies, account=bodies)
    def test_gives_a_report_or_a_failure_and_never_denies_what_is_not_denied(self, key, account):
        with contextlib.suppress(CallFailed):
            self.holds(read(key, account), key)

    def holds(self, seen, key):
        for permission, value in seen.permissions.items():
            speaking = [name for name in FLAGS if permission in FLAGS[name]]
            if value is False:
                assert all(key[name] in (False, 0, "false", "0") for name in speaking)
                assert not seen.unknown_words
            if value is True:
                assert any(key.get(name) in (True, 1, "true", "1") for name in speaking)

    @given(body=anything, status=st.integers(0, 599), call=st.sampled_from(Binance.calls))
    def test_is_judged(self, body, status, call):
        found = Binance().judge(Answer(call=call, status=status, body=body))
        assert found is None or found.message
        if status != 200:
            assert found is not None

    @given(body=anything)
    def test_leaves_health_and_time_without_surprises(self, body):
        assert Binance().parse_status(body) in Health
        with contextlib.suppress(ValueError):
            assert isinstance(Binance().parse_time(body), int)


def read(key, account):
    """The report of two bodies, judged first, without an event loop."""
    reader = Binance()

    class Ask:
        async def __call__(self, call, params=None):
            body = key if call.name == "key" else account
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
