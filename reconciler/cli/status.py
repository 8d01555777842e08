"""``reconcile status``: how things stand, without asking anybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from reconciler import __version__
from reconciler.cli import options, screen
from reconciler.engine.status import status
from reconciler.output.status import render
from reconciler.output.status_json import render as render_json


@click.command()
@click.argument("names", nargs=-1, metavar="[CONNECTION|STRATEGY]...")
@options.stack(options.max_age, options.state, options.text_or_json)
def command(*, names: tuple[str, ...], max_age: timedelta, state: str, output: str) -> None:
    """Show what the last passes found: each connection's last reading and what is wrong since when,
    what was decided of each strategy, lockdowns in force, who applies now.

    Reads the state alone: no file, no key, no exchange; everything goes by its id. What is older than
    --max-age is marked stale. Exit 0 whatever it shows: `gate` and `check` are there to judge.
    """
    seen = status(state, names, max_age=max_age, now=datetime.now(UTC))
    screen.write(render_json(seen, version=__version__) if output == "json" else render(seen))
