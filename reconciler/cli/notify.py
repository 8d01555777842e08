"""``reconcile notify``: whether a sink of notifications takes what it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reconciler.cli import options, screen
from reconciler.cli.run import run_async, settings_from
from reconciler.model.errors import ExitCode, UsageError
from reconciler.model.event import EventSeverity


@click.command()
@click.argument("names", nargs=-1, metavar="[SINK]...")
@options.stack(options.notify_file, options.sops, options.log_format)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    names: tuple[str, ...],
    notify_file: str | None,
    **chosen: Any,  # noqa: ANN401 - the options that become Settings
) -> None:
    """Send a test message to each SINK of the file (all without a name).

    Says of each whether it took the message. Reads and changes no state, and needs no exchange.
    """
    from reconciler.engine.notify import try_sinks  # noqa: PLC0415 - brings aiohttp
    from reconciler.engine.sinks import read_sinks  # noqa: PLC0415 - the same

    if notify_file is None:
        raise UsageError("there is no file of sinks", hint="give --notify-file PATH (docs/notifications.md)")
    with settings_from(files=(), endpoints=(), **chosen) as settings:
        sinks = read_sinks(notify_file, settings)
        known = {one.name: one for one in sinks}
        for name in names:
            if name not in known:
                raise UsageError(
                    f"{Path(notify_file).name} has no sink {name!r}", hint=f"it has: {', '.join(known)}"
                )
        wanted = [known[name] for name in dict.fromkeys(names or known)]
        found = run_async(try_sinks(settings, wanted))
    for spec, (name, trouble) in zip(wanted, found, strict=True):
        told = _told(spec.min_severity)
        screen.write(f"{name:<20} {'failed: ' + trouble if trouble else f'taken; it is told of {told}'}")
    ctx.exit(ExitCode.FAILED if any(trouble for _, trouble in found) else ExitCode.DONE)


def _told(least: EventSeverity) -> str:
    return "everything" if least is EventSeverity.INFO else f"what is {least} or worse"
