"""What both imports do once a set-up was read: show, encrypt, ask, write."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.cli import options, screen
from reconciler.cli.import_screen import begun, closing
from reconciler.cli.paths import DEFAULT
from reconciler.engine import takeover
from reconciler.engine.additions import write
from reconciler.engine.connect_answers import any_id, recipients, split
from reconciler.engine.place import Place, locate
from reconciler.engine.settings import Settings
from reconciler.importing.found import Found
from reconciler.model.errors import Declined, ExitCode, UsageError
from reconciler.secrets.sops import find_sops

F = TypeVar("F", bound=Callable[..., Any])

into = options.stack(
    options.files,
    options.option("--into", metavar="PATH", help="Which of several configuration files takes it."),
)
ids = options.stack(
    options.option("--id", "id_", metavar="ID", help="What new ids begin with. [default: the bot's name]"),
    options.option("--egress", metavar="ID", help="The egress that the bot leaves from."),
    options.option("--runtime", metavar="ID", help="A runtime of the files that runs the strategies."),
)
writing = options.stack(
    options.option(
        "--age",
        multiple=True,
        metavar="RECIPIENT",
        help="Encrypt for this age public key instead of by .sops.yaml; repeatable.",
    ),
    options.option("--dry-run", is_flag=True, help="Show what would be written; change nothing."),
    options.option("--yes", is_flag=True, help="Write without asking, also over unused secret files."),
    options.sops,
)


def place_of(files: tuple[str, ...], target: str | None) -> Place:
    """The configuration that takes the import: ``--into`` alone names it as ``-f`` does."""
    if not files and target:
        return locate((target,))
    return locate(files or (DEFAULT,), into=target)


def sensible(*, yes: bool, dry_run: bool, id_: str | None, age: tuple[str, ...]) -> tuple[str, ...]:
    """The recipients. Raise ``UsageError`` for what cannot work, before anything is read."""
    if not (yes or dry_run or sys.stdin.isatty()):
        raise UsageError("nothing was done: there is nobody to ask", hint="add --yes, or --dry-run to look")
    if id_ is not None and (wrong := any_id(id_)):
        raise UsageError(f"--id: {wrong}", hint="the new ids begin with it")
    given = split(",".join(age))
    if age and (wrong := recipients(",".join(age))):
        raise UsageError(f"--age: {wrong}", hint="age-keygen prints a public key")
    return given


def carry_out(
    place: Place, found: Found, settings: Settings, *, age: tuple[str, ...], yes: bool, dry_run: bool
) -> ExitCode:
    """Show what was found, and write it once somebody agrees. All or nothing; secrets are never shown.

    The exit code says whether anything of it is in the files, or would be after a dry run.
    """
    settings.redactor.add(found.secrets())
    made = takeover.draft(place, found)
    screen.write(begun(made, found))
    if not made.entries:
        click.echo(f"Nothing was changed: {_nothing_new(made)}.", err=True)
        return ExitCode.DONE if made.known else ExitCode.FAILED
    sealed = takeover.seal(made, sops=find_sops(settings.sops, settings.environ), age=age)
    if dry_run:
        click.echo("Nothing was changed: this was a dry run.", err=True)
        return ExitCode.DONE
    _ask(made.replaces, yes=yes)
    write(made.addition, sealed)
    click.echo(closing(made, found, files_of(place)), err=True, nl=False)
    return ExitCode.DONE


def _nothing_new(made: takeover.Draft) -> str:
    if not made.known:
        return "nothing of it could be taken over"
    other = any(one.other for one in made.known)
    return "all of it is there already" + (", and differs; if this is another bot, add --id" if other else "")


def _ask(replaces: tuple[Path, ...], *, yes: bool) -> None:
    if yes:
        return
    for path in replaces:
        click.echo(
            f"{path} is there already; nothing in these files uses it, and it would be lost.", err=True
        )
    if not click.confirm(
        "Replace it, and write all?" if replaces else "Write it?", default=not replaces, err=True
    ):
        raise Declined("declined; nothing was changed")


def files_of(place: Place) -> str:
    """The options that name the files of ``place`` to another command: `` -f bots.yaml``."""
    return "".join(f" -f {shlex.quote(file)}" for file in place.files if file != DEFAULT)
