"""Exchanges without a module: real ccxt over HTTP against their own wire, and what is made of answers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from reconciler.checks import Case, evaluate, permits
from reconciler.exchanges import generic, registry
from reconciler.exchanges.interface import Answer, Exchange, Transport
from reconciler.live.observe import ObserveOptions, Target, observe
from reconciler.model.desired import (
    Attestation,
    Connection,
    CredentialRef,
    Desired,
    Egress,
    Market,
    Policy,
    Strategy,
    Waiver,
)
from reconciler.model.errors import Mark
from reconciler.model.finding import Verdict
from reconciler.model.live import (
    CallFailed,
    FailureKind,
    IpWhitelist,
    KeyReport,
    Observation,
    Permissions,
    Proof,
)
from reconciler.model.secret import Credentials, Secret

MARK = Mark(file="connections.yaml", line=1)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY, SECRET = "key-5518-9930", "s3cret-7291-4471"
BALANCES = {
    "bitstamp": [{"currency": "btc", "total": "1", "available": "1", "reserved": "0"}],
    "bitvavo": [{"symbol": "BTC", "available": "1.5", "inOrder": "0"}],
    "cryptocom": {"id": 1, "code": 0, "result": {"data": [{"total_cash_balance": "5"}]}},
    "phemex": {"code": 0, "msg": "", "data": [{"currency": "BTC", "balanceEv": 1}]},
}
ORDERS = {
    "bitstamp": [],
    "bitvavo": [],
    "cryptocom": {"id": 1, "code": 0, "result": {"data": []}},
}
REFUSALS = {
    "bitstamp": (403, {"status": "error", "reason": "API key not found", "code": "API0001"}),
    "bitvavo": (403, {"errorCode": 309, "error": "The signature is invalid."}),
    "cryptocom": (401, {"id": 1, "method": "private/user-balance", "code": 10003, "message": "IP_ILLEGAL"}),
    "phemex": (401, {"code": 10500, "msg": "Failed to find API-KEY", "data": None}),
}


def hexdigest(*parts):
    return hmac.new(SECRET.encode(), "".join(parts).encode(), hashlib.sha256).hexdigest()


def signed(name, request, body):
    """Whether a request carries the signature that the exchange documents."""
    told = request.headers
    if name == "bitstamp":
        scheme = [told["X-Auth-Nonce"], told["X-Auth-Timestamp"], "v2", body]
        content = told.get("Content-Type", "")
        expected = hexdigest(f"BITSTAMP {KEY}", request.method, str(request.url), content, *scheme)
        return told["X-Auth"] == f"BITSTAMP {KEY}" and told["X-Auth-Signature"] == expected
    if name == "bitvavo":
        expected = hexdigest(told["BITVAVO-ACCESS-TIMESTAMP"], request.method, request.path_qs, body)
        return told["BITVAVO-ACCESS-KEY"] == KEY and told["BITVAVO-ACCESS-SIGNATURE"] == expected
    if name == "phemex":
        expected = hexdigest(request.path, request.query_string, told["x-phemex-request-expiry"], body)
        return told["x-phemex-access-token"] == KEY and told["x-phemex-request-signature"] == expected
    sent = json.loads(body)
    expected = hexdigest(sent["method"], str(sent["nonce"]), KEY, "", str(sent["nonce"]))
    return sent["api_key"] == KEY and sent["sig"] == expected and request.path.endswith(sent["method"])


class Venue:
    """One exchange on loopback. ``broken`` replaces every answer by (status, body)."""

    def __init__(self, name):
        self.name = name
        self.requests = []
        self.broken = None
        self.order = asyncio.Lock()
        self.together = False

    async def answer(self, request):
        body = await request.text()
        self.requests.append((request.method, request.path))
        self.together = self.together or self.order.locked()
        async with self.order:
            await asyncio.sleep(0)
            if self.broken is not None:
                status, text = self.broken
                if isinstance(text, str):
                    return web.Response(status=status, text=text, content_type="text/html")
                return web.json_response(text, status=status)
            if not signed(self.name, request, body):
                status, refusal = REFUSALS[self.name]
                return web.json_response(refusal, status=status)
            wanted = BALANCES if request.path == registry.get(self.name).calls[0].path else ORDERS
            return web.json_response(wanted[self.name])


def connection(name, **changes):
    base = Connection(
        id="other",
        name="Other Spot Main",
        exchange=name,
        market=Market.SPOT,
        credentials=CredentialRef(file="x.sops.yaml", mark=MARK, root="."),
        mark=MARK,
    )
    return replace(base, **changes)


@pytest.fixture
async def run():
    """Reads one key of an exchange on loopback; gives the observation and the venue."""
    servers = []

    async def read(name, *, secret=SECRET, market=Market.SPOT, broken=None):
        venue = Venue(name)
        venue.broken = broken
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", venue.answer)
        server = TestServer(app, host="127.0.0.1")
        servers.append(server)
        await server.start_server()
        secrets = Credentials(api_key=Secret(KEY), secret=Secret(secret))
        target = Target(connection=connection(name, market=market), credentials=secrets, pairs=("BTC/USDT",))
        endpoints = {name: f"http://127.0.0.1:{server.port}"}
        found = await observe([target], options=ObserveOptions(endpoints=endpoints, timeout=5.0))
        return found["other"], venue

    yield read
    for server in servers:
        await server.close()


@pytest.mark.parametrize("name", ["bitstamp", "bitvavo", "cryptocom"])
async def test_balance_and_orders_are_read_and_nothing_else_is_claimed(name, run):
    seen, venue = await run(name)
    assert seen.failure is None
    assert seen.report == KeyReport(permissions=Permissions(read=True))
    assert {proof: each.failure for proof, each in seen.proofs.items()} == {"balance": None, "orders": None}
    calls = registry.get(name).calls
    balance, orders = [(call.method, call.path) for call in calls]
    assert venue.requests == [balance, balance, orders]
    assert not venue.together  # nonces must arrive in order


async def test_orders_that_need_the_list_of_markets_are_not_asked_for(run):
    seen, venue = await run("phemex")
    assert seen.report.permissions == Permissions(read=True)
    assert seen.proofs["balance"].failure is None
    failure = seen.proofs["orders"].failure
    assert failure.kind is FailureKind.UNEXPECTED_RESPONSE
    assert "Phemex" in failure.message
    assert {path for _, path in venue.requests} == {"/spot/wallets"}


async def test_a_market_that_ccxt_cannot_tell_apart_is_not_claimed(run):
    seen, _ = await run("phemex", market=Market.FUTURES)
    assert seen.report.permissions == Permissions(read=True)
    assert seen.proofs["balance"].failure.kind is FailureKind.UNEXPECTED_RESPONSE


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_is_never_certain(name, run):
    seen, venue = await run(name, secret="another")
    assert seen.report is None
    assert seen.failure.kind in {FailureKind.AMBIGUOUS_AUTH, FailureKind.UNEXPECTED_RESPONSE}
    if seen.failure.kind is FailureKind.AMBIGUOUS_AUTH:
        assert len(seen.failure.candidates) > 1
    assert len(venue.requests) <= 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((503, {"code": 503}), FailureKind.UNAVAILABLE),
        ((200, "<html>maintenance</html>"), FailureKind.MAINTENANCE),
        ((200, "<html>welcome</html>"), FailureKind.UNEXPECTED_RESPONSE),
        ((429, {"message": "slow down"}), FailureKind.RATE_LIMITED),
        ((200, {"message": "ok"}), FailureKind.UNEXPECTED_RESPONSE),
        ((200, []), FailureKind.UNEXPECTED_RESPONSE),
        ((302, {}), FailureKind.UNEXPECTED_RESPONSE),
        ((200, {"errorCode": 0, "error": "x"}), FailureKind.UNEXPECTED_RESPONSE),
    ],
)
async def test_other_answers(answer, kind, run):
    seen, _ = await run("bitvavo", broken=answer)
    assert seen.report is None
    assert seen.failure.kind is kind


def judged(body, *, status=200, name="bitvavo", **changes):
    reader = registry.get(name)
    return reader.judge(Answer(call=reader.calls[0], status=status, body=body, **changes))


@pytest.mark.parametrize(
    "body",
    [
        {"error": "Invalid key"},
        {"error": ["EAPI:Invalid key"], "result": {}},
        {"errors": [{"message": "no"}]},
        {"errorCode": 309, "data": []},
        {"err_code": "1001", "data": []},
        {"success": False, "data": {"BTC": 1}},
        {"success": 0, "result": []},
        {"result": "error", "data": [1]},
        {"status": "error", "data": [1]},
        {"ok": "false", "data": [1]},
        {"code": 1001, "msg": "no"},
        {"code": 0, "msg": "success", "data": None},
        {"message": "Unauthorized"},
        "text",
        7,
        None,
    ],
)
def test_a_body_that_complains_is_no_success(body):
    assert judged(body) is not None


@pytest.mark.parametrize(
    "body",
    [
        [],
        [{"currency": "BTC"}],
        {"error": [], "result": {"XXBT": "1"}},
        {"error": None, "data": []},
        {"success": True, "result": [1]},
        {"code": 0, "message": "OK", "data": {"list": []}},
        {"status": "ok", "balances": {}},
        {"btc_available": "1", "usd_available": "0"},
        {"error_code": 0, "errors": {}, "data": []},
    ],
)
def test_a_body_without_complaint_is_one(body):
    assert judged(body) is None


def test_what_ccxt_would_have_raised_decides():
    assert judged([1], ccxt_error="ExchangeError").kind is FailureKind.UNEXPECTED_RESPONSE
    assert judged([1], ccxt_error="TypeError").kind is FailureKind.UNEXPECTED_RESPONSE
    assert judged([1], ccxt_error="OnMaintenance").kind is FailureKind.MAINTENANCE
    assert judged([1], ccxt_error="InvalidNonce").kind is FailureKind.CLOCK_SKEW
    told = judged({"message": "no"}, status=403, ccxt_error="PermissionDenied")
    assert told.kind is FailureKind.AMBIGUOUS_AUTH
    assert told.candidates[0] is FailureKind.PERMISSION_DENIED
    assert FailureKind.IP_NOT_ALLOWED in told.candidates
    assert "“no”" in told.message
    assert told.message.endswith("ccxt takes it for PermissionDenied.")
    suspended = judged({}, status=403, ccxt_error="AccountSuspended")
    assert suspended.candidates[0] is FailureKind.ACCOUNT_RESTRICTED


def test_no_answer_at_all_is_an_outage():
    reader = registry.get("bitvavo")
    failure = reader.judge(Answer(call=reader.calls[0], transport=Transport.TIMEOUT))
    assert failure.kind is FailureKind.UNAVAILABLE


@pytest.mark.parametrize(
    "body", [{}, [], {"data": []}, {"data": {"list": []}}, {"code": 0, "data": [[], {}]}]
)
async def test_an_empty_balance_proves_nothing(body, answers):
    reader = registry.get("bitvavo")
    with pytest.raises(CallFailed) as caught:
        await reader.read_balance(answers(balance=body), Market.SPOT)
    assert caught.value.failure.kind is FailureKind.UNEXPECTED_RESPONSE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMED = st.dictionaries(
    st.sampled_from(["code", "error", "errors", "message", "data", "result", "withdraw", "permissions"]), JSON
)
ERRORS = st.sampled_from(
    [None, "AuthenticationError", "PermissionDenied", "ExchangeError", "KeyError", "Odd"]
)


@given(body=JSON | NAMED, status=st.sampled_from([0, 200, 201, 302, 400, 401, 403, 418, 500]), raised=ERRORS)
def test_any_answer_gives_a_report_of_unknowns_or_a_failure(body, status, raised):
    async def ask(call, params=None):
        failure = judged(body, status=status, ccxt_error=raised)
        if failure is not None:
            raise CallFailed(failure)
        return body

    reader = registry.get("bitvavo")
    with contextlib.suppress(CallFailed):
        report = asyncio.run(reader.read_key(ask, Market.SPOT))
        assert status in {200, 201}
        assert raised is None
        assert report == KeyReport(permissions=Permissions(read=True))


def test_the_registry_gives_modules_first_and_all_others_generically():
    assert set(registry.ids()).isdisjoint(registry.others())
    assert {"bitstamp", "cryptocom", "phemex"} <= set(registry.others())
    assert len(registry.others()) > 50
    for name in registry.others():
        reader = registry.get(name)
        assert isinstance(reader, Exchange)
        assert reader.id == reader.ccxt_id == name
        assert set(reader.credentials) <= {"api_key", "secret", "passphrase"}
        assert 0 < reader.budget.units <= generic.MOST_PER_SECOND
    assert registry.get("coinbaseexchange").credentials == ("api_key", "secret", "passphrase")


class TestAttestations:
    """What a generic report is worth to the checks."""

    def case(self, *, on=date(2026, 10, 1), subjects=("withdraw_disabled", "ip_whitelist"), **report):
        attested = {name: Attestation(subject=name, by="treasury", on=on, mark=MARK) for name in subjects}
        mine = connection("cryptocom", attestations=attested, egress="bot-eu")
        strategy = Strategy(
            id="grid",
            name="Grid",
            connection="other",
            runtime="paper",
            enabled=True,
            pairs=("BTC/USDT",),
            parameters={},
            mark=MARK,
        )
        trade = Waiver(
            check="permission-trade-missing",
            connection="other",
            reason="Crypto.com does not tell",
            approved_by="treasury",
            until=date(2026, 12, 31),
            mark=MARK,
        )
        desired = Desired(
            files=("connections.yaml",),
            policy=Policy(),
            egress={"bot-eu": Egress(id="bot-eu", addresses=(ip_network("203.0.113.10"),), mark=MARK)},
            connections={"other": mine},
            runtimes={},
            strategies={"grid": strategy},
            waivers=(trade,),
        )
        given = {"permissions": Permissions(read=True)} | report
        observation = Observation(
            connection="other",
            exchange="cryptocom",
            observed_at=NOW,
            report=KeyReport(**given),
            proofs={name: Proof(name=name) for name in ("balance", "orders")},
        )
        return Case(
            desired=desired,
            connection=mine,
            observation=observation,
            now=NOW,
            strategies=(strategy,),
            attestable=registry.get("cryptocom").attestable,
        )

    def blocking(self, case):
        findings = evaluate(case)
        unmet = {f.check for f in findings if f.verdict is not Verdict.PASS and f.waived_by is None} & {
            "withdraw-enabled",
            "ip-whitelist-missing",
            "ip-whitelist-lacks-egress",
            "permission-trade-missing",
        }
        return permits(findings), unmet

    def test_a_person_can_answer_for_what_the_exchange_cannot_tell(self):
        assert self.blocking(self.case()) == (True, set())

    def test_without_attestation_nothing_runs(self):
        allowed, unmet = self.blocking(self.case(subjects=()))
        assert not allowed
        assert {"withdraw-enabled", "ip-whitelist-missing"} <= unmet
        assert self.blocking(self.case(subjects=("ip_whitelist",)))[0] is False
        assert self.blocking(self.case(subjects=("withdraw_disabled",)))[0] is False

    def test_it_ends(self):
        allowed, unmet = self.blocking(self.case(on=date(2026, 7, 1)))
        assert not allowed
        assert "withdraw-enabled" in unmet

    def test_it_never_outvotes_an_exchange_that_tells(self):
        told = Permissions(read=True, spot=True, withdraw=True)
        assert self.blocking(self.case(permissions=told)) == (False, {"withdraw-enabled"})
        unbound = IpWhitelist(restricted=False, addresses=())
        assert "ip-whitelist-missing" in self.blocking(self.case(ip_whitelist=unbound))[1]

    def test_two_factor_only_advises(self):
        findings = {f.check: f for f in evaluate(self.case())}
        assert findings["two-factor-unattested"].verdict is not Verdict.PASS
        attested = self.case(subjects=("withdraw_disabled", "ip_whitelist", "two_factor"))
        assert {f.check: f for f in evaluate(attested)}["two-factor-unattested"].verdict is Verdict.PASS
