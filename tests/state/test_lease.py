"""One applier at a time; whoever wakes after its time finds out before it acts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from reconciler.model.errors import ExitCode, LockHeld, StateError, UsageError
from reconciler.model.event import Event, EventKind, EventSeverity
from reconciler.model.finding import Subject
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState
from reconciler.state.records import Holder
from reconciler.state.store import open_for_writing

UNLOCKED = Event(
    kind=EventKind.UNLOCKED,
    severity=EventSeverity.WARNING,
    subject=Subject.POLICY,
    subject_id="lock",
    summary="ended by hand",
    at=datetime(2026, 11, 22, 10, tzinfo=UTC),
)


ACTION = Action(kind=ActionKind.ENABLE, strategy="btc", runtime="paper", reason="")
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
TTL = timedelta(seconds=60)


def test_a_second_holder_is_refused_and_told_who_holds_it_and_how_to_go_on(store, url, clock):
    holder = Holder(host="bot-1", pid=4711, user="ops", started_at=clock())
    with store.lease(holder, clock=clock), open_for_writing(url) as other:
        with pytest.raises(LockHeld) as caught, other.lease(clock=clock):
            pytest.fail("two hold it")
        error = caught.value
    assert error.exit_code is ExitCode.LOCK
    assert "ops@bot-1, process 4711, since 2026-11-22T10:00:00Z" in str(error)
    assert "2026-11-22T10:01:00Z" in str(error)
    assert "reconcile unlock 1" in error.hint


def test_a_released_lease_can_be_taken_at_once_under_a_larger_token(store, clock):
    with store.lease(clock=clock) as first:
        pass
    with store.lease(clock=clock) as second:
        assert second.token > first.token
    assert store.lease_record().holder is None


def test_an_error_inside_releases_it(store, clock):
    with pytest.raises(KeyError), store.lease(clock=clock):
        raise KeyError
    with store.lease(clock=clock):
        pass


def test_a_holder_that_is_gone_blocks_only_until_its_time_ends(store, clock):
    abandoned = store.lease(clock=clock, ttl=TTL)
    abandoned.__enter__()
    clock.advance(59.9)
    with pytest.raises(LockHeld), store.lease(clock=clock):
        pytest.fail("two hold it")
    clock.advance(0.1)
    with store.lease(clock=clock) as lease:
        lease.check()


def test_checking_renews_once_a_third_is_gone(store, clock):
    with store.lease(clock=clock, ttl=TTL) as lease:
        ends = store.lease_record().expires_at
        clock.advance(19)
        lease.check()
        assert store.lease_record().expires_at == ends
        clock.advance(1)
        lease.check()
        assert store.lease_record().expires_at == clock() + TTL


def test_a_holder_paused_past_its_time_may_not_act_even_if_nobody_came(store, clock):
    with store.lease(clock=clock, ttl=TTL) as lease:
        clock.advance(60)
        with pytest.raises(LockHeld, match="ended at 2026-11-22T10:01:00Z"):
            lease.check()
        assert lease.lost
        clock.advance(-60)
        with pytest.raises(LockHeld):
            lease.check()


def test_a_superseded_holder_may_not_act_whatever_its_own_clock_says(store, url, clock):
    with store.lease(clock=clock, ttl=TTL) as lease, open_for_writing(url) as other:
        later = clock() + timedelta(hours=1)
        with other.lease(clock=lambda: later) as successor:
            with pytest.raises(LockHeld, match="another process took it"):
                lease.check()
            with pytest.raises(LockHeld):
                lease.renew()
            successor.check()
    assert store.lease_record().token == successor.token


def test_a_late_release_does_not_end_the_successors_lease(store, clock):
    late = store.lease(clock=clock, ttl=TTL)
    late.__enter__()
    clock.advance(3600)
    with store.lease(clock=clock) as successor:
        late.__exit__(None, None, None)
        successor.check()


WRITES = {
    "intend": lambda store, token: store.intend(ACTION, token=token, at=START),
    "enable": lambda store, token: store.ledger_enable("paper", "btc", {}, connection="main", token=token),
    "change": lambda store, token: store.ledger_change("paper", "btc", {}, connection="main", token=token),
    "disable": lambda store, token: store.ledger_disable("paper", "btc", token=token),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_under_an_older_token_is_refused(store, clock, write):
    with store.lease(clock=clock) as old:
        write(store, old.token)
        before = store.ledger_rows("paper"), store.journal()
    with store.lease(clock=clock):
        with pytest.raises(LockHeld):
            write(store, old.token)
        assert (store.ledger_rows("paper"), store.journal()) == before


def test_an_old_holder_cannot_conclude_what_its_successor_decides(store, clock):
    with store.lease(clock=clock) as old:
        intent = store.intend(ACTION, token=old.token, at=clock())
    outcome = Outcome(action=ACTION, state=OutcomeState.DONE)
    with store.lease(clock=clock), pytest.raises(LockHeld):
        store.conclude(intent, outcome, token=old.token, at=clock())
    assert store.unfinished() == (intent,)


def test_unlocking_takes_the_number_and_fences_the_holder_off(store, clock):
    with store.lease(clock=clock) as lease:
        for wrong in (0, lease.token - 1, lease.token + 1):
            with pytest.raises(UsageError, match="no lock with the number"):
                store.unlock(wrong, UNLOCKED)
        assert store.unlock(lease.token, UNLOCKED).token == lease.token
        with pytest.raises(LockHeld):
            lease.check()
        with pytest.raises(LockHeld):
            store.ledger_enable("paper", "btc", {}, connection="main", token=lease.token)
    with pytest.raises(UsageError):
        store.unlock(lease.token, UNLOCKED)
    with store.lease(clock=clock) as successor:
        assert successor.token > lease.token


async def test_keeping_it_renews_at_each_third_and_stops_when_it_is_lost(store, clock):
    naps = []

    async def sleep(seconds):
        naps.append(seconds)
        clock.advance(seconds if len(naps) < 10 else 61)

    with store.lease(clock=clock, ttl=TTL) as lease:
        await lease.keep(sleep)
        assert lease.lost
    assert naps == [20.0] * 10


async def test_keeping_it_survives_a_renewal_that_the_disk_refuses(store, clock, monkeypatch):
    naps, real = [], store._db.write

    async def sleep(seconds):
        naps.append(seconds)
        clock.advance(seconds)
        if len(naps) == 4:
            raise asyncio.CancelledError

    def refuse_once(work):
        monkeypatch.setattr(store._db, "write", real)
        raise StateError("the disk is full")

    with store.lease(clock=clock, ttl=TTL) as lease:
        monkeypatch.setattr(store._db, "write", refuse_once)
        with pytest.raises(asyncio.CancelledError):
            await lease.keep(sleep)
        lease.check()


def test_holders_name_this_process(clock, monkeypatch):
    assert Holder.here(clock).started_at == clock()

    def nobody():
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    assert Holder.here(clock).user.isdigit()


class Contenders(RuleBasedStateMachine):
    """Three appliers and a clock that jumps: at no time may two of them act, tokens only grow."""

    store = None

    def __init__(self):
        super().__init__()
        self.now = START
        self.held = {}
        self.tokens = []

    def teardown(self):
        for context, _lease in self.held.values():
            context.__exit__(None, None, None)

    @rule(seconds=st.sampled_from([-86_400, -61, -1, 1, 19, 20, 40, 59, 60, 61, 3600]))
    def time_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(who=st.integers(0, 2))
    def acquire(self, who):
        context = self.store.lease(clock=lambda: self.now, ttl=TTL)
        try:
            lease = context.__enter__()
        except LockHeld:
            return
        assert not self.tokens or lease.token > self.tokens[-1]
        self.tokens.append(lease.token)
        self.held[who] = (context, lease)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data):
        context, _lease = self.held.pop(data.draw(st.sampled_from(sorted(self.held))))
        context.__exit__(None, None, None)

    @invariant()
    def at_most_one_may_act_and_only_the_newest(self):
        able = []
        for _context, lease in self.held.values():
            try:
                lease.check()
            except LockHeld:
                continue
            able.append(lease.token)
        assert able in ([], self.tokens[-1:])


def test_no_sequence_of_events_lets_two_act(store):
    Contenders.store = store
    run_state_machine_as_test(
        Contenders, settings=settings(max_examples=30, stateful_step_count=20, deadline=None)
    )
