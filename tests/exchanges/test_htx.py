"""HTX: every documented answer, through the parser, the sandbox and real ccxt."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges import parse
from reconciler.exchanges.htx import PERHAPS, ROWS, WORDS, Htx
from reconciler.exchanges.interface import OWN_KEY, Answer
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Failure, Health, Permission, Permissions
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Verbatim
from reconciler.sandbox.venue import Incoming
from reconciler.sandbox.venues.htx import ERRORS
from reconciler.sandbox.venues.htx import Htx as HtxVenue

OWN = "c5dcfbf1f3a7d0e9b8a7c6d5e4f30211"
UID_PATH, KEY_PATH, ACCOUNTS_PATH = "/v2/user/uid", "/v2/user/api-key", "/v1/account/accounts"
P = Permission
TRADE = {P.SPOT, P.MARGIN, P.FUTURES, P.TRANSFER}
UID = {"code": 200, "data": 63628520}
#: The example of the documentation.
ENTRY = {
    "accessKey": OWN,
    "status": "normal",
    "note": "62924133",
    "permission": "readOnly,trade",
    "ipAddresses": "1.1.1.1,1.1.1.2",
    "validDays": -1,
    "createTime": 1591348751000,
    "updateTime": 1591348751000,
}
#: The second key of a recorded answer.
OTHER = ENTRY | {
    "accessKey": "other",
    "ipAddresses": "",
    "validDays": 7,
    "permission": "readOnly,trade,withdraw",
}
ACCOUNTS = {"status": "ok", "data": [{"id": 1528640, "type": "spot", "subtype": "", "state": "working"}]}


def a_key(**changes):
    given_ = {
        "name": "main",
        "api_key": "e2xxxxxx-99xxxxxx-84xxxxxx-7xxxx",
        "secret": "b0xxxxxx-c6xxxxxx-94xxxxxx-dxxxx",
        "permissions": "readOnly,trade",
        "ip_whitelist": ["203.0.113.10", "198.51.100.0/24"],
        "label": "bot eu",
        "uid": "63628520",
        "balances": {"USDT": "12.5"},
    }
    return Key(**(given_ | changes))


def listing(*entries):
    return {"code": 200, "message": "success", "data": list(entries)}


def failed(kind):
    return CallFailed(Failure(kind=kind, message="x"))


@pytest.fixture
def told(report):
    """The report of the documented entry with ``changes``; a change to ``...`` leaves the field out."""

    def read(**changes):
        entry = {n: v for n, v in (ENTRY | changes).items() if v is not ...}
        return report("htx", uid=UID, key=listing(entry))

    return read


class TestReport:
    def test_the_documented_answer(self, told):
        seen = told()
        assert {p for p, value in seen.permissions.items() if value} == {P.READ, *TRADE}
        assert (seen.permissions.withdraw, seen.permissions.options) == (False, None)
        assert (seen.ip_whitelist.restricted, seen.ip_whitelist.addresses) == (True, ("1.1.1.1", "1.1.1.2"))
        assert (seen.account.uid, seen.account.is_sub, seen.account.parent_uid) == ("63628520", None, None)
        assert (seen.label, seen.disabled, seen.unknown_words) == ("62924133", False, ())
        assert seen.created_at == datetime(2020, 6, 5, 9, 19, 11, tzinfo=UTC)
        assert (seen.expires_at, seen.expiry_rule) == (None, None)

    @pytest.mark.parametrize(
        ("words", "true", "unknown"),
        [
            ("readOnly", {P.READ}, set()),
            ("trade,readOnly", {P.READ, *TRADE}, {P.OPTIONS}),
            (" readOnly , withdraw ,", {P.READ, P.WITHDRAW}, set()),
            ("READONLY,WITHDRAW", {P.READ, P.WITHDRAW}, set()),
            (["readOnly", "trade", "withdraw"], {P.READ, P.WITHDRAW, *TRADE}, {P.OPTIONS}),
            ("trade", TRADE, {P.OPTIONS, P.READ}),
            ("withdraw", {P.WITHDRAW}, {P.READ}),
        ],
    )
    def test_words(self, told, words, true, unknown):
        seen = told(permission=words)
        assert {p for p, value in seen.permissions.items() if value} == true
        assert {p for p, value in seen.permissions.items() if value is None} == unknown
        assert seen.unknown_words == ()

    @pytest.mark.parametrize("words", [..., None, "", " ,", [], 7, {"trade": True}, [["trade"]]])
    def test_a_list_that_is_not_told_denies_nothing(self, told, words):
        assert told(permission=words).permissions == Permissions()

    def test_an_unknown_word_may_mean_anything(self, told):
        seen = told(permission="readOnly,moveFunds")
        assert seen.unknown_words == ("moveFunds",)
        assert {v for p, v in seen.permissions.items() if p is not P.READ} == {None}

    def test_a_new_field_that_sounds_like_a_right_of_the_key(self, told):
        seen = told(permission="readOnly", withdrawScope="all")
        assert (seen.unknown_words, seen.permissions.withdraw) == (("withdrawScope",), None)

    @pytest.mark.parametrize(
        ("ips", "restricted", "addresses"),
        [
            ("", False, ()),
            (" 1.1.1.1 , ,1.1.1.2", True, ("1.1.1.1", "1.1.1.2")),
            ("192.168.0.1/24,2001:db8::1", True, ("192.168.0.0/24", "2001:db8::1")),
            (["1.1.1.1"], True, ("1.1.1.1",)),
            ("1.1.1.*", True, None),
            ("office", None, None),
            (None, None, None),
            (..., None, None),
        ],
    )
    def test_addresses(self, told, ips, restricted, addresses):
        seen = told(ipAddresses=ips).ip_whitelist
        assert (seen.restricted, seen.addresses) == (restricted, addresses)

    @pytest.mark.parametrize(
        ("days", "expires"),
        [
            (-1, None),
            (0, datetime(2026, 10, 2, tzinfo=UTC)),  # its last day, for the exchange still took it
            (1, datetime(2026, 10, 2, tzinfo=UTC)),
            (7, datetime(2026, 10, 8, tzinfo=UTC)),
            ("90", datetime(2026, 12, 30, tzinfo=UTC)),
            (-999, None),
            (10**9, None),
            (1.5, None),
            (None, None),
            (..., None),
        ],
    )
    def test_days_left(self, told, days, expires):
        seen = told(validDays=days)
        assert (seen.expires_at, seen.expiry_rule) == (expires, None)

    @pytest.mark.parametrize(
        ("status", "disabled", "expires"),
        [
            ("normal", False, None),
            ("expired", None, datetime(2026, 10, 1, tzinfo=UTC)),
            ("frozen", None, None),
            (None, None, None),
        ],
    )
    def test_states(self, told, status, disabled, expires):
        seen = told(status=status)
        assert (seen.disabled, seen.expires_at) == (disabled, expires)


class TestWhichEntry:
    @pytest.mark.parametrize(
        "body",
        [
            listing(OTHER, ENTRY),
            listing(OTHER, ENTRY | {"accessKey": "c5dc****0211"}),
            listing({n: v for n, v in ENTRY.items() if n != "accessKey"}),
            {"code": "200", "data": ENTRY},
        ],
    )
    def test_own_keys(self, report, body):
        assert report("htx", uid=UID, key=body).permissions.withdraw is False

    @pytest.mark.parametrize(
        "body",
        [
            listing(),
            listing(OTHER),
            listing(ENTRY, ENTRY),
            listing({"accessKey": OWN}),
            listing({}),
            listing(ENTRY | {"accessKey": None}),
            {"code": 200, "data": None},
            {"code": 200, "data": "text"},
        ],
    )
    def test_of_other_keys_nothing_is_believed(self, report, body):
        with pytest.raises(CallFailed) as caught:
            report("htx", uid=UID, key=body)
        assert caught.value.failure.kind is Kind.UNEXPECTED_RESPONSE

    @pytest.mark.parametrize("data", [None, 0, "", {}, [1]])
    def test_without_a_uid_there_is_no_question(self, report, data):
        with pytest.raises(CallFailed) as caught:
            report("htx", uid={"code": 200, "data": data}, key=listing(ENTRY))
        assert caught.value.failure.kind is Kind.UNEXPECTED_RESPONSE

    def test_the_question_names_user_and_key(self, answers):
        ask = answers(uid=UID, key=listing(ENTRY))
        asyncio.run(Htx().read_key(ask, Market.SPOT))
        assert ask.asked == [("uid", {}), ("key", {"uid": "63628520", "accessKey": OWN_KEY})]


class TestKeyThatTellsNothing:
    """A sub-account's key is refused as a strange one is: the older API tells them apart."""

    @pytest.mark.parametrize("kind", [Kind.PERMISSION_DENIED, Kind.AMBIGUOUS_AUTH])
    @pytest.mark.parametrize("bodies", [{}, {"uid": UID}])
    def test_that_reads_accounts_is_valid(self, answers, kind, bodies):
        ask = answers(**({"uid": failed(kind), "key": failed(kind), "accounts": ACCOUNTS} | bodies))
        seen = asyncio.run(Htx().read_key(ask, Market.SPOT))
        assert seen.permissions == Permissions(read=True)
        assert (seen.ip_whitelist.restricted, seen.expires_at, seen.account.is_sub) == (None, None, None)

    @pytest.mark.parametrize(("uid", "told"), [(UID, "63628520"), (failed(Kind.AMBIGUOUS_AUTH), None)])
    def test_what_was_told_before_the_refusal_is_kept(self, answers, uid, told):
        ask = answers(uid=uid, key=failed(Kind.AMBIGUOUS_AUTH), accounts=ACCOUNTS)
        assert asyncio.run(Htx().read_key(ask, Market.SPOT)).account.uid == told

    def test_that_is_refused_again_fails_for_the_reason_given_then(self, answers):
        ask = answers(uid=failed(Kind.AMBIGUOUS_AUTH), accounts=failed(Kind.INVALID_KEY))
        with pytest.raises(CallFailed) as caught:
            asyncio.run(Htx().read_key(ask, Market.SPOT))
        assert caught.value.failure.kind is Kind.INVALID_KEY

    def test_an_address_that_one_api_refuses_is_refused(self, answers):
        ask = answers(uid=failed(Kind.IP_NOT_ALLOWED), accounts=ACCOUNTS)
        with pytest.raises(CallFailed) as caught:
            asyncio.run(Htx().read_key(ask, Market.SPOT))
        assert caught.value.failure.kind is Kind.IP_NOT_ALLOWED

    @pytest.mark.parametrize("kind", [Kind.UNAVAILABLE, Kind.BAD_SIGNATURE, Kind.KEY_EXPIRED])
    def test_any_other_failure_stands(self, answers, kind):
        ask = answers(uid=failed(kind))
        with pytest.raises(CallFailed) as caught:
            asyncio.run(Htx().read_key(ask, Market.SPOT))
        assert (caught.value.failure.kind, ask.asked) == (kind, [("uid", {})])


class TestProofs:
    @pytest.mark.parametrize(
        ("market", "types", "account"),
        [
            (Market.SPOT, ["margin", "spot"], 2),
            (Market.MARGIN, ["spot", "margin", "super-margin"], 3),
            (Market.MARGIN, ["otc", "margin"], 2),
        ],
    )
    def test_the_account_of_the_market(self, answers, market, types, account):
        listed = [{"id": n, "type": name} for n, name in enumerate(types, start=1)]
        ask = answers(accounts={"status": "ok", "data": listed}, balance={"status": "ok", "data": {}})
        asyncio.run(Htx().read_balance(ask, market))
        assert ask.asked[-1] == ("balance", {"account-id": str(account)})

    def test_isolated_margin_has_an_account_for_each_symbol(self, answers):
        listed = [
            {"id": 1, "type": "margin", "subtype": "btcusdt"},
            {"id": 2, "type": "margin", "subtype": "ethusdt"},
        ]
        ask = answers(accounts={"status": "ok", "data": listed}, orders={"status": "ok", "data": []})
        asyncio.run(Htx().read_orders(ask, Market.MARGIN, ("ETH/USDT",)))
        assert ask.asked[-1] == ("orders", {"account-id": "2", "symbol": "ethusdt"})

    @pytest.mark.parametrize(
        "data", [None, [], "text", [7], [{"type": "spot"}], [{"id": 1, "type": ["spot"]}], [{"id": 0}]]
    )
    def test_an_account_that_is_not_there(self, answers, data):
        ask = answers(accounts={"status": "ok", "data": data})
        with pytest.raises(CallFailed) as caught:
            asyncio.run(Htx().read_balance(ask, Market.SPOT))
        assert caught.value.failure.kind is Kind.WRONG_ACCOUNT_MODE
        assert "no spot account" in caught.value.failure.message


class TestJudge:
    @pytest.mark.parametrize(
        ("call", "body"),
        [
            ("uid", {"code": 1002, "message": "x"}),
            ("uid", {"status": "ok", "data": 5}),
            ("uid", {"code": 200}),
            ("uid", {"code": True, "data": 5}),
            ("key", {"data": [ENTRY]}),
            ("accounts", {"code": 200, "data": []}),
            ("accounts", {"status": "ok"}),
            ("accounts", {"status": "error", "data": []}),
            ("balance-futures", {"status": "ok", "data": []}),
            ("orders", []),
            ("orders", None),
            ("orders", "ok"),
        ],
    )
    def test_each_call_has_its_own_sign_of_success(self, judge, call, body):
        assert judge("htx", call, body=body) is not None

    def test_only_http_200_is_a_success(self, judge):
        assert judge("htx", "uid", body=UID) is None
        assert judge("htx", "accounts", body=ACCOUNTS) is None
        assert judge("htx", "uid", body=UID, status=202) is not None

    @pytest.mark.parametrize("dialect", ["err-msg", "err_msg", "message"])
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("Signature not valid: Incorrect Access key [Access key错误]", Kind.INVALID_KEY),
            ("Signature not valid: Verification failure [校验失败]", Kind.BAD_SIGNATURE),
            ("Signature not valid: API key has expired [API Key已经过期]", Kind.KEY_EXPIRED),
            ("Incorrect IP address [IP地址错误]:104.128.67.45", Kind.IP_NOT_ALLOWED),
            ("Invalid submission time or incorrect time format [x]", Kind.CLOCK_SKEW),
            ("Signature not valid: API key has no permission [x]", Kind.PERMISSION_DENIED),
        ],
    )
    def test_the_stem_of_a_message_counts_in_every_dialect(self, judge, dialect, text, kind):
        found = judge("htx", "uid", body={"status": "error", "code": 403, dialect: text})
        assert found.kind is kind
        assert found.caller_ip == ("104.128.67.45" if kind is Kind.IP_NOT_ALLOWED else None)

    @pytest.mark.parametrize(("expire", "wait"), [("1790856003000", 3.0), ("1500", None), ("", None)])
    def test_the_end_of_a_limit_is_a_moment(self, judge, expire, wait):
        headers = {"x-hb-ratelimit-requests-expire": expire, "date": "Thu, 01 Oct 2026 12:00:00 GMT"}
        body = {"status": "error", "err-code": "rate-too-many-requests", "err-msg": "exceeded rate limit"}
        found = judge("htx", "orders", body=body, headers=headers)
        assert (found.kind, found.retry_after) == (Kind.RATE_LIMITED, wait)

    def test_every_row_names_its_source(self):
        assert all(row.source for row in ROWS)

    @pytest.mark.parametrize(
        ("data", "health"),
        [
            ({"marketStatus": 1}, Health.OPERATIONAL),
            ({"marketStatus": 2, "haltStartTime": 1614852011000}, Health.MAINTENANCE),
            ({"marketStatus": "3"}, Health.MAINTENANCE),
            ({"marketStatus": 9}, Health.UNKNOWN),
            ({}, Health.UNKNOWN),
            ([], Health.UNKNOWN),
        ],
    )
    def test_status(self, data, health):
        assert Htx().parse_status({"code": 200, "data": data}) is health

    def test_time(self):
        assert Htx().parse_time({"status": "ok", "data": 1637504261099}) == 1637504261099
        with pytest.raises(ValueError, match="timestamp"):
            Htx().parse_time({"status": "ok", "ts": 1637504261099})


#: Every error of the sandbox's table (and so of the facts) and what it means.
KINDS = {
    "invalid_key": Kind.INVALID_KEY,
    "bad_signature": Kind.BAD_SIGNATURE,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "key_expired": Kind.KEY_EXPIRED,
    "clock_skew": Kind.CLOCK_SKEW,
    "permission_denied": Kind.PERMISSION_DENIED,
    "signature_other": Kind.AMBIGUOUS_AUTH,
    "signature_check": Kind.AMBIGUOUS_AUTH,
    "rate_limited": Kind.RATE_LIMITED,
    "rate_exceeded": Kind.RATE_LIMITED,
    "rate_parameter": Kind.RATE_LIMITED,
    "maintenance": Kind.MAINTENANCE,
    "busy": Kind.UNAVAILABLE,
    "timeout": Kind.UNAVAILABLE,
    "parameter_invalid": Kind.BAD_REQUEST,
    "parameter_missing": Kind.BAD_REQUEST,
    "not_found": Kind.UNEXPECTED_RESPONSE,
    "v2_invalid_key": Kind.AMBIGUOUS_AUTH,
    "v2_bad_signature": Kind.BAD_SIGNATURE,
    "v2_ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "v2_key_expired": Kind.KEY_EXPIRED,
    "v2_clock_skew": Kind.CLOCK_SKEW,
    "v2_permission_denied": Kind.PERMISSION_DENIED,
    "v2_field_invalid": Kind.BAD_REQUEST,
    "v2_field_missing": Kind.BAD_REQUEST,
    "v2_internal": Kind.UNAVAILABLE,
    "v2_rate_limited": Kind.RATE_LIMITED,
    "v2_unknown": Kind.UNEXPECTED_RESPONSE,
    "v2_not_unified": Kind.WRONG_ACCOUNT_MODE,
    "contract_invalid_key": Kind.INVALID_KEY,
    "contract_bad_signature": Kind.BAD_SIGNATURE,
    "contract_time": Kind.CLOCK_SKEW,
    "contract_expired": Kind.KEY_EXPIRED,
    "contract_ip": Kind.IP_NOT_ALLOWED,
    "contract_verification": Kind.BAD_SIGNATURE,
    "contract_locked": Kind.ACCOUNT_RESTRICTED,
    "contract_not_opened": Kind.WRONG_ACCOUNT_MODE,
    "contract_no_account": Kind.WRONG_ACCOUNT_MODE,
    "contract_rate": Kind.RATE_LIMITED,
    "contract_busy": Kind.UNAVAILABLE,
    "contract_maintenance": Kind.MAINTENANCE,
}


class TestEndToEnd:
    def test_every_error_has_its_kind(self):
        assert set(KINDS) == set(ERRORS)

    @pytest.mark.parametrize("error", sorted(KINDS))
    async def test_every_documented_error(self, observed, error):
        faults = Faults(paths={UID_PATH: Faults(error=error), ACCOUNTS_PATH: Faults(error=error)})
        failure = (await observed("htx", a_key(), faults=faults)).seen.failure
        assert failure.kind is KINDS[error]
        assert bool(failure.candidates) is (failure.kind is Kind.AMBIGUOUS_AUTH)

    @pytest.mark.parametrize(
        ("market", "paths"),
        [
            (Market.SPOT, {"/v1/account/accounts/1528640/balance", ACCOUNTS_PATH, "/v1/order/openOrders"}),
            (Market.MARGIN, {"/v1/account/accounts/1528641/balance", ACCOUNTS_PATH, "/v1/order/openOrders"}),
            (Market.FUTURES, {"/v5/account/balance", "/v5/trade/order/opens"}),
        ],
    )
    async def test_a_good_key_is_read_in_every_market(self, observed, market, paths):
        expires = datetime.now(UTC) + timedelta(days=30)
        found = await observed("htx", a_key(expires=expires), market=market)
        assert found.seen.failure is None
        assert {name: proof.failure for name, proof in found.seen.proofs.items()} == {
            "balance": None,
            "orders": None,
        }
        report = found.seen.report
        assert (report.account.uid, report.label, report.disabled) == ("63628520", "bot eu", False)
        assert report.ip_whitelist.addresses == ("203.0.113.10", "198.51.100.0/24")
        assert (report.permissions.futures, report.permissions.withdraw) == (True, False)
        assert abs(report.expires_at - expires) <= timedelta(days=1)
        assert found.seen.health is Health.OPERATIONAL
        always = {"/v1/common/timestamp", "/v2/market-status", UID_PATH, KEY_PATH}
        assert {path for _, path in found.requests} == always | paths
        assert {method for method, _ in found.requests} == {"GET"}

    @pytest.mark.parametrize(
        ("wrong", "kind"),
        [({"secret": "not-the-secret"}, Kind.BAD_SIGNATURE), ({"api_key": "unknown-key"}, Kind.INVALID_KEY)],
    )
    async def test_wrong_credentials(self, observed, wrong, kind):
        found = await observed("htx", a_key(), credentials=wrong)
        assert found.seen.failure.kind is kind
        assert found.seen.proofs == {}

    async def test_an_unclear_refusal_is_cleared_by_the_older_api(self, observed):
        found = await observed("htx", a_key(), credentials={"api_key": "unknown-key"})
        asked = [path for _, path in found.requests]
        assert asked[-2:] == [UID_PATH, ACCOUNTS_PATH]
        assert found.seen.failure.call == "accounts"

    async def test_a_key_of_a_sub_account_tells_nothing_but_works(self, observed):
        found = await observed("htx", a_key(is_master=False, parent_uid="7"))
        assert found.seen.failure is None
        assert found.seen.report.permissions == Permissions(read=True)
        assert {proof.failure for proof in found.seen.proofs.values()} == {None}

    async def test_an_address_that_is_not_allowed_is_named_by_the_older_api(self, observed):
        found = await observed("htx", a_key(ip_whitelist=["192.0.2.1"]))
        assert found.seen.failure.kind is Kind.IP_NOT_ALLOWED
        assert (found.seen.caller_ip, found.seen.caller_ip_source) == ("203.0.113.10", "failure")

    async def test_an_expired_key(self, observed):
        found = await observed("htx", a_key(expires=datetime(2026, 1, 1, tzinfo=UTC)))
        assert found.seen.failure.kind is Kind.KEY_EXPIRED

    async def test_a_margin_account_that_was_never_opened(self, observed):
        only_spot = {"accounts": [{"id": 1, "type": "spot", "subtype": "", "state": "working"}]}
        found = await observed("htx", a_key(options=only_spot), market=Market.MARGIN)
        kinds = {proof.failure.kind for proof in found.seen.proofs.values()}
        assert kinds == {Kind.WRONG_ACCOUNT_MODE}

    @pytest.mark.parametrize("offset", [-90_000, 3_600_000])
    async def test_a_clock_that_differs_does_not_hide_the_key(self, observed, offset):
        found = await observed("htx", a_key(), clock_offset_ms=offset)
        assert found.seen.failure is None
        assert found.seen.clock_skew == pytest.approx(-offset / 1000, abs=2)

    async def test_only_the_own_key_of_the_user_is_read(self, observed):
        both = listing(OTHER, ENTRY | {"accessKey": a_key().api_key, "permission": "readOnly"})
        faults = Faults(paths={KEY_PATH: Faults(verbatim=Verbatim(body=both))})
        report = (await observed("htx", a_key(), faults=faults)).seen.report
        assert (report.permissions.spot, report.permissions.withdraw) == (False, False)

    @pytest.mark.parametrize("status", [200, 403, 503])
    async def test_a_page_is_never_a_success(self, observed, status):
        faults = Faults(paths={UID_PATH: Faults(verbatim=Verbatim(status=status, body="<html>hi</html>"))})
        found = await observed("htx", a_key(), faults=faults)
        assert found.seen.report is None
        assert found.seen.failure.kind in {Kind.UNEXPECTED_RESPONSE, Kind.UNAVAILABLE}


class TestVenue:
    @pytest.fixture
    def ask(self):
        """Answers a question that ccxt signed; ``change`` alters the query string after that."""
        key = a_key()
        venue = HtxVenue(ExchangeSpec(id="htx", keys={key.name: key}))

        def run(path, api, params=None, *, method="GET", change=lambda query: query, **incoming):
            made = ccxt.htx({"apiKey": key.api_key, "secret": key.secret})
            url = urlsplit(made.sign(path, list(api), method, params or {})["url"])
            asked = Incoming(
                method=method,
                path=url.path,
                query=change(url.query),
                host=url.netloc,
                now_ms=int(datetime.now(UTC).timestamp() * 1000),
                caller="203.0.113.10",
            )
            return venue.reply(replace(asked, **incoming)).body

        return run

    def test_answers_what_is_signed_on_either_host(self, ask):
        assert ask("v2/user/uid", ["spot", "private"]) == {
            "code": 200,
            "message": "success",
            "data": 63628520,
        }
        assert ask("v5/account/balance", ["contract", "private"])["code"] == 200

    @pytest.mark.parametrize(
        ("incoming", "stem"),
        [
            ({"host": "proxy.example"}, "Verification failure"),
            ({"now_ms": 0}, "Invalid submission time"),
            ({"caller": "192.0.2.7"}, "Incorrect IP address [IP地址错误]:192.0.2.7"),
        ],
    )
    def test_signs_the_host_and_checks_time_and_address(self, ask, incoming, stem):
        assert stem in ask("v1/account/accounts", ["spot", "private"], **incoming)["err-msg"]

    @pytest.mark.parametrize(
        ("old", "new", "stem"),
        [
            ("SignatureVersion=2", "SignatureVersion=3", "Signature version"),
            ("AccessKeyId=e2", "AccessKeyId=f3", "Incorrect Access key"),
            ("Timestamp=20", "Timestamp=yesterday", "Invalid submission time"),
            ("Signature=", "Signature=x", "Verification failure"),
            ("&Signature=", "&Sig=", "Verification failure"),
        ],
    )
    def test_checks_every_parameter(self, ask, old, new, stem):
        answer = ask("v1/account/accounts", ["spot", "private"], change=lambda query: query.replace(old, new))
        assert stem in answer["err-msg"]

    def test_the_key_query_needs_a_user_and_shows_only_the_own(self, ask):
        assert ask("v2/user/api-key", ["spot", "private"])["code"] == 2003
        assert ask("v2/user/api-key", ["spot", "private"], {"uid": "7"})["data"] == []
        listed = ask("v2/user/api-key", ["spot", "private"], {"uid": "63628520"})["data"]
        assert [each["validDays"] for each in listed] == [-1]

    def test_orders_want_account_and_symbol_together(self, ask):
        assert ask("v1/order/openOrders", ["spot", "private"])["status"] == "ok"
        assert ask("v1/order/openOrders", ["spot", "private"], {"symbol": "btcusdt"})["status"] == "error"

    def test_takes_no_writes(self, ask):
        answer = ask("v1/order/orders/place", ["spot", "private"], {"symbol": "btcusdt"}, method="POST")
        assert "no permission" in answer["err-msg"]


class TestCcxtFaults:
    """Each fails when ccxt mends what is worked round: then the workaround can go."""

    @pytest.fixture
    async def exchange(self):
        made = ccxt.htx({"apiKey": "k", "secret": "s"})
        yield made
        await made.close()

    @pytest.mark.parametrize("code", [1002, 401, 2000, 2002, 500, 1006])
    def test_failures_of_v2_pass_as_successes(self, exchange, code):
        body = {"code": code, "message": "Incorrect IP address [IP地址错误]"}
        exchange.handle_errors(200, "", "", "GET", {}, exchange.json(body), body, {}, None)

    @pytest.mark.parametrize("error", ["ip_not_allowed", "key_expired", "clock_skew", "invalid_key"])
    def test_one_class_for_every_cause(self, exchange, error):
        body = ERRORS[error].body
        with pytest.raises(ccxt.BaseError) as caught:
            exchange.handle_errors(200, "", "", "GET", {}, exchange.json(body), body, {}, None)
        assert type(caught.value) is ccxt.AuthenticationError

    @pytest.mark.parametrize(
        "error", ["contract_time", "contract_ip", "contract_expired", "contract_rate", "contract_maintenance"]
    )
    def test_contract_codes_that_are_not_mapped(self, exchange, error):
        body = ERRORS[error].body
        with pytest.raises(ccxt.BaseError) as caught:
            exchange.handle_errors(200, "", "", "GET", {}, exchange.json(body), body, {}, None)
        assert type(caught.value) is ccxt.ExchangeError

    async def test_there_is_no_sandbox_to_switch_to(self, exchange):
        with pytest.raises(TypeError):
            exchange.set_sandbox_mode(True)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
words = st.lists(st.sampled_from([*WORDS, "move", "", "TRADE "]), max_size=5)
entries = st.dictionaries(
    st.sampled_from([*ENTRY, "withdrawAll"]), anything | words | words.map(",".join), max_size=9
).map(lambda entry: entry | {"accessKey": OWN})


class TestAnyAnswer:
    @given(entry=entries)
    def test_never_denies_what_is_not_denied(self, entry):
        with contextlib.suppress(CallFailed):
            self.holds(read(uid=UID, key=listing(entry)), entry)

    def holds(self, seen, entry):
        told = entry.get("permission")
        listed = told.split(",") if isinstance(told, str) else told
        held = {str(word).strip().casefold() for word in listed} - {""} if isinstance(listed, list) else set()
        for permission, value in seen.permissions.items():
            table = [(w, (*grants, *PERHAPS.get(w, ()))) for w, grants in WORDS.items()]
            granting = {word.casefold() for word, grants in table if permission in grants}
            if value is False:
                assert held
                assert held <= {word.casefold() for word in WORDS}
                assert not held & granting
                assert not seen.unknown_words
            if value is True:
                assert held & granting

    @given(uid=anything, key=anything, accounts=anything)
    def test_of_any_shape_is_a_report_or_a_failure(self, uid, key, accounts):
        for bodies in ({"uid": uid}, {"uid": UID}, {"uid": UID, "key": {"code": 200, "data": key}}):
            with contextlib.suppress(CallFailed):
                read(**({"key": key, "accounts": accounts} | bodies))

    @given(body=anything, status=st.integers(0, 599), call=st.sampled_from(Htx.calls))
    def test_is_judged(self, body, status, call):
        found = Htx().judge(Answer(call=call, status=status, body=body))
        assert found is not None
        assert found.message

    @given(body=anything)
    def test_leaves_health_and_time_without_surprises(self, body):
        assert Htx().parse_status(body) in Health
        with contextlib.suppress(ValueError):
            assert isinstance(Htx().parse_time(body), int)


def read(**bodies):
    """The report of given bodies, judged first, without an event loop."""
    reader = Htx()

    class Ask:
        async def __call__(self, call, params=None):
            body = bodies.get(call.name)
            failure = reader.judge(Answer(call=call, status=200, body=body))
            if failure is not None:
                raise CallFailed(failure)
            return body

        def now(self):
            return datetime(2026, 10, 1, 12, tzinfo=UTC)

        def owns(self, shown):
            return parse.shows(shown, OWN)

    running = reader.read_key(Ask(), Market.SPOT)
    try:
        running.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("nothing here waits")
