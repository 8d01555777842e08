"""``reconcile explain``: one check, failure kind or doubt of a review in plain words."""

from __future__ import annotations

import click

from reconciler.checks.catalogue import ENTRIES, explain
from reconciler.cli import screen
from reconciler.model.doubts import DOUBTS
from reconciler.model.live import FailureKind


@click.command()
@click.argument("name", metavar="[CHECK]", required=False)
def command(name: str | None) -> None:
    """Say what CHECK asks, why it matters, its usual cause and its fix.

    CHECK is the id of a finding (withdraw-enabled), a failure kind (ip_not_allowed) or what stands in
    brackets behind a doubt of a review (recipient-still-reads). Without it, every id is listed.
    """
    screen.write(_listing() if name is None else explain(name))


def _listing() -> str:
    width = max(len(check) for check in ENTRIES)
    checks = [f"  {check.id:<{width}}  {check.title}" for check in ENTRIES.values()]
    kinds = "\n".join(f"  {kind.value}" for kind in FailureKind)
    doubts = "\n".join(f"  {doubt.code:<{width}}  {doubt.title}" for doubt in DOUBTS.values())
    parts = (
        "Checks",
        "\n".join(checks),
        "",
        "Failure kinds of connection-test",
        kinds,
        "",
        "Doubts of diff",
        doubts,
    )
    return "\n".join(parts)
