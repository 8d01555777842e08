"""Bitget, classic and unified: every documented answer, through the parser, the sandbox and real ccxt."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges.bitget import (
    PERHAPS,
    ROWS,
    UTA_PERHAPS,
    UTA_WORDS,
    WORDS,
    Bitget,
)
from reconciler.exchanges.interface import Answer
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Failure, Health, Permission
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import Faults, Key, Verbatim
from reconciler.sandbox.venues.bitget import ERRORS

KEY_PATHS = ("/api/v3/account/info", "/api/v2/spot/account/info")
#: The examples of the documentation.
CLASSIC = {
    "userId": "1234567890",
    "inviterId": "987",
    "ips": "127.0.0.1",
    "authorities": ["trade", "readonly"],
    "parentId": 1,
    "traderType": "trader",
    "channelCode": "XXX",
    "channel": "YYY",
    "regisTime": "1246566789345",
}
UNIFIED = {
    "userId": "123456789",
    "inviterId": "987654321",
    "parentId": "",
    "channelCode": "6258",
    "channel": "official",
    "ips": "192.168.1.1,192.168.1.2",
    "permType": "read-and-write",
    "permissions": ["uta_mgt", "uta_trade", "withdraw", "copy_futures_position", "copy_futures_order"],
    "regisTime": "1704067200000",
}
TRADER = ["stow", "smow", "coow", "cpow"]


def failed(kind):
    return CallFailed(Failure(kind=kind, message=str(kind)))


CLASSIC_ACCOUNT = failed(Kind.WRONG_ACCOUNT_MODE)


def wrap(data):
    return {"code": "00000", "msg": "success", "requestTime": 1695808949356, "data": data}


def a_key(**changes):
    given_ = {
        "name": "main",
        "api_key": "bg_6b8f0c1d2e3a4b5c6d7e8f9a0b1c2d3e",
        "secret": "0f9e8d7c6b5a49382716f5e4d3c2b1a00f9e8d7c6b5a49382716f5e4d3c2b1a0",
        "passphrase": "botPassphrase1",
        "permissions": TRADER,
        "ip_whitelist": ["203.0.113.10"],
        "uid": "1234567890",
        "created": datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC),
        "balances": {"USDT": "12.5"},
        "open_orders": [{"symbol": "ETHUSDT", "orderId": "1"}],
    }
    return Key(**(given_ | changes))


def a_unified_key(**changes):
    return a_key(**({"unified": True, "permissions": ["uta_mgt", "uta_trade"]} | changes))


def changed(body, changes):
    return {name: value for name, value in (body | changes).items() if value is not ...}


@pytest.fixture
def classic(report):
    """The report of a classic key; a change to ``...`` leaves a field out."""

    def read(*words, **changes):
        body = changed(CLASSIC | {"authorities": list(words)}, changes)
        return report("bitget", key_uta=CLASSIC_ACCOUNT, key=wrap(body))

    return read


@pytest.fixture
def unified(report):
    """The report of a unified key; the classic API says that the account is unified."""

    def read(*words, **changes):
        body = changed(UNIFIED | {"permissions": list(words)}, changes)
        return report("bitget", key_uta=wrap(body), key=failed(Kind.WRONG_ACCOUNT_MODE))

    return read


def wanted(permission, sure, perhaps):
    if permission in sure:
        return True
    if permission in perhaps or permission is Permission.READ or permission is Permission.OPTIONS:
        return None  # no list tells of options, and none denies reading
    return False


class TestClassic:
    def test_the_documented_example_uses_old_words_that_deny_nothing(self, report):
        seen = report("bitget", key_uta=CLASSIC_ACCOUNT, key=wrap(CLASSIC))
        assert seen.permissions.read is True
        assert {v for p, v in seen.permissions.items() if p is not Permission.READ} == {None}
        assert seen.ip_whitelist.addresses == ("127.0.0.1",)
        assert (seen.account.uid, seen.account.is_sub, seen.account.parent_uid) == ("1234567890", True, "1")
        assert (seen.label, seen.created_at, seen.expires_at, seen.disabled) == (None, None, None, None)
        assert seen.unknown_words == ()

    @pytest.mark.parametrize("word", sorted(set(WORDS) - {"readonly", "trade"}))
    def test_each_word_grants_what_it_is_documented_to_grant(self, classic, word):
        for permission, value in classic(word).permissions.items():
            assert value is wanted(permission, WORDS[word], PERHAPS.get(word, ())), permission

    def test_a_trading_key_cannot_withdraw(self, classic):
        seen = classic(*TRADER).permissions
        assert (seen.read, seen.spot, seen.margin, seen.futures) == (True, True, True, True)
        assert (seen.transfer, seen.withdraw) == (False, False)

    def test_withdrawing_and_transferring_are_two_words(self, classic):
        assert classic("stow", "wwow").permissions.withdraw is True
        assert classic("stow", "wtow").permissions.withdraw is False
        assert classic("stow", "wtow").permissions.transfer is True

    @pytest.mark.parametrize("word", ["p2p", "p2pw"])
    def test_selling_to_strangers_leaves_withdrawing_unknown(self, classic, word):
        assert classic("stow", word).permissions.withdraw is None
        assert classic("stow", "p2pr").permissions.withdraw is False

    def test_making_keys_for_sub_accounts_leaves_withdrawing_unknown(self, classic):
        assert classic("stow", "chow").permissions.withdraw is None
        assert classic("stow", "chor").permissions.withdraw is False

    def test_an_old_word_beside_new_ones_denies_nothing(self, classic):
        seen = classic("stow", "trade").permissions
        assert (seen.spot, seen.withdraw) == (True, None)

    @pytest.mark.parametrize("word", ["wwaw", "withdraw", "uta_trade", "x"])
    def test_an_unknown_word_may_mean_anything(self, classic, word):
        seen = classic("stow", word)
        assert seen.unknown_words == (word,)
        assert (seen.permissions.spot, seen.permissions.withdraw, seen.permissions.futures) == (
            True,
            None,
            None,
        )

    @pytest.mark.parametrize("listed", [[], "", None, ..., {"stow": True}, [1], 7])
    def test_a_list_that_is_not_told_denies_nothing(self, classic, listed):
        assert {v for _, v in classic(authorities=listed).permissions.items()} == {None}

    def test_a_list_may_be_a_text_in_any_case(self, classic):
        assert classic(authorities="STOW, wwow").permissions.withdraw is True

    def test_a_new_field_that_sounds_like_a_right_may_mean_anything(self, classic):
        seen = classic("stow", withdrawEnabled=True)
        assert (seen.unknown_words, seen.permissions.withdraw) == (("withdrawEnabled",), None)
        assert classic("stow", withdrawEnabled=False).permissions.withdraw is False
        assert classic("stow", vip="1").permissions.withdraw is False

    @pytest.mark.parametrize(
        ("parent", "account"),
        [
            (1234567890, (False, None)),
            ("1234567890", (False, None)),
            (987, (True, "987")),
            (0, (None, None)),
            ("", (None, None)),
            (None, (None, None)),
            (..., (None, None)),
        ],
    )
    def test_a_main_account_is_its_own_parent(self, classic, parent, account):
        seen = classic("stow", parentId=parent).account
        assert (seen.uid, (seen.is_sub, seen.parent_uid)) == ("1234567890", account)

    @pytest.mark.parametrize("uid", [9007199254740993, "9007199254740993"])
    def test_the_account_is_a_text(self, classic, uid):
        assert classic("stow", userId=uid).account.uid == "9007199254740993"


class TestUnified:
    def test_the_documented_example(self, report):
        seen = report("bitget", key_uta=wrap(UNIFIED))
        assert dict(seen.permissions.items()) == {
            Permission.READ: True,
            Permission.SPOT: True,
            Permission.MARGIN: True,
            Permission.FUTURES: True,
            Permission.OPTIONS: None,
            Permission.TRANSFER: True,
            Permission.WITHDRAW: True,
        }
        assert seen.ip_whitelist.addresses == ("192.168.1.1", "192.168.1.2")
        assert (seen.account.uid, seen.account.is_sub, seen.account.parent_uid) == ("123456789", False, None)
        assert seen.created_at is None  # regisTime is the account's

    @pytest.mark.parametrize("word", sorted(UTA_WORDS))
    def test_each_word_grants_what_it_is_documented_to_grant(self, unified, word):
        for permission, value in unified(word).permissions.items():
            assert value is wanted(permission, UTA_WORDS[word], UTA_PERHAPS.get(word, ())), permission

    @pytest.mark.parametrize("kind", ["read-only", "read_only", "readonly", "Read-Only"])
    def test_read_only_overrides_every_word(self, unified, kind):
        seen = unified("uta_mgt", "uta_trade", "withdraw", permType=kind).permissions
        assert seen.read is True
        assert {v for p, v in seen.items() if p is not Permission.READ} == {False}

    @pytest.mark.parametrize("kind", ["read-and-write", "read_write", "READ-WRITE"])
    def test_read_and_write_overrides_nothing(self, unified, kind):
        assert unified("uta_trade", "withdraw", permType=kind).permissions.withdraw is True
        assert unified("uta_trade", permType=kind).permissions.withdraw is False

    @pytest.mark.parametrize("kind", ["write", "", 1, True, None])
    def test_a_type_that_nobody_knows_grants_nothing_for_sure(self, unified, kind):
        seen = unified("uta_trade", "withdraw", permType=kind).permissions
        assert (seen.spot, seen.withdraw, seen.transfer) == (None, None, False)

    def test_without_a_type_the_words_stand(self, unified):
        assert unified("uta_trade", "withdraw", permType=...).permissions.withdraw is True

    def test_an_unknown_word_may_mean_anything_but_not_to_a_reading_key(self, unified):
        seen = unified("uta_trade", "uta_vault")
        assert (seen.unknown_words, seen.permissions.withdraw) == (("uta_vault",), None)
        seen = unified("uta_trade", "uta_vault", permType="read-only")
        assert (seen.unknown_words, seen.permissions.withdraw) == (("uta_vault",), False)

    def test_a_new_field_may_mean_anything_even_to_a_reading_key(self, unified):
        seen = unified("uta_trade", permType="read-only", withdrawPermission="on")
        assert (seen.unknown_words, seen.permissions.withdraw) == (("withdrawPermission",), None)

    @pytest.mark.parametrize("listed", [[], "", None, ..., [None]])
    def test_a_list_that_is_not_told_denies_nothing(self, unified, listed):
        assert {v for _, v in unified(permissions=listed).permissions.items()} == {None}

    @pytest.mark.parametrize(
        ("changes", "account"),
        [
            ({}, ("123456789", False, None)),
            ({"parentId": "555"}, ("123456789", True, "555")),
            ({"parentId": None}, ("123456789", None, None)),
            ({"parentId": ...}, ("123456789", None, None)),
            ({"userId": ..., "uid": "77"}, ("77", False, None)),
        ],
    )
    def test_only_a_sub_account_has_a_parent(self, unified, changes, account):
        seen = unified("uta_trade", **changes).account
        assert (seen.uid, seen.is_sub, seen.parent_uid) == account

    @pytest.mark.parametrize(
        ("ips", "restricted", "addresses"),
        [
            ("", False, ()),
            ([], False, ()),
            (None, None, None),
            (..., None, None),
            ("*", False, ()),
            ("203.0.113.10", True, ("203.0.113.10",)),
            (["203.0.113.10", "198.51.100.7"], True, ("203.0.113.10", "198.51.100.7")),
            ("203.0.**.10", True, None),
            ("anywhere", None, None),
            (7, None, None),
        ],
    )
    def test_addresses(self, unified, ips, restricted, addresses):
        whitelist = unified("uta_trade", ips=ips).ip_whitelist
        assert (whitelist.restricted, whitelist.addresses) == (restricted, addresses)


class TestMode:
    """Which API a key speaks is its account's matter."""

    def test_without_a_unified_right_the_classic_answer_counts_too(self, report):
        body = wrap(UNIFIED | {"permissions": [], "permType": "read-only"})
        seen = report("bitget", key_uta=body, key=wrap(CLASSIC | {"authorities": ["stow", "wwow"]}))
        assert (seen.permissions.spot, seen.permissions.withdraw) == (True, True)
        assert seen.account.uid == "1234567890"

    def test_words_of_both_answers_are_joined(self, report):
        body = wrap(UNIFIED | {"permissions": ["withdraw"]})
        seen = report("bitget", key_uta=body, key=wrap(CLASSIC | {"authorities": ["stow"]}))
        assert (seen.permissions.spot, seen.permissions.withdraw) == (True, True)

    @pytest.mark.parametrize("listed", [[], [""], "", None, ...])
    @pytest.mark.parametrize(("word", "withdraw"), [("copy_futures_position", None), ("withdraw", True)])
    def test_a_classic_answer_that_lists_nothing_denies_nothing(self, report, listed, word, withdraw):
        body = wrap(UNIFIED | {"permissions": [word]})
        seen = report("bitget", key_uta=body, key=wrap(changed(CLASSIC, {"authorities": listed})))
        assert seen.permissions.withdraw is withdraw
        assert {v for p, v in seen.permissions.items() if p is not Permission.WITHDRAW} == {None}

    @pytest.mark.parametrize("kind", [Kind.PERMISSION_DENIED, Kind.UNAVAILABLE, Kind.UNEXPECTED_RESPONSE])
    def test_what_the_unified_answer_names_counts_without_the_classic_one(self, report, kind):
        seen = report("bitget", key_uta=wrap(UNIFIED | {"permissions": ["withdraw"]}), key=failed(kind))
        assert (seen.permissions.withdraw, seen.permissions.spot) == (True, None)

    @pytest.mark.parametrize("kind", [Kind.PERMISSION_DENIED, Kind.UNAVAILABLE, Kind.UNEXPECTED_RESPONSE])
    def test_when_the_classic_answer_is_not_had_nothing_is_denied(self, report, kind):
        body = wrap(UNIFIED | {"permissions": ["copy_futures_position"]})
        seen = report("bitget", key_uta=body, key=failed(kind))
        assert {v for _, v in seen.permissions.items()} == {None}

    def test_a_unified_account_may_hold_a_key_without_its_rights(self, unified):
        assert unified("copy_futures_position").permissions.withdraw is False

    @pytest.mark.parametrize(
        ("first", "second", "told"),
        [
            (Kind.WRONG_ACCOUNT_MODE, Kind.PERMISSION_DENIED, Kind.PERMISSION_DENIED),
            (Kind.PERMISSION_DENIED, Kind.WRONG_ACCOUNT_MODE, Kind.PERMISSION_DENIED),
            (Kind.BAD_REQUEST, Kind.IP_NOT_ALLOWED, Kind.BAD_REQUEST),
            (Kind.INVALID_KEY, None, Kind.INVALID_KEY),
            (Kind.RATE_LIMITED, None, Kind.RATE_LIMITED),
        ],
    )
    def test_the_failure_that_says_most_is_told(self, report, first, second, told):
        answers = {"key_uta": failed(first)} | ({"key": failed(second)} if second else {})
        with pytest.raises(CallFailed) as found:
            report("bitget", **answers)
        assert found.value.failure.kind is told

    @pytest.mark.parametrize("data", [None, [], {}, {"inviterId": "1"}])
    def test_an_answer_that_describes_no_key(self, report, data):
        with pytest.raises(CallFailed) as found:
            report("bitget", key_uta=wrap(data))
        assert found.value.failure.kind is Kind.UNEXPECTED_RESPONSE

    @pytest.mark.parametrize(
        ("market", "pair", "category", "classic"),
        [
            (Market.SPOT, "ETH/USDT", "SPOT", ("orders", {})),
            (
                Market.MARGIN,
                "ETH/USDT",
                "MARGIN",
                ("orders-margin", {"symbol": "ETHUSDT", "startTime": 1783166400000}),
            ),
            (Market.FUTURES, "", "USDT-FUTURES", ("orders-futures", {"productType": "USDT-FUTURES"})),
            (
                Market.FUTURES,
                "ETH/USDC:USDC",
                "USDC-FUTURES",
                ("orders-futures", {"productType": "USDC-FUTURES"}),
            ),
            (
                Market.FUTURES,
                "BTC/USD:BTC",
                "COIN-FUTURES",
                ("orders-futures", {"productType": "COIN-FUTURES"}),
            ),
        ],
    )
    async def test_orders_are_asked_of_the_market_in_either_mode(
        self, answers, market, pair, category, classic
    ):
        asked = answers(orders_uta=CLASSIC_ACCOUNT, **{classic[0].replace("-", "_"): wrap([])})
        await Bitget().read_orders(asked, market, (pair,) if pair else ())
        assert asked.asked == [("orders-uta", {"category": category}), classic]


class TestJudge:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            None,
            {"code": "00000"},
            {"code": 0, "data": {}},
            {"code": "0", "data": {}},
            {"code": "200", "data": {}},
            {"data": {}},
            {"code": True, "data": {}},
        ],
    )
    def test_http_200_alone_is_no_success(self, judge, body):
        assert judge("bitget", "key", body=body).kind is Kind.UNEXPECTED_RESPONSE

    def test_five_zeros_with_data_are_one_but_only_with_http_200(self, judge):
        assert judge("bitget", "orders", body=wrap(None)) is None
        assert judge("bitget", "key", body=wrap({}), status=503).kind is Kind.UNAVAILABLE

    @pytest.mark.parametrize("code", ["43011", "70000"])
    def test_http_429_is_a_limit_whatever_the_code(self, judge, code):
        body = {"code": code, "msg": "too many", "data": None}
        assert judge("bitget", "key", status=429, body=body).kind is Kind.RATE_LIMITED

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("Parameter verification exception", Kind.UNAVAILABLE),
            ("Parameter verification exception ", Kind.UNAVAILABLE),
            ("system release", Kind.UNAVAILABLE),
            ("", Kind.UNAVAILABLE),
            ("Parameter verification exception size checkBDScale error value=1", Kind.BAD_REQUEST),
            ("Parameter size verification failed", Kind.BAD_REQUEST),
        ],
    )
    def test_40808_is_a_bad_request_only_where_it_names_the_parameter(self, judge, text, kind):
        body = {"code": "40808", "msg": text, "requestTime": 1, "data": None}
        assert judge("bitget", "key-uta", status=400, body=body).kind is kind

    def test_codes_may_be_numbers_and_errors_of_an_older_kind(self, judge):
        assert judge("bitget", "key", status=400, body={"code": 40037, "msg": "x"}).kind is Kind.INVALID_KEY
        old = {"status": "error", "err_code": "40009", "err_msg": "x"}
        assert judge("bitget", "key", body=old).kind is Kind.BAD_SIGNATURE

    @pytest.mark.parametrize(
        ("text", "kind"),
        [("sign signature error", Kind.BAD_SIGNATURE), ("Request timed out", Kind.UNAVAILABLE)],
    )
    def test_code_40010_is_what_its_text_says(self, judge, text, kind):
        assert judge("bitget", "key", status=400, body={"code": "40010", "msg": text}).kind is kind

    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("Invalid IP,Current request IP 203.0.113.10", "203.0.113.10"),
            ("Invalid IP ... ip 1.2.3.4", "1.2.3.4"),
            ("Invalid IP,Current request IP {0}", None),
        ],
    )
    def test_the_address_is_named_or_forgotten(self, judge, text, address):
        assert judge("bitget", "key", status=400, body={"code": "40018", "msg": text}).caller_ip == address

    def test_every_row_names_its_source(self):
        assert all(row.source for row in ROWS)

    def test_time(self):
        assert Bitget().parse_time(wrap({"serverTime": "1688008631614"})) == 1688008631614
        with pytest.raises(ValueError, match="serverTime"):
            Bitget().parse_time(wrap({}))


#: Every error of the sandbox's table (and so of the facts) and what it means.
KINDS = {
    "key_empty": Kind.BAD_REQUEST,
    "signature_empty": Kind.BAD_REQUEST,
    "request_expired": Kind.CLOCK_SKEW,
    "timestamp": Kind.CLOCK_SKEW,
    "clock_skew": Kind.CLOCK_SKEW,
    "window": Kind.CLOCK_SKEW,
    "clock_skew_uta": Kind.CLOCK_SKEW,
    "invalid_key": Kind.INVALID_KEY,
    "key_unknown": Kind.INVALID_KEY,
    "key_missing": Kind.INVALID_KEY,
    "bad_signature": Kind.BAD_SIGNATURE,
    "timed_out": Kind.UNAVAILABLE,
    "passphrase_empty": Kind.MISSING_PASSPHRASE,
    "passphrase_parameter": Kind.MISSING_PASSPHRASE,
    "wrong_passphrase": Kind.AMBIGUOUS_AUTH,
    "passphrase_error": Kind.WRONG_PASSPHRASE,
    "user_abnormal": Kind.ACCOUNT_RESTRICTED,
    "permission_denied": Kind.PERMISSION_DENIED,
    "write_denied": Kind.PERMISSION_DENIED,
    "unbound": Kind.PERMISSION_DENIED,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "ip_not_allowed_unnamed": Kind.IP_NOT_ALLOWED,
    "ip_not_whitelisted": Kind.IP_NOT_ALLOWED,
    "wrong_environment": Kind.WRONG_ENVIRONMENT,
    "classic_account": Kind.WRONG_ACCOUNT_MODE,
    "unified_account": Kind.WRONG_ACCOUNT_MODE,
    "two_factor_required": Kind.ACCOUNT_RESTRICTED,
    "account_restricted": Kind.ACCOUNT_RESTRICTED,
    "account_restricted_2": Kind.ACCOUNT_RESTRICTED,
    "account_restricted_3": Kind.ACCOUNT_RESTRICTED,
    "account_frozen": Kind.ACCOUNT_RESTRICTED,
    "account_disabled": Kind.ACCOUNT_RESTRICTED,
    "account_cancelled": Kind.ACCOUNT_RESTRICTED,
    "regional_currency": Kind.REGION_BLOCKED,
    "region_blocked": Kind.REGION_BLOCKED,
    "parameter": Kind.BAD_REQUEST,
    "parameter_empty": Kind.BAD_REQUEST,
    "parameter_check": Kind.BAD_REQUEST,
    "rate_limited": Kind.RATE_LIMITED,
    "system_abnormal": Kind.UNAVAILABLE,
    "busy": Kind.UNAVAILABLE,
    "release": Kind.UNAVAILABLE,
    "unknown_error": Kind.UNAVAILABLE,
    "maintenance": Kind.MAINTENANCE,
    "not_found": Kind.BAD_REQUEST,
    "edge_block": Kind.UNAVAILABLE,
}


class TestEndToEnd:
    def test_every_error_has_its_kind(self):
        assert set(KINDS) == set(ERRORS)

    @pytest.mark.parametrize("error", sorted(KINDS))
    async def test_every_documented_error(self, observed, error):
        faults = Faults(paths={path: Faults(error=error) for path in KEY_PATHS})
        failure = (await observed("bitget", a_unified_key(), faults=faults)).seen.failure
        assert failure.kind is KINDS[error]
        assert failure.caller_ip == ("203.0.113.10" if error == "ip_not_allowed" else None)
        assert bool(failure.candidates) is (failure.kind is Kind.AMBIGUOUS_AUTH)

    @pytest.mark.parametrize("market", list(Market))
    async def test_a_classic_key_is_read_in_every_market(self, observed, market):
        found = await observed("bitget", a_key(), market=market, pairs=("ETH/USDT:USDT",))
        assert found.seen.failure is None
        assert [proof.failure for proof in found.seen.proofs.values()] == [None, None]
        assert found.seen.report.account.uid == "1234567890"
        assert found.seen.report.permissions.withdraw is False
        assert found.seen.report.ip_whitelist.addresses == ("203.0.113.10",)
        suffix = {Market.SPOT: "", Market.MARGIN: "-margin", Market.FUTURES: "-futures"}[market]
        names = {"time", "key", "key-uta", "balance-uta", "orders-uta", f"balance{suffix}", f"orders{suffix}"}
        assert {path for _, path in found.requests} == {c.path for c in Bitget.calls if c.name in names}
        assert {method for method, _ in found.requests} == {"GET"}

    @pytest.mark.parametrize("market", list(Market))
    async def test_a_unified_key_is_read_in_every_market(self, observed, market):
        found = await observed("bitget", a_unified_key(), market=market)
        assert found.seen.failure is None
        assert [proof.failure for proof in found.seen.proofs.values()] == [None, None]
        assert found.seen.report.permissions.futures is True
        assert found.seen.health is Health.UNKNOWN  # no status is told
        names = {"time", "key-uta", "balance-uta", "orders-uta"}
        assert {path for _, path in found.requests} == {c.path for c in Bitget.calls if c.name in names}

    @pytest.mark.parametrize(
        ("wrong", "kind"),
        [
            ({"secret": "not-the-secret"}, Kind.BAD_SIGNATURE),
            ({"api_key": "bg_another"}, Kind.INVALID_KEY),
            ({"passphrase": "notThePassphrase"}, Kind.AMBIGUOUS_AUTH),
            ({"passphrase": None}, Kind.MISSING_PASSPHRASE),
        ],
    )
    @pytest.mark.parametrize("make", [a_key, a_unified_key])
    async def test_wrong_credentials(self, observed, make, wrong, kind):
        found = await observed("bitget", make(), credentials=wrong)
        assert found.seen.failure.kind is kind

    async def test_a_wrong_passphrase_names_its_candidates(self, observed):
        found = await observed("bitget", a_key(), credentials={"passphrase": "notThePassphrase"})
        assert found.seen.failure.candidates == (Kind.WRONG_PASSPHRASE, Kind.INVALID_KEY)

    async def test_without_a_passphrase_nothing_is_asked(self, observed):
        assert (await observed("bitget", a_key(), credentials={"passphrase": None})).requests == []

    @pytest.mark.parametrize("make", [a_key, a_unified_key])
    async def test_a_wrong_address_is_told_with_the_address(self, observed, make):
        found = await observed("bitget", make(ip_whitelist=["198.51.100.7"]))
        assert found.seen.failure.kind is Kind.IP_NOT_ALLOWED
        assert (found.seen.caller_ip, found.seen.caller_ip_source) == ("203.0.113.10", "failure")

    async def test_a_demo_key_is_of_the_wrong_environment(self, observed):
        found = await observed("bitget", a_key(options={"demo": True}))
        assert found.seen.failure.kind is Kind.WRONG_ENVIRONMENT

    async def test_a_missing_right_is_named(self, observed):
        found = await observed("bitget", a_key(permissions=["stow"]), market=Market.FUTURES)
        assert found.seen.report.permissions.futures is False
        failure = found.seen.proofs["orders"].failure
        assert failure.kind is Kind.PERMISSION_DENIED
        assert "need futures order" in failure.message

    async def test_a_classic_key_without_spot_reading_cannot_say_what_it_is(self, observed):
        found = await observed("bitget", a_key(permissions=["coow"]))
        assert found.seen.failure.kind is Kind.PERMISSION_DENIED
        assert "spot order" in found.seen.failure.message

    async def test_a_unified_key_without_management_cannot_read_balances(self, observed):
        found = await observed("bitget", a_unified_key(permissions=["uta_trade"]))
        assert found.seen.proofs["balance"].failure.kind is Kind.PERMISSION_DENIED
        assert found.seen.proofs["orders"].failure is None

    @pytest.mark.parametrize("offset", [-45_000, 45_000])
    async def test_a_clock_that_differs_does_not_hide_the_key(self, observed, offset):
        found = await observed("bitget", a_key(), clock_offset_ms=offset)
        assert found.seen.failure is None
        assert found.seen.clock_skew == pytest.approx(-offset / 1000, abs=2)

    async def test_a_key_that_only_reads(self, observed):
        seen = (await observed("bitget", a_unified_key(options={"read_only": True}))).seen
        assert (seen.report.permissions.read, seen.report.permissions.spot) == (True, False)

    @pytest.mark.parametrize("parent", [None, "555"])
    @pytest.mark.parametrize("make", [a_key, a_unified_key])
    async def test_main_and_sub_accounts(self, observed, make, parent):
        account = (await observed("bitget", make(parent_uid=parent))).seen.report.account
        assert (account.is_sub, account.parent_uid) == (parent is not None, parent)

    async def test_every_documented_shape_can_be_told(self, observed):
        found = await observed("bitget", a_key(raw=CLASSIC, omit=["channel"]))
        assert found.seen.report.permissions.withdraw is None

    @pytest.mark.parametrize("status", [200, 403, 503])
    async def test_a_page_is_never_a_success(self, observed, status):
        page = Faults(verbatim=Verbatim(status=status, body="<html>hi</html>"))
        found = await observed("bitget", a_key(), faults=Faults(paths=dict.fromkeys(KEY_PATHS, page)))
        assert found.seen.report is None
        assert found.seen.failure.kind in {Kind.UNEXPECTED_RESPONSE, Kind.UNAVAILABLE}


class TestCcxt:
    """Faults of ccxt that the error table works round: a test that fails here says that one is mended."""

    @pytest.mark.parametrize(
        ("error", "raised"),
        [
            ("timed_out", ccxt.AuthenticationError),
            ("passphrase_error", ccxt.ExchangeError),
            ("key_missing", ccxt.ExchangeError),
            ("ip_not_whitelisted", ccxt.ExchangeError),
            ("wrong_environment", ccxt.ExchangeError),
            ("system_abnormal", ccxt.ExchangeError),
            ("unknown_error", ccxt.ExchangeError),
            ("busy", ccxt.ExchangeError),
            ("release", ccxt.InvalidOrder),
            ("account_frozen", ccxt.RestrictedLocation),
            ("account_restricted", ccxt.ExchangeError),
            ("unified_account", ccxt.PermissionDenied),
            ("classic_account", ccxt.ExchangeError),
            ("ip_not_allowed", ccxt.PermissionDenied),
            ("permission_denied", ccxt.PermissionDenied),
            ("clock_skew_uta", ccxt.ExchangeError),
        ],
    )
    async def test_classes_that_mislead(self, error, raised):
        client = ccxt.bitget()
        with pytest.raises(ccxt.BaseError) as found:
            client.handle_errors(400, "", "", "GET", {}, "", ERRORS[error].body, {}, None)
        await client.close()
        assert type(found.value) is raised

    async def test_a_bad_key_passes_as_a_classic_account(self):
        """Why the mode is asked by implicit calls: ccxt's own question swallows every answer."""
        client = ccxt.bitget({"apiKey": "k", "secret": "s", "password": "p"})

        async def refused(*args, **options):
            raise ccxt.AuthenticationError("bad key")

        client.privateUtaGetV3AccountSettings = refused
        found = await client.handle_uta_and_params("fetchBalance", {})
        await client.close()
        assert False in found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORD_LISTS = (
    st.lists(st.sampled_from([*WORDS, *UTA_WORDS]) | st.text(max_size=8), max_size=5)
    | st.lists(st.sampled_from([*WORDS, *UTA_WORDS]), max_size=5).map(",".join)
    | JSON
)


class TestAnyJson:
    """Whatever comes: a report or a failure, never an exception, never a denial that was not told."""

    @given(body=JSON)
    def test_any_document(self, body):
        reader = Bitget()
        for call in reader.calls:
            failure = reader.judge(Answer(call=call, status=200, body=body))
            assert failure is None or isinstance(failure, Failure)
        with contextlib.suppress(ValueError):
            reader.parse_time(body)

    @given(
        listed=WORD_LISTS,
        changes=st.dictionaries(st.sampled_from(sorted({*CLASSIC} - {"authorities"})), JSON, max_size=4),
    )
    def test_any_classic_key(self, listed, changes):
        seen = _read(None, CLASSIC | changes | {"authorities": listed})
        _holds(seen, listed, "wwow", known=WORDS)

    @given(
        listed=WORD_LISTS,
        changes=st.dictionaries(
            st.sampled_from(sorted({*UNIFIED} - {"permissions", "permType"})), JSON, max_size=4
        ),
        also=st.none() | WORD_LISTS,
    )
    def test_any_unified_key(self, listed, changes, also):
        second = None if also is None else CLASSIC | {"authorities": also}
        seen = _read(UNIFIED | changes | {"permissions": listed}, second)
        _holds(seen, listed, "withdraw", known={**UTA_WORDS, **WORDS} if second else UTA_WORDS)


def _holds(seen, listed, withdraw, *, known):
    assert seen.permissions.read is not False
    if seen.permissions.withdraw is not False:
        return
    words = listed.split(",") if isinstance(listed, str) else listed
    words = [word.strip().casefold() for word in words if word.strip()]
    assert set(words) <= set(known)
    assert withdraw not in words
    assert seen.unknown_words == ()


def _read(unified, classic):
    class Ask:
        async def __call__(self, call, params=None):
            body = unified if call.name == "key-uta" else classic
            if body is None:
                raise failed(Kind.WRONG_ACCOUNT_MODE)
            return wrap(body)

        def now(self):
            return datetime(2026, 10, 1, 12, tzinfo=UTC)

    return asyncio.run(Bitget().read_key(Ask(), Market.SPOT))
