"""What stays open for months: asked anew in time, closed once nobody uses it, a ban kept between looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.live.observatory import Observatory
from reconciler.live.reading import ObserveOptions
from reconciler.model.desired import Egress
from reconciler.model.errors import Mark
from reconciler.model.live import FailureKind
from reconciler.sandbox.scenario import Faults, Verbatim

PUBLIC = ["/api/v1/my-ip", "/api/v1/status", "/api/v1/timestamp"]


class Hands:
    """A clock that is set, not waited for."""

    def __init__(self):
        self.at = datetime.now(UTC)

    def __call__(self):
        return self.at

    def pass_(self, seconds):
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
async def open_on(clock):
    """Opens an observatory of a sandbox; it is closed when the test ends."""
    opened = []

    async def make(sandbox, **options):
        given = {"endpoints": sandbox.endpoints, "timeout": 5.0, "now": clock} | options
        opened.append(Observatory(ObserveOptions(**given), fresh_for=60))
        return opened[-1]

    yield make
    for one in opened:
        await one.keep_only(())


def asked(sandbox):
    """The questions without a key, each once however often a busy machine repeated it, and forget them."""
    found = sorted({request.path for request in sandbox.requests if not request.key})
    sandbox.requests.clear()
    return found


@pytest.mark.parametrize(("moved", "again"), [(0, []), (59, []), (61, PUBLIC), (-1, PUBLIC)])
async def test_what_an_exchange_tells_anybody_is_asked_again_in_time(world, open_on, clock, moved, again):
    """A clock that was set back is told by its negative age: then this machine's error is another."""
    key = world.key("kucoin")
    sandbox = await world.start({"kucoin": [key]})
    target, eye = world.target(key, exchange="kucoin"), await open_on(sandbox)
    await eye.open(target)
    assert (await eye.read(target)).failure is None
    assert asked(sandbox) == PUBLIC
    clock.pass_(moved)
    sandbox.scenario.exchanges["kucoin"].clock_offset_ms = moved * 1000
    await eye.read(target)
    assert asked(sandbox) == again


async def test_a_clock_that_was_set_is_measured_again(start, a_key, a_target, open_on, clock):
    key = a_key()
    sandbox = await start({"mexc": [key]})
    target, eye = a_target(key), await open_on(sandbox)
    await eye.open(target)
    await eye.read(target)
    clock.pass_(3600)
    seen = await eye.read(target)
    assert seen.failure is None
    assert seen.clock_skew == pytest.approx(3600, abs=5)


async def test_an_exchange_that_was_down_is_tried_again(start, a_key, a_target, open_on, clock):
    key = a_key()
    sandbox = await start({"mexc": [key]}, faults={"mexc": Faults(outage="closed")})
    target, eye = a_target(key), await open_on(sandbox)
    await eye.open(target)
    assert (await eye.read(target)).failure.kind is FailureKind.UNAVAILABLE
    sandbox.scenario.exchanges["mexc"].faults.outage = None
    clock.pass_(2)
    assert (await eye.read(target)).failure is None


async def test_what_no_target_uses_any_longer_is_closed(start, a_key, a_target, open_on):
    keys = [a_key(name="here"), a_key("kucoin")]
    sandbox = await start({"mexc": keys[:1], "kucoin": keys[1:]})
    away = Egress(id="six", addresses=(), mark=Mark(file="connections.yaml", line=1), family="ipv6")
    here, there, six = (
        a_target(keys[0]),
        a_target(keys[1], exchange="kucoin"),
        a_target(keys[0], egress=away),
    )
    eye = await open_on(sandbox)
    for target in (here, there, six):
        await eye.open(target)
    sessions = [one.session for one in eye._exits._exits.values()]
    assert len(sessions) == 2
    await eye.keep_only([there])
    assert [session.closed for session in sessions] == [False, True]
    assert list(eye._made) == ["kucoin"]
    assert (await eye.read(there)).failure is None
    assert (await eye.read(here)).unread
    await eye.keep_only(())
    assert all(session.closed for session in sessions)


async def test_a_ban_holds_from_one_look_to_the_next(start, a_key, a_target, open_on):
    key = a_key()
    sandbox = await start({"mexc": [key]})
    target, eye = a_target(key), await open_on(sandbox)
    key = sandbox.keys["main"]
    await eye.open(target)
    await eye.read(target)
    key.faults.verbatim = Verbatim(status=429, headers={"Retry-After": "3600"}, body={})
    seen = await eye.read(target)
    assert seen.failure.kind is FailureKind.RATE_LIMITED
    key.faults.verbatim = None
    sandbox.requests.clear()
    seen = await eye.read(target)
    assert (seen.failure.kind, list(sandbox.requests)) == (FailureKind.RATE_LIMITED, [])
    assert seen.failure.retry_after == pytest.approx(3600, abs=30)
