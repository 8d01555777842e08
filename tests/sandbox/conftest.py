from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import ccxt.async_support as ccxt
import pytest

from reconciler.sandbox.load import parse_scenario
from reconciler.sandbox.server import Sandbox

SCENARIO = """
version: 1
exchanges:
  mexc:
    keys:
      mexc-main:
        api_key: mx0testMain
        secret: mexcsecret
        permissions: SPOT_ACCOUNT_READ,SPOT_DEAL_READ,CONTRACT_ACCOUNT_READ,CONTRACT_DEAL_READ
        ip_whitelist: [203.0.113.10]
        uid: "209302839"
        created: 2026-09-14T18:53:36+00:00
        balances: {USDT: "12.5", BTC: "0.1"}
        open_orders: [{symbol: BTCUSDT, orderId: a1}, {symbol: ETHUSDT, orderId: a2}]
  kucoin:
    keys:
      kucoin-main:
        api_key: 67testmain
        secret: kucoinsecret
        passphrase: kucoinpass
        permissions: General,Spot,Margin,Futures
        ip_whitelist: [203.0.113.10, 198.51.100.0/24]
        uid: "165111215"
        created: 2026-09-14T18:53:36+00:00
        balances: {USDT: "12.5"}
        open_orders: [{symbol: BTC-USDT, id: b1}]
"""

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def scenario():
    return parse_scenario(SCENARIO, now=NOW)


@pytest.fixture
def scenario_text():
    return SCENARIO


@pytest.fixture
async def running():
    """Starts sandboxes; all are stopped when the test ends."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(scenario, **options):
            return await stack.enter_async_context(Sandbox(scenario, **options))

        yield start


@pytest.fixture
async def connect():
    """Real ccxt clients of a sandbox's key, with credentials replaced at will."""
    clients = []

    def client(sandbox, name, **credentials):
        key = sandbox.keys[name]
        exchange = next(spec.id for spec in sandbox.scenario.exchanges.values() if name in spec.keys)
        own = {"apiKey": key.api_key, "secret": key.secret, "password": key.passphrase or ""}
        made = getattr(ccxt, exchange)({**own, **credentials, "enableRateLimit": False})
        made.timeout_on_exit = 0
        made.urls["api"] = _redirect(made.urls["api"], sandbox.endpoints)
        clients.append(made)
        return made

    yield client
    for made in clients:
        await made.close()


@pytest.fixture
def mexc(scenario, running, connect):
    """A started sandbox and a ccxt client of its MEXC key, after ``change(scenario)``."""
    return _started(scenario, running, connect, "mexc-main")


@pytest.fixture
def kucoin(scenario, running, connect):
    return _started(scenario, running, connect, "kucoin-main")


def _started(scenario, running, connect, name):
    async def start(change=None, **credentials):
        if change is not None:
            change(scenario)
        sandbox = await running(scenario)
        return sandbox, connect(sandbox, name, **credentials)

    return start


def _redirect(urls, endpoints):
    hosts = {
        "https://api.mexc.com": endpoints.get("mexc"),
        "https://api.kucoin.com": endpoints.get("kucoin"),
        "https://api-futures.kucoin.com": endpoints.get("kucoin.futures"),
    }
    if isinstance(urls, dict):
        return {name: _redirect(url, endpoints) for name, url in urls.items()}
    for real, local in hosts.items():
        if local and urls.startswith(real):
            return local + urls[len(real) :]
    return "http://127.0.0.1:9"
