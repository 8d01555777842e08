"""The loop's screen: its signals, its endpoints, and where its lines go."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Final

from reconciler.cli.aftermath import Aftermath
from reconciler.cli.logs import say
from reconciler.cli.screen import Screen
from reconciler.engine.health import Health
from reconciler.engine.loop import Hooks, Loop
from reconciler.engine.settings import Settings
from reconciler.engine.source import Begun
from reconciler.engine.systemd import Supervisor
from reconciler.model.errors import ExitCode
from reconciler.output.metrics import CONTENT_TYPE
from reconciler.web.health import health_routes
from reconciler.web.server import Address, Answer, Routes, serving

#: How each request to end shows in the exit code: a service manager's is obeyed, a person's interrupts.
_ENDING: Final = {signal.SIGTERM: ExitCode.DONE, signal.SIGINT: ExitCode.INTERRUPTED}


def watch(
    settings: Settings,
    show: Screen,
    *,
    interval: float,
    listen: Address | None,
    audit: bool,
    following: Begun | None = None,
    after: Aftermath,
) -> ExitCode:
    """Run the loop until somebody ends it, and give the exit code. ``following`` tells where the files go."""
    return asyncio.run(
        _watch(
            settings, show, interval=interval, listen=listen, audit=audit, following=following, after=after
        )
    )


async def _watch(
    settings: Settings,
    show: Screen,
    *,
    interval: float,
    listen: Address | None,
    audit: bool,
    following: Begun | None,
    after: Aftermath,
) -> ExitCode:
    health = Health()
    loop = Loop(
        settings,
        interval=interval,
        audit=audit,
        hooks=Hooks(first=show.report, turned=after.turn),
        health=health,
        supervisor=Supervisor.of(settings.environ),
        following=following,
    )
    async with AsyncExitStack() as stack:
        if listen:
            routes = {**health_routes(health), **_metrics_route(after, health)}
            where = await stack.enter_async_context(serving(listen, routes))
            say(f"listening on http://{where}: {', '.join(routes)}")
        after.begin()
        stack.push_async_callback(after.close)
        return await _until_told(loop)


def _metrics_route(after: Aftermath, health: Health) -> Routes:
    """``/metrics``, as they were after the last turn."""

    def answer() -> Answer:
        return Answer(body=after.metrics(loop_up=health.alive), content_type=CONTENT_TYPE)

    return {"/metrics": answer}


async def _until_told(loop: Loop) -> ExitCode:
    """Run it. The first request to end lets it finish what it does, the second ends it at once."""
    told: list[ExitCode] = []
    running = asyncio.create_task(loop.run())

    def end(number: signal.Signals) -> None:
        told.append(_ENDING[number])
        if len(told) == 1:
            loop.stop()
        else:
            running.cancel()

    here = asyncio.get_running_loop()
    for number in _ENDING:
        here.add_signal_handler(number, end, number)
    here.add_signal_handler(signal.SIGHUP, loop.reload)
    try:
        await running
    except asyncio.CancelledError:
        if not told:
            raise
        return ExitCode.INTERRUPTED
    return told[0]
