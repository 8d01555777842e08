"""``reconcile exchanges``: what can be read of a key, exchange by exchange."""

from __future__ import annotations

import click

from reconciler import __version__
from reconciler.cli import options, screen
from reconciler.exchanges import registry
from reconciler.exchanges.docs import refused
from reconciler.output.exchanges import render_json, render_text


@click.command()
@options.stack(options.output)
def command(output: str) -> None:
    """List the exchanges with what each tells of a key.

    Those with a reader of their own come first, then every other that ccxt knows, by its id. What an
    exchange does not tell is unknown to every check; some of it a person can attest in the files.
    """
    own = [registry.get(name) for name in registry.ids()]
    others = [registry.get(name) for name in registry.others()]
    if output == "json":
        screen.write(render_json(own, others=others, refused=refused(), version=__version__))
    else:
        screen.write(render_text(own, others=others, refused=refused()))
