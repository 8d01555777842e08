"""``reconcile connect``: from a key on the exchange's page to a connection that is Online."""

from __future__ import annotations

import shlex
import shutil
import sys
from typing import Any

import click

from reconciler.cli import connect_secrets, options, screen
from reconciler.cli.connect_questions import Given, Questions
from reconciler.cli.paths import DEFAULT
from reconciler.cli.run import run_async, settings_from
from reconciler.engine import connect as job
from reconciler.engine import pass_
from reconciler.engine.additions import Written
from reconciler.engine.connect_answers import shown, unusable
from reconciler.engine.connect_guide import guide
from reconciler.engine.place import locate
from reconciler.engine.settings import Settings
from reconciler.engine.signals import as_interrupt
from reconciler.engine.validate import needed_fields
from reconciler.model.errors import Declined, ExitCode, ReconcilerError, UsageError
from reconciler.model.secret import Credentials
from reconciler.secrets.sops import find_sops


@click.command()
@options.stack(
    options.files,
    options.option("--into", metavar="PATH", help="Which of several configuration files takes it."),
    options.option("--exchange", metavar="ID", help="The exchange, by its id in ccxt."),
    options.option("--market", metavar="MARKET", help="spot, margin or futures. [default: spot]"),
    options.option("--id", "id_", metavar="ID", help="The connection's id. [default: EXCHANGE-MARKET]"),
    options.option("--name", metavar="NAME", help="Its name for people. [default: the id in words]"),
    options.option("--egress", metavar="ID", help="The egress that the bot leaves from."),
    options.option(
        "--address",
        "addresses",
        multiple=True,
        metavar="ADDRESS",
        help="An address of an egress that the files do not have yet; repeatable.",
    ),
    options.option(
        "--age",
        multiple=True,
        metavar="RECIPIENT",
        help="Encrypt for this age public key instead of by .sops.yaml; repeatable.",
    ),
    options.option(
        "--stdin",
        is_flag=True,
        help="Read the key as JSON from a pipe (api_key, secret, passphrase) and ask nothing; needs --yes.",
    ),
    options.option("--yes", is_flag=True, help="Write without asking, also over an unused secret file."),
    options.option("--no-test", is_flag=True, help="Do not read the key live afterwards."),
    options.sops,
    options.endpoint,
    options.timeout,
    options.output,
    options.output_file,
    options.verbose,
    options.no_color,
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    files: tuple[str, ...],
    into: str | None,
    id_: str | None,
    stdin: bool,
    yes: bool,
    no_test: bool,
    output: str,
    output_files: tuple[str, ...],
    verbose: bool,
    no_color: bool,
    **rest: Any,  # noqa: ANN401 - the answers that were given, and the options that become Settings
) -> None:
    """Add a connection: says how to create the key, takes it without echo, encrypts it and tests it.

    Asks for what the options do not say. Writes the secret file through sops, never in clear, and adds
    the connection to the configuration, of which every other byte stays. Interrupted at any point, it
    leaves nothing or a whole connection. The exit code is that of check.
    """
    _sensible(stdin=stdin, yes=yes)
    answers = ("exchange", "market", "name", "egress", "addresses", "age")
    given = Given(id=id_, **{name: rest.pop(name) for name in answers})
    show = screen.Screen(output=output, output_files=output_files, verbose=verbose, no_color=no_color)
    with as_interrupt(), settings_from(files=files or (DEFAULT,), verbose=verbose, **rest) as settings:
        made, credentials = _prepare(settings, given, into=into, stdin=stdin, yes=yes)
        written = _write(made, credentials, settings, yes=yes)
        ctx.exit(ExitCode.DONE if no_test else _test(made, written, settings, show, terminal=not stdin))


def _sensible(*, stdin: bool, yes: bool) -> None:
    """Refuse what cannot work before anything is asked."""
    if not stdin and not sys.stdin.isatty():
        raise UsageError(
            "nothing was done: there is no terminal to ask for the key at",
            hint="pipe it in with --stdin --yes; a key is never taken from the command line",
        )
    if stdin and not yes:
        raise UsageError("with --stdin nothing can be asked", hint="add --yes to write without asking")


def _prepare(
    settings: Settings, given: Given, *, into: str | None, stdin: bool, yes: bool
) -> tuple[job.Draft, Credentials]:
    """Everything that is asked, and judged as far as it can be; nothing is written yet."""
    place = locate(settings.files, into=into)
    answers = Questions(place, given, terminal=not stdin).answers()
    made = job.draft(place, answers)
    _ask_to_replace(made, yes=yes)
    job.rehearse(made, find_sops(settings.sops, settings.environ))
    fields = needed_fields(answers.exchange)

    def judge(credentials: Credentials) -> str | None:
        settings.redactor.add(credentials.all())
        return unusable(answers.exchange, credentials)

    if stdin:
        return made, connect_secrets.read_pipe(fields, judge=judge)
    width = min(screen.MAX_WIDTH, shutil.get_terminal_size().columns)
    click.echo("\n" + guide(answers, _addresses(made), width=width), err=True)
    return made, connect_secrets.ask(fields, judge=judge)


def _addresses(made: job.Draft) -> tuple[str, ...]:
    known = made.place.desired.egress.get(made.answers.egress or "")
    return shown(known) if known else made.answers.addresses


def _ask_to_replace(made: job.Draft, *, yes: bool) -> None:
    if made.replaces is None or yes:
        return
    click.echo(f"{made.secret} is there already; no connection of these files uses it.", err=True)
    if not click.confirm("Replace it, and lose what it holds?", default=False, err=True):
        raise Declined("declined; nothing was changed", hint="choose another --id, or move the file away")


def _write(made: job.Draft, credentials: Credentials, settings: Settings, *, yes: bool) -> Written:
    """Encrypt, ask, write."""
    sealed = job.seal(made, credentials, find_sops(settings.sops, settings.environ))
    target, name = made.place.target, made.answers.id
    begun = "" if made.place.before is not None else ", a new file"
    click.echo(f"To be written:\n  {made.secret}: the key, encrypted\n  {target}: {name}{begun}", err=True)
    if not (yes or click.confirm("Write them?", default=True, err=True)):
        raise Declined("declined; nothing was changed")
    written = job.write(made, sealed)
    click.echo(f"Written: {name} is in {target}, its key in {made.secret}.", err=True)
    return written


def _test(
    made: job.Draft, written: Written, settings: Settings, show: screen.Screen, *, terminal: bool
) -> ExitCode:
    """Read the key live and show its status. One that fails stays, unless its owner wants it gone."""
    try:
        report = run_async(pass_.check(settings, (made.answers.id,)))
    except ReconcilerError:
        click.echo(_left(made), err=True)
        raise
    show.report(report)
    if report.exit_code is ExitCode.DONE:
        return report.exit_code
    if terminal and not click.confirm("Keep the files, to check again later?", default=True, err=True):
        written.undo()
        click.echo("Undone: the files are as they were.", err=True)
    else:
        click.echo(_left(made), err=True)
    return report.exit_code


def _left(made: job.Draft) -> str:
    name, place = made.answers.id, made.place
    files = "".join(f" -f {shlex.quote(file)}" for file in place.files if file != DEFAULT)
    return (
        f"The files stay. Mend the key at the exchange, then: reconcile check{files} {name}\n"
        f"To undo: remove `{name}` from {place.target}, and the file {made.secret}"
    )
