"""``reconcile sandbox``: local exchanges to try things against."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.cli import options
from reconciler.model.errors import UsageError
from reconciler.resources import folder


@click.command()
@options.option("--scenario", metavar="FILE", help="What the exchanges know. [default: the demo's]")
@options.option(
    "--port",
    "ports",
    multiple=True,
    metavar="NAME=PORT",
    help="Serve an exchange on this port, such as mexc=9001; the system chooses the others.",
)
def command(*, scenario: str | None, ports: tuple[str, ...]) -> None:
    """Run local exchanges from a scenario file until interrupted.

    They speak the exchanges' own wire protocols on loopback and verify key, signature, passphrase and
    time as the exchanges do. Prints the --endpoint options to use with the other commands.
    """
    from reconciler.sandbox.load import load_scenario  # noqa: PLC0415 - the same
    from reconciler.sandbox.running import run_forever  # noqa: PLC0415 - brings aiohttp

    path = Path(scenario) if scenario else folder("examples") / "sandbox.yaml"
    run_forever(load_scenario(path), say=click.echo, ports=dict(map(_port, ports)))


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal() or not 0 < int(number) < 65536:  # noqa: PLR2004 - the range of ports
        raise UsageError(f"--port takes NAME=PORT, got {text!r}", hint="for example --port mexc=9001")
    return name, int(number)
