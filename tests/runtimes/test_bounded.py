"""A runtime that hangs costs its limit and no more; one that is closed says why."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.model.desired import OnDisable
from reconciler.model.errors import ReconcilerError
from reconciler.runtimes.bounded import Bounded, Closed, Limits

LIMITS = Limits(call=0.02, runtime=0.03)


class Runtime:
    """Answers, unless it hangs; counts the calls that were begun."""

    def __init__(self, *, hangs=False):
        self.hangs = hangs
        self.begun = []

    async def _call(self, *call):
        self.begun.append(call)
        if self.hangs:
            await asyncio.Event().wait()

    async def read(self):
        await self._call("read")
        return {}

    async def enable(self, strategy, parameters, *, connection, token):
        await self._call("enable", strategy, parameters, connection, token)

    async def change(self, strategy, parameters, *, connection, token):
        await self._call("change", strategy, parameters, connection, token)

    async def disable(self, strategy, *, token, how):
        await self._call("disable", strategy, token, how)

    async def close(self):
        await self._call("close")


def calls(runtime):
    return [
        runtime.read(),
        runtime.enable("a", {}, connection="main", token=3),
        runtime.change("a", {}, connection="main", token=3),
        runtime.disable("a", token=3, how=OnDisable.STOP),
        runtime.close(),
    ]


async def test_what_answers_is_passed_on_however_often():
    inner = Runtime()
    bounded = Bounded(inner, LIMITS)
    for _ in range(100):
        assert [await call for call in calls(bounded)] == [{}, None, None, None, None]
    assert inner.begun[:5] == [
        ("read",),
        ("enable", "a", {}, "main", 3),
        ("change", "a", {}, "main", 3),
        ("disable", "a", 3, OnDisable.STOP),
        ("close",),
    ]
    assert len(inner.begun) == 500


async def test_what_hangs_ends_and_all_of_it_together_too():
    inner = Runtime(hangs=True)
    bounded = Bounded(inner, LIMITS)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(50):
        for call in calls(bounded):
            with pytest.raises(TimeoutError):
                await call
    assert loop.time() - begun < 50 * LIMITS.call, "each of them was waited for anew"


async def test_what_several_wait_for_at_the_same_time_is_spent_once():
    inner = Runtime(hangs=True)
    bounded = Bounded(inner, Limits(call=0.1, runtime=0.75))
    for _ in range(2):
        waits = [bounded.disable(name, token=3, how=OnDisable.STOP) for name in "abcdefgh"]
        ended = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(one) for one in ended} == {TimeoutError}
    assert len(inner.begun) == 16, "nobody was told any more after the first ones had hung"


async def test_a_closed_one_says_why_and_reads_only_where_it_can():
    why = ReconcilerError("it is part of the state")
    *all_, close = calls(Closed(why))
    assert await close is None
    for call in all_:
        with pytest.raises(ReconcilerError, match="part of the state"):
            await call
    read, *acts, close = calls(Closed(why, Runtime()))
    assert await read == {}
    assert await close is None
    for call in acts:
        with pytest.raises(ReconcilerError, match="part of the state"):
            await call
