"""``reconcile validate``: the files on ciphertext, for pull requests from anybody."""

from __future__ import annotations

import click

from reconciler.cli import options, screen
from reconciler.cli.paths import configuration
from reconciler.engine.validate import validate
from reconciler.output.problems import render_json, render_text


@click.command()
@options.stack(options.files, options.output)
@click.pass_context
def command(ctx: click.Context, *, files: tuple[str, ...], output: str) -> None:
    """Check the files without any key and without the network.

    Reads configuration and secret files as they lie in git, never decrypts, and reports every error
    with file, line, what was expected and how to fix it. Safe on a pull request from a fork.
    """
    result = validate(configuration(files))
    screen.write(render_json(result) if output == "json" else render_text(result))
    ctx.exit(result.exit_code)
