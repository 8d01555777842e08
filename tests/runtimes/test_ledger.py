"""The embedded runtime does what the protocol promises, and nothing in a dry run."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from compliance import CONNECTION, RUNTIME, STRATEGY, Compliance

from reconciler.model.desired import OnDisable, RuntimeSpec
from reconciler.model.errors import ConfigError, LockHeld, Mark, ReconcilerError, WriteRefused
from reconciler.model.plan import RunningStrategy
from reconciler.runtimes.interface import Opening
from reconciler.runtimes.registry import TYPES, open_runtime
from reconciler.state.store import open_for_reading, open_for_writing

PAIRS = {"pairs": ["BTC/USDT"]}


def now():
    return datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def spec(name="paper", type_="ledger"):
    return RuntimeSpec(id=name, type=type_, mark=Mark(file="connections.yaml", line=7))


@pytest.fixture
def store(state_url):
    with open_for_writing(state_url) as opened:
        yield opened


@pytest.fixture
def token(store):
    with store.lease(clock=now) as lease:
        yield lease.token


@pytest.fixture
def ledger(store):
    return open_runtime(Opening(spec=spec(), state=store))


async def test_a_new_ledger_holds_nothing(ledger):
    assert await ledger.read() == {}


async def test_what_is_enabled_is_read_back_with_its_parameters(ledger, token):
    await ledger.enable("btc", {"pairs": ("BTC/USDT",)}, connection="main", token=token)
    assert await ledger.read() == {
        "btc": RunningStrategy(id="btc", enabled=True, connection="main", parameters=PAIRS)
    }


async def test_every_act_done_twice_is_as_done_once(ledger, token):
    for act in (
        lambda: ledger.enable("btc", PAIRS, connection="main", token=token),
        lambda: ledger.change("btc", {"pairs": []}, connection="main", token=token),
        lambda: ledger.disable("btc", token=token, how=OnDisable.STOP),
    ):
        await act()
        once = await ledger.read()
        await act()
        assert await ledger.read() == once


async def test_a_disabled_strategy_stays_readable_and_can_be_enabled_again(ledger, token):
    await ledger.enable("btc", PAIRS, connection="main", token=token)
    await ledger.disable("btc", token=token, how=OnDisable.STOP)
    assert (await ledger.read())["btc"] == RunningStrategy(
        id="btc", enabled=False, connection="main", parameters=PAIRS
    )
    await ledger.enable("btc", {}, connection="main", token=token)
    assert (await ledger.read())["btc"].enabled


async def test_disabling_what_was_never_there_is_no_error_and_makes_nothing(ledger, token):
    await ledger.disable("btc", token=token, how=OnDisable.STOP)
    assert await ledger.read() == {}


async def test_settings_of_what_does_not_run_cannot_change(ledger, token):
    with pytest.raises(ReconcilerError, match="does not run on paper"):
        await ledger.change("btc", PAIRS, connection="main", token=token)
    await ledger.enable("btc", PAIRS, connection="main", token=token)
    await ledger.disable("btc", token=token, how=OnDisable.STOP)
    with pytest.raises(ReconcilerError):
        await ledger.change("btc", {}, connection="main", token=token)
    assert (await ledger.read())["btc"].parameters == PAIRS


async def test_two_ledgers_in_one_state_are_apart(ledger, store, token):
    other = open_runtime(Opening(spec=spec("live"), state=store))
    await ledger.enable("btc", PAIRS, connection="main", token=token)
    await other.enable("btc", {}, connection="main", token=token)
    await other.disable("btc", token=token, how=OnDisable.STOP)
    assert (await ledger.read())["btc"] == RunningStrategy(
        id="btc", enabled=True, connection="main", parameters=PAIRS
    )


async def test_an_older_token_is_refused_and_changes_nothing(ledger, store):
    with store.lease(clock=now) as old:
        await ledger.enable("btc", PAIRS, connection="main", token=old.token)
    before = await ledger.read()
    with store.lease(clock=now) as new:
        for act in (
            ledger.enable("eth", PAIRS, connection="main", token=old.token),
            ledger.change("btc", {}, connection="main", token=old.token),
            ledger.disable("btc", token=old.token, how=OnDisable.STOP),
        ):
            with pytest.raises(LockHeld):
                await act
        assert await ledger.read() == before
        await ledger.disable("btc", token=new.token, how=OnDisable.STOP)


async def test_a_dry_run_reads_the_same_and_may_not_act(ledger, state_url, token):
    await ledger.enable("btc", PAIRS, connection="main", token=token)
    seen = open_runtime(Opening(spec=spec(), state=open_for_reading(state_url)))
    assert await seen.read() == await ledger.read()
    for act in (
        seen.enable("eth", PAIRS, connection="main", token=token),
        seen.change("btc", {}, connection="main", token=token),
        seen.disable("btc", token=token, how=OnDisable.STOP),
    ):
        with pytest.raises(WriteRefused, match="dry run"):
            await act
    assert await seen.read() == await ledger.read()


def test_an_unknown_type_is_a_problem_at_its_place(store):
    with pytest.raises(ConfigError) as caught:
        open_runtime(Opening(spec=spec(type_="abacus"), state=store))
    (problem,) = caught.value.problems
    assert str(problem.mark) == "connections.yaml:7:1"
    assert all(name in problem.fix for name in TYPES)


class Stand:
    """The ledger of a state, which somebody else writes to as well."""

    parameters = PAIRS

    def open(self, store):
        self._store = store
        return open_runtime(Opening(spec=spec(RUNTIME), state=store))

    def start_by_hand(self):
        self._by_hand(lambda **more: self._store.ledger_enable(
            RUNTIME, STRATEGY, PAIRS, connection=CONNECTION, **more))  # fmt: skip

    def stop_by_hand(self):
        self._by_hand(lambda **more: self._store.ledger_disable(RUNTIME, STRATEGY, **more))

    def acts(self):
        """The rows themselves are all that acts leave: unchanged rows, nothing done."""
        return sum(row.enabled for row in self._store.ledger_rows(RUNTIME).values())

    def _by_hand(self, act):
        """As whoever holds the lease, or takes it where nobody does."""
        record = self._store.lease_record()
        with nullcontext(record) if record else self._store.lease(clock=now) as holder:
            act(token=holder.token)


class TestLedger(Compliance):
    @pytest.fixture
    def stand(self, store):
        made = Stand()
        made.open(store)
        return made
