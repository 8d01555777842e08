"""Which connections a run looks at."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from reconciler.model.desired import Connection, Desired
from reconciler.model.errors import UsageError


def named_connections(desired: Desired, names: Sequence[str]) -> tuple[Connection, ...]:
    """The connections with these ids, or all without any; by id. Raise ``UsageError`` for an unknown one."""
    _refuse_unknown(names, desired.connections, what="connection")
    chosen = set(names) or set(desired.connections)
    return tuple(desired.connections[name] for name in sorted(chosen))


def chosen_connections(desired: Desired, targets: Sequence[str]) -> tuple[Connection, ...]:
    """The connections that targets name, or that the strategies they name stand on; all without any.

    A target may also name a strategy that left the files while this tool had enabled it: it has no
    connection to look at.
    """
    if not targets:
        return named_connections(desired, ())
    names = {_connection_of(desired, target) for target in targets}
    return tuple(desired.connections[name] for name in sorted(names & set(desired.connections)))


def _connection_of(desired: Desired, target: str) -> str:
    return desired.strategies[target].connection if target in desired.strategies else target


def _refuse_unknown(names: Sequence[str], known: Collection[str], *, what: str) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            raise UsageError(
                f"there is no {what} with the id {name!r} in the files",
                hint=f"did you mean {', '.join(near)}?" if near else f"there are: {', '.join(sorted(known))}",
            )
