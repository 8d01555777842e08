from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import stamina

from reconciler.live.observe import ObserveOptions, Target, observe
from reconciler.model.desired import Connection, CredentialRef, Market
from reconciler.model.errors import Mark
from reconciler.model.secret import Credentials, Secret
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, Scenario
from reconciler.sandbox.server import Sandbox

MARK = Mark(file="connections.yaml", line=1)
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
WORDS = {
    "mexc": "SPOT_ACCOUNT_READ,SPOT_DEAL_READ,SPOT_DEAL_WRITE,CONTRACT_ACCOUNT_READ,CONTRACT_DEAL_READ",
    "kucoin": "General,Spot",
}


@pytest.fixture(autouse=True)
def no_pauses():
    """Retries happen, their pauses do not."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def a_key():
    """Makes a key of the sandbox with working defaults."""

    def make(exchange="mexc", name="main", **changes):
        given = {
            "name": name,
            "api_key": f"mx0key-{name}-7291",
            "secret": f"s3cret-{name}-5518",
            "passphrase": f"pass-{name}-9930" if exchange == "kucoin" else None,
            "permissions": WORDS[exchange],
            "uid": "209302839",
            "label": "bot",
        }
        return Key(**(given | changes))

    return make


@pytest.fixture
async def start():
    """Starts a sandbox of the given keys by exchange; all are stopped when the test ends."""
    async with contextlib.AsyncExitStack() as stack:

        async def run(keys, *, faults=None, **options):
            specs = {
                exchange: ExchangeSpec(
                    id=exchange,
                    keys={key.name: key for key in held},
                    faults=(faults or {}).get(exchange, Faults()),
                    clock_offset_ms=options.get("clock_offset_ms", 0),
                )
                for exchange, held in keys.items()
            }
            return await stack.enter_async_context(Sandbox(Scenario(exchanges=specs)))

        yield run


@pytest.fixture
def a_target():
    """Makes the target that reads a key of the sandbox."""

    def make(key, *, exchange="mexc", market=Market.SPOT, pairs=("ETH/USDT",), egress=None, **changed):
        given = {"api_key": key.api_key, "secret": key.secret, "passphrase": key.passphrase} | changed
        passphrase = given["passphrase"]
        connection = Connection(
            id=f"{exchange}-{key.name}",
            name=key.name,
            exchange=exchange,
            market=market,
            credentials=CredentialRef(file="x.sops.yaml", mark=MARK, root="."),
            mark=MARK,
        )
        credentials = Credentials(
            api_key=Secret(given["api_key"]),
            secret=Secret(given["secret"]),
            passphrase=Secret(passphrase) if passphrase else None,
        )
        return Target(connection=connection, credentials=credentials, pairs=pairs, egress=egress)

    return make


@pytest.fixture
def look():
    """Observes targets through a sandbox."""

    async def run(sandbox, *targets, progress=None, **options):
        given = {"endpoints": sandbox.endpoints, "timeout": 60.0} | options
        return await observe(targets, options=ObserveOptions(**given), progress=progress)

    return run


@pytest.fixture
def world(start, a_key, a_target, look):
    """The four of them, for tests that take more besides."""
    return SimpleNamespace(start=start, key=a_key, target=a_target, look=look)


@pytest.fixture
def read_one(start, a_key, a_target, look):
    """Observes one key of the sandbox and gives its observation."""

    async def run(
        exchange="mexc", *, market=Market.SPOT, faults=None, secrets=None, clock_offset_ms=0, **changes
    ):
        key = a_key(exchange, **changes)
        given = {exchange: faults} if faults else None
        sandbox = await start({exchange: [key]}, faults=given, clock_offset_ms=clock_offset_ms)
        target = a_target(key, exchange=exchange, market=market, **(secrets or {}))
        return (await look(sandbox, target))[target.connection.id]

    return run
