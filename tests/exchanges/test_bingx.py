"""BingX: every documented answer, through the parser, the sandbox and real ccxt."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import ccxt.async_support as ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges.bingx import FLAGS, PERHAPS, ROWS, WORDS, Bingx
from reconciler.exchanges.interface import Answer
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Permission
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Verbatim
from reconciler.sandbox.venue import Incoming
from reconciler.sandbox.venues.bingx import ERRORS
from reconciler.sandbox.venues.bingx import Bingx as BingxVenue

KEY_PATH = "/openApi/v1/account/apiPermissions"
UID_PATH = "/openApi/account/v1/uid"
DETAILS_PATH = "/openApi/account/v1/apiKey/query"
RESTRICTIONS_PATH = "/openApi/v1/account/apiRestrictions"
P = Permission
MADE = datetime(2023, 12, 11, 10, 14, 47, 211000, tzinfo=UTC)

#: The three forms of one answer: docs-v3 without an envelope, with one, and api-ai-skills.
BARE = {"apiKey": "", "permissions": [1, 2], "ipAddresses": [], "note": "demo"}
FLAGGED = {
    "ipRestrict": False,
    "createTime": 1702289687211,
    "enableReading": True,
    "enableSpotAndMarginTrading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableFutures": False,
    "permitsUniversalTransfer": False,
    "enableVanillaOptions": False,
}
#: ``apiRestrictions`` as documented: no right to withdraw, no addresses.
RESTRICTIONS = {
    "ipRestrict": False,
    "createTime": 1684763997626,
    "permitsUniversalTransfer": False,
    "enableReading": True,
    "enableFutures": False,
    "enableSpotAndMarginTrading": False,
}


def enveloped(data):
    return {"code": 0, "timestamp": 1702289687999, "data": data}


def a_key(**changes):
    given_ = {
        "name": "main",
        "api_key": "zFq7Lw2mVb8KxR4tYp1NcD6hJs3GaE9uQ",
        "secret": "Hj2kLm9Qw8Er7Ty6Ui5Op4As3Df2Gh1J",
        "permissions": [2, 1, 3],
        "ip_whitelist": ["203.0.113.10", "198.51.100.7"],
        "label": "bot eu",
        "uid": "16844999",
        "created": MADE,
        "balances": {"USDT": "12.5"},
    }
    return Key(**(given_ | changes))


@pytest.fixture
def told(report):
    """The report of a bare answer with ``changes``; a change to ``...`` leaves the field out."""

    def read(**changes):
        body = {n: v for n, v in (BARE | changes).items() if v is not ...}
        return report("bingx", **(NOTHING_ELSE | {"key": body}))

    return read


REFUSED = {"code": 100403, "msg": "Forbidden"}
NOTHING_ELSE = {"uid": REFUSED, "key_details": REFUSED, "key_restrictions": REFUSED}


class TestShapes:
    def test_bare(self, told):
        seen = told()
        assert {p for p, value in seen.permissions.items() if value} == {P.SPOT, P.READ}
        assert (seen.permissions.withdraw, seen.permissions.transfer) == (False, False)
        assert (seen.ip_whitelist.restricted, seen.ip_whitelist.addresses) == (False, ())
        assert seen.label == "demo"
        assert (seen.account.uid, seen.account.is_sub, seen.created_at) == (None, None, None)
        assert (seen.expires_at, seen.expiry_rule, seen.disabled, seen.unknown_words) == (
            None,
            None,
            None,
            (),
        )

    def test_enveloped(self, told, report):
        seen = report("bingx", **(NOTHING_ELSE | {"key": enveloped(BARE)}))
        assert seen == told()

    def test_an_envelope_around_nothing(self, report):
        body = enveloped(None) | BARE
        with pytest.raises(CallFailed) as caught:
            report("bingx", **(NOTHING_ELSE | {"key": body}))
        assert caught.value.failure.kind is Kind.UNEXPECTED_RESPONSE

    @pytest.mark.parametrize("wrap", [enveloped, dict])
    def test_flags(self, report, wrap):
        seen = report("bingx", **(NOTHING_ELSE | {"key": wrap(FLAGGED)}))
        granted = {p for p, value in seen.permissions.items() if value}
        assert granted == {P.READ, P.SPOT}
        assert seen.permissions.margin is None
        assert {seen.permissions[p] for p in (P.FUTURES, P.OPTIONS, P.TRANSFER, P.WITHDRAW)} == {False}
        assert (seen.ip_whitelist.restricted, seen.ip_whitelist.addresses) == (False, ())
        assert seen.created_at == MADE

    @pytest.mark.parametrize("name", sorted(FLAGS))
    def test_a_flag_that_is_not_told_leaves_its_right_open(self, report, name):
        body = {n: v for n, v in FLAGGED.items() if n != name}
        seen = report("bingx", **(NOTHING_ELSE | {"key": body})).permissions
        others = {p for flag, grants in FLAGS.items() if body.get(flag) for p in grants}
        assert {seen[p] for p in FLAGS[name]} <= ({True, None} if others & set(FLAGS[name]) else {None})

    def test_restrictions_alone_would_say_nothing_of_withdrawal(self, report):
        seen = report("bingx", **(NOTHING_ELSE | {"key": RESTRICTIONS}))
        assert seen.permissions.withdraw is None

    def test_numbers_and_flags_that_differ(self, told):
        seen = told(permissions=[2], enableWithdrawals=True, enableReading=True).permissions
        assert seen.withdraw is True

    @pytest.mark.parametrize("body", [{}, {"apiKey": "", "note": "demo"}, [], "ok", {"data": {}}])
    def test_an_answer_that_describes_no_key(self, report, body):
        with pytest.raises(CallFailed) as caught:
            report("bingx", **(NOTHING_ELSE | {"key": body}))
        assert caught.value.failure.kind is Kind.UNEXPECTED_RESPONSE


class TestPermissions:
    @pytest.mark.parametrize(
        ("listed", "granted", "unknown"),
        [
            ([2], {P.READ}, set()),
            (["2", "1"], {P.READ, P.SPOT}, {P.MARGIN}),
            ("1,2,3", {P.READ, P.SPOT, P.FUTURES}, {P.MARGIN}),
            ([2, 3], {P.READ, P.FUTURES}, set()),
            ([2, 4], {P.READ, P.TRANSFER}, set()),
            ([2, 5], {P.READ, P.WITHDRAW}, set()),
            ([2, 7], {P.READ, P.TRANSFER}, {P.WITHDRAW}),
            ([3], {P.FUTURES}, {P.READ}),
        ],
    )
    def test_numbers(self, told, listed, granted, unknown):
        seen = told(permissions=listed).permissions
        assert {p for p, value in seen.items() if value} == granted
        # No number speaks of options, so no list of numbers denies them.
        assert {p for p, value in seen.items() if value is None} == unknown | {P.OPTIONS}

    @pytest.mark.parametrize(("flag", "options"), [(True, True), (False, False), ("odd", None)])
    def test_options_are_told_by_their_flag_alone(self, told, flag, options):
        assert told(enableVanillaOptions=flag).permissions.options is options

    @pytest.mark.parametrize("listed", [[], None, "", 7, {"1": True}, [None], [[1]], [1.5], ...])
    def test_a_list_that_is_not_told_denies_nothing(self, told, listed):
        assert {value for _, value in told(permissions=listed).permissions.items()} == {None}

    @pytest.mark.parametrize(("number", "word"), [(6, "6"), ("SPOT", "SPOT"), (True, "True"), (-1, "-1")])
    def test_a_number_that_nobody_explains_may_mean_anything(self, told, number, word):
        seen = told(permissions=[2, number])
        assert seen.unknown_words == (word,)
        assert seen.permissions.read is True
        assert {v for p, v in seen.permissions.items() if p is not P.READ} == {None}

    def test_a_new_flag(self, told):
        assert told(enableCopyTrading=False).unknown_words == ()
        seen = told(enableCopyTrading=True)
        assert (seen.unknown_words, seen.permissions.withdraw) == (("enableCopyTrading",), None)

    @pytest.mark.parametrize(
        ("changes", "restricted", "addresses"),
        [
            ({"ipAddresses": [""]}, False, ()),
            ({"ipAddresses": ["203.0.113.10"]}, True, ("203.0.113.10",)),
            ({"ipAddresses": "203.0.113.10,198.51.100.7"}, True, ("203.0.113.10", "198.51.100.7")),
            ({"ipAddresses": ["203.0.**.10"]}, True, None),
            ({"ipAddresses": ["office"]}, None, None),
            ({"ipAddresses": None}, None, None),
            ({"ipAddresses": ...}, None, None),
            ({"ipAddresses": ..., "ipRestrict": True}, True, None),
            ({"ipAddresses": ..., "ipRestrict": False}, False, ()),
            ({"ipAddresses": [], "ipRestrict": True}, None, None),
            ({"ipAddresses": ["203.0.113.10"], "ipRestrict": False}, None, None),
        ],
    )
    def test_addresses(self, told, changes, restricted, addresses):
        seen = told(**changes).ip_whitelist
        assert (seen.restricted, seen.addresses) == (restricted, addresses)


#: The key that these tests own, as the account's list shows it.
OWN = {"apiKey": "c5*******11", "note": "x", "permissions": [2], "status": 0, "createTime": 1702289687211}


class TestCreation:
    def read(self, report, listed, **others):
        bodies = {"key": BARE, "uid": enveloped({"uid": 16844999}), "key_restrictions": REFUSED}
        return report("bingx", **(bodies | {"key_details": enveloped(listed)} | others))

    @pytest.mark.parametrize("name", ["apiInfos", "apiKeyList"])
    def test_of_the_own_key_among_others(self, report, name):
        other = OWN | {"apiKey": "zF*******zQ", "createTime": 1600000000000}
        seen = self.read(report, {name: [other, OWN]})
        assert (seen.created_at, seen.account.uid) == (MADE, "16844999")

    def test_keys_that_look_alike_leave_it_to_the_other_question(self, report):
        twin = OWN | {"createTime": 1600000000000}
        seen = self.read(report, {"apiInfos": [twin, OWN]})
        assert seen.created_at is None
        restrictions = {"key_restrictions": RESTRICTIONS}
        seen = self.read(report, {"apiInfos": [twin, OWN]}, **restrictions)
        assert seen.created_at == datetime(2023, 5, 22, 13, 59, 57, 626000, tzinfo=UTC)

    @pytest.mark.parametrize("listed", [None, [], {"apiInfos": None}, {"apiInfos": ["x"]}, {"apiInfos": []}])
    def test_a_list_of_another_shape(self, report, listed):
        assert self.read(report, listed).created_at is None

    @pytest.mark.parametrize("uid", [16844999, "16844999"])
    def test_uids_are_text(self, report, uid):
        seen = self.read(report, {"apiInfos": [OWN]}, uid=enveloped({"uid": uid}))
        assert seen.account.uid == "16844999"


#: Every error of the sandbox's table (and so of the facts) and what it means.
KINDS = {
    "invalid_key": Kind.INVALID_KEY,
    "bad_signature": Kind.BAD_SIGNATURE,
    "signature_missing": Kind.BAD_REQUEST,
    "clock_skew": Kind.CLOCK_SKEW,
    "timestamp": Kind.CLOCK_SKEW,
    "timestamp_new": Kind.CLOCK_SKEW,
    "arguments": Kind.BAD_REQUEST,
    "parameter": Kind.BAD_REQUEST,
    "pair_restricted": Kind.BAD_REQUEST,
    "ip_not_allowed": Kind.IP_NOT_ALLOWED,
    "permission_denied": Kind.PERMISSION_DENIED,
    "main_account_only": Kind.PERMISSION_DENIED,
    "unauthorized": Kind.AMBIGUOUS_AUTH,
    "rate_limited": Kind.RATE_LIMITED,
    "rate_blocked": Kind.RATE_LIMITED,
    "error_blocked": Kind.RATE_LIMITED,
    "rate_limited_swap": Kind.RATE_LIMITED,
    "rate_limited_http": Kind.RATE_LIMITED,
    "rate_banned_http": Kind.RATE_LIMITED,
    "account_restricted": Kind.ACCOUNT_RESTRICTED,
    "system_busy": Kind.UNAVAILABLE,
    "internal": Kind.UNAVAILABLE,
    "unavailable": Kind.UNAVAILABLE,
    "swap_unavailable": Kind.UNAVAILABLE,
    "maintenance": Kind.MAINTENANCE,
    "not_found": Kind.UNEXPECTED_RESPONSE,
}


class TestJudge:
    @pytest.mark.parametrize(
        "body",
        [
            {"code": 0},
            {"code": 0, "data": None},
            {"code": "00000", "data": {}},
            {"code": 0, "data": {}, "success": False},
            {"data": {"uid": 7}},
            {"uid": 7},
            [],
            "ok",
            None,
        ],
    )
    def test_http_200_alone_is_no_success(self, judge, body):
        assert judge("bingx", "uid", body=body).kind is Kind.UNEXPECTED_RESPONSE

    @pytest.mark.parametrize("code", [0, "0"])
    def test_a_success_is_code_0_with_data_and_http_200(self, judge, code):
        body = {"code": code, "data": []}
        assert judge("bingx", "orders", body=body) is None
        assert judge("bingx", "orders", body=body, status=202) is not None

    def test_only_a_key_may_be_told_without_a_code(self, judge):
        assert judge("bingx", "key", body=BARE) is None
        assert judge("bingx", "balance", body=BARE) is not None
        assert judge("bingx", "key", body={"code": 100413, "msg": "x", **BARE}).kind is Kind.INVALID_KEY

    def test_the_caller_s_address(self, judge):
        body = ERRORS["ip_not_allowed"].filled({"ip": "36.228.12.229"}).body
        found = judge("bingx", "key", body=body)
        assert (found.kind, found.caller_ip, found.code) == (Kind.IP_NOT_ALLOWED, "36.228.12.229", "100419")

    @pytest.mark.parametrize("error", ["rate_blocked", "error_blocked"])
    def test_when_a_block_ends(self, judge, error):
        body = ERRORS[error].filled({"until_ms": "1727193814249"}).body
        headers = {"date": "Tue, 24 Sep 2024 16:00:00 GMT"}
        found = judge("bingx", "key", body=body, headers=headers)
        assert (found.kind, found.retry_after) == (Kind.RATE_LIMITED, pytest.approx(214.249))

    @pytest.mark.parametrize("code", [100202, 100400, 100410, 100421, 100500])
    def test_a_busy_system_is_no_fault_of_the_request(self, judge, code):
        body = {"code": code, "msg": "The current system is busy, please try again later"}
        assert judge("bingx", "balance", body=body).kind is Kind.UNAVAILABLE

    def test_every_row_names_its_source(self):
        assert all(row.source for row in ROWS)

    def test_time(self):
        assert Bingx().parse_time(enveloped({"serverTime": 1688639403423})) == 1688639403423
        with pytest.raises(ValueError, match="time"):
            Bingx().parse_time(enveloped({}))


class TestEndToEnd:
    def test_every_error_has_its_kind(self):
        assert set(KINDS) == set(ERRORS)

    @pytest.mark.parametrize("error", sorted(KINDS))
    async def test_every_documented_error(self, observed, error):
        faults = Faults(paths={KEY_PATH: Faults(error=error)})
        failure = (await observed("bingx", a_key(), faults=faults)).seen.failure
        assert failure.kind is KINDS[error]
        assert failure.call == "key"
        assert bool(failure.candidates) is (KINDS[error] is Kind.AMBIGUOUS_AUTH)

    @pytest.mark.parametrize("market", list(Market))
    @pytest.mark.parametrize("shape", ["bare", "enveloped"])
    async def test_a_good_key_is_read_in_every_market(self, observed, market, shape):
        found = await observed("bingx", a_key(options={"shape": shape}), market=market)
        assert found.seen.failure is None
        assert {n: proof.failure for n, proof in found.seen.proofs.items()} == {
            "balance": None,
            "orders": None,
        }
        report = found.seen.report
        assert (report.account.uid, report.label, report.created_at) == ("16844999", "bot eu", MADE)
        assert report.ip_whitelist.addresses == ("203.0.113.10", "198.51.100.7")
        assert (report.permissions.futures, report.permissions.withdraw) == (True, False)
        futures = market is Market.FUTURES
        proofs = {call.path for call in Bingx.calls if call.name.endswith("-futures") is futures}
        asked = {path for _, path in found.requests}
        assert asked <= {call.path for call in Bingx.calls}
        assert asked & proofs
        assert {method for method, _ in found.requests} == {"GET"}

    async def test_flags(self, observed):
        key = a_key(permissions="enableReading,enableFutures", options={"shape": "flags"})
        report = (await observed("bingx", key, market=Market.FUTURES)).seen.report
        assert (report.permissions.futures, report.permissions.spot) == (True, False)
        assert report.permissions.withdraw is False
        assert (report.ip_whitelist.restricted, report.ip_whitelist.addresses) == (True, None)

    async def test_a_sub_account_s_key_learns_its_age_from_the_restrictions(self, observed):
        found = await observed("bingx", a_key(is_master=False))
        assert found.seen.report.created_at == MADE
        paths = [path for _, path in found.requests]
        assert paths.index(DETAILS_PATH) < paths.index(RESTRICTIONS_PATH)

    async def test_the_key_s_own_report_stands_without_the_other_answers(self, observed):
        broken = Faults(error="permission_denied")
        paths = dict.fromkeys((UID_PATH, DETAILS_PATH, RESTRICTIONS_PATH), broken)
        seen = (await observed("bingx", a_key(), faults=Faults(paths=paths))).seen
        assert (seen.report.account.uid, seen.report.created_at) == (None, None)
        assert seen.report.permissions.spot is True

    @pytest.mark.parametrize(
        ("wrong", "kind"),
        [({"secret": "not-the-secret"}, Kind.BAD_SIGNATURE), ({"api_key": "nobody"}, Kind.INVALID_KEY)],
    )
    async def test_wrong_credentials(self, observed, wrong, kind):
        found = await observed("bingx", a_key(), credentials=wrong)
        assert found.seen.failure.kind is kind
        assert found.seen.proofs == {}

    async def test_an_address_that_is_not_allowed_is_named(self, observed):
        found = await observed("bingx", a_key(ip_whitelist=["198.51.100.7"]))
        assert found.seen.failure.kind is Kind.IP_NOT_ALLOWED
        assert (found.seen.caller_ip, found.seen.caller_ip_source) == ("203.0.113.10", "failure")

    async def test_a_key_that_may_not_read(self, observed):
        found = await observed("bingx", a_key(permissions=[1]))
        assert found.seen.failure.kind is Kind.PERMISSION_DENIED
        assert "need Read permission" in found.seen.failure.message

    @pytest.mark.parametrize("offset", [-90_000, 90_000])
    async def test_a_clock_that_differs_does_not_hide_the_key(self, observed, offset):
        found = await observed("bingx", a_key(), clock_offset_ms=offset)
        assert found.seen.failure is None
        assert found.seen.clock_skew == pytest.approx(-offset / 1000, abs=2)

    @pytest.mark.parametrize("status", [200, 403, 503])
    async def test_a_page_is_never_a_success(self, observed, status):
        faults = Faults(paths={KEY_PATH: Faults(verbatim=Verbatim(status=status, body="<html>hi</html>"))})
        found = await observed("bingx", a_key(), faults=faults)
        assert found.seen.report is None
        assert found.seen.failure.kind in {Kind.UNEXPECTED_RESPONSE, Kind.UNAVAILABLE}


class TestVenue:
    """The sandbox's own checks, with requests that ccxt signed."""

    def ask(self, path, api, params=None, *, key=None, changed=None):
        key = key or a_key()
        made = ccxt.bingx({"apiKey": key.api_key, "secret": key.secret})
        signed = made.sign(path, api, "GET", params or {})
        url = urlsplit(signed["url"])
        query = urlencode(dict(parse_qsl(url.query)) | changed) if changed else url.query
        now = int(datetime.now(UTC).timestamp() * 1000)
        incoming = Incoming(
            method="GET",
            path=url.path,
            query=query,
            headers=signed["headers"],
            now_ms=now,
            caller="203.0.113.10",
        )
        return BingxVenue(ExchangeSpec(id="bingx", keys={key.name: key})), incoming

    def code(self, venue, incoming):
        return venue.reply(incoming).body.get("code")

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"timestamp": ""}, 100421),
            ({"timestamp": "1"}, 100421),
            ({"signature": ""}, 100412),
            ({"signature": "0" * 64}, 100001),
            ({"uid": "7"}, 100001),
        ],
    )
    def test_what_is_wrong_with_a_request(self, changed, code):
        venue, incoming = self.ask("uid", ["account", "v1", "private"], changed=changed)
        assert self.code(venue, incoming) == code

    def test_no_key_at_all(self):
        venue, incoming = self.ask("uid", ["account", "v1", "private"])
        assert self.code(venue, replace(incoming, headers={})) == 100413

    def test_the_account_s_list_wants_a_uid(self):
        venue, incoming = self.ask("apiKey/query", ["account", "v1", "private"])
        assert self.code(venue, incoming) == 100400

    def test_keys_are_listed_masked(self):
        venue, incoming = self.ask("apiKey/query", ["account", "v1", "private"], {"uid": "16844999"})
        listed = venue.reply(incoming).body["data"]["apiInfos"]
        assert [each["apiKey"] for each in listed] == ["zF*******uQ"]
        assert listed[0]["ipAddresses"] == ["203.0.113.10", "198.51.100.7"]


class TestCcxtFaults:
    """Each fails when ccxt mends what is worked round: then the workaround can go."""

    @pytest.fixture
    async def exchange(self):
        made = ccxt.bingx({"apiKey": "k", "secret": "s", "timeout_on_exit": 0})
        yield made
        await made.close()

    @pytest.mark.parametrize(
        ("error", "wrong"),
        [
            ("clock_skew", ccxt.BadSymbol),
            ("timestamp", ccxt.BadRequest),
            ("rate_limited", ccxt.OperationFailed),
            ("rate_blocked", ccxt.OperationFailed),
            ("rate_limited_swap", ccxt.ExchangeError),
            ("unavailable", ccxt.ExchangeError),
            ("main_account_only", ccxt.ExchangeError),
        ],
    )
    def test_codes_of_a_class_that_misleads(self, exchange, error, wrong):
        body = ERRORS[error].body
        with pytest.raises(ccxt.BaseError) as caught:
            exchange.handle_errors(200, "", "", "GET", {}, exchange.json(body), body, {}, None)
        assert type(caught.value) is wrong

    def test_address_and_permission_are_one_class(self, exchange):
        for error in ("ip_not_allowed", "permission_denied"):
            body = ERRORS[error].body
            with pytest.raises(ccxt.PermissionDenied):
                exchange.handle_errors(200, "", "", "GET", {}, exchange.json(body), body, {}, None)

    def test_json_writes_cannot_be_signed(self, exchange):
        with pytest.raises(TypeError):
            exchange.sign("apiKey/del", ["subAccount", "v1", "private"], "POST", {"subUid": "1"})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
numbers = st.lists(st.sampled_from([1, 2, 3, 4, 5, 6, 7, "1", "2", "5", "", "9", True]), max_size=5)
bodies = st.dictionaries(
    st.sampled_from([*BARE, *FLAGGED, "enableSomething", "code"]),
    anything | st.booleans() | numbers | st.just("false"),
    max_size=8,
) | st.builds(lambda listed: BARE | {"permissions": listed}, numbers)


class TestAnyAnswer:
    @given(body=bodies, wrapped=st.booleans())
    def test_never_denies_what_is_not_denied(self, body, wrapped):
        with contextlib.suppress(CallFailed):
            self.holds(read(enveloped(body) if wrapped else body), body)

    def holds(self, seen, body):
        listed = body.get("permissions")
        listed = listed.split(",") if isinstance(listed, str) else listed
        words = {str(one).strip() for one in listed} - {""} if isinstance(listed, list) else set()
        off = {name for name in FLAGS if str(body.get(name)).lower() in {"false", "0"}}
        on = {name for name in FLAGS if str(body.get(name)).lower() in {"true", "1"}}
        tables = (WORDS | FLAGS, PERHAPS)
        for permission, value in seen.permissions.items():
            granting = {name for table in tables for name, grants in table.items() if permission in grants}
            if value is False:
                assert not seen.unknown_words
                assert not (words | on) & granting
                assert (words and words <= set(WORDS)) or off >= granting & set(FLAGS)
            if value is True:
                assert (words | on) & {n for n, grants in tables[0].items() if permission in grants}

    @given(body=anything)
    def test_of_any_shape_is_a_report_or_a_failure(self, body):
        with contextlib.suppress(CallFailed):
            read(body)

    @given(body=anything)
    def test_of_the_other_questions_changes_nothing_but_uid_and_age(self, body):
        seen = read(BARE, others=body)
        assert (seen.permissions.spot, seen.permissions.withdraw) == (True, False)

    @given(body=anything, status=st.integers(0, 599), call=st.sampled_from(Bingx.calls))
    def test_is_judged(self, body, status, call):
        found = Bingx().judge(Answer(call=call, status=status, body=body))
        assert found is not None
        assert found.message

    @given(body=anything)
    def test_leaves_the_time_without_surprises(self, body):
        with contextlib.suppress(ValueError):
            assert isinstance(Bingx().parse_time(body), int)


def read(body, *, others=None):
    """The report of one body, judged first, without an event loop; ``others`` answers every other call."""
    reader = Bingx()

    class Ask:
        async def __call__(self, call, params=None):
            answer = body if call.name == "key" else others
            failure = reader.judge(Answer(call=call, status=200, body=answer))
            if failure is not None:
                raise CallFailed(failure)
            return answer

        def owns(self, shown):
            return shown.startswith("z")

    running = reader.read_key(Ask(), Market.SPOT)
    try:
        running.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("nothing here waits")
