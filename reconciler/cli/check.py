"""``reconcile check``: keys alone, live."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli import options, screen
from reconciler.cli.run import run_async, settings_from
from reconciler.cli.sources import chosen_of, files_of
from reconciler.engine import pass_


@click.command()
@click.argument("connections", nargs=-1, metavar="[CONNECTION]...")
@options.stack(
    options.files,
    options.repository,
    options.sops,
    options.endpoint,
    options.timeout,
    options.parallel,
    options.output,
    options.output_file,
    options.log_format,
    options.verbose,
    options.no_color,
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    connections: tuple[str, ...],
    files: tuple[str, ...],
    output: str,
    output_files: tuple[str, ...],
    verbose: bool,
    no_color: bool,
    **chosen: Any,  # noqa: ANN401 - the options that become Settings
) -> None:
    """Read the keys of CONNECTIONs live (all without a name) and judge them.

    A connection whose key can be read and passes every blocking check is Online. Strategies, runtimes
    and state are neither read nor changed.
    """
    source = chosen_of(chosen)
    show = screen.Screen(
        output=output,
        output_files=output_files,
        verbose=verbose,
        no_color=no_color,
        from_top=source.git is not None,
    )
    with files_of(files, source) as given:
        chosen |= given.settings()
        with settings_from(verbose=verbose, **chosen) as settings:
            report = run_async(pass_.check(settings, connections))
    show.report(report)
    ctx.exit(report.exit_code)
