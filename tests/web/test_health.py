"""The endpoints over a real socket: they tell the truth, and nothing else."""

from __future__ import annotations

import json

import aiohttp
import pytest

from reconciler.engine.health import SLACK, Health
from reconciler.model.errors import UsageError
from reconciler.web.health import health_routes
from reconciler.web.server import Address, Answer, parse_listen, serving


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    made = Health(clock=clock)
    made.promise(60)
    return made


@pytest.fixture
async def ask(health):
    """Asks the running server; gives status, headers and body."""
    routes = {
        **health_routes(health),
        "/more": lambda: Answer(body="a 1\n", content_type="text/plain"),
        "/broken": _broken,
    }
    async with (
        serving(Address(host="127.0.0.1", port=0), routes) as where,
        aiohttp.ClientSession() as session,
    ):

        async def get(path, method="GET"):
            async with session.request(method, f"http://{where}{path}") as answer:
                return answer.status, answer.headers, await answer.text()

        yield get


def _broken():
    raise RuntimeError("a secret stands here")


async def told(ask, path):
    status, _, body = await ask(path)
    return status, json.loads(body)["why"]


async def test_a_loop_that_begins_is_alive_and_not_ready(ask):
    assert await told(ask, "/healthz") == (200, [])
    assert await told(ask, "/readyz") == (503, ["the first pass is not done yet"])


async def test_after_a_pass_it_is_ready_and_says_when_it_was(ask, health, clock):
    health.passed(5)
    clock.now += 3
    status, _, body = await ask("/readyz")
    assert status == 200
    assert json.loads(body) == {
        "status": "ok",
        "why": [],
        "passes": 1,
        "last_exit_code": 5,
        "seconds_since_pass": 3.0,
        "faults": 0,
    }


async def test_a_loop_that_does_not_come_round_is_dead_and_not_ready(ask, health, clock):
    health.passed(0)
    clock.now += 60 + SLACK
    assert await told(ask, "/healthz") == (200, [])
    clock.now += 1
    assert await told(ask, "/healthz") == (503, ["stuck for 31 s"])
    assert (await told(ask, "/readyz"))[0] == 503
    health.promise(60)
    assert await told(ask, "/healthz") == (200, [])


async def test_trouble_makes_it_unready_and_not_dead(ask, health):
    health.passed(0)
    health.troubles["state"] = "nothing can be done without the state"
    assert await told(ask, "/readyz") == (503, ["nothing can be done without the state"])
    assert await told(ask, "/healthz") == (200, [])
    assert health.summary() == "not ready: nothing can be done without the state"
    health.troubles.clear()
    health.stopping = True
    assert await told(ask, "/readyz") == (503, ["it was told to end"])


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/readyz", "POST", 405), ("/broken", "GET", 500)]
)
async def test_whatever_is_wrong_it_says_no_word_about_itself(ask, path, method, status):
    found, headers, body = await ask(path, method)
    assert (found, body) == (status, "")
    assert headers["Server"] == "reconciler"


async def test_more_routes_are_a_matter_of_merging(ask):
    status, headers, body = await ask("/more")
    assert (status, body) == (200, "a 1\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert (await ask("/more", "HEAD"))[0] == 200


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("9187", "127.0.0.1", 9187, "127.0.0.1:9187"),
        (":9187", "127.0.0.1", 9187, "127.0.0.1:9187"),
        ("0.0.0.0:80", "0.0.0.0", 80, "0.0.0.0:80"),  # noqa: S104 - only parsed
        ("[::1]:9187", "::1", 9187, "[::1]:9187"),
        ("localhost:0", "localhost", 0, "localhost:0"),
    ],
)
def test_an_address_names_a_host_or_means_this_machine(text, host, port, shown):
    found = parse_listen(text)
    assert (found.host, found.port, str(found)) == (host, port, shown)


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "::1:9187", "127.0.0.1:65536", "a b:1", "1:x", ":-1", "²"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError):
        parse_listen(text)


async def test_a_port_that_is_taken_is_an_error_of_the_command_line(ask, health):
    async with serving(Address(host="127.0.0.1", port=0), health_routes(health)) as where:
        with pytest.raises(UsageError, match="nothing can listen on"):
            async with serving(where, {}):
                pass
