"""Reads keys of any exchange end to end: real ccxt, real HTTP, the sandbox's venue."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import stamina

from reconciler.exchanges import parse, registry
from reconciler.exchanges.interface import Answer
from reconciler.live.observe import ObserveOptions, Target, observe
from reconciler.model.desired import Connection, CredentialRef, Market
from reconciler.model.errors import Mark
from reconciler.model.live import CallFailed
from reconciler.model.secret import Credentials, Secret
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Scenario
from reconciler.sandbox.server import Sandbox

MARK = Mark(file="connections.yaml", line=1)
OWN_KEY = "c5dcfbf1f3a7d0e9b8a7c6d5e4f30211"
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_pauses():
    """Retries happen, their pauses do not."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
async def observed():
    """Observes one key of a sandbox that holds it alone.

    Gives ``seen``, the observation, and ``requests``, the paths that arrived. ``credentials``
    replaces what the caller signs with; ``faults`` are the exchange's.
    """
    async with contextlib.AsyncExitStack() as stack:

        async def run(
            exchange,
            key,
            *,
            market=Market.SPOT,
            pairs=("ETH/USDT",),
            faults=None,
            credentials=None,
            clock_offset_ms=0,
            listed=(),
            closed=(),
        ):
            spec = ExchangeSpec(
                id=exchange,
                keys={key.name: key},
                faults=faults or Faults(),
                clock_offset_ms=clock_offset_ms,
                closed=list(closed),
            )
            sandbox = await stack.enter_async_context(Sandbox(Scenario(exchanges={exchange: spec})))
            connection = Connection(
                id="tested",
                name="Tested",
                exchange=exchange,
                market=market,
                credentials=CredentialRef(file="x.sops.yaml", mark=MARK, root="."),
                mark=MARK,
            )
            given = {"api_key": key.api_key, "secret": key.secret, "passphrase": key.passphrase}
            secrets = {n: Secret(v) if v else None for n, v in (given | (credentials or {})).items()}
            target = Target(
                connection=connection, credentials=Credentials(**secrets), pairs=pairs, listed=listed
            )
            options = ObserveOptions(endpoints=sandbox.endpoints, timeout=60.0, patience=60.0)
            found = await observe([target], options=options)
            return SimpleNamespace(
                seen=found["tested"],
                requests=[(each.method, each.path) for each in sandbox.requests],
                unsigned=[each.path for each in sandbox.requests if not each.key],
            )

        yield run


class Answers:
    """An ``Ask`` that answers each call from a list of bodies or failures by the call's name."""

    def __init__(self, **by_name):
        self.by_name = by_name
        self.asked = []

    async def __call__(self, call, params=None):
        self.asked.append((call.name, dict(params or {})))
        answer = self.by_name[call.name.replace("-", "_")]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def now(self):
        return NOW

    def owns(self, shown):
        return parse.shows(shown, OWN_KEY)


class Judged(Answers):
    """The same, judged first as ``live/`` does: what is no success raises."""

    def __init__(self, reader, **by_name):
        super().__init__(**by_name)
        self.reader = reader

    async def __call__(self, call, params=None):
        body = await super().__call__(call, params)
        failure = self.reader.judge(Answer(call=call, status=200, body=body))
        if failure is not None:
            raise CallFailed(failure)
        return body


@pytest.fixture
def report():
    """Reads a key's report from given bodies, judged first; raises ``CallFailed`` for what is none."""

    def read(exchange, *, market=Market.SPOT, **bodies):
        reader = registry.get(exchange)
        return asyncio.run(reader.read_key(Judged(reader, **bodies), market))

    return read


@pytest.fixture
def answers():
    """Makes an ``Ask`` of given bodies or failures, by the names of the calls."""
    return Answers


@pytest.fixture
def judge():
    """Judges one answer of an exchange."""

    def run(exchange, call, *, status=200, body=None, headers=None, text="", ccxt_error=None):
        reader = registry.get(exchange)
        found = next(each for each in reader.calls if each.name == call)
        given = {"headers": headers or {}, "text": text, "ccxt_error": ccxt_error}
        return reader.judge(Answer(call=found, status=status, body=body, **given))

    return run
