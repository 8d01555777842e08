"""Kraken: every documented answer, through the parser, a venue of its own and real ccxt."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import sys
from datetime import UTC, datetime
from types import ModuleType
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges.interface import Answer
from reconciler.exchanges.kraken import ROWS, WORDS, Kraken
from reconciler.model.desired import Market
from reconciler.model.live import CallFailed, Health, Permission
from reconciler.model.live import FailureKind as Kind
from reconciler.sandbox.scenario import Faults, Key, Verbatim
from reconciler.sandbox.venue import Refused, Reply, Route, Venue, same
from reconciler.sandbox.venues import VENUES

#: The example of the documentation.
DOCUMENTED = {
    "apiKeyName": "my-api-key",
    "apiKey": "4/SDrDBcOOPnm3nPlNfEMMJDeRcIVqPz+QhRxIodyZbI9po/aVRiHsgX",
    "nonce": "1772627060997",
    "nonceWindow": 0,
    "permissions": ["query-funds", "withdraw-funds", "query-open-trades", "modify-trades"],
    "iban": "AA88 N84G WOAK NMOI",
    "validUntil": "0",
    "queryFrom": "0",
    "queryTo": "0",
    "createdTime": "1772542900",
    "modifiedTime": "1772543095",
    "ipAllowlist": [],
    "lastUsed": "1772627061",
}
TRADER = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]
SECRET = base64.b64encode(b"kraken-secret-7291-of-a-test").decode()
PAGE = "docs.kraken.com, Error messages"


def refusal(text, source=PAGE):
    return Reply(body={"error": [text], "result": {}}, source=source)


ERRORS = {
    "not_found": refusal("EGeneral:Unknown method"),
    "invalid_key": refusal("EAPI:Invalid key"),
    "bad_signature": refusal("EAPI:Invalid signature"),
    "clock_skew": refusal("EAPI:Invalid nonce"),
    "ip_not_allowed": refusal("EGeneral:Permission denied", "assumed: no answer is documented"),
    "permission_denied": refusal("EGeneral:Permission denied"),
    "rate_limited": refusal("EAPI:Rate limit exceeded"),
    "throttled": refusal("EService: Throttled: 4102444800"),
    "too_many": refusal("EGeneral:Too many requests"),
    "lockout": refusal("EGeneral:Temporary lockout"),
    "disabled": refusal("EAuth:Account temporary disabled"),
    "unconfirmed": refusal("EAuth:Account unconfirmed"),
    "locked": refusal("ETrade:User Locked", "ccxt kraken.py"),
    "maintenance": refusal("EService:Market in cancel_only mode", "ccxt kraken.py"),
    "unavailable": refusal("EService:Unavailable"),
    "busy": refusal("EService:Busy"),
    "internal": refusal("EGeneral:Internal error"),
    "database": refusal("EDatabase:Internal error"),
    "arguments": refusal("EGeneral:Invalid arguments"),
    "unheard": refusal("EWhale:Surfaced"),
}


class Tank(Venue):
    """Kraken on loopback: signature and nonce as docs.kraken.com's authentication guide has them."""

    id = "kraken"
    errors = ERRORS

    def __init__(self, spec):
        super().__init__(spec)
        self.nonces = {}

    def routes(self):
        def private(name, answer, *needs):
            path = f"/0/private/{name}"
            return Route(path=path, method="POST", answer=answer, needs=frozenset(needs))

        def balance(asked):
            return {asset: {"balance": n, "hold_trade": "0"} for asset, n in asked.key.balances.items()}

        return (
            Route(path="/0/public/Time", signed=False, answer=lambda a: {"unixtime": a.now_ms // 1000}),
            Route(path="/0/public/SystemStatus", signed=False, answer=lambda _: {"status": "online"}),
            private("GetApiKeyInfo", lambda asked: asked.key.describe(described(asked.key))),
            private("BalanceEx", balance, "query-funds"),
            private("OpenOrders", lambda _: {"open": {}}, "query-open-trades"),
        )

    def claimed(self, incoming):
        return incoming.headers.get("API-Key")

    def success(self, data):
        return {"error": [], "result": data}

    def authenticate(self, incoming):
        key = self.find(self.claimed(incoming))
        if key is None:
            raise Refused("invalid_key")
        nonce = int(dict(parse_qsl(incoming.body.decode()))["nonce"])
        digest = hashlib.sha256(str(nonce).encode() + incoming.body).digest()
        signed = hmac.new(base64.b64decode(key.secret), incoming.path.encode() + digest, hashlib.sha512)
        if not same(incoming.headers["API-Sign"], base64.b64encode(signed.digest()).decode()):
            raise Refused("bad_signature")
        if nonce <= self.nonces.get(key.api_key, 0):
            raise Refused("clock_skew")
        self.nonces[key.api_key] = nonce
        self.admit(key, incoming.caller)
        return key


def described(key):
    return DOCUMENTED | {
        "apiKeyName": key.label,
        "apiKey": key.api_key,
        "permissions": list(key.permissions),
        "iban": key.uid,
        "validUntil": str(int(key.expires.timestamp())) if key.expires else "0",
        "createdTime": str(int(key.created.timestamp())),
        "ipAllowlist": list(key.ip_whitelist),
    }


@pytest.fixture(autouse=True)
def tank(monkeypatch):
    """Lets the sandbox speak Kraken, whose venue is needed by no scenario but these tests'."""
    module = ModuleType("reconciler.sandbox.venues.tank")
    module.Tank = Tank
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(VENUES, "kraken", "tank:Tank")


def a_key(**changes):
    given = {
        "name": "main",
        "api_key": "krakenkey-7291-5518",
        "secret": SECRET,
        "permissions": TRADER,
        "ip_whitelist": ["203.0.113.10"],
        "label": "bot",
        "uid": "AA88 N84G WOAK NMOI",
        "balances": {"XXBT": "1"},
        "created": datetime(2026, 3, 1, tzinfo=UTC),
    }
    return Key(**(given | changes))


def wrap(**changes):
    return {"error": [], "result": DOCUMENTED | changes}


class TestOverTheWire:
    async def test_a_healthy_key(self, observed):
        told = await observed("kraken", a_key(expires=datetime(2027, 3, 1, tzinfo=UTC)))
        seen = told.seen
        assert seen.failure is None
        granted = {p for p, value in seen.report.permissions.items() if value}
        assert granted == {Permission.READ, Permission.SPOT, Permission.MARGIN}
        assert seen.report.permissions.withdraw is False
        assert seen.report.permissions.transfer is None
        assert seen.report.ip_whitelist.addresses == ("203.0.113.10",)
        assert seen.report.account.uid == "AA88 N84G WOAK NMOI"
        assert seen.report.label == "bot"
        assert seen.report.created_at == datetime(2026, 3, 1, tzinfo=UTC)
        assert seen.report.expires_at == datetime(2027, 3, 1, tzinfo=UTC)
        assert {name: proof.failure for name, proof in seen.proofs.items()} == {
            "balance": None,
            "orders": None,
        }
        assert seen.health is Health.OPERATIONAL
        assert abs(seen.clock_skew) < 1
        paths = [path for _, path in told.requests]
        assert paths[2:] == ["/0/private/GetApiKeyInfo", "/0/private/BalanceEx", "/0/private/OpenOrders"]

    async def test_a_wrong_clock_is_corrected_before_it_makes_nonces(self, observed):
        told = await observed("kraken", a_key(), clock_offset_ms=-90_000)
        assert told.seen.failure is None
        assert 88 < told.seen.clock_skew < 92

    @pytest.mark.parametrize(
        ("credentials", "kind"),
        [
            ({"api_key": "nobody"}, Kind.INVALID_KEY),
            ({"secret": base64.b64encode(b"another").decode()}, Kind.BAD_SIGNATURE),
            ({"secret": "no base64"}, Kind.BAD_SIGNATURE),
        ],
    )
    async def test_wrong_credentials(self, credentials, kind, observed):
        told = await observed("kraken", a_key(), credentials=credentials)
        assert told.seen.failure.kind is kind
        assert told.seen.proofs == {}

    async def test_a_denial_to_describe_itself_is_none_of_a_permission(self, observed):
        told = await observed("kraken", a_key(ip_whitelist=["198.51.100.1"]))
        assert told.seen.failure.kind is Kind.AMBIGUOUS_AUTH
        assert Kind.IP_NOT_ALLOWED in told.seen.failure.candidates

    async def test_a_missing_permission(self, observed):
        told = await observed("kraken", a_key(permissions=["query-funds", "modify-trades"]))
        assert told.seen.failure is None
        assert told.seen.proofs["balance"].failure is None
        assert told.seen.proofs["orders"].failure.kind is Kind.PERMISSION_DENIED

    async def test_futures_are_another_exchange(self, observed):
        told = await observed("kraken", a_key(), market=Market.FUTURES)
        for proof in told.seen.proofs.values():
            assert "krakenfutures" in proof.failure.message

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            ("invalid_key", Kind.INVALID_KEY),
            ("bad_signature", Kind.BAD_SIGNATURE),
            ("clock_skew", Kind.CLOCK_SKEW),
            ("permission_denied", Kind.AMBIGUOUS_AUTH),
            ("lockout", Kind.AMBIGUOUS_AUTH),
            ("disabled", Kind.ACCOUNT_RESTRICTED),
            ("unconfirmed", Kind.ACCOUNT_RESTRICTED),
            ("locked", Kind.ACCOUNT_RESTRICTED),
            ("maintenance", Kind.MAINTENANCE),
            ("unavailable", Kind.UNAVAILABLE),
            ("busy", Kind.UNAVAILABLE),
            ("internal", Kind.UNAVAILABLE),
            ("database", Kind.UNAVAILABLE),
            ("arguments", Kind.BAD_REQUEST),
            ("not_found", Kind.BAD_REQUEST),
            ("unheard", Kind.UNEXPECTED_RESPONSE),
        ],
    )
    async def test_every_documented_error(self, error, kind, observed):
        faults = Faults(paths={"/0/private/": Faults(error=error)})
        told = await observed("kraken", a_key(), faults=faults)
        assert told.seen.failure.kind is kind, told.seen.failure.message
        assert told.seen.report is None

    @pytest.mark.parametrize(
        "body",
        [{}, {"error": []}, {"result": DOCUMENTED}, {"error": [], "result": []}, {"error": [], "result": {}}],
    )
    async def test_what_is_no_documented_success(self, body, observed):
        faults = Faults(paths={"/0/private/": Faults(verbatim=Verbatim(body=body))})
        told = await observed("kraken", a_key(), faults=faults)
        assert told.seen.report is None
        assert told.seen.failure.kind is Kind.UNEXPECTED_RESPONSE


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        ("rate_limited", 5),
        ("too_many", 5),
        ("throttled", 4102444800 - datetime(2026, 11, 1, tzinfo=UTC).timestamp()),
    ],
)
def test_how_long_a_limit_lasts(error, seconds, judge):
    headers = {"date": "Sun, 01 Nov 2026 00:00:00 GMT"}
    failure = judge("kraken", "balance", body=ERRORS[error].body, headers=headers)
    assert failure.kind is Kind.RATE_LIMITED
    assert failure.retry_after == seconds


def test_the_documented_example(report):
    told = report("kraken", key=wrap())
    assert told.permissions.withdraw is True
    assert told.permissions.transfer is True
    assert told.permissions.spot is True
    assert told.ip_whitelist.restricted is False
    assert told.expires_at is None
    assert told.created_at == datetime(2026, 3, 3, 13, 1, 40, tzinfo=UTC)
    assert told.unknown_words == ()


@pytest.mark.parametrize("word", ["withdraw-funds", "add-withdraw-address", "update-withdraw-address"])
def test_every_right_over_withdrawals_counts_as_one(word, report):
    assert report("kraken", key=wrap(permissions=[*TRADER, word])).permissions.withdraw is True


def test_unknown_words_and_fields_deny_nothing(report):
    for changed in ({"permissions": [*TRADER, "move-mountains"]}, {"withdrawEnabled": True}):
        told = report("kraken", key=wrap(**({"permissions": TRADER} | changed)))
        assert told.permissions.withdraw is None
        assert told.permissions.spot is True
        assert told.unknown_words


@pytest.mark.parametrize("listed", [[], None, "query-funds", [1], {}])
def test_a_list_that_says_nothing_denies_nothing(listed, report):
    told = report("kraken", key=wrap(permissions=listed))
    assert all(value is None for _, value in told.permissions.items())


@pytest.mark.parametrize(
    ("listed", "restricted", "addresses"),
    [
        (["203.0.113.10"], True, ("203.0.113.10",)),
        (["203.0.113.0/28", "2001:db8::/64"], True, ("203.0.113.0/28", "2001:db8::/64")),
        (["203.0.113.1-203.0.113.2"], True, ("203.0.113.1", "203.0.113.2")),
        ([], False, ()),
        (None, None, None),
        (["office"], None, None),
    ],
)
def test_whitelists(listed, restricted, addresses, report):
    told = report("kraken", key=wrap(ipAllowlist=listed)).ip_whitelist
    assert (told.restricted, told.addresses) == (restricted, addresses)


def test_time_and_status():
    reader = Kraken()
    assert reader.parse_time({"error": [], "result": {"unixtime": 1688669448}}) == 1688669448500
    for odd in ({}, {"result": {}}, [], None, {"result": {"unixtime": "soon"}}):
        with pytest.raises(ValueError, match="unixtime"):
            reader.parse_time(odd)
    modes = {
        "online": Health.OPERATIONAL,
        "maintenance": Health.MAINTENANCE,
        "cancel_only": Health.MAINTENANCE,
    }
    for mode, health in (modes | {"post_only": Health.MAINTENANCE, "tea": Health.UNKNOWN}).items():
        assert reader.parse_status({"error": [], "result": {"status": mode}}) is health
    assert reader.parse_status([]) is Health.UNKNOWN


def test_every_row_names_its_source():
    assert all(row.source for row in ROWS)
    assert len(WORDS) == 13


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from([*WORDS]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(changes=st.dictionaries(st.sampled_from([*DOCUMENTED, "withdrawEnabled", "error"]), JSON))
def test_any_answer_gives_a_report_or_a_failure_and_no_false_denial(changes):
    body = {"error": changes.pop("error", []), "result": DOCUMENTED | changes}
    reader = Kraken()

    async def ask(call, params=None):
        failure = reader.judge(Answer(call=call, status=200, body=json.loads(json.dumps(body))))
        if failure is not None:
            raise CallFailed(failure)
        return body

    with contextlib.suppress(CallFailed):
        told = asyncio.run(reader.read_key(ask, Market.SPOT))
        listed = body["result"]["permissions"]
        if told.permissions.withdraw is False:
            assert isinstance(listed, list)
            assert {word.strip().casefold() for part in listed for word in [part] if word.strip()} <= set(
                WORDS
            )
            assert not any("withdraw" in word.casefold() for word in listed)
