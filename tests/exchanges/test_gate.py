"""Gate: every documented answer, through the parser, the sandbox and real ccxt."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges import parse
from reconciler.exchanges.gate import NAMES, PERHAPS, ROWS, UNBOUND_RULE, Gate
from reconciler.exchanges.interface import Answer
from reconciler.model.desired import Market
from reconciler.model.kinds import KINDS as TEXTS
from reconciler.model.live import CallFailed, Failure, Health, Permission, Permissions
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Verbatim
from reconciler.sandbox.venue import Incoming
from reconciler.sandbox.venues.gate import ERRORS
from reconciler.sandbox.venues.gate import Gate as GateVenue

OWN = "c5dcfbf1f3a7d0e9b8a7c6d5e4f30211"
DETAIL_PATH = "/api/v4/account/detail"
KEYS_PATH = "/api/v4/account/main_keys"
P = Permission
#: The answer that ccxt's own source quotes.
DETAIL = {
    "user_id": 10406147,
    "ip_whitelist": ["203.0.113.10"],
    "currency_pairs": [],
    "key": {"mode": 1},
    "tier": 0,
    "tier_expire_time": "0001-01-01T00:00:00Z",
    "copy_trading_role": 0,
}
#: The example of the documentation.
ENTRY = {
    "state": 1,
    "mode": 1,
    "name": "test1",
    "user_id": 10406147,
    "perms": [{"name": "account", "read_only": False}, {"name": "spot", "read_only": False}],
    "ip_whitelist": ["203.0.113.10"],
    "currency_pairs": ["BTC_USD", "ETH_USD"],
    "key": "c5dcfbf1f3a7*****",
    "created_at": 1753030929,
    "update_at": 1756300567,
    "last_access": 1753030929,
}
OTHER = ENTRY | {
    "key": "52fd0035f665*****",
    "name": "test2",
    "perms": [{"name": "wallet", "read_only": False}],
}
FULL = {
    "account": "read-only",
    "spot": "read-write",
    "futures": "read-write",
    "wallet": "read-only",
}


def a_key(**changes):
    given_ = {
        "name": "main",
        "api_key": OWN,
        "secret": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "permissions": FULL,
        "ip_whitelist": ["203.0.113.10"],
        "label": "bot eu",
        "uid": "10406147",
        "balances": {"USDT": "12.5", "BTC": "0.1"},
    }
    return Key(**(given_ | changes))


def lacks(scope):
    kind = Kind.PERMISSION_DENIED
    text = (
        f"{TEXTS[kind].title} (HTTP 403, code FORBIDDEN, “Request API key does not have {scope} permission”)."
    )
    return CallFailed(Failure(kind=kind, message=text, code="FORBIDDEN", status=403))


def failed(kind):
    return CallFailed(Failure(kind=kind, message="x"))


@pytest.fixture
def told(report):
    """The report of the documented entry with ``changes``; a change to ``...`` leaves the field out."""

    def read(*, detail=DETAIL, others=(OTHER,), **changes):
        entry = {n: v for n, v in (ENTRY | changes).items() if v is not ...}
        return report("gate", key=detail, main_keys=[*others, entry])

    return read


def perms(*words):
    """``spot`` for a right to write, ``spot:r`` for one to read."""
    return [{"name": word.removesuffix(":r"), "read_only": word.endswith(":r")} for word in words]


class TestReport:
    def test_the_documented_answer(self, told):
        seen = told()
        assert dict(seen.permissions.items()) == {
            P.READ: True,
            P.SPOT: True,
            P.MARGIN: True,
            P.FUTURES: False,
            P.OPTIONS: False,
            P.TRANSFER: False,
            P.WITHDRAW: False,
        }
        assert (seen.ip_whitelist.restricted, seen.ip_whitelist.addresses) == (True, ("203.0.113.10",))
        assert (seen.account.uid, seen.account.is_sub, seen.account.parent_uid) == ("10406147", False, None)
        assert (seen.label, seen.disabled, seen.unknown_words) == ("test1", False, ())
        assert seen.created_at == datetime(2025, 7, 20, 17, 2, 9, tzinfo=UTC)
        assert (seen.expires_at, seen.expiry_rule) == (None, None)

    @pytest.mark.parametrize(
        ("words", "true", "unknown"),
        [
            (("spot:r",), {P.READ}, set()),
            (("spot", "futures", "options"), {P.READ, P.SPOT, P.MARGIN, P.FUTURES, P.OPTIONS}, set()),
            (("wallet",), {P.READ, P.TRANSFER}, {P.WITHDRAW}),
            (("wallet:r", "spot"), {P.READ, P.SPOT, P.MARGIN}, set()),
            (("delivery", "spot:r"), {P.READ}, {P.FUTURES}),
            (("unified", "account"), {P.READ}, {P.MARGIN, P.TRANSFER}),
            (("sub_accounts",), {P.READ}, {P.TRANSFER, P.WITHDRAW}),
            (("otc", "custody:r"), {P.READ}, {P.TRANSFER, P.WITHDRAW}),
            (("withdrawal",), {P.READ, P.WITHDRAW}, {P.TRANSFER}),
            (("crossx",), {P.READ}, {P.SPOT, P.MARGIN, P.FUTURES, P.TRANSFER}),
        ],
    )
    def test_names(self, told, words, true, unknown):
        seen = told(perms=perms(*words))
        assert {p for p, value in seen.permissions.items() if value} == true
        assert {p for p, value in seen.permissions.items() if value is None} == unknown
        assert seen.unknown_words == ()

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_who_may_read_only_may_do_nothing_else(self, told, name):
        seen = told(perms=perms(f"{name}:r")).permissions
        assert seen.read is True
        assert {value for p, value in seen.items() if p is not P.READ} == {False}

    @pytest.mark.parametrize("flag", [..., None, "maybe", 2])
    def test_without_a_clear_read_only_the_rights_are_unknown(self, told, flag):
        item = {"name": "wallet"} | ({} if flag is ... else {"read_only": flag})
        seen = told(perms=[item, *perms("spot")]).permissions
        assert (seen.transfer, seen.withdraw, seen.spot, seen.futures) == (None, None, True, False)

    @pytest.mark.parametrize(
        "given_", [..., None, [], {}, "spot", [{"read_only": True}], [{"name": 7}], [[]], ["spot"]]
    )
    def test_a_list_that_is_not_told_denies_nothing(self, told, given_):
        assert told(perms=given_).permissions == Permissions()

    def test_an_unknown_name_may_mean_anything(self, told):
        seen = told(perms=perms("spot", "launchpad"))
        assert seen.unknown_words == ("launchpad",)
        assert (seen.permissions.spot, seen.permissions.withdraw, seen.permissions.futures) == (
            True,
            None,
            None,
        )

    def test_an_unknown_name_that_only_reads_is_shown(self, told):
        seen = told(perms=perms("spot", "launchpad:r"))
        assert seen.unknown_words == ("launchpad (read only)",)
        assert seen.permissions.withdraw is False

    def test_a_new_field_that_sounds_like_a_right_of_the_key(self, told):
        seen = told(withdraw_enabled=True)
        assert (seen.unknown_words, seen.permissions.withdraw) == (("withdraw_enabled",), None)

    def test_such_a_field_counts_beside_the_account_and_in_a_permission_too(self, told):
        seen = told(detail=DETAIL | {"can_withdraw": True})
        assert (seen.unknown_words, seen.permissions.withdraw) == (("can_withdraw",), None)
        seen = told(perms=[{"name": "spot", "read_only": False, "withdraw_allowed": True}])
        assert (seen.unknown_words, seen.permissions.withdraw) == (("withdraw_allowed",), None)

    @pytest.mark.parametrize(
        ("ips", "restricted", "addresses"),
        [
            ([], False, ()),
            ([""], False, ()),
            (["1.2.3.4", "2001:db8::1"], True, ("1.2.3.4", "2001:db8::1")),
            (["1.2.3.0/24"], True, ("1.2.3.0/24",)),
            ("1.2.3.4,1.2.3.5", True, ("1.2.3.4", "1.2.3.5")),
            (["1.2.3.*"], True, None),
            (None, None, None),
            ([7], None, None),
        ],
    )
    def test_addresses(self, told, ips, restricted, addresses):
        seen = told(detail=DETAIL | {"ip_whitelist": ips}).ip_whitelist
        assert (seen.restricted, seen.addresses) == (restricted, addresses)

    def test_a_key_without_addresses_is_valid_for_90_days(self, told):
        seen = told(detail=DETAIL | {"ip_whitelist": []}, ip_whitelist=[])
        assert seen.expires_at == datetime(2025, 10, 18, 17, 2, 9, tzinfo=UTC)
        assert seen.expiry_rule == UNBOUND_RULE

    @pytest.mark.parametrize("created", [..., None, 0, "soon", "0001-01-01T00:00:00Z"])
    def test_no_end_is_invented(self, told, created):
        seen = told(detail=DETAIL | {"ip_whitelist": []}, created_at=created)
        assert (seen.created_at, seen.expires_at, seen.expiry_rule) == (None, None, None)

    @pytest.mark.parametrize("created", [1753030929, "1753030929", "2025-07-20T17:02:09Z"])
    def test_times_are_numbers_or_texts(self, told, created):
        assert told(created_at=created).created_at == datetime(2025, 7, 20, 17, 2, 9, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("state", "disabled"), [(1, False), (2, True), (3, True), ("2", True), (9, None), (..., None)]
    )
    def test_states(self, told, state, disabled):
        assert told(state=state).disabled is disabled


class TestWhichEntry:
    """Gate lists every key of the main account; only this key's own entry may be believed."""

    @pytest.fixture
    def listed(self, answers):
        def read(main_keys, *, detail=DETAIL):
            probes = {"balance": [], "balance_futures": lacks("futures"), "wallet": lacks("wallet")}
            ask = answers(key=detail, main_keys=main_keys, **probes)
            return asyncio.run(Gate().read_key(ask, Market.SPOT)), [name for name, _ in ask.asked]

        return read

    @pytest.mark.parametrize("shown", [OWN, "c5dcfbf1f3a7*****", "c5dc****0211", "*****e4f30211"])
    def test_own_keys(self, listed, shown):
        seen, asked = listed([OTHER, ENTRY | {"key": shown}])
        assert (seen.label, seen.permissions.withdraw) == ("test1", False)
        assert asked == ["key", "main-keys"]

    @pytest.mark.parametrize(
        "main_keys",
        [
            [OTHER],
            [],
            [ENTRY, ENTRY],
            [ENTRY | {"key": "*****"}],
            [ENTRY | {"key": "c5d***"}],
            [ENTRY | {"key": "c5*dc*fbf1"}],
            [ENTRY | {"key": None}],
            [ENTRY | {"user_id": 7}],
            OTHER,
            ENTRY | {"key": {"mode": 1}, "ip_whitelist": []},
            ENTRY | {"key": {"mode": 1}, "user_id": 7},
            "text",
        ],
    )
    def test_of_other_keys_nothing_is_believed(self, listed, main_keys):
        seen, _ = listed(main_keys)
        assert (seen.permissions.read, seen.permissions.withdraw, seen.permissions.spot) == (True, None, None)
        assert (seen.label, seen.created_at, seen.account.is_sub) == (None, None, None)
        assert (seen.account.uid, seen.ip_whitelist.addresses) == ("10406147", ("203.0.113.10",))

    def test_the_shape_of_the_sdk_is_one_object_without_a_key(self, listed):
        seen, _ = listed(ENTRY | {"key": {"mode": 1}, "created_at": "1753030929"})
        assert (seen.label, seen.permissions.spot, seen.permissions.withdraw) == ("test1", True, False)

    @pytest.mark.parametrize(
        "refusal", [lacks("account"), failed(Kind.AMBIGUOUS_AUTH), failed(Kind.BAD_REQUEST)]
    )
    def test_a_key_that_may_not_list_is_tried_by_reading(self, listed, refusal):
        seen, asked = listed(refusal)
        assert seen.permissions == Permissions(read=True)
        assert asked == ["key", "main-keys", "balance", "balance-futures", "wallet"]

    @pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.RATE_LIMITED, Kind.IP_NOT_ALLOWED])
    def test_what_may_pass_is_no_reason_to_give_up(self, listed, kind):
        with pytest.raises(CallFailed) as caught:
            listed(failed(kind))
        assert caught.value.failure.kind is kind


class TestWithoutAccountPermission:
    @pytest.mark.parametrize(
        ("spot", "futures", "wallet", "expected"),
        [
            ([], {}, {}, Permissions(read=True)),
            (lacks("spot"), {}, lacks("wallet"), Permissions(read=True, spot=False)),
            (lacks("spot"), lacks("futures"), lacks("wallet"), Permissions(spot=False)),
            (
                lacks("spot"),
                failed(Kind.WRONG_ACCOUNT_MODE),
                lacks("wallet"),
                Permissions(read=True, spot=False),
            ),
            (lacks("futures"), lacks("spot"), lacks("spot"), Permissions()),
            (failed(Kind.RATE_LIMITED), failed(Kind.UNAVAILABLE), {}, Permissions(read=True)),
        ],
    )
    def test_reads_show_reach_only(self, answers, spot, futures, wallet, expected):
        ask = answers(key=lacks("account"), balance=spot, balance_futures=futures, wallet=wallet)
        seen = asyncio.run(Gate().read_key(ask, Market.SPOT))
        assert seen.permissions == expected
        assert (seen.account.uid, seen.ip_whitelist.restricted, seen.expires_at) == (None, None, None)

    def test_any_other_refusal_is_told(self, answers):
        with pytest.raises(CallFailed) as caught:
            asyncio.run(Gate().read_key(answers(key=failed(Kind.INVALID_KEY)), Market.SPOT))
        assert caught.value.failure.kind is Kind.INVALID_KEY


class TestJudge:
    @pytest.mark.parametrize(
        ("call", "body"),
        [
            ("key", {}),
            ("key", []),
            ("key", DETAIL | {"label": "X"}),
            ("key", "<html>"),
            ("main-keys", {}),
            ("main-keys", [7]),
            ("main-keys", [{"label": "FORBIDDEN"}]),
            ("balance", {}),
            ("orders", None),
            ("balance-futures", []),
            ("wallet", {"message": "hi"}),
            ("time", {"serverTime": 1}),
        ],
    )
    def test_http_200_alone_is_no_success(self, judge, call, body):
        assert judge("gate", call, body=body).kind is Kind.UNEXPECTED_RESPONSE

    def test_only_http_200_is_a_success(self, judge):
        assert judge("gate", "key", body=DETAIL) is None
        assert judge("gate", "key", body=DETAIL, status=204) is not None

    @pytest.mark.parametrize(
        ("reset", "wait"),
        [("1790856010", 10.0), ("1790856010500", 10.5), ("1790855990", 0.0), ("soon", None), ("7", None)],
    )
    def test_the_end_of_a_limit_is_a_moment(self, judge, reset, wait):
        headers = {"x-gate-ratelimit-reset-timestamp": reset, "date": "Thu, 01 Oct 2026 12:00:00 GMT"}
        body = {"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded"}
        found = judge("gate", "key", status=429, body=body, headers=headers)
        assert (found.kind, found.retry_after) == (Kind.RATE_LIMITED, wait)

    @pytest.mark.parametrize(
        ("message", "kind", "caller"),
        [
            ("Request IP not in whitelist: 11.11.11.11", Kind.IP_NOT_ALLOWED, "11.11.11.11"),
            ("Request API key does not have spot permission", Kind.PERMISSION_DENIED, None),
            ("Request API key does not have sub_accounts permission", Kind.PERMISSION_DENIED, None),
            ("", Kind.AMBIGUOUS_AUTH, None),
        ],
    )
    def test_one_label_of_many_meanings(self, judge, message, kind, caller):
        found = judge("gate", "key", status=403, body={"label": "FORBIDDEN", "message": message})
        assert (found.kind, found.caller_ip) == (kind, caller)
        assert bool(found.candidates) is (kind is Kind.AMBIGUOUS_AUTH)

    def test_every_row_names_its_source(self):
        assert all(row.source for row in ROWS)

    def test_time(self):
        assert Gate().parse_time({"server_time": 1597026383085}) == 1597026383085
        with pytest.raises(ValueError, match="server_time"):
            Gate().parse_time({})


#: Every error of the sandbox's table (and so of the facts) and what it means.
KINDS = {
    "invalid_key": Kind.INVALID_KEY,
    "bad_signature": Kind.BAD_SIGNATURE,
    "credentials": Kind.AMBIGUOUS_AUTH,
    "clock_skew": Kind.CLOCK_SKEW,
    "header_missing": Kind.BAD_REQUEST,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "ip_forbidden": Kind.IP_NOT_ALLOWED,
    "permission_denied": Kind.PERMISSION_DENIED,
    "no_spot_permission": Kind.PERMISSION_DENIED,
    "no_futures_permission": Kind.PERMISSION_DENIED,
    "no_wallet_permission": Kind.PERMISSION_DENIED,
    "read_only": Kind.PERMISSION_DENIED,
    "forbidden": Kind.AMBIGUOUS_AUTH,
    "main_account_only": Kind.AMBIGUOUS_AUTH,
    "account_locked": Kind.ACCOUNT_RESTRICTED,
    "sub_account_locked": Kind.ACCOUNT_RESTRICTED,
    "user_not_found": Kind.WRONG_ACCOUNT_MODE,
    "parameter_missing": Kind.BAD_REQUEST,
    "parameter_invalid": Kind.BAD_REQUEST,
    "method_not_allowed": Kind.BAD_REQUEST,
    "rate_limited": Kind.RATE_LIMITED,
    "too_fast": Kind.RATE_LIMITED,
    "busy": Kind.UNAVAILABLE,
    "internal": Kind.UNAVAILABLE,
    "server_error": Kind.UNAVAILABLE,
    "maintenance": Kind.MAINTENANCE,
    "edge_block": Kind.UNAVAILABLE,
    "not_found": Kind.UNEXPECTED_RESPONSE,
}
#: Refused for the account's scope alone, the key is valid: that is a report, not a failure.
NO_ACCOUNT = "no_account_permission"


class TestEndToEnd:
    def test_every_error_has_its_kind(self):
        assert {*KINDS, NO_ACCOUNT} == set(ERRORS)

    @pytest.mark.parametrize("error", sorted(KINDS))
    async def test_every_documented_error(self, observed, error):
        faults = Faults(paths={DETAIL_PATH: Faults(error=error)})
        failure = (await observed("gate", a_key(), faults=faults)).seen.failure
        assert (failure.kind, failure.call) == (KINDS[error], "key")
        assert bool(failure.candidates) is (failure.kind is Kind.AMBIGUOUS_AUTH)

    @pytest.mark.parametrize(
        ("market", "paths"),
        [
            (Market.SPOT, {"/api/v4/spot/accounts", "/api/v4/spot/open_orders"}),
            (Market.MARGIN, {"/api/v4/margin/accounts", "/api/v4/spot/open_orders"}),
            (Market.FUTURES, {"/api/v4/futures/usdt/accounts", "/api/v4/futures/usdt/orders"}),
        ],
    )
    async def test_a_good_key_is_read_in_every_market(self, observed, market, paths):
        found = await observed("gate", a_key(), market=market)
        assert found.seen.failure is None
        assert {name: proof.failure for name, proof in found.seen.proofs.items()} == {
            "balance": None,
            "orders": None,
        }
        report = found.seen.report
        assert (report.account.uid, report.account.is_sub, report.label) == ("10406147", False, "bot eu")
        assert report.ip_whitelist.addresses == ("203.0.113.10",)
        assert (report.permissions.futures, report.permissions.withdraw) == (True, False)
        assert found.seen.health is Health.UNKNOWN
        assert {path for _, path in found.requests} == {"/api/v4/spot/time", DETAIL_PATH, KEYS_PATH, *paths}
        assert {method for method, _ in found.requests} == {"GET"}

    async def test_orders_are_asked_for_by_what_the_pair_settles_in(self, observed):
        found = await observed("gate", a_key(), market=Market.FUTURES, pairs=("BTC/USD:BTC",))
        assert found.seen.proofs["orders"].failure is None
        assert ("GET", "/api/v4/futures/btc/orders") in found.requests

    @pytest.mark.parametrize(
        ("wrong", "kind"),
        [({"secret": "not-the-secret"}, Kind.BAD_SIGNATURE), ({"api_key": "0" * 32}, Kind.INVALID_KEY)],
    )
    async def test_wrong_credentials(self, observed, wrong, kind):
        found = await observed("gate", a_key(), credentials=wrong)
        assert found.seen.failure.kind is kind
        assert found.seen.proofs == {}

    async def test_an_address_that_is_not_allowed_is_named(self, observed):
        found = await observed("gate", a_key(ip_whitelist=["198.51.100.7"]))
        assert found.seen.failure.kind is Kind.IP_NOT_ALLOWED
        assert (found.seen.caller_ip, found.seen.caller_ip_source) == ("203.0.113.10", "failure")

    async def test_a_key_without_the_account_permission_still_works(self, observed):
        found = await observed("gate", a_key(permissions="spot"))
        assert found.seen.failure is None
        assert found.seen.report.permissions == Permissions(read=True)
        assert {proof.failure for proof in found.seen.proofs.values()} == {None}
        assert {path for _, path in found.requests} <= {call.path for call in Gate.calls} | {
            "/api/v4/futures/usdt/accounts"
        }

    async def test_a_key_that_can_do_nothing_here(self, observed):
        found = await observed("gate", a_key(permissions="earn"))
        assert found.seen.report.permissions == Permissions(spot=False)
        kinds = {proof.failure.kind for proof in found.seen.proofs.values()}
        assert kinds == {Kind.PERMISSION_DENIED}

    async def test_a_key_of_a_sub_account_may_not_list_keys(self, observed):
        found = await observed("gate", a_key(is_master=False, parent_uid="7"))
        report = found.seen.report
        assert (report.permissions.read, report.permissions.withdraw) == (True, None)
        assert (report.account.uid, report.account.is_sub) == ("10406147", None)

    async def test_a_wallet_that_may_write_leaves_withdrawal_open(self, observed):
        found = await observed("gate", a_key(permissions=FULL | {"wallet": "read-write"}))
        permissions = found.seen.report.permissions
        assert (permissions.transfer, permissions.withdraw) == (True, None)

    async def test_a_futures_account_that_was_never_opened(self, observed):
        found = await observed("gate", a_key(options={"futures": False}), market=Market.FUTURES)
        assert found.seen.failure is None
        failure = found.seen.proofs["balance"].failure
        assert failure.kind is Kind.WRONG_ACCOUNT_MODE
        assert "never opened" in failure.message

    async def test_a_clock_that_differs_does_not_hide_the_key(self, observed):
        found = await observed("gate", a_key(), clock_offset_ms=-90_000)
        assert found.seen.failure is None
        assert found.seen.clock_skew == pytest.approx(90, abs=2)

    @pytest.mark.parametrize("status", [200, 403, 503])
    async def test_a_page_is_never_a_success(self, observed, status):
        faults = Faults(paths={DETAIL_PATH: Faults(verbatim=Verbatim(status=status, body="<html>hi</html>"))})
        found = await observed("gate", a_key(), faults=faults)
        assert found.seen.report is None
        assert found.seen.failure.kind in {Kind.UNEXPECTED_RESPONSE, Kind.UNAVAILABLE}


class TestVenue:
    @pytest.fixture
    def signed(self):
        """A venue and a request that ccxt signed for its key."""
        key = a_key()
        made = ccxt.gate({"apiKey": key.api_key, "secret": key.secret})
        headers = made.sign("detail", ["private", "account"], "GET", {})["headers"]
        incoming = Incoming(
            method="GET",
            path=DETAIL_PATH,
            headers=headers,
            now_ms=int(datetime.now(UTC).timestamp() * 1000),
            caller="203.0.113.10",
        )
        return GateVenue(ExchangeSpec(id="gate", keys={key.name: key})), incoming

    def test_answers_what_is_signed(self, signed):
        venue, incoming = signed
        assert venue.reply(incoming).body["user_id"] == 10406147

    @pytest.mark.parametrize(
        ("changed", "label"),
        [
            ({"KEY": ""}, "MISSING_REQUIRED_HEADER"),
            ({"SIGN": ""}, "MISSING_REQUIRED_HEADER"),
            ({"Timestamp": ""}, "MISSING_REQUIRED_HEADER"),
            ({"Timestamp": "1541993715"}, "REQUEST_EXPIRED"),
            ({"Timestamp": "yesterday"}, "REQUEST_EXPIRED"),
            ({"Timestamp": "1541993715", "KEY": "0" * 32}, "REQUEST_EXPIRED"),
            ({"KEY": "0" * 32}, "INVALID_KEY"),
            ({"SIGN": "0" * 128}, "INVALID_SIGNATURE"),
        ],
    )
    def test_looks_at_the_clock_before_the_key(self, signed, changed, label):
        venue, incoming = signed
        assert venue.reply(replace(incoming, headers=dict(incoming.headers) | changed)).body["label"] == label

    def test_verifies_the_signature_of_the_documentation(self, signed):
        venue, incoming = signed
        venue.spec.keys["vector"] = a_key(name="vector", api_key="key", secret="secret")
        path, query, stamp = (
            "/api/v4/futures/orders",
            "contract=BTC_USD&status=finished&limit=50",
            "1541993715",
        )
        payload = "\n".join(("GET", path, query, hashlib.sha512(b"").hexdigest(), stamp))
        signature = hmac.new(b"secret", payload.encode(), hashlib.sha512).hexdigest()
        assert signature.startswith("55f84ea195d6fe57")
        headers = {"KEY": "key", "SIGN": signature, "Timestamp": stamp}
        asked = replace(incoming, path=path, query=query, headers=headers, now_ms=int(stamp) * 1000)
        assert venue.authenticate(asked).name == "vector"

    def test_masks_every_key_and_shows_the_user_s_only(self, signed):
        venue, incoming = signed
        venue.spec.keys |= {
            "second": a_key(name="second", api_key="52fd0035f6650000", label="second"),
            "stranger": a_key(name="stranger", api_key="99", uid="5"),
        }
        key = venue.spec.keys["main"]
        made = ccxt.gate({"apiKey": key.api_key, "secret": key.secret})
        headers = made.sign("main_keys", ["private", "account"], "GET", {})["headers"]
        listed = venue.reply(replace(incoming, path=KEYS_PATH, headers=headers)).body
        assert [each["key"] for each in listed] == ["c5dcfbf1f3a7*****", "52fd0035f665*****"]

    def test_takes_no_writes(self, signed):
        venue, incoming = signed
        key = venue.spec.keys["main"]
        made = ccxt.gate({"apiKey": key.api_key, "secret": key.secret})
        out = made.sign("orders", ["private", "spot"], "POST", {"currency_pair": "BTC_USDT"})
        path = "/api/v4/spot/orders"
        asked = replace(incoming, method="POST", path=path, headers=out["headers"], body=out["body"].encode())
        assert venue.reply(asked).body["label"] == "READ_ONLY"


class TestCcxtFaults:
    """Each fails when ccxt mends what is worked round: then the workaround can go."""

    @pytest.fixture
    async def exchange(self):
        made = ccxt.gate({"apiKey": "k", "secret": "s"})
        yield made
        await made.close()

    @pytest.mark.parametrize(
        ("label", "wrong"),
        [
            ("REQUEST_EXPIRED", ccxt.AuthenticationError),
            ("IP_FORBIDDEN", ccxt.AuthenticationError),
            ("FORBIDDEN", ccxt.PermissionDenied),
            ("MISSING_REQUIRED_HEADER", ccxt.AuthenticationError),
        ],
    )
    def test_labels_of_a_class_that_misleads(self, exchange, label, wrong):
        body = {"label": label, "message": "Request IP not in whitelist: 11.11.11.11"}
        with pytest.raises(ccxt.BaseError) as caught:
            exchange.handle_errors(403, "", "", "GET", {}, exchange.json(body), body, {}, None)
        assert type(caught.value) is wrong

    async def test_asking_for_the_mode_swallows_every_refusal(self, exchange):
        async def refused(params):
            raise ccxt.AuthenticationError("gate")

        exchange.privateAccountGetDetail = refused
        assert await exchange.load_unified_status() is False

    async def test_the_test_net_has_no_unified_accounts(self, exchange):
        exchange.set_sandbox_mode(True)
        with pytest.raises(KeyError):
            exchange.sign("accounts", ["private", "unified"], "GET", {})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
permission_items = st.fixed_dictionaries(
    {"name": st.sampled_from([*NAMES, "move", "Spot "])},
    optional={"read_only": st.booleans() | st.none() | st.sampled_from(["true", "false", 0, 1, "no"])},
)
entries = st.dictionaries(
    st.sampled_from([*ENTRY, "withdraw_all"]), anything | st.lists(permission_items, max_size=4), max_size=10
).map(lambda entry: entry | {"key": "c5dcfbf1f3a7*****"})


class TestAnyAnswer:
    @given(entry=entries)
    def test_never_denies_what_is_not_denied(self, entry):
        with contextlib.suppress(CallFailed):
            self.holds(read(key=DETAIL, main_keys=[entry, OTHER]), entry)

    def holds(self, seen, entry):
        given_ = entry.get("perms")
        items = given_ if isinstance(given_, list) and all(isinstance(i, dict) for i in given_) else []
        writing = {
            str(item.get("name")).strip().casefold()
            for item in items
            if parse.flag(item.get("read_only")) is not True
        }
        for permission, value in seen.permissions.items():
            granting = {n for n in NAMES if permission in (*NAMES[n], *PERHAPS.get(n, ()))}
            if value is False:
                assert items
                assert not writing & granting
                assert writing <= set(NAMES)
                assert "withdraw_all" not in entry
            if value is True and permission is not P.READ:
                assert writing & granting

    @given(key=anything, main_keys=anything)
    def test_of_any_shape_is_a_report_or_a_failure(self, key, main_keys):
        with contextlib.suppress(CallFailed):
            read(key=key, main_keys=main_keys)
        with contextlib.suppress(CallFailed):
            read(key=DETAIL, main_keys=main_keys)

    @given(body=anything, status=st.integers(0, 599), call=st.sampled_from(Gate.calls))
    def test_is_judged(self, body, status, call):
        found = Gate().judge(Answer(call=call, status=status, body=body))
        if found is None:
            assert status == 200
            assert isinstance(body, list)
        else:
            assert found.message

    @given(body=anything)
    def test_leaves_the_time_without_surprises(self, body):
        with contextlib.suppress(ValueError):
            assert isinstance(Gate().parse_time(body), int)


def read(**bodies):
    """The report of given bodies, judged first, without an event loop."""
    reader = Gate()

    class Ask:
        async def __call__(self, call, params=None):
            body = bodies.get(call.name.replace("-", "_"))
            failure = reader.judge(Answer(call=call, status=200, body=body))
            if failure is not None:
                raise CallFailed(failure)
            return body

        def owns(self, shown):
            return parse.shows(shown, OWN)

    running = reader.read_key(Ask(), Market.SPOT)
    try:
        running.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("nothing here waits")
