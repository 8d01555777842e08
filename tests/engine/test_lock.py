"""Waiting for the lock: for as long as was asked, saying who holds it, and to be interrupted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.engine.lock import held
from reconciler.engine.settings import Settings
from reconciler.model.errors import ExitCode, LockHeld
from reconciler.model.event import Event, EventKind, EventSeverity
from reconciler.model.finding import Subject
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


START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ADA = Holder(host="server", pid=4711, user="ada", started_at=START)
BOB = Holder(host="laptop", pid=42, user="bob", started_at=START)


class Night:
    """Time that passes only while somebody sleeps, and what happens in it."""

    def __init__(self):
        self.now, self.naps, self.said, self.events = START, [], [], {}

    async def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += timedelta(seconds=seconds)
        if event := self.events.pop(len(self.naps), None):
            event()

    def settings(self, **options):
        defaults = {"files": (), "now": lambda: self.now, "sleep": self.sleep, "notice": self.said.append}
        return Settings(**defaults, **options)


@pytest.fixture
def night():
    return Night()


@pytest.fixture
def store(state_url):
    with open_for_writing(state_url) as opened:
        yield opened


async def enter(store, settings):
    async with held(store, settings) as lease:
        lease.check()
        return lease.token


async def test_without_a_timeout_it_is_refused_at_once(store, night):
    with store.lease(ADA, clock=lambda: night.now), pytest.raises(LockHeld) as caught:
        await enter(store, night.settings())
    assert caught.value.exit_code is ExitCode.LOCK
    assert "ada@server, process 4711, since 2026-11-22T10:00:00Z" in str(caught.value)
    assert (night.naps, night.said) == ([], [])


async def test_it_waits_longer_each_time_and_never_past_the_timeout(store, night):
    ttl = timedelta(days=1)
    with store.lease(ADA, clock=lambda: night.now, ttl=ttl), pytest.raises(LockHeld, match="ada@server"):
        await enter(store, night.settings(lock_timeout=60))
    assert night.naps == [1, 2, 4, 8, 16, 16, 13]
    (said,) = night.said
    assert "at most 60 s" in said
    assert "ada@server, process 4711" in said
    assert "reconcile unlock 1" in said


async def test_a_timeout_shorter_than_the_first_pause_still_tries_twice(store, night):
    context = store.lease(ADA, clock=lambda: night.now)
    context.__enter__()
    night.events[1] = lambda: context.__exit__(None, None, None)
    assert await enter(store, night.settings(lock_timeout=0.5)) == 2
    assert night.naps == [0.5]


async def test_it_takes_the_lock_once_it_is_given_back_and_says_who_held_it_meanwhile(store, night):
    ada = store.lease(ADA, clock=lambda: night.now)
    bob = store.lease(BOB, clock=lambda: night.now)
    ada.__enter__()

    def hand_over():
        ada.__exit__(None, None, None)
        bob.__enter__()

    night.events = {2: hand_over, 4: lambda: bob.__exit__(None, None, None)}
    assert await enter(store, night.settings(lock_timeout=600)) == 3
    assert night.naps == [1, 2, 4, 8]
    assert ["ada@server" in night.said[0], "bob@laptop" in night.said[1]] == [True, True]
    assert len(night.said) == 2


async def test_it_takes_the_lock_of_a_holder_that_is_gone_once_its_time_is_over(store, night):
    gone = store.lease(ADA, clock=lambda: night.now, ttl=timedelta(seconds=60))
    gone.__enter__()
    assert await enter(store, night.settings(lock_timeout=600)) == 2
    assert sum(night.naps) == 63


async def test_waiting_can_be_interrupted_and_leaves_the_lock_as_it_was(store, night):
    waits = asyncio.Event()

    async def sleep(_seconds):
        waits.set()
        await asyncio.Event().wait()

    settings = replace(night.settings(lock_timeout=600), sleep=sleep)
    with store.lease(ADA, clock=lambda: night.now) as lease:
        waiting = asyncio.create_task(enter(store, settings))
        await waits.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        lease.check()


async def test_a_lock_that_is_lost_inside_is_not_waited_for(store, night):
    async def lose():
        async with held(store, night.settings(lock_timeout=600)) as lease:
            store.unlock(lease.token, UNLOCKED)
            lease.check()

    with pytest.raises(LockHeld, match="unlocked"):
        await lose()
    assert night.naps == []


async def test_the_lock_is_judged_by_the_databases_own_clock_unless_a_run_has_another(store, night):
    real = Settings(files=())
    assert real.lease_clock is None
    async with held(store, real):
        age = abs(store.lease_record().holder.started_at - datetime.now(UTC))
    assert age < timedelta(minutes=5)
    async with held(store, night.settings()):
        assert store.lease_record().holder.started_at == START
