"""``reconcile doctor``: this machine, before any key is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reconciler.cli import options, screen
from reconciler.cli.paths import DEFAULT
from reconciler.cli.run import run_async, settings_from
from reconciler.engine.doctor import examine, exit_code
from reconciler.output.doctor import render


@click.command()
@options.stack(options.files, options.sops, options.endpoint, options.timeout)
@options.option("--offline", is_flag=True, help="Do not ask the exchanges for their time.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    files: tuple[str, ...],
    offline: bool,
    **chosen: Any,  # noqa: ANN401 - the options that become Settings
) -> None:
    """Look at this machine: Python, sops, private keys, file modes, .sops.yaml, clock.

    Never reads the content of a key and asks exchanges for nothing but their time.
    """
    named = files or ((DEFAULT,) if Path(DEFAULT).is_file() else ())
    with settings_from(files=named, **chosen) as settings:
        found = run_async(examine(settings, offline=offline))
    screen.write(render(found))
    ctx.exit(exit_code(found))
