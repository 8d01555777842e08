"""Servers that stand in for runtimes: on loopback, and nowhere else."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import stamina
from aiohttp import web

# What drivers' tests share stands beside them; pytest's importlib mode puts no folder on the path.
sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("compliance")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def no_waiting():
    """Retries happen as often as ever, without their pauses."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def let_pass() -> Callable[[float], None]:
    """Has so many seconds pass at once, for all time limits of the running event loop."""

    def run(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time
        loop.time = lambda: before() + seconds

    return run


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """Answer every request by a function, until the test ends; gives the url."""
    runners = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def unused() -> Iterator[str]:
    """A url at which nothing listens, and nothing can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
