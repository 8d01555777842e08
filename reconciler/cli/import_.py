"""``reconcile import``: set-ups of other projects as YAML with encrypted secrets."""

from __future__ import annotations

import click

from reconciler.cli.lazy import LazyGroup

COMMANDS = {
    "freqtrade": ("reconciler.cli.import_freqtrade", "From the configuration files of one freqtrade bot."),
    "hummingbot": ("reconciler.cli.import_hummingbot", "From a folder of Hummingbot or of hummingbot-api."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, no_args_is_help=False)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Take over a set-up of another project: its connections, runtimes and strategies.

    Secrets go through sops into files of their own and are never shown. Strategies come with `enabled:
    false`, nothing is started or asked of an exchange, the other project's files stay as they are, and
    what could not be taken over is listed with why. Ids that are there already are never overwritten.
    """
    ctx.default_map = dict.fromkeys(COMMANDS, ctx.default_map)
