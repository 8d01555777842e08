from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exchanges.interface import Budget
from reconciler.live.budget import Bucket, BudgetSpent


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def bucket(time, *, units=100.0, seconds=10.0, burst=10.0, **options):
    budget = Budget(units=units, seconds=seconds, burst=burst, source="test")
    return Bucket(budget, clock=time, sleep=time.sleep, **options)


async def test_a_burst_goes_at_once_and_the_rest_is_paced():
    time = Time()
    one = bucket(time)
    for _ in range(10):
        await one.take(1)
    assert time.slept == []
    await one.take(1)
    assert time.now == pytest.approx(1000.1)


@pytest.mark.parametrize("weight", [1, 3, 10, 25])
async def test_many_together_stay_within_one_percent_of_the_floor(weight):
    time = Time()
    one = bucket(time)
    await asyncio.gather(*(one.take(weight) for _ in range(400)))
    floor = 400 * weight / 10
    assert floor - (10 + weight) / 10 <= time.now - 1000 <= floor * 1.01


@given(st.lists(st.floats(0.1, 30), min_size=1, max_size=60), st.floats(1, 30))
def test_no_window_ever_holds_more_than_burst_and_rate(weights, burst):
    time = Time()
    one = bucket(time, burst=burst)
    spent = []

    async def run():
        for weight in weights:
            await one.take(weight)
            spent.append((time.now, weight))

    asyncio.run(run())
    heaviest = max(weights)
    for index, (start, _) in enumerate(spent):
        for end, _ in spent[index:]:
            within = sum(weight for at, weight in spent if start <= at <= end)
            assert within <= max(burst, heaviest) + heaviest + (end - start) * 10 + 1e-6


async def test_first_come_first_served():
    time, order = Time(), []
    one = bucket(time, burst=1)

    async def ask(name):
        await one.take(1)
        order.append(name)

    await asyncio.gather(*(ask(name) for name in range(20)))
    assert order == list(range(20))


async def test_a_pause_holds_everybody_and_a_shorter_one_does_not_shorten_it():
    time = Time()
    one = bucket(time)
    one.penalise(15)
    one.penalise(2)
    await asyncio.gather(one.take(1), one.take(1))
    assert time.now >= 1015


async def test_a_pause_during_a_wait_is_obeyed():
    time = Time()
    one = bucket(time, burst=1)
    await one.take(1)
    waiting = asyncio.create_task(one.take(1))
    await asyncio.sleep(0)
    one.penalise(5)
    await waiting
    assert time.now >= 1005


async def test_a_pause_longer_than_patience_is_told_at_once():
    time = Time()
    one = bucket(time, patience=60)
    one.penalise(600)
    with pytest.raises(BudgetSpent) as caught:
        await one.take(1)
    assert caught.value.seconds == pytest.approx(600)
    assert time.slept == []


async def test_one_who_gives_up_leaves_the_turn_to_the_next():
    time = Time()
    one = bucket(time, burst=1)
    await one.take(1)
    first, second = (asyncio.create_task(one.take(1)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
