"""What starts only once its key's checks passed several times in a row: a key that flaps starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.plan import Action, ActionKind
from reconciler.planning.hold import hold_back

#: The finding that says more.
CHECK = "settling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """``passes`` in a row, this one included, must pass; ``streaks`` has those before it, by connection."""

    passes: int = 1
    streaks: Mapping[str, int] = field(default_factory=dict)


AT_ONCE = Settling()


def settled(action: Action, settling: Settling, *, runs_on: str | None) -> Action:
    """``action``, or the strategy left as it is where it would start on a key that has not settled yet.

    ``runs_on`` is the connection that it runs on now, where it runs.
    """
    moves = action.kind is ActionKind.CHANGE and runs_on != action.connection
    if not (moves or action.kind is ActionKind.ENABLE):
        return action
    count = settling.streaks.get(action.connection or "", 0) + 1
    if count >= settling.passes:
        return action
    why = f"every blocking check passes, for {count} of the {settling.passes} passes in a row that it takes"
    return hold_back(action, why, CHECK)
