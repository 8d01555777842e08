"""``reconcile lockdown``: the emergency stop."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from reconciler.cli import options, screen
from reconciler.cli.logs import say
from reconciler.cli.paths import configuration
from reconciler.cli.run import run_async, settings_from
from reconciler.engine import lockdown as job
from reconciler.engine import lockdown_lift
from reconciler.engine.settings import Settings
from reconciler.model.emergency import Wanted
from reconciler.model.errors import Declined, UsageError
from reconciler.model.memory import Scope
from reconciler.output import lockdown as shown
from reconciler.output import lockdown_json
from reconciler.output.words import counted


@click.command()
@options.stack(
    options.option("--all", "everything", is_flag=True, help="Stop every strategy."),
    options.option("--exchange", metavar="ID", help="Stop those on keys of this exchange."),
    options.option("--connection", metavar="ID", help="Stop those on the key of this connection."),
    options.option("--reason", metavar="TEXT", help="Why; it is shown wherever the lockdown is."),
    options.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal."),
    options.option("--lift", type=click.IntRange(min=1), metavar="NUMBER", help="End this lockdown instead."),
    options.option("--list", "listing", is_flag=True, help="Only show those that are in force."),
    options.files,
    options.state,
    options.sops,
    options.allow_commands,
    options.kubeconfig,
    options.notify_file,
    options.text_or_json,
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    everything: bool,
    exchange: str | None,
    connection: str | None,
    reason: str | None,
    yes: bool,
    lift: int | None,
    listing: bool,
    files: tuple[str, ...],
    state: str,
    sops: str | None,
    allow_commands: bool,
    kubeconfigs: tuple[str, ...],
    notify_file: str | None,
    output: str,
) -> None:
    """Stop strategies at once and keep them stopped until somebody lifts it; then list the keys to replace.

    Needs no exchange, no sops and no key, and does what it can where the files are broken. It waits for no
    other apply. From the moment that it is recorded nothing that it covers is started, by no apply and
    under no configuration. Exit 0: all stopped; 9: not all; 1: none, or it could not be recorded.
    """
    chosen = [everything, bool(exchange), bool(connection), lift is not None, listing]
    if sum(chosen) != 1:
        raise UsageError(
            "say what to stop: one of --all, --exchange and --connection",
            hint="or --list those in force, or --lift one of them",
        )
    asks = not (yes or listing)
    if asks and not (sys.stdin.isatty() and output == "text"):
        raise UsageError("nothing was done: there is nobody to ask", hint="add --yes")
    where = configuration(files, must_exist=False)
    with settings_from(
        endpoints=(),
        kubeconfigs=kubeconfigs,
        files=where,
        state=state,
        sops=sops,
        allow_commands=allow_commands,
    ) as settings:
        if listing:
            told = lockdown_lift.in_force(settings)
            screen.write(lockdown_json.render_list(told) if output == "json" else shown.render_list(told))
        elif lift is not None:
            _lift(settings, lift, asks=asks, output=output)
            _tell(settings, notify_file)
        else:
            wanted = _wanted(exchange, connection, reason)
            code = _declare(settings, wanted, asks=asks, output=output)
            _tell(settings, notify_file)
            ctx.exit(code)


def _tell(settings: Settings, notify_file: str | None) -> None:
    """Tell people once all is done: nothing that this needs may stand in the way of a stop."""
    if notify_file:
        from reconciler.cli.aftermath import tell_now  # noqa: PLC0415 - brings aiohttp

        tell_now(settings, notify_file)


def _wanted(exchange: str | None, connection: str | None, reason: str | None) -> Wanted:
    if not (reason or "").strip():
        raise UsageError("say why, with --reason TEXT", hint="a few words: who finds it later must know")
    scope = Scope.EXCHANGE if exchange else Scope.CONNECTION if connection else Scope.ALL
    return Wanted(scope=scope, scope_id=exchange or connection or "", reason=reason or "")


def _declare(settings: Settings, wanted: Wanted, *, asks: bool, output: str) -> int:
    if asks and not click.confirm(_question(settings, wanted), err=True):
        raise Declined("declined; nothing was changed")
    with ExitStack() as opened:
        declared = job.declare(settings, wanted, opened)
        try:
            told = run_async(declared.enforce())
        except KeyboardInterrupt:
            say(f"{declared}, but not everything was stopped: run the same command again", level="error")
            raise
    screen.write(lockdown_json.render(told) if output == "json" else shown.render(told))
    return told.exit_code


def _question(settings: Settings, wanted: Wanted) -> str:
    claims = job.preview(settings, wanted)
    ours = sum(claim.surely for claim in claims)
    return (
        f"This stops what runs of {counted(len(claims), 'strategy')} ({ours} enabled by this tool) and keeps "
        f"{wanted} stopped until it is lifted. Go on?"
    )


def _lift(settings: Settings, number: int, *, asks: bool, output: str) -> None:
    if asks:
        seen = lockdown_lift.before_lifting(settings, number)
        click.echo(shown.render_lift(seen, done=False), err=True, nl=False)
        if not click.confirm("Lift it?", err=True):
            raise Declined("declined; nothing was changed")
    told = lockdown_lift.lift(settings, number)
    screen.write(lockdown_json.render_lift(told) if output == "json" else shown.render_lift(told))
