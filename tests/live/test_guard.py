"""Invariant 5: beneath ccxt nothing but the listed reads reaches a socket."""

from __future__ import annotations

import re
import socket
from contextlib import asynccontextmanager

import pytest
from ccxt.base.types import Entry
from yarl import URL

from reconciler.exchanges import registry
from reconciler.exchanges.interface import Call
from reconciler.live import light
from reconciler.live.client import Client, guard_for
from reconciler.live.egress import Exit
from reconciler.live.guard import Guard, GuardedSession
from reconciler.model.errors import ReconcilerError, WriteRefused
from reconciler.model.live import CallFailed
from reconciler.model.secret import Credentials, Secret

TEN = ("mexc", "kucoin", "binance", "okx", "bybit", "bitget", "gate", "htx", "bingx", "coinbase")
ORIGIN = "https://api.example"
CALLS = (
    Call(name="key", path="/api/v3/key"),
    Call(name="sub", path="/api/v3/{uid}/keys"),
    Call(name="post", path="/api/v3/read", method="POST"),
)


class NoExchangeHere:
    """An exchange that has no module yet: no call of it may pass."""

    calls = ()

    def __init__(self, name):
        self.id = self.ccxt_id = name


class Wire:
    """Stands for the network: notes what would have been sent, and sends nothing."""

    def __init__(self):
        self.sent = []

    @asynccontextmanager
    async def request(self, method, url, **options):
        self.sent.append((method, url.raw_path, options["allow_redirects"]))
        raise ConnectionResetError
        yield


def guarded(exchange, wire):
    made = light.load(exchange.ccxt_id)({"enableRateLimit": False, "session": None})
    session = GuardedSession(guard=guard_for(exchange, made), way_out=Exit(session=wire), timeout=1)
    secrets = Credentials(api_key=Secret("k" * 20), secret=Secret("s" * 20), passphrase=Secret("p" * 20))
    return Client(made=made, session=session, credentials=secrets)


def entries(ccxt_id):
    """Each endpoint that ccxt knows, once: (path, api, method)."""
    found = {}
    for kind in light.load(ccxt_id).__mro__:
        for value in vars(kind).values():
            if isinstance(value, Entry):
                api = value.api if isinstance(value.api, list) else [value.api]
                found[(value.path, tuple(api), value.method)] = None
    return list(found)


def path_of(ccxt_id, implicit):
    """The path, with its placeholders, of one of ccxt's implicit methods."""
    kinds = (vars(kind) for kind in light.load(ccxt_id).__mro__)
    return next(kind[implicit].path for kind in kinds if isinstance(kind.get(implicit), Entry))


@pytest.fixture
def sockets(monkeypatch):
    opened = []

    def connect(self, address):
        opened.append(address)
        raise AssertionError("a socket was opened")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    return opened


@pytest.mark.parametrize("name", TEN)
async def test_all_that_ccxt_can_ask_is_a_listed_read_or_refused(name, sockets):
    exchange = registry.get(name) if registry.known(name) else NoExchangeHere(name)
    listed = [(c.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", c.path))) for c in exchange.calls]
    wire, refused, all_of_them = Wire(), 0, entries(name)
    client = guarded(exchange, wire)
    for path, api, method in all_of_them:
        call = Call(name="walk", path="/", method=method, raw=(path, api))
        params = dict.fromkeys(re.findall(r"\{([\w-]+)\}", path), "x1")
        try:
            await client.call(call, params)
        except WriteRefused:
            refused += 1
        except (CallFailed, ReconcilerError):
            continue  # ccxt itself could not form it: no request
    assert sockets == []
    assert all(not redirects for _, _, redirects in wire.sent)
    assert all(any(m == method and p.fullmatch(path) for m, p in listed) for method, path, _ in wire.sent)
    assert refused > 0.5 * len(all_of_them)
    assert len(all_of_them) > 50


@pytest.mark.parametrize("name", registry.ids())
async def test_every_listed_call_passes(name, sockets):
    exchange = registry.get(name)
    wire = Wire()
    client = guarded(exchange, wire)
    for call in exchange.calls:
        path = call.raw[0] if call.raw else path_of(exchange.ccxt_id, call.implicit)
        fill = dict.fromkeys(re.findall(r"\{([\w-]+)\}", path), "x1")
        try:
            await client.call(call, fill | {"accountMode": "unified"})
        except CallFailed:
            pytest.skip(f"{name} signs with a key of a form of its own")
    assert len(wire.sent) == len(exchange.calls)


@pytest.mark.parametrize("name", registry.ids())
def test_only_reads_are_listed(name):
    writing = re.compile(
        r"place|cancel|withdraw|transfer|borrow|repay|modify|create|delete|update", re.IGNORECASE
    )
    for call in registry.get(name).calls:
        assert call.method == "GET" or "read" in call.source, call
        assert not writing.search(call.path), call


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", f"{ORIGIN}/api/v3/key"),
        ("GET", f"{ORIGIN}/api/v3/key?timestamp=1&signature=ab"),
        ("GET", f"{ORIGIN}:443/api/v3/12-ab.c/keys"),
        ("POST", f"{ORIGIN}/api/v3/read"),
    ],
)
def test_listed_requests_pass(method, url):
    Guard("x", calls=CALLS, origins=[ORIGIN]).check(method, URL(url, encoded=True))


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", f"{ORIGIN}/api/v3/key"),
        ("get", f"{ORIGIN}/api/v3/key"),
        ("GET", f"{ORIGIN}/api/v3/key/"),
        ("GET", f"{ORIGIN}//api/v3/key"),
        ("GET", f"{ORIGIN}/api/v3/key%2f..%2forder"),
        ("GET", f"{ORIGIN}/api/v3/../keys"),
        ("GET", f"{ORIGIN}/api/v3/./keys"),
        ("GET", f"{ORIGIN}/api/v3/%2e%2e/keys"),
        ("GET", f"{ORIGIN}/api/v3/a/b/keys"),
        ("GET", f"{ORIGIN}/api/v3/order"),
        ("GET", f"{ORIGIN}/api/v3/key;x"),
        ("GET", "http://api.example/api/v3/key"),
        ("GET", "https://api.example:8443/api/v3/key"),
        ("GET", "https://evil.example/api/v3/key"),
        ("GET", "https://api.example.evil/api/v3/key"),
        ("GET", "https://api.example@evil.example/api/v3/key"),
        ("GET", "https://user:pw@api.example/api/v3/key"),
    ],
)
def test_everything_else_is_refused(method, url):
    with pytest.raises(WriteRefused) as caught:
        Guard("x", calls=CALLS, origins=[ORIGIN]).check(method, URL(url, encoded=True))
    assert "api.example" not in str(caught.value)


async def test_ccxt_without_the_guard_has_no_way_out(sockets):
    wire = Wire()
    client = guarded(registry.get("mexc"), wire)
    with pytest.raises(WriteRefused):
        await client._ccxt.create_order("BTC/USDT", "limit", "buy", 1, 1)
    with pytest.raises(WriteRefused):
        await client._ccxt.withdraw("USDT", 1, "address")
    assert wire.sent == sockets == []
