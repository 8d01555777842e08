"""``reconcile gate``: may this strategy run right now?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from reconciler import __version__
from reconciler.cli import options, screen
from reconciler.engine.gate import gate
from reconciler.output.gate import render_json, render_text


@click.command()
@click.argument("strategy", metavar="STRATEGY")
@options.option("--running", is_flag=True, help="Ask for one that runs already: may it go on?")
@options.max_age
@options.option("--quiet", is_flag=True, help="Print no answer: the exit code says it all.")
@options.stack(options.state, options.text_or_json)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    strategy: str,
    running: bool,
    max_age: timedelta,
    quiet: bool,
    state: str,
    output: str,
) -> None:
    """Exit 0 only if STRATEGY may run right now, by what the last pass found.

    Reads the state alone: no file, no key, no exchange. So the answer is as true as the last pass: it
    fails (exit 1) when that is older than --max-age, when the state is missing or cannot be read, and when
    STRATEGY is not in it. Exit 5: it may not run. What runs may go on, with --running, in some cases in
    which it may not start: within policy.unknown_grace, or while it is suspended.
    """
    answer = gate(state, strategy, running=running, max_age=max_age, now=datetime.now(UTC))
    if not quiet:
        screen.write(render_json(answer, version=__version__) if output == "json" else render_text(answer))
    ctx.exit(answer.exit_code)
