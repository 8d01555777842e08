"""What a scenario can make go wrong, as a client sees it."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from reconciler.sandbox.faults import Disturber
from reconciler.sandbox.scenario import ExchangeSpec, Faults, Key, RateLimit, Scenario, Verbatim
from reconciler.sandbox.venue import Incoming
from reconciler.sandbox.venues import venue

KEY = "mx0a"


@pytest.fixture
def ask(running):
    """Starts MEXC with ``faults`` and gives a function that asks it for a path."""

    async def start(faults, *, key_faults=None):
        key = Key(name="a", api_key=KEY, secret="s", faults=key_faults or Faults())
        spec = ExchangeSpec(id="mexc", keys={"a": key}, faults=faults)
        sandbox = await running(Scenario(exchanges={"mexc": spec}))

        async def get(path="/api/v3/time", *, key=None):
            headers = {"X-MEXC-APIKEY": key} if key else {}
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(sandbox.endpoints["mexc"] + path, headers=headers) as response,
            ):
                return response.status, await response.read()

        return get

    return start


async def test_an_exchange_that_is_down_refuses_the_connection(ask):
    get = await ask(Faults(outage="refused"))
    with pytest.raises(aiohttp.ClientConnectorError):
        await get()


async def test_a_closed_connection_gives_no_answer(ask):
    get = await ask(Faults(outage="closed"))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await get()


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_an_outage_behind_the_edge_answers_its_status_in_html(ask, status):
    get = await ask(Faults(outage=status))
    answered, body = await get()
    assert answered == status
    assert body.startswith(b"<!DOCTYPE html>")


async def test_a_cut_connection_ends_in_the_middle_of_the_body(ask):
    get = await ask(Faults(cut=True))
    with pytest.raises(aiohttp.ClientPayloadError):
        await get()


@pytest.mark.parametrize("status", [200, 403])
async def test_a_page_for_people_can_stand_before_the_api(ask, status):
    get = await ask(Faults(html=status))
    answered, body = await get()
    assert (answered, b"<h1>" in body) == (status, True)


async def test_any_answer_can_be_given_word_for_word(ask):
    get = await ask(Faults(verbatim=Verbatim(status=451, body={"code": 0, "msg": "{not filled}"})))
    assert await get() == (451, b'{"code":0,"msg":"{not filled}"}')
    get = await ask(Faults(verbatim=Verbatim(body="plain words")))
    assert await get() == (200, b"plain words")


async def test_a_delay_holds_the_answer_back(ask):
    get = await ask(Faults(delay_ms=60, paths={"/api/v3/ti": Faults(delay_ms=60)}))
    before = time.monotonic()
    assert (await get())[0] == 200
    assert time.monotonic() - before >= 0.12


async def test_faults_of_a_key_touch_that_key_alone(ask):
    get = await ask(Faults(), key_faults=Faults(outage=503))
    assert (await get(key=KEY))[0] == 503
    assert (await get(key="mx0b"))[0] == 200
    assert (await get())[0] == 200


async def test_faults_of_a_path_touch_what_lies_below_it(ask):
    get = await ask(Faults(paths={"/api/v3/time": Faults(error="maintenance")}))
    assert (await get())[0] == 500
    assert (await get("/api/v3/ping"))[0] == 200


async def test_every_nth_request_is_one_too_many(ask):
    get = await ask(Faults(rate_limit=RateLimit(every=3)))
    assert [(await get())[0] for _ in range(6)] == [200, 200, 429, 200, 200, 429]


async def test_a_delayed_request_is_let_go_when_the_sandbox_stops(running):
    arrived = asyncio.Event()

    def clock():
        arrived.set()
        return 1_800_000_000.0

    spec = ExchangeSpec(id="mexc", faults=Faults(delay_ms=60_000))
    sandbox = await running(Scenario(exchanges={"mexc": spec}), clock=clock)
    async with aiohttp.ClientSession() as session:
        asked = asyncio.ensure_future(session.get(sandbox.endpoints["mexc"] + "/api/v3/time"))
        await arrived.wait()
        before = time.monotonic()
        await sandbox.__aexit__(None, None, None)
        with pytest.raises(aiohttp.ClientError):
            await asked
    assert time.monotonic() - before < 5


def disturbed(limit, *moments, path="/api/v3/time", caller="203.0.113.10"):
    """Whether each request at ``moments`` (seconds) is refused as too many."""
    disturber = Disturber(venue("mexc")(ExchangeSpec(id="mexc", faults=Faults(rate_limit=limit))))
    incoming = Incoming(method="GET", path=path, caller=caller)
    return [disturber.disturb(incoming, host="", now=moment).reply is not None for moment in moments]


def test_a_budget_refuses_what_exceeds_it_and_opens_again_with_time():
    limit = RateLimit(units=2, seconds=10)
    assert disturbed(limit, 0, 1, 2, 9.9, 10, 10.5, 11) == [False, False, True, True, False, True, False]


def test_a_budget_counts_the_weight_of_each_call():
    assert disturbed(RateLimit(units=25, seconds=1), 0, 0, 0, path="/api/v3/account") == [False, False, True]


def test_each_caller_has_a_budget_of_its_own():
    limit = RateLimit(units=1, seconds=10)
    disturber = Disturber(venue("mexc")(ExchangeSpec(id="mexc", faults=Faults(rate_limit=limit))))
    refused = [
        disturber.disturb(Incoming(method="GET", path="/x", caller=caller), host="", now=0).reply is not None
        for caller in ("203.0.113.1", "203.0.113.2", "203.0.113.1")
    ]
    assert refused == [False, False, True]


def test_futures_tell_a_limit_in_their_own_shape_and_every_limit_its_wait():
    limit = RateLimit(every=1, retry_after=7)
    disturber = Disturber(venue("mexc")(ExchangeSpec(id="mexc", faults=Faults(rate_limit=limit))))
    replies = [
        disturber.disturb(Incoming(method="GET", path=path, caller="203.0.113.1"), host="", now=0).reply
        for path in ("/api/v3/time", "/api/v1/contract/ping")
    ]
    assert (replies[0].status, replies[0].headers["Retry-After"]) == (429, "7")
    assert replies[1].body["code"] == 510
