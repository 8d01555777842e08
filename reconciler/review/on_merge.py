"""What the first apply after a merge would do with each strategy, as far as files alone can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from reconciler.model.desired import Desired, Strategy
from reconciler.model.plan import ActionKind
from reconciler.model.review import Change, ChangeKind, Consequence

#: Fields of a strategy that its runtime does not take as settings.
_NO_SETTINGS = frozenset({"name", "enabled", "connection", "runtime", "suspend.reason", "suspend.until"})

#: What a connection or an egress can change without keys being judged anew.
_UNJUDGED = frozenset({"name", "suspend.reason", "suspend.until"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What is touched: connections that are judged by other rules, secrets, and strategies' settings."""

    connections: frozenset[str]
    secrets: frozenset[str]
    settings: frozenset[str]


def touched(changes: Collection[Change], secrets: Collection[str], head: Desired) -> Touched:
    """What ``changes`` touch in ``head``. ``secrets`` are the ids of connections whose secret changed."""
    differing = {
        change.id
        for change in changes
        if change.section == "connections" and {leaf.path for leaf in change.leaves} - _UNJUDGED
    }
    exits = {
        change.id
        for change in changes
        if change.section == "egress" and {leaf.path for leaf in change.leaves} - _UNJUDGED
    }
    waived = {
        change.id.partition(" on ")[2].partition(" (")[0] for change in changes if change.section == "waivers"
    }
    through = {one.id for one in head.connections.values() if one.egress in exits}
    everybody = set(head.connections) if any(map(_judges, changes)) else set()
    settings = {
        change.id
        for change in changes
        if change.section == "strategies" and {leaf.path for leaf in change.leaves} - _NO_SETTINGS
    }
    return Touched(
        connections=frozenset(differing | through | waived | everybody),
        secrets=frozenset(secrets),
        settings=frozenset(settings),
    )


def _judges(change: Change) -> bool:
    """Whether connections are judged anew: by all of policy but when, and how many at once, may start."""
    return change.section == "policy" and any(
        not leaf.path.startswith(("thresholds.", "windows")) for leaf in change.leaves
    )


def consequences(
    base: Desired, head: Desired, changes: Collection[Change], seen: Touched
) -> tuple[Consequence, ...]:
    """One for each strategy that would start, stop, change or be judged anew, by strategy; stops first.

    A strategy that cannot be read in the head has none: nothing is applied from files that are wrong.
    """
    lost = {c.id for c in changes if c.section == "strategies" and c.kind is ChangeKind.UNREADABLE}
    found: list[Consequence] = []
    for name in sorted((base.strategies.keys() | head.strategies.keys()) - lost):
        old, new = base.strategies.get(name), head.strategies.get(name)
        told = [*_of(old, new, seen)]
        found += _held(told, new, head) if new and head.suspensions_of(new) else told
        if not told and old and new and _released(base, old, head, new):
            found.append(_consequence(ActionKind.ENABLE, new, "nothing suspends it any more: it may start"))
    order = (ActionKind.DISABLE, ActionKind.CHANGE, ActionKind.ENABLE, ActionKind.NONE)
    return tuple(sorted(found, key=lambda one: (order.index(one.kind), one.strategy)))


def _of(old: Strategy | None, new: Strategy | None, seen: Touched) -> Iterator[Consequence]:
    ran = old is not None and old.enabled
    runs = new is not None and new.enabled
    if old and ran and not (new and runs):
        yield _consequence(
            ActionKind.DISABLE, old, "git says `enabled: false`" if new else "it leaves the files"
        )
    elif new and runs and not (old and ran):
        yield _consequence(ActionKind.ENABLE, new, "starts once every check of its connection passes")
    elif old and new and runs:
        yield from _goes_on(old, new, seen)


def _held(told: list[Consequence], strategy: Strategy, head: Desired) -> Iterator[Consequence]:
    """What is left of it where something suspends the strategy: stops, unless they are half of a move."""
    by = head.suspensions_of(strategy)[0].subject
    for one in told:
        if one.kind is ActionKind.NONE or (one.kind is ActionKind.DISABLE and not strategy.enabled):
            yield one
        elif one.kind is not ActionKind.DISABLE:
            yield replace(one, kind=ActionKind.NONE, reason=f"{one.reason}; not while {by} is suspended")


def _released(base: Desired, old: Strategy, head: Desired, new: Strategy) -> bool:
    runs = old.enabled and new.enabled
    return runs and bool(base.suspensions_of(old)) and not head.suspensions_of(new)


def _goes_on(old: Strategy, new: Strategy, seen: Touched) -> Iterator[Consequence]:
    """Of a strategy that is enabled before and after."""
    if old.runtime != new.runtime:
        yield _consequence(ActionKind.DISABLE, old, f"git moves it to runtime {new.runtime}")
        yield _consequence(ActionKind.ENABLE, new, "starts there once every check of its connection passes")
    elif old.connection != new.connection:
        yield _consequence(ActionKind.CHANGE, new, f"git moves it here from connection {old.connection}")
    elif new.id in seen.settings:
        yield _consequence(ActionKind.CHANGE, new, "its settings change")
    elif new.connection in seen.secrets:
        yield _consequence(ActionKind.NONE, new, "its connection gets another secret: the key is judged anew")
    elif new.connection in seen.connections:
        yield _consequence(ActionKind.NONE, new, "its connection is judged by what changes here")


def _consequence(kind: ActionKind, strategy: Strategy, reason: str) -> Consequence:
    return Consequence(
        kind=kind,
        strategy=strategy.id,
        name=strategy.name,
        connection=strategy.connection,
        runtime=strategy.runtime,
        reason=reason,
    )
