"""Which connections a run looks at."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from reconciler.model.desired import EMPTY, Connection, Desired
from reconciler.model.errors import UsageError
from reconciler.model.plan import InventoryItem


def named_connections(desired: Desired, names: Sequence[str]) -> tuple[Connection, ...]:
    """The connections with these ids, or all without any; by id. Raise ``UsageError`` for an unknown one."""
    _refuse_unknown(names, desired.connections, what="connection")
    chosen = set(names) or set(desired.connections)
    return tuple(desired.connections[name] for name in sorted(chosen))


def chosen_connections(
    desired: Desired, targets: Sequence[str], inventory: Mapping[str, InventoryItem] = EMPTY
) -> tuple[Connection, ...]:
    """The connections that targets name, or that the strategies they name stand or run on; all without any.

    A strategy that git moved or removed runs on where ``inventory`` has it until that is done, so
    that key is looked at as well: no stop for safety may wait because nobody looked.
    """
    if not targets:
        return named_connections(desired, ())
    names = {name for target in targets for name in _connections_of(desired, target, inventory)}
    return tuple(desired.connections[name] for name in sorted(names & set(desired.connections)))


def _connections_of(desired: Desired, target: str, inventory: Mapping[str, InventoryItem]) -> Iterator[str]:
    yield target
    if target in desired.strategies:
        yield desired.strategies[target].connection
    if target in inventory:
        yield inventory[target].connection or ""
    for strategy in desired.strategies_of(target):  # a connection's may still run on others
        if strategy.id in inventory:
            yield inventory[strategy.id].connection or ""


def _refuse_unknown(names: Sequence[str], known: Collection[str], *, what: str) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            raise UsageError(
                f"there is no {what} with the id {name!r} in the files",
                hint=f"did you mean {', '.join(near)}?" if near else f"there are: {', '.join(sorted(known))}",
            )
