"""The state is lost in the middle of an apply: what is told of it, and what the next pass does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.engine import pass_
from reconciler.engine.apply import apply, recover
from reconciler.engine.settings import Settings
from reconciler.model.errors import ExitCode
from reconciler.model.plan import (
    Action,
    ActionKind,
    InventoryItem,
    Outcome,
    OutcomeState,
    Plan,
    RunningStrategy,
)
from reconciler.resources import folder
from reconciler.runtimes import registry
from reconciler.runtimes.interface import RuntimeType
from reconciler.runtimes.ledger import Ledger
from reconciler.state.store import open_for_reading, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class Network:
    """What lies between this process and the database; everything that a failure of it does."""

    def __init__(self, postgres, database):
        self.postgres, self.database, self.url = postgres, database, postgres.url(database)

    def cut(self):
        """Break every connection; new ones succeed."""
        self.postgres.cut(self.database)

    def down(self):
        """Break every connection, and let nobody in."""
        self.postgres.do(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS false")
        self.cut()

    def up(self):
        self.postgres.do(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS true")


@pytest.fixture
def network(postgres, database):
    made = Network(postgres, database)
    yield made
    made.up()


class Bots:
    """A runtime outside of the database. ``on`` happens once ``strategy`` was enabled."""

    def __init__(self, on=None, strategy="a"):
        self.holds, self.on, self.strategy, self.calls = {}, on, strategy, []

    async def read(self):
        return dict(self.holds)

    async def enable(self, strategy, parameters, *, connection, token):
        self.calls.append(strategy)
        self.holds[strategy] = RunningStrategy(
            id=strategy, enabled=True, connection=connection, parameters=parameters
        )
        if self.on and strategy == self.strategy:
            self.on()


def enabling(*strategies):
    actions = (
        Action(kind=ActionKind.ENABLE, strategy=id_, runtime="bots", reason="", connection="main", after={})
        for id_ in strategies
    )
    return Plan(actions=tuple(actions), digest="")


async def run(store, bots, plan, *, hours=0):
    at = START + timedelta(hours=hours)
    with store.lease(clock=lambda: at) as lease:
        common = {"runtimes": {"bots": bots}, "store": store, "lease": lease, "clock": lambda: at}
        recovered = await recover(**common)
        outcomes = await apply(plan, **common)
    return [outcome.state for outcome in recovered], [outcome.state for outcome in outcomes]


DONE, FAILED, UNKNOWN = OutcomeState.DONE, OutcomeState.FAILED, OutcomeState.UNKNOWN


async def test_a_connection_that_breaks_while_a_runtime_acts_is_made_again(network):
    bots = Bots(on=network.cut)
    with open_for_writing(network.url) as store:
        assert await run(store, bots, enabling("a", "b")) == ([], [DONE, DONE])
        assert set(store.inventory()) == {"a", "b"}


async def test_what_could_not_be_recorded_is_unknown_nothing_more_is_tried_and_the_next_pass_mends_it(
    network,
):
    bots = Bots(on=network.down)
    with open_for_writing(network.url) as store:
        assert await run(store, bots, enabling("a", "b", "c")) == ([], [UNKNOWN, FAILED, FAILED])
        assert bots.calls == ["a"], "what cannot be recorded is not done"
        network.up()
        (intent,) = store.unfinished()
        assert intent.action.strategy == "a"
        assert store.inventory() == {}
        assert await run(store, bots, enabling("b", "c"), hours=1) == ([DONE], [DONE, DONE])
        assert bots.calls == ["a", "b", "c"], "and nothing is done twice"
        assert set(store.inventory()) == {"a", "b", "c"}
        assert store.unfinished() == ()


class Fatal(Ledger):
    """A ledger whose database goes down as it acts."""

    network = None

    async def disable(self, strategy, *, token, how):
        await super().disable(strategy, token=token, how=how)
        self.network.down()


@pytest.fixture
def settings(network, tmp_path):
    """A site that wants nothing, over a state that runs one strategy of ours."""
    shutil.copytree(folder("examples") / "secrets", tmp_path / "secrets")
    (tmp_path / "connections.yaml").write_text(
        "version: 1\n"
        "connections:\n"
        "  main: {name: Main, exchange: mexc, market: spot, credentials: secrets/mexc-spot-main.sops.yaml}\n"
        "runtimes: {paper: {type: ledger}}\n"
    )
    action = Action(kind=ActionKind.ENABLE, strategy="a", runtime="paper", reason="", connection="main")
    item = InventoryItem(strategy="a", runtime="paper", connection="main", enabled_at=START)
    with open_for_writing(network.url) as store, store.lease(clock=lambda: START) as lease:
        intent = store.intend(action, token=lease.token, at=START)
        store.ledger_enable("paper", "a", {}, connection="main", token=lease.token)
        done = Outcome(action=action, state=DONE)
        store.conclude(intent, done, token=lease.token, at=START, keep=item)
    return Settings(
        files=(str(tmp_path / "connections.yaml"),),
        state=network.url,
        sops=str(tmp_path / "no-sops"),
        environ={},
        now=lambda: START + timedelta(hours=1),
    )


async def test_a_pass_whose_database_goes_down_still_tells_what_it_did(network, settings, monkeypatch):
    said = []
    monkeypatch.setattr(Fatal, "network", network)
    monkeypatch.setattr(
        registry,
        "TYPES",
        {"ledger": RuntimeType(name="ledger", open=lambda one: Fatal(one.spec.id, one.state))},
    )
    report = await pass_.converge(replace(settings, notice=said.append))
    assert [outcome.state for outcome in report.outcomes] == [UNKNOWN]
    assert report.exit_code != ExitCode.DONE
    assert len(said) == 1
    assert "could not be recorded" in said[0]

    network.up()
    monkeypatch.undo()
    later = replace(settings, now=lambda: START + timedelta(hours=2))
    mended = await pass_.converge(later)
    assert [(outcome.action.strategy, outcome.state) for outcome in mended.outcomes] == [("a", DONE)]
    assert (await pass_.dry_run(later)).plan.changes == ()
    state = open_for_reading(network.url)
    assert not state.ledger_rows("paper")["a"].enabled
    assert state.inventory() == {}
    assert [done.exit_code is None for done in state.passes()] == [False, True]
