"""One exchange behind one way out: its clock, its pauses, what they do to everybody's calls."""

from __future__ import annotations

import asyncio
import time

import pytest

from reconciler.exchanges import registry
from reconciler.exchanges.interface import Budget
from reconciler.live.budget import Bucket
from reconciler.live.client import prototype
from reconciler.live.egress import Exits
from reconciler.live.station import Station
from reconciler.model.live import CallFailed
from reconciler.sandbox.scenario import Faults, Verbatim


class Clock:
    """Starts now and moves only when somebody sleeps by it."""

    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
async def a_station(start, a_key):
    """Makes a station of a sandbox's MEXC, on a clock and with a bucket of one unit each ten seconds."""
    async with Exits(limit=4) as exits:
        made = []

        async def make(**faults):
            sandbox, clock = await start({"mexc": [a_key()]}, **faults), Clock()
            bucket = Bucket(
                Budget(units=1, seconds=10, burst=1, source="test"), clock=clock, sleep=clock.sleep
            )
            exchange = registry.get("mexc")
            made.append(
                Station(
                    exchange=exchange,
                    made=prototype(exchange, sandbox.endpoints),
                    way_out=await exits.get(None),
                    timeout=5,
                    max_parallel=1,
                    bucket=bucket,
                    clock=clock,
                )
            )
            return made[-1], bucket, clock

        yield make
        for station in made:
            await station.close()


async def test_waiting_for_a_turn_is_no_difference_of_clocks(a_station):
    """Nor is a try that failed: only the question that was answered tells the time."""
    station, bucket, clock = await a_station()
    await bucket.take(1)
    before = clock.now
    skew = await station.measure_skew()
    assert clock.now - before == pytest.approx(10, abs=0.1)
    assert skew == pytest.approx(10, abs=1)


@pytest.mark.parametrize(("status", "paused"), [(429, 30), (503, 30), (500, 30)])
async def test_a_named_pause_is_kept_whatever_is_the_reason(a_station, status, paused):
    answer = Verbatim(status=status, headers={"Retry-After": "15"}, body={})
    station, _, clock = await a_station(faults={"mexc": Faults(verbatim=answer)})
    before = clock.now
    with pytest.raises(CallFailed):
        await station.measure_skew()
    assert clock.now - before == pytest.approx(paused, abs=0.1)
