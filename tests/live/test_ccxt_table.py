"""The table of generic exchanges: what may get in, and that nothing else reaches a socket."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from importlib.resources import files

import pytest
from ccxt.base.types import Entry

from reconciler.exchanges import registry
from reconciler.exchanges.interface import Call
from reconciler.live import ccxt_table, light
from reconciler.live.client import Client, guard_for, prototype
from reconciler.live.egress import Exit
from reconciler.live.guard import GuardedSession, Reply
from reconciler.model.desired import Market
from reconciler.model.errors import ReconcilerError, WriteRefused
from reconciler.model.live import CallFailed, FailureKind
from reconciler.model.secret import Credentials, Secret

SECRETS = Credentials(
    api_key=Secret("account-" + "EF" * 12), secret=Secret("AB" * 16), passphrase=Secret("p" * 16)
)
ED25519 = Secret("c2VjcmV0" * 5 + "MTI=")
STORED = json.loads(files("reconciler.exchanges").joinpath("ccxt_ids.json").read_text())
CHANGES = re.compile(r"withdraw|transfer|create|cancel|place|add|edit|amend|new|delete", re.IGNORECASE)


class Wire:
    """Stands for the network: notes what would have been sent, and sends nothing."""

    def __init__(self):
        self.sent = []

    @asynccontextmanager
    async def request(self, method, url, **options):
        self.sent.append((method, url.raw_path))
        raise ConnectionResetError
        yield


def guarded(exchange, wire, secrets=SECRETS):
    made = prototype(exchange, {})
    session = GuardedSession(guard=guard_for(exchange, made), way_out=Exit(session=wire), timeout=1)
    return Client(made=made, session=session, credentials=secrets)


def endpoints(ccxt_id):
    found = {}
    for kind in light.load(ccxt_id).__mro__:
        for value in vars(kind).values():
            if isinstance(value, Entry):
                api = value.api if isinstance(value.api, list) else [value.api]
                found[(value.path, tuple(api), value.method)] = None
    return list(found)


async def test_the_table_is_what_the_installed_ccxt_says():
    again = "python -m reconciler.live.ccxt_table > reconciler/exchanges/ccxt_ids.json"
    assert await ccxt_table.table() == STORED, again


async def test_it_is_written_a_line_for_each_exchange():
    text = ccxt_table.render(STORED)
    assert json.loads(text) == STORED
    assert len(text.splitlines()) == len(STORED) + 2


@pytest.mark.parametrize("name", registry.others())
async def test_every_listed_request_is_formed_and_passes_the_guard(name):
    exchange, wire = registry.get(name), Wire()
    secrets = (
        Credentials(api_key=SECRETS.api_key, secret=ED25519, passphrase=SECRETS.passphrase)
        if name == "backpack"
        else SECRETS
    )
    client = guarded(exchange, wire, secrets)
    for call in exchange.calls:
        answer = await client.call(call, exchange.params[call.name])
        assert answer.transport is not None
    assert wire.sent == [(call.method, call.path) for call in exchange.calls]


@pytest.mark.parametrize("name", registry.others())
async def test_of_all_that_ccxt_can_ask_only_the_listed_reads_pass(name):
    exchange, wire = registry.get(name), Wire()
    client, listed = guarded(exchange, wire), {(call.method, call.path) for call in exchange.calls}
    passed = []
    for path, api, method in endpoints(name):
        before = len(wire.sent)
        call = Call(name="walk", path="/", method=method, raw=(path, api))
        try:
            await client.call(call, dict.fromkeys(re.findall(r"\{([\w-]+)\}", path), "x1"))
        except (WriteRefused, CallFailed, ReconcilerError):
            continue
        if len(wire.sent) > before:
            passed.append((method, path))
    assert set(wire.sent) <= listed
    assert len(set(passed)) <= len(listed)  # no path stands for two endpoints
    assert not [each for each in passed if CHANGES.search(each[1])]


def test_only_reads_are_in_the_table():
    for name in registry.others():
        for call in registry.get(name).calls:
            assert not ccxt_table.WRITING.search(call.path), (name, call.path)
            assert call.method in {"GET", "POST"}
            assert "read" in call.source
            assert "{" not in call.path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("indodax", "no single signed read"),  # one path for all, the body chooses
        ("zaif", "no single signed read"),
        ("mercado", "no single signed read"),
        ("bullish", "no single signed read"),  # signs with a session that a login gives
        ("hyperliquid", "privateKey, walletAddress"),
        ("coinmate", "uid"),
        ("binanceusdm", "binance under another name"),
        ("kucoinfutures", "kucoin under another name"),
    ],
)
def test_what_cannot_be_read_says_why(name, reason):
    assert reason in registry.refusal(name)
    assert not registry.known(name)
    with pytest.raises(ReconcilerError, match="cannot be read"):
        registry.get(name)


def test_another_site_of_an_exchange_is_no_second_name():
    for name in ("okxus", "myokx", "binanceus"):
        assert registry.known(name)
        assert registry.get(name).id == registry.get(name).ccxt_id == name


@pytest.mark.parametrize("own", ["withdraw", "order/new", "cancelOrder", "wallet/transfer", "key/create"])
def test_a_path_that_sounds_like_a_change_is_not_readable(own):
    request = ccxt_table.Request(
        method="POST",
        origin="https://x",
        path=f"/v1/{own}",
        endpoint=own,
        api=("private",),
        params={},
        weight=1,
    )
    assert not request.readable


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "readable"),
    [
        ("GET", "/v1/user/assets", "user/assets", True),
        ("POST", "/v1/user/assets", "user/assets", True),
        ("POST", "/tapi", "getInfo", False),
        ("GET", "/tapi", "getInfo", False),
        ("DELETE", "/v1/orders", "orders", False),
        ("GET", "/v4/futures/usdt/accounts", "{settle}/accounts", True),
    ],
)
def test_readable(method, path, endpoint, readable):
    request = ccxt_table.Request(
        method=method, origin="https://x", path=path, endpoint=endpoint, api=("private",), params={}, weight=1
    )
    assert request.readable is readable


async def test_a_request_that_a_helper_makes_is_not_taken():
    asked = {
        "market": Market.SPOT,
        "credentials": {"apiKey": "k", "secret": "s"},
        "now_ms": 1_700_000_000_000,
    }
    assert await ccxt_table.requests("kucoin", "balance", **asked) == ()
    assert [r.path for r in await ccxt_table.requests("bitvavo", "balance", **asked)] == ["/v2/balance"]


def test_an_exchange_is_its_class_after_another_derived_from_it_was_loaded():
    code = (
        "from reconciler.live.light import load; load('okxus'); print(load('okx').__name__, load('okx')().id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["okx", "okx"]


class Saying:
    """Answers every request with one reply."""

    async def request(self, method, url, **options):
        return Reply(status=200, reason="OK", headers={}, body=b'[{"symbol": "BTC"}]')


async def test_a_fault_of_ccxt_while_it_judges_is_no_success(monkeypatch):
    exchange = registry.get("bitvavo")
    client = Client(made=prototype(exchange, {}), session=Saying(), credentials=SECRETS)
    sound = await client.call(exchange.calls[0])
    assert sound.ccxt_error is None
    assert exchange.judge(sound) is None

    def crash(*_args):
        raise KeyError("data")

    monkeypatch.setattr(client._ccxt, "handle_errors", crash)
    answer = await client.call(exchange.calls[0])
    assert answer.ccxt_error == "KeyError"
    assert exchange.judge(answer).kind is FailureKind.UNEXPECTED_RESPONSE
