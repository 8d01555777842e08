"""``reconcile unlock``: after a crash of an apply that cannot come back."""

from __future__ import annotations

import click

from reconciler.cli import options, screen
from reconciler.engine.settings import Settings
from reconciler.engine.unlock import unlock


@click.command()
@click.argument("lock_id", metavar="LOCK_ID", type=click.IntRange(min=1))
@options.state
def command(*, lock_id: int, state: str) -> None:
    """End the lock with LOCK_ID, which the refusal of another apply printed.

    A lock ends by itself after a minute without a sign of life, so this is only for the impatient.
    Its holder, should it still live, notices before its next action and does nothing more.
    """
    holder = unlock(Settings(files=(), state=state), lock_id)
    screen.write(f"unlocked: it was held by {holder}")
