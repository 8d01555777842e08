"""The ordered actions that would make live equal desired, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model.bot import Bot
from reconciler.model.desired import EMPTY, Guarded, OnDisable


class ActionKind(StrEnum):
    """What a plan does with one strategy. Only the first three act on a runtime."""

    DISABLE = "disable"
    CHANGE = "change"
    ENABLE = "enable"
    HOLD = "hold"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    UNMANAGED = "unmanaged"
    NONE = "none"

    @property
    def acts(self) -> bool:
        """Whether applying it calls the runtime."""
        return self in (ActionKind.DISABLE, ActionKind.CHANGE, ActionKind.ENABLE)

    @property
    def symbol(self) -> str:
        """The sign before its word in a text plan."""
        return _SYMBOLS[self]


_SYMBOLS = {
    ActionKind.DISABLE: "-",
    ActionKind.CHANGE: "~",
    ActionKind.ENABLE: "+",
    ActionKind.HOLD: "?",
    ActionKind.BLOCKED: "!",
    ActionKind.UNKNOWN: "?",
    ActionKind.UNMANAGED: "*",
    ActionKind.NONE: "=",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStrategy:
    """A strategy as a runtime knows it; ``None`` where it does not tell.

    ``enabled``: whether it may open positions. ``paused``: it may not, and goes on managing what it holds.
    ``parameters`` are those of :class:`Strategy`; ``bot`` is
    what really runs behind it. ``silence``: why the runtime does not tell whether it runs, and what to do.
    """

    id: str
    enabled: bool | None
    connection: str | None = None
    parameters: Mapping[str, Any] | None = field(default_factory=lambda: EMPTY)
    bot: Bot | None = None
    paused: bool = False
    silence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryItem:
    """A strategy that this tool enabled, and where. Only these are disabled once git no longer names them."""

    strategy: str
    runtime: str
    connection: str | None
    enabled_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One line of a plan.

    ``HOLD`` leaves a strategy alone while its evidence is unknown, until the grace period ends, while a
    guard holds back what the files want, or until what it holds is closed; ``BLOCKED`` and ``UNKNOWN`` keep
    one that should run from starting; ``UNMANAGED`` runs but is not in git and was not enabled by
    this tool; ``NONE`` is as desired. ``checks`` names the findings behind it: a disabling without any
    comes from the files alone. ``before`` and ``after`` are parameters, only where the action changes them.
    ``how`` says of a disabling what becomes of what the strategy holds, and ``open_positions`` has the pairs
    of that, ``None`` where its runtime did not tell. ``paused``: it opens nothing already.
    """

    kind: ActionKind
    strategy: str
    runtime: str
    reason: str
    connection: str | None = None
    checks: tuple[str, ...] = ()
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    how: OnDisable | None = None
    open_positions: tuple[str, ...] | None = None
    paused: bool = False

    @property
    def of_files(self) -> bool:
        """Whether it stops a strategy for no other reason than that the files no longer want it.

        The second half of a stop that waited until nothing was open is none of its own. One that takes what
        a bot still manages away from it is, whoever paused that bot.
        """
        second = self.paused and self.how is OnDisable.CLOSE_FIRST_MANUAL
        return self.kind is ActionKind.DISABLE and not self.checks and not second


class Bound(StrEnum):
    """Which limit was exceeded. ``EMPTIED``: the files hold no strategy at all any more."""

    COUNT = "count"
    PERCENT = "percent"
    EMPTIED = "emptied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """More strategies would be enabled, or disabled, at once than is allowed: ``count`` of ``of``.

    ``allowed`` is the number that ``bound`` lets pass, and ``approved`` the one that an approval
    does, 0 without any.
    """

    guarded: Guarded
    bound: Bound
    count: int
    of: int
    allowed: int
    approved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The actions, disables first, and the digest over what was reviewed.

    ``breaches`` tells why actions that the files want are held back.
    """

    actions: tuple[Action, ...]
    digest: str
    targets: tuple[str, ...] = ()
    breaches: tuple[Breach, ...] = ()

    @property
    def changes(self) -> tuple[Action, ...]:
        """The actions that would call a runtime."""
        return tuple(action for action in self.actions if action.kind.acts)

    def counts(self) -> dict[ActionKind, int]:
        """How many actions there are of each kind, every kind named."""
        return {kind: sum(a.kind is kind for a in self.actions) for kind in ActionKind}


class OutcomeState(StrEnum):
    """What became of one action."""

    DONE = "done"
    FAILED = "failed"
    NOT_TRIED = "not_tried"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one acting action, verified by reading back."""

    action: Action
    state: OutcomeState
    detail: str = ""
    at: datetime | None = None
