"""Bybit: every documented answer, through the parser, the sandbox and real ccxt."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from datetime import UTC, datetime, timedelta

import ccxt.async_support as ccxt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges.bybit import PERHAPS, ROWS, UNBOUND_RULE, WORDS, Bybit
from reconciler.exchanges.interface import Answer
from reconciler.exchanges.listings import calls_of
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Failure, Health, Permission
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import Faults, Key, Verbatim
from reconciler.sandbox.venues.bybit import ERRORS

KEY_PATH = "/v5/user/query-api"
#: The example of the documentation: read-only, with rights to trade listed all the same.
DOCUMENTED = {
    "id": "2208369",
    "note": "testnet",
    "apiKey": "XXXXXXXX",
    "readOnly": 1,
    "secret": "",
    "permissions": {
        "ContractTrade": ["Order", "Position"],
        "Spot": ["SpotTrade"],
        "Wallet": ["AccountTransfer", "SubMemberTransfer"],
        "Options": [],
        "Derivatives": ["DerivativesTrade"],
        "CopyTrading": [],
        "BlockTrade": [],
        "Exchange": ["ExchangeHistory"],
        "NFT": [],
        "Affiliate": [],
        "Earn": ["Earn"],
        "FiatP2P": ["FiatP2POrder", "Advertising"],
        "FiatConvertBroker": ["FiatConvertBrokerOrder"],
        "FiatGlobalPay": [],
        "FiatBitPay": ["FaitPayOrder"],
        "BitCard": ["BitCard"],
        "ByXPost": ["ByXPost"],
    },
    "ips": ["18.181.170.164", "13.212.45.47", "13.212.45.48"],
    "type": 1,
    "deadlineDay": -2,
    "expiredAt": "1970-01-01T00:00:00Z",
    "createdAt": "2025-10-13T03:20:45Z",
    "unified": 0,
    "uta": 1,
    "userID": 1448939,
    "inviterID": 0,
    "vipLevel": "PRO-1",
    "mktMakerLevel": "0",
    "affiliateID": 0,
    "rsaPublicKey": "",
    "isMaster": True,
    "parentUid": "0",
    "kycLevel": "LEVEL_1",
    "kycRegion": "MYS",
    "userIDInt64": "0",
    "inviterIDInt64": "0",
    "affiliateIDInt64": "0",
}
NOTHING = dict.fromkeys(DOCUMENTED["permissions"], ())
TRADER = {"Spot": ["SpotTrade"], "ContractTrade": ["Order", "Position"]}
REFUSED = CallFailed(Failure(kind=Kind.WRONG_ACCOUNT_MODE, message="no unified account"))


def wrap(result):
    return {"retCode": 0, "retMsg": "", "result": result, "retExtInfo": {}, "time": 1776149990532}


def a_key(**changes):
    given_ = {
        "name": "main",
        "api_key": "8wYkmpLsMg10eNQyPm",
        "secret": "Ouxc34myDnXvei54XsBZgoQzfGxO4bkr2Zsj",
        "permissions": TRADER,
        "ip_whitelist": ["203.0.113.10"],
        "uid": "1448939",
        "unified": True,
        "created": datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC),
        "balances": {"USDT": "12.5"},
        "open_orders": [{"symbol": "ETHUSDT", "orderId": "a1"}],
    }
    return Key(**(given_ | changes))


@pytest.fixture
def told(report):
    """The report of the documented key, writing, with no right but ``groups`` and with ``changes`` made.

    A change to ``...`` leaves the field, or the group, out.
    """

    def read(groups=(), **changes):
        held = {name: list(words) for name, words in NOTHING.items()} | dict(groups)
        held = {name: words for name, words in held.items() if words is not ...}
        body = DOCUMENTED | {"readOnly": 0, "permissions": held} | changes
        return report("bybit", key=wrap({n: v for n, v in body.items() if v is not ...}))

    return read


class TestPermissions:
    def test_the_documented_example_reads_only_whatever_it_lists(self, report):
        seen = report("bybit", key=wrap(DOCUMENTED))
        assert {p: v for p, v in seen.permissions.items() if v} == {Permission.READ: True}
        assert {v for p, v in seen.permissions.items() if p is not Permission.READ} == {False}
        assert seen.ip_whitelist.addresses == ("18.181.170.164", "13.212.45.47", "13.212.45.48")
        assert (seen.account.uid, seen.account.is_sub, seen.account.parent_uid) == ("1448939", False, None)
        assert (seen.label, seen.disabled, seen.unknown_words) == ("testnet", None, ())
        assert seen.created_at == datetime(2025, 10, 13, 3, 20, 45, tzinfo=UTC)
        assert (seen.expires_at, seen.expiry_rule) == (None, None)

    @pytest.mark.parametrize("name", sorted(WORDS))
    def test_each_word_grants_what_it_is_documented_to_grant(self, told, name):
        group, word = name.split(".")
        seen = told({group: [word]}).permissions
        for permission, value in seen.items():
            wanted = (
                True if permission in WORDS[name] else None if permission in PERHAPS.get(name, ()) else False
            )
            assert value is (wanted or None if permission is Permission.READ else wanted), permission

    def test_a_trading_key_cannot_withdraw(self, told):
        seen = told(TRADER).permissions
        assert (seen.read, seen.spot, seen.margin, seen.futures) == (True, True, True, True)
        assert (seen.options, seen.transfer, seen.withdraw) == (False, False, False)

    def test_withdrawing_is_a_word_of_the_wallet(self, told):
        assert told(TRADER | {"Wallet": ["AccountTransfer", "Withdraw"]}).permissions.withdraw is True

    @pytest.mark.parametrize("word", ["AccountTransfer", "SubMemberTransfer", "SubMemberTransferList"])
    def test_transferring_is_three_words_and_none_withdraws(self, told, word):
        seen = told(TRADER | {"Wallet": [word]}).permissions
        assert (seen.transfer, seen.withdraw) == (True, False)

    @pytest.mark.parametrize("group", ["ContractTrade", "Derivatives"])
    def test_positions_and_derivatives_alone_leave_futures_unknown(self, told, group):
        word = {"ContractTrade": "Position", "Derivatives": "DerivativesTrade"}[group]
        assert told({group: [word]}).permissions.futures is None
        assert told({"ContractTrade": ["Order"]}).permissions.futures is True

    @pytest.mark.parametrize(
        "groups",
        [
            {"FiatP2P": ["FiatP2POrder"]},
            {"FiatP2P": ["Advertising"]},
            {"FiatBitPay": ["FaitPayOrder"]},
            {"FiatBybitPay": ["FaitPayOrder"]},
            {"BitCard": ["BitCard"]},
        ],
    )
    def test_rights_that_can_hand_coins_to_others_leave_withdrawing_unknown(self, told, groups):
        seen = told(TRADER | groups)
        assert (seen.permissions.withdraw, seen.permissions.transfer) == (None, False)
        assert seen.unknown_words == ()

    def test_the_option_word_trades_some_futures_too(self, told):
        seen = told({"Options": ["OptionsTrade"]}).permissions
        assert (seen.options, seen.futures) == (True, None)

    @pytest.mark.parametrize(
        ("uta", "margin"), [(1, True), ("1", True), (0, None), (..., None), (None, None)]
    )
    def test_margin_by_spot_orders_is_a_unified_account_s(self, told, uta, margin):
        assert told({"Spot": ["SpotTrade"]}, uta=uta).permissions.margin is margin
        assert told({}, uta=uta).permissions.margin is False

    @pytest.mark.parametrize("value", [1, "1", True, "true"])
    def test_read_only_overrides_withdrawing(self, told, value):
        seen = told({"Wallet": ["Withdraw"]}, readOnly=value).permissions
        assert (seen.withdraw, seen.read) == (False, True)

    @pytest.mark.parametrize("value", [0, "0", False])
    def test_not_read_only_overrides_nothing(self, told, value):
        assert told({"Wallet": ["Withdraw"]}, readOnly=value).permissions.withdraw is True

    @pytest.mark.parametrize("value", [..., None, 2, "yes", []])
    def test_whether_it_only_reads_may_be_unknown(self, told, value):
        seen = told({"Wallet": ["Withdraw"]}, readOnly=value).permissions
        assert (seen.withdraw, seen.spot) == (None, False)

    @pytest.mark.parametrize("word", ["Withdrawal", "withdraw_all", "Payout"])
    def test_an_unknown_word_may_mean_anything(self, told, word):
        seen = told({"Wallet": [word], "Spot": ["SpotTrade"]})
        assert seen.unknown_words == (f"Wallet.{word}",)
        assert (seen.permissions.spot, seen.permissions.withdraw, seen.permissions.futures) == (
            True,
            None,
            None,
        )

    def test_an_unknown_group_may_mean_anything_unless_it_is_empty(self, told):
        seen = told({"Vault": ["Move"]})
        assert (seen.unknown_words, seen.permissions.withdraw) == (("Vault.Move",), None)
        assert told({"Vault": []}).permissions.withdraw is False
        assert told({"Vault": None}).permissions.withdraw is None

    def test_a_known_word_in_another_group_is_unknown(self, told):
        assert told({"Asset": ["Withdraw"]}).permissions.withdraw is None

    def test_an_unknown_word_is_kept_beside_read_only(self, told):
        seen = told({"Wallet": ["Payout"]}, readOnly=1)
        assert (seen.unknown_words, seen.permissions.withdraw) == (("Wallet.Payout",), False)

    @pytest.mark.parametrize("held", [..., None, 7, {"Withdraw": True}, [1]])
    def test_a_wallet_that_is_not_told_denies_nothing_of_it(self, told, held):
        seen = told({"Wallet": held}).permissions
        assert (seen.withdraw, seen.transfer, seen.spot) == (None, None, False)

    @pytest.mark.parametrize("held", [..., None])
    def test_a_lesser_group_may_be_absent_but_not_unreadable(self, told, held):
        wanted = False if held is ... else None
        assert told({"FiatP2P": held}).permissions.withdraw is wanted

    def test_a_list_may_be_a_text(self, told):
        assert told({"Wallet": "AccountTransfer,Withdraw"}).permissions.withdraw is True

    @pytest.mark.parametrize("groups", [None, [], "Withdraw", 1])
    def test_without_groups_nothing_is_denied(self, report, groups):
        seen = report("bybit", key=wrap(DOCUMENTED | {"readOnly": 0, "permissions": groups}))
        assert {value for _, value in seen.permissions.items()} == {None}

    def test_a_new_field_that_sounds_like_a_right_may_mean_anything(self, told):
        seen = told(TRADER, canWithdraw=1)
        assert (seen.unknown_words, seen.permissions.withdraw) == (("canWithdraw",), None)
        assert told(TRADER, canWithdraw=0).permissions.withdraw is False
        assert told(TRADER, accountTier="x").permissions.withdraw is False
        assert told({}, readOnly=1, canWithdraw="beta").permissions.withdraw is None


class TestReport:
    @pytest.mark.parametrize(
        ("ips", "restricted", "addresses"),
        [
            (["*"], False, ()),
            ("*", False, ()),
            (["203.0.113.10"], True, ("203.0.113.10",)),
            ("203.0.113.10,2001:db8::1", True, ("203.0.113.10", "2001:db8::1")),
            (["203.0.113.0/24"], True, ("203.0.113.0/24",)),
            (["203.0.113.*"], True, None),
            ([], None, None),
            ([""], None, None),
            ("", None, None),
            (None, None, None),
            (..., None, None),
            ([7], None, None),
            (["somewhere"], None, None),
        ],
    )
    def test_addresses(self, told, ips, restricted, addresses):
        whitelist = told(ips=ips).ip_whitelist
        assert (whitelist.restricted, whitelist.addresses) == (restricted, addresses)

    @pytest.mark.parametrize(
        ("changes", "ends"),
        [
            ({"expiredAt": "2026-12-24T10:00:00Z"}, datetime(2026, 12, 24, 10, tzinfo=UTC)),
            ({"expiredAt": 1798106400000}, datetime(2026, 12, 24, 10, tzinfo=UTC)),
            ({"deadlineDay": 7}, datetime(2026, 10, 8, tzinfo=UTC)),
            ({"deadlineDay": "7", "expiredAt": ...}, datetime(2026, 10, 8, tzinfo=UTC)),
            ({"deadlineDay": 7, "expiredAt": "2026-10-08T09:00:00Z"}, datetime(2026, 10, 8, 9, tzinfo=UTC)),
            ({"deadlineDay": 0}, None),
            ({"deadlineDay": -1}, None),
            ({"deadlineDay": 10**9}, None),
            ({"expiredAt": "0001-01-01T00:00:00Z"}, None),
            ({"expiredAt": 0}, None),
            ({"expiredAt": None, "deadlineDay": None}, None),
        ],
    )
    def test_the_end_is_told_as_a_day_or_as_days_left(self, told, changes, ends):
        seen = told(**changes)
        assert (seen.expires_at, seen.expiry_rule) == (ends, None)

    def test_an_unbound_key_ends_by_the_rule_when_the_day_is_not_told(self, told):
        seen = told(ips=["*"], createdAt="2026-09-21T00:00:00Z")
        assert seen.expires_at == datetime(2026, 12, 20, tzinfo=UTC)
        assert seen.expiry_rule == UNBOUND_RULE
        told_day = told(ips=["*"], expiredAt="2026-12-24T10:00:00Z")
        assert (told_day.expires_at.year, told_day.expiry_rule) == (2026, None)

    @pytest.mark.parametrize(
        "changes",
        [
            {"ips": [], "createdAt": "2026-09-21T00:00:00Z"},
            {"ips": ["203.0.113.10"], "createdAt": "2026-09-21T00:00:00Z"},
            {"ips": ["*"], "createdAt": "1970-01-01T00:00:00Z"},
            {"ips": ["*"], "createdAt": "2026-01-01T00:00:00Z"},  # it answered after its 90 days
        ],
    )
    def test_the_rule_is_applied_to_nothing_but_what_it_is_for(self, told, changes):
        assert (told(**changes).expires_at, told(**changes).expiry_rule) == (None, None)

    @pytest.mark.parametrize(
        ("changes", "account"),
        [
            ({}, ("1448939", False, None)),
            ({"isMaster": False, "parentUid": "24617703"}, ("1448939", True, "24617703")),
            ({"isMaster": ..., "parentUid": 24617703}, ("1448939", True, "24617703")),
            ({"isMaster": ..., "parentUid": "0"}, ("1448939", None, None)),
            ({"userID": 9007199254740993}, ("9007199254740993", False, None)),
            ({"userID": 0, "userIDInt64": "9007199254740993"}, ("9007199254740993", False, None)),
            ({"userID": ..., "userIDInt64": "0"}, (None, False, None)),
        ],
    )
    def test_whose_key_it_is(self, told, changes, account):
        seen = told(**changes).account
        assert (seen.uid, seen.is_sub, seen.parent_uid) == account

    @pytest.mark.parametrize("result", [{}, {"id": "1"}, {"list": []}])
    def test_a_result_that_describes_no_key(self, report, result):
        with pytest.raises(CallFailed) as failed:
            report("bybit", key=wrap(result))
        assert failed.value.failure.kind is Kind.UNEXPECTED_RESPONSE


class TestJudge:
    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            None,
            {"retCode": 0},
            {"retCode": 0, "result": None},
            {"retCode": 0, "result": []},
            {"retCode": None, "result": {}},
            {"retCode": False, "result": {}},
            {"retCode": 1, "result": {}},
            {"result": {}},
        ],
    )
    def test_http_200_alone_is_no_success(self, judge, body):
        assert judge("bybit", "key", body=body).kind is Kind.UNEXPECTED_RESPONSE

    def test_code_zero_with_a_result_is_one_but_only_with_http_200(self, judge):
        assert judge("bybit", "key", body=wrap({})) is None
        assert judge("bybit", "key", body=wrap({}), status=503).kind is Kind.UNAVAILABLE

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"x-bapi-limit-reset-timestamp": "1790856002500", "date": "Thu, 01 Oct 2026 12:00:00 GMT"}, 2.5),
            ({"x-bapi-limit-reset-timestamp": "1790855990000", "date": "Thu, 01 Oct 2026 12:00:00 GMT"}, 0.0),
            ({"x-bapi-limit-reset-timestamp": "soon", "date": "Thu, 01 Oct 2026 12:00:00 GMT"}, None),
            ({"x-bapi-limit-reset-timestamp": "1790856002500", "date": "never"}, None),
            ({"x-bapi-limit-reset-timestamp": "1790856002500"}, None),
            ({"retry-after": "9"}, 9.0),
            ({}, None),
        ],
    )
    def test_the_reset_is_a_time_in_ms_read_against_bybit_s_clock(self, judge, headers, seconds):
        body = {"retCode": 10006, "retMsg": "Too many visits!", "result": {}}
        found = judge("bybit", "key", body=body, headers=headers)
        assert (found.kind, found.retry_after) == (Kind.RATE_LIMITED, seconds)

    @pytest.mark.parametrize("text", ["403, access too frequent", "Access Too Frequent"])
    def test_a_banned_address_waits_ten_minutes(self, judge, text):
        found = judge("bybit", "key", status=403, text=text)
        assert (found.kind, found.retry_after) == (Kind.RATE_LIMITED, 600)

    def test_any_other_403_is_neither_a_limit_nor_a_verdict_on_the_key(self, judge):
        assert judge("bybit", "key", status=403, text="<h1>Forbidden</h1>").kind is Kind.UNAVAILABLE

    def test_the_codes_of_older_answers_are_read_too(self, judge):
        body = {"ret_code": 10003, "ret_msg": "invalid api_key", "result": None}
        assert judge("bybit", "key", body=body).kind is Kind.INVALID_KEY

    def test_every_row_names_its_source(self):
        assert all(row.source for row in ROWS)

    @pytest.mark.parametrize(
        ("events", "health"),
        [
            ([], Health.OPERATIONAL),
            ([{"state": "ongoing", "env": "1"}], Health.MAINTENANCE),
            ([{"state": "ongoing", "env": "1", "product": [1, 2]}], Health.MAINTENANCE),
            ([{"state": "ongoing"}], Health.MAINTENANCE),
            ([{"state": "ongoing", "env": "2"}], Health.OPERATIONAL),
            ([{"state": "ongoing", "env": "1", "product": [3]}], Health.OPERATIONAL),
            ([{"state": "ongoing", "env": "1"}, {"state": "scheduled", "env": "1"}], Health.MAINTENANCE),
            ([{"state": "completed"}, {"state": "canceled"}, {"state": "scheduled"}], Health.OPERATIONAL),
            ([{"state": "paused", "env": "1"}], Health.UNKNOWN),
            ([7], Health.UNKNOWN),
            (None, Health.UNKNOWN),
        ],
    )
    def test_status(self, events, health):
        assert Bybit().parse_status(wrap({"list": events})) is health

    def test_time(self):
        nano = {"timeSecond": "1688639403", "timeNano": "1688639403423213947"}
        assert Bybit().parse_time(wrap(nano)) == 1688639403423
        assert Bybit().parse_time(wrap({})) == 1776149990532
        with pytest.raises(ValueError, match="no time"):
            Bybit().parse_time({"result": {}})


class TestProofs:
    @pytest.mark.parametrize(
        ("market", "wallet"),
        [(Market.SPOT, "SPOT"), (Market.MARGIN, "SPOT"), (Market.FUTURES, "CONTRACT")],
    )
    async def test_a_classic_account_is_asked_for_its_own_wallet(self, answers, market, wallet):
        class Classic(answers):
            async def __call__(self, call, params=None):
                if (params or {}).get("accountType") == "UNIFIED":
                    raise REFUSED
                return await super().__call__(call, params)

        asked = Classic(balance=wrap({}))
        await Bybit().read_balance(asked, market)
        assert asked.asked == [("balance", {"accountType": wallet})]

    async def test_the_first_refusal_is_told_when_the_second_wallet_is_refused_too(self, answers):
        asked = answers(balance=REFUSED)
        with pytest.raises(CallFailed) as failed:
            await Bybit().read_balance(asked, Market.SPOT)
        assert failed.value is REFUSED
        assert len(asked.asked) == 2

    @pytest.mark.parametrize("kind", [Kind.INVALID_KEY, Kind.IP_NOT_ALLOWED, Kind.RATE_LIMITED])
    async def test_other_failures_ask_no_second_question(self, answers, kind):
        asked = answers(balance=CallFailed(Failure(kind=kind, message="x")))
        with pytest.raises(CallFailed):
            await Bybit().read_balance(asked, Market.SPOT)
        assert len(asked.asked) == 1

    @pytest.mark.parametrize(
        ("market", "pairs", "params"),
        [
            (Market.SPOT, ("ETH/USDT",), {"category": "spot"}),
            (Market.MARGIN, ("ETH/USDT",), {"category": "spot"}),
            (Market.FUTURES, (), {"category": "linear", "settleCoin": "USDT"}),
            (Market.FUTURES, ("ETH/USDT:USDT",), {"category": "linear", "settleCoin": "USDT"}),
            (Market.FUTURES, ("ETH/USDC:USDC-261225",), {"category": "linear", "settleCoin": "USDC"}),
            (Market.FUTURES, ("BTC/USD:BTC",), {"category": "inverse", "settleCoin": "BTC"}),
        ],
    )
    async def test_orders_are_asked_of_the_market(self, answers, market, pairs, params):
        asked = answers(orders=wrap({}))
        await Bybit().read_orders(asked, market, pairs)
        assert asked.asked == [("orders", params)]


#: Every error of the sandbox's table (and so of the facts) and what it means.
KINDS = {
    "unauthenticated": Kind.AMBIGUOUS_AUTH,
    "invalid_key": Kind.INVALID_KEY,
    "bad_signature": Kind.BAD_SIGNATURE,
    "clock_skew": Kind.CLOCK_SKEW,
    "request_expired": Kind.CLOCK_SKEW,
    "key_expired": Kind.KEY_EXPIRED,
    "key_expired_spot": Kind.KEY_EXPIRED,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "permission_denied": Kind.PERMISSION_DENIED,
    "unclear": Kind.AMBIGUOUS_AUTH,
    "authentication_failed": Kind.AMBIGUOUS_AUTH,
    "sign_parameters": Kind.BAD_REQUEST,
    "parameter": Kind.BAD_REQUEST,
    "banned": Kind.ACCOUNT_RESTRICTED,
    "region_blocked": Kind.REGION_BLOCKED,
    "compliance": Kind.ACCOUNT_RESTRICTED,
    "transactions_banned": Kind.ACCOUNT_RESTRICTED,
    "symbol_not_permitted": Kind.ACCOUNT_RESTRICTED,
    "not_unified": Kind.WRONG_ACCOUNT_MODE,
    "unified": Kind.WRONG_ACCOUNT_MODE,
    "rate_limited": Kind.RATE_LIMITED,
    "rate_limited_ip": Kind.RATE_LIMITED,
    "rate_banned": Kind.RATE_LIMITED,
    "edge_block": Kind.REGION_BLOCKED,
    "busy": Kind.UNAVAILABLE,
    "timeout": Kind.UNAVAILABLE,
    "internal": Kind.UNAVAILABLE,
    "maintenance": Kind.MAINTENANCE,
    "route_not_found": Kind.BAD_REQUEST,
    "not_found": Kind.BAD_REQUEST,
}


class TestEndToEnd:
    def test_every_error_has_its_kind(self):
        assert set(KINDS) == set(ERRORS)

    @pytest.mark.parametrize("error", sorted(KINDS))
    async def test_every_documented_error(self, observed, error):
        faults = Faults(paths={KEY_PATH: Faults(error=error)})
        found = await observed("bybit", a_key(), faults=faults)
        failure = found.seen.failure
        assert failure.kind is KINDS[error]
        assert failure.call == "key"
        assert failure.caller_ip is None  # Bybit never names it
        assert bool(failure.candidates) is (failure.kind is Kind.AMBIGUOUS_AUTH)

    @pytest.mark.parametrize("market", list(Market))
    @pytest.mark.parametrize("unified", [True, False])
    async def test_a_good_key_is_read_in_every_market(self, observed, market, unified):
        found = await observed("bybit", a_key(unified=unified), market=market)
        assert found.seen.failure is None
        assert [proof.failure for proof in found.seen.proofs.values()] == [None, None]
        assert found.seen.report.account.uid == "1448939"
        assert found.seen.report.ip_whitelist.addresses == ("203.0.113.10",)
        assert found.seen.report.permissions.withdraw is False
        assert (found.seen.report.expires_at, found.seen.report.expiry_rule) == (None, None)
        assert found.seen.health is Health.OPERATIONAL
        lists = set(calls_of(Bybit.listings))
        assert {path for _, path in found.requests} == {call.path for call in set(Bybit.calls) - lists}
        assert {method for method, _ in found.requests} == {"GET"}

    @pytest.mark.parametrize(
        ("wrong", "kind"),
        [({"secret": "not-the-secret"}, Kind.BAD_SIGNATURE), ({"api_key": "another"}, Kind.INVALID_KEY)],
    )
    async def test_wrong_credentials(self, observed, wrong, kind):
        found = await observed("bybit", a_key(), credentials=wrong)
        assert found.seen.failure.kind is kind
        assert found.seen.proofs == {}

    async def test_the_key_that_a_refusal_quotes_is_not_shown(self, observed):
        """Bybit repeats what was signed, the API key in the middle of it."""
        found = await observed("bybit", a_key(), credentials={"secret": "not-the-secret"})
        assert "origin_string" in found.seen.failure.message
        assert a_key().api_key not in found.seen.failure.message

    async def test_a_wrong_address(self, observed):
        found = await observed("bybit", a_key(ip_whitelist=["198.51.100.7"]))
        assert found.seen.failure.kind is Kind.IP_NOT_ALLOWED
        assert found.seen.caller_ip is None

    async def test_a_missing_right_shows_in_the_orders_of_its_market(self, observed):
        found = await observed("bybit", a_key(permissions={"Spot": ["SpotTrade"]}), market=Market.FUTURES)
        assert found.seen.report.permissions.futures is False
        assert found.seen.proofs["orders"].failure.kind is Kind.PERMISSION_DENIED
        assert found.seen.proofs["balance"].failure is None

    @pytest.mark.parametrize("offset", [-45_000, 45_000])
    async def test_a_clock_that_differs_does_not_hide_the_key(self, observed, offset):
        found = await observed("bybit", a_key(), clock_offset_ms=offset)
        assert found.seen.failure is None
        assert found.seen.clock_skew == pytest.approx(-offset / 1000, abs=2)

    async def test_an_unbound_key_ends_after_ninety_days(self, observed):
        now = datetime.now(UTC)
        young = await observed("bybit", a_key(ip_whitelist=[], created=now - timedelta(days=80)))
        assert young.seen.report.ip_whitelist.restricted is False
        assert young.seen.report.expires_at - now == pytest.approx(timedelta(days=10), abs=timedelta(hours=1))
        assert young.seen.report.expiry_rule is None  # the exchange tells the day itself
        old = await observed("bybit", a_key(ip_whitelist=[], created=now - timedelta(days=91)))
        assert old.seen.failure.kind is Kind.KEY_EXPIRED

    async def test_every_documented_shape_can_be_told(self, observed):
        found = await observed("bybit", a_key(raw=DOCUMENTED, omit=["userIDInt64"]))
        assert found.seen.report.label == "testnet"
        assert found.seen.report.permissions.spot is False

    @pytest.mark.parametrize("status", [200, 403, 503])
    async def test_a_page_is_never_a_success(self, observed, status):
        faults = Faults(paths={KEY_PATH: Faults(verbatim=Verbatim(status=status, body="<html>hi</html>"))})
        found = await observed("bybit", a_key(), faults=faults)
        assert found.seen.report is None
        assert found.seen.failure.kind in {Kind.UNEXPECTED_RESPONSE, Kind.UNAVAILABLE}

    @pytest.mark.parametrize("ours", [True, False])
    async def test_keys_of_the_owner_s_own_sign_by_rsa(self, observed, ours):
        found = await observed("bybit", a_key(secret=pem()), credentials={} if ours else {"secret": pem()})
        assert (found.seen.failure and found.seen.failure.kind) == (None if ours else Kind.BAD_SIGNATURE)


def pem():
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TestCcxt:
    """Faults of ccxt that the error table works round: a test that fails here says that one is mended."""

    @pytest.mark.parametrize(
        ("error", "raised"),
        [
            ("region_blocked", ccxt.AuthenticationError),
            ("timeout", ccxt.ExchangeError),
            ("internal", ccxt.ExchangeError),
            ("permission_denied", ccxt.PermissionDenied),
            ("ip_not_allowed", ccxt.PermissionDenied),
            ("compliance", ccxt.PermissionDenied),
            ("rate_banned", ccxt.RateLimitExceeded),
            ("edge_block", ccxt.RateLimitExceeded),
        ],
    )
    async def test_classes_that_mislead(self, error, raised):
        reply, client = ERRORS[error], ccxt.bybit()
        body = reply.body if isinstance(reply.body, dict) else None
        with pytest.raises(ccxt.BaseError) as found:  # noqa: PT012 - the two steps in which ccxt raises
            client.handle_errors(reply.status, "", "/v5/user/query-api", "GET", {}, "", body, {}, None)
            client.handle_http_status_code(reply.status, "", "", "GET", "")
        await client.close()
        assert type(found.value) is raised

    async def test_maintenance_of_the_demo_counts_as_live(self):
        client = ccxt.bybit()
        event = {
            "state": "ongoing",
            "env": "2",
            "begin": "1",
            "end": "2",
            "href": "",
            "title": "t",
            "id": "1",
        }

        async def fetched(*args, **options):
            return wrap({"list": [event]})

        client.publicGetV5SystemStatus = fetched
        assert (await client.fetch_status())["status"] == "maintenance"
        await client.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
GROUPS = st.dictionaries(
    st.sampled_from([*NOTHING, "Vault"]),
    st.lists(st.sampled_from([name.split(".")[1] for name in WORDS]) | st.text(max_size=8), max_size=4)
    | JSON,
)


class TestAnyJson:
    """Whatever comes: a report or a failure, never an exception, never a denial that was not told."""

    @given(body=JSON)
    def test_any_document(self, body):
        reader = Bybit()
        for call in reader.calls:
            failure = reader.judge(Answer(call=call, status=200, body=body))
            assert failure is None or isinstance(failure, Failure)
        reader.parse_status(body)
        with contextlib.suppress(ValueError):
            reader.parse_time(body)

    @given(changes=st.dictionaries(st.sampled_from(sorted(DOCUMENTED)), JSON, max_size=6), groups=GROUPS)
    def test_any_key(self, changes, groups):
        body = copy.deepcopy(DOCUMENTED) | {"readOnly": 0, "permissions": groups} | changes
        seen = _read(body)
        denied = [p for p, value in seen.permissions.items() if value is False]
        if denied and str(body["readOnly"]).lower() not in {"1", "true"}:
            assert isinstance(body["permissions"], dict)
            assert not seen.unknown_words
        if seen.permissions.withdraw is False and body["readOnly"] == 0:
            assert isinstance(body["permissions"].get("Wallet"), list | str)
            assert "withdraw" not in str(body["permissions"]["Wallet"]).lower()
        assert seen.permissions.read is not False


def _read(body):
    class Ask:
        async def __call__(self, call, params=None):
            return wrap(body)

        def now(self):
            return datetime(2026, 10, 1, 12, tzinfo=UTC)

    return asyncio.run(Bybit().read_key(Ask(), Market.SPOT))
