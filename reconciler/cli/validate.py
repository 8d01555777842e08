"""``reconcile validate``: the files on ciphertext, for pull requests from anybody."""

from __future__ import annotations

from typing import Any

import click

from reconciler.cli import options, screen
from reconciler.cli.sources import chosen_of, files_of
from reconciler.engine.validate import validate


@click.command()
@options.stack(
    options.files,
    options.repository,
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
    output: str,
    output_files: tuple[str, ...],
    verbose: bool,
    no_color: bool,
    **chosen: Any,  # noqa: ANN401 - the options of a repository
) -> None:
    """Check the files without any key and without the network.

    Reads configuration and secret files as they lie in git, never decrypts, and reports every error
    with file, line, what was expected and how to fix it. Safe on a pull request from a fork.
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
        result = validate(given.files, top=given.top)
    show.report(result)
    ctx.exit(result.exit_code)
