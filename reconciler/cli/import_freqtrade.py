"""``reconcile import freqtrade``: a bot's configuration as a connection, a runtime and a strategy."""

from __future__ import annotations

import click

from reconciler.cli import import_common as common
from reconciler.cli import options
from reconciler.cli.run import settings_from
from reconciler.engine.signals import as_interrupt
from reconciler.importing.freqtrade import Wishes, read


@click.command()
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG.json...")
@options.stack(
    common.into,
    common.ids,
    options.option("--connection", metavar="ID", help="A connection of the files that has this key."),
    options.option(
        "--url", metavar="URL", help="Where the bot's API is. [default: its port on this machine]"
    ),
    common.writing,
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    configs: tuple[str, ...],
    files: tuple[str, ...],
    into: str | None,
    id_: str | None,
    egress: str | None,
    runtime: str | None,
    connection: str | None,
    url: str | None,
    age: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    sops: str | None,
) -> None:
    """Take over one freqtrade bot from the files that it is started with, in the same order.

    Reads them as freqtrade does: comments, trailing commas, `add_config_files`. Variables FREQTRADE__… of
    this shell are named and not used. Writes a connection with its key, a runtime with the login of its
    API, and a strategy that is off.
    """
    recipients = common.sensible(yes=yes, dry_run=dry_run, id_=id_, age=age)
    with as_interrupt(), settings_from(endpoints=(), files=files, sops=sops) as settings:
        place = common.place_of(files, into)
        wishes = Wishes(
            id=id_,
            connection=connection,
            runtime=runtime,
            url=url,
            egress=egress,
            files=common.files_of(place),
        )
        found = read(configs, wishes, variables=settings.environ)
        ctx.exit(common.carry_out(place, found, settings, age=recipients, yes=yes, dry_run=dry_run))
