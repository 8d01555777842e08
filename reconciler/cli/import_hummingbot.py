"""``reconcile import hummingbot``: connectors and bots of a folder as connections and strategies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from reconciler.cli import import_common as common
from reconciler.cli import options
from reconciler.cli.connect_secrets import ask_password
from reconciler.cli.run import settings_from
from reconciler.engine.place import Place
from reconciler.engine.signals import as_interrupt
from reconciler.importing.hummingbot import Wishes, read
from reconciler.importing.hummingbot_connectors import connector
from reconciler.importing.hummingbot_folder import Folder, locate
from reconciler.model.errors import UsageError
from reconciler.model.secret import Secret

_LIMIT: Final = 4096


@click.command()
@click.argument("folder", metavar="DIR")
@options.stack(
    common.into,
    common.ids,
    options.option(
        "--connection",
        "connections",
        multiple=True,
        metavar="CONNECTOR=ID",
        help="A connection that the files have already, with this connector's key; repeatable.",
    ),
    options.option("--account", metavar="NAME", help="Of hummingbot-api, where it has several."),
    options.option("--bot", metavar="NAME", help="The container that runs them: becomes `settings.bot`."),
    options.option(
        "--password-file",
        metavar="PATH",
        help="A file with Hummingbot's password, or /dev/fd/N. [default: asked for at a terminal]",
    ),
    common.writing,
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    folder: str,
    files: tuple[str, ...],
    into: str | None,
    id_: str | None,
    egress: str | None,
    runtime: str | None,
    connections: tuple[str, ...],
    account: str | None,
    bot: str | None,
    password_file: str | None,
    age: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    sops: str | None,
) -> None:
    """Take over a folder of Hummingbot's client, or of hummingbot-api.

    Decrypts the keys of its connectors with Hummingbot's password, which is never taken from the command
    line, and encrypts them by sops. Without a password connectors are listed with the `connect` that asks
    for their key. Controllers, scripts and strategies become strategies that are off, on the runtime that
    --runtime names, else on a ledger.
    """
    recipients = common.sensible(yes=yes, dry_run=dry_run, id_=id_, age=age)
    with as_interrupt(), settings_from(endpoints=(), files=files, sops=sops) as settings:
        where, place = locate(Path(folder), account=account), common.place_of(files, into)
        _require_bot(place, runtime, bot)
        wishes = Wishes(
            id=id_,
            connections=_by_connector(connections),
            there=frozenset(place.desired.connections),
            runtime=runtime,
            bot=bot,
            egress=egress,
            files=common.files_of(place),
        )
        password = _password(where, password_file)
        if password:
            settings.redactor.add([password])
        found = read(where, wishes, password=password)
        ctx.exit(common.carry_out(place, found, settings, age=recipients, yes=yes, dry_run=dry_run))


def _require_bot(place: Place, runtime: str | None, bot: str | None) -> None:
    """Ask for what one type of runtime knows its bots by, before a password is asked for."""
    there = place.desired.runtimes.get(runtime or "")
    if there is not None and there.type == "hummingbot" and not bot:
        raise UsageError(
            f"{there.id} runs bots of a hummingbot-api, and nobody named a bot",
            hint="add --bot with the name of its container, as `docker ps -a` shows it",
        )


def _by_connector(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [item.partition("=")[::2] for item in given]
    for name, target in pairs:
        if not target or connector(name) is None:
            raise UsageError(
                "--connection takes CONNECTOR=ID", hint="a connector of Hummingbot: binance_perpetual=my-id"
            )
    return dict(pairs)


def _password(folder: Folder, file: str | None) -> Secret | None:
    """From the file, else from the terminal, else none; none is asked for where nothing is encrypted."""
    if file is not None:
        return _from_file(file)
    if not folder.connectors() or not sys.stdin.isatty():
        return None
    return ask_password("Hummingbot's password (not shown; empty to import without keys): ")


def _from_file(path: str) -> Secret:
    """The first line. A pipe is read to its end: whoever names one writes to it."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(_LIMIT + 1).decode()
    except (OSError, ValueError):
        raise UsageError(f"--password-file: {path} cannot be read", hint="name a file of one line") from None
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or len(password) > _LIMIT or "\n" in password:
        raise UsageError(f"--password-file: {path} does not hold one line", hint="the password and no more")
    return Secret(password)
