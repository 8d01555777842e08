"""``reconcile explain``: one check or failure kind in plain words."""

from __future__ import annotations

import difflib

import click

from reconciler.checks.catalogue import ENTRIES, explain
from reconciler.cli import screen
from reconciler.model.errors import UsageError
from reconciler.model.live import FailureKind


@click.command()
@click.argument("name", metavar="CHECK", required=False)
def command(name: str | None) -> None:
    """Say what CHECK asks, why it matters, its usual cause and its fix.

    CHECK is the id in brackets behind a finding (withdraw-enabled) or a failure kind (ip_not_allowed).
    Without it, every id is listed.
    """
    known = [*ENTRIES, *(kind.value for kind in FailureKind)]
    if name is None:
        screen.write(_listing())
        return
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        raise UsageError(
            f"there is no check or failure kind named {name!r}",
            hint=f"did you mean {', '.join(near)}?" if near else "reconcile explain lists them all",
        )
    screen.write(explain(name))


def _listing() -> str:
    width = max(len(check) for check in ENTRIES)
    checks = [f"  {check.id:<{width}}  {check.title}" for check in ENTRIES.values()]
    kinds = "\n".join(f"  {kind.value}" for kind in FailureKind)
    return "Checks\n" + "\n".join(checks) + "\n\nFailure kinds of connection-test\n" + kinds
