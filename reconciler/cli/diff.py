"""``reconcile diff``: what a revision range means, for reviewers who hold no key."""

from __future__ import annotations

import click

from reconciler.cli import options, screen
from reconciler.cli.paths import configuration
from reconciler.engine.review import review
from reconciler.engine.settings import Settings
from reconciler.engine.signals import as_interrupt


@click.command()
@click.argument("base", required=False)
@click.argument("head", required=False)
@options.stack(
    options.files,
    options.option("--detailed-exitcode", is_flag=True, help="Exit 2 when anything changed."),
    options.output,
    options.output_file,
    options.verbose,
    options.no_color,
)
@click.pass_context
def command(
    ctx: click.Context,
    *,
    base: str | None,
    head: str | None,
    files: tuple[str, ...],
    detailed_exitcode: bool,
    output: str,
    output_files: tuple[str, ...],
    verbose: bool,
    no_color: bool,
) -> None:
    """Say what changes from BASE to HEAD: connections, limits, policy, secrets, and who can read them.

    Without BASE, from the merge base with the main branch; without HEAD, to the working tree. A...B is
    from the merge base of A and B to B. Reads git objects and ciphertext alone: it needs no key and
    runs nothing of the repository, so it is safe on a pull request from anybody.
    """
    show = screen.Screen(output=output, output_files=output_files, verbose=verbose, no_color=no_color)
    settings = Settings(files=configuration(files, must_exist=False))
    with as_interrupt():  # so that no git is left behind by whoever ends this
        result = review(settings, base, head, detailed=detailed_exitcode)
    show.report(result)
    ctx.exit(result.exit_code)
