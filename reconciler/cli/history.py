"""``reconcile history``: what happened, by the audit log."""

from __future__ import annotations

from datetime import datetime

import click

from reconciler import __version__
from reconciler.cli import options, screen
from reconciler.cli.durations import Since
from reconciler.engine.history import Wanted, history, verify
from reconciler.model.errors import UsageError
from reconciler.model.event import EventKind
from reconciler.output import history as rendered


@click.command()
@options.option("--since", type=Since(), metavar="24h|DATE", help="Only what happened since then.")
@options.option(
    "--subject",
    "subjects",
    multiple=True,
    metavar="ID",
    help="Only what is about this connection, strategy or runtime; repeatable.",
)
@options.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(tuple(kind.value for kind in EventKind)),
    metavar="KIND",
    help=f"Only this kind of event; repeatable: {', '.join(kind.value for kind in EventKind)}.",
)
@options.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="At most so many events, the newest.",
)
@options.option("--verify", "verifies", is_flag=True, help="Say whether the log is as it was written.")
@options.option(
    "--expect",
    "expected",
    metavar="SEQ:HASH",
    help="With --verify: the head that an earlier one printed must still be in the log.",
)
@options.stack(options.state, options.text_or_json)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    since: datetime | None,
    subjects: tuple[str, ...],
    kinds: tuple[str, ...],
    limit: int,
    verifies: bool,
    expected: str | None,
    state: str,
    output: str,
) -> None:
    """Say who did what, why, when and from which commit: changes, never one line per pass.

    --verify finds a record that was changed, removed or moved (exit 5), and prints the head of the log.
    Keep that elsewhere: with --expect it shows that nobody rewrote the whole log since.
    """
    if verifies:
        ctx.exit(_verified(state, expected, output))
    if expected is not None:
        raise UsageError("--expect is for --verify", hint="reconcile history --verify --expect SEQ:HASH")
    wanted = Wanted(since=since, subjects=frozenset(subjects), kinds=frozenset(map(EventKind, kinds)))
    found = history(state, wanted, limit=limit)
    as_json = output == "json"
    screen.write(rendered.render_json(found, version=__version__) if as_json else rendered.render_text(found))


def _verified(state: str, expected: str | None, output: str) -> int:
    found = verify(state, expected)
    if output == "json":
        screen.write(rendered.render_verification_json(found, version=__version__))
    else:
        screen.write(rendered.render_verification(found))
    return found.exit_code
