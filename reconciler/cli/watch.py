"""The loop's screen: its signals, its endpoints, and where its lines go."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Final

import click

from reconciler.cli.screen import Screen
from reconciler.engine.health import Health
from reconciler.engine.loop import Hooks, Loop
from reconciler.engine.settings import Settings
from reconciler.engine.source import Source
from reconciler.engine.systemd import Supervisor
from reconciler.model.errors import ExitCode
from reconciler.web.health import health_routes
from reconciler.web.server import Address, serving

#: How each request to end shows in the exit code: a service manager's is obeyed, a person's interrupts.
_ENDING: Final = {signal.SIGTERM: ExitCode.DONE, signal.SIGINT: ExitCode.INTERRUPTED}


def watch(
    settings: Settings,
    show: Screen,
    *,
    interval: float,
    listen: Address | None,
    audit: bool,
    source: Source | None = None,
) -> ExitCode:
    """Run the loop until somebody ends it, and give the exit code. ``source`` tells where the files go."""
    return asyncio.run(_watch(settings, show, interval=interval, listen=listen, audit=audit, source=source))


async def _watch(
    settings: Settings,
    show: Screen,
    *,
    interval: float,
    listen: Address | None,
    audit: bool,
    source: Source | None,
) -> ExitCode:
    health = Health()
    loop = Loop(
        settings,
        interval=interval,
        audit=audit,
        hooks=Hooks(first=show.report),
        health=health,
        supervisor=Supervisor.of(settings.environ),
        source=source,
    )
    async with AsyncExitStack() as stack:
        if listen:
            where = await stack.enter_async_context(serving(listen, health_routes(health)))
            click.echo(f"listening on http://{where}: /healthz, /readyz", err=True)
        return await _until_told(loop)


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
