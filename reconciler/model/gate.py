"""Whether a strategy may run at this moment, by what the state holds alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.model.errors import ExitCode, most_urgent
from reconciler.model.memory import Condition, Lockdown, Permit, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What the state holds about one strategy, read at one moment.

    ``runs_on`` is the connection on which this tool last started it; ``readings`` are those of its
    connections, by id; ``conditions`` are about it or about them. ``known`` are the ids of all
    strategies that the state has a decision about.
    """

    permit: Permit | None = None
    runs_on: str | None = None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    lockdowns: tuple[Lockdown, ...] = ()
    known: tuple[str, ...] = ()


class Bar(StrEnum):
    """Why a gate is closed."""

    LOCKDOWN = "lockdown"
    DECIDED = "decided"
    READ_SINCE = "read-since"
    UNKNOWN_STRATEGY = "unknown-strategy"
    UNREAD = "unread"
    STALE = "stale"
    AHEAD = "ahead"

    @property
    def exit_code(self) -> ExitCode:
        """``BLOCKED`` where somebody or something says no, ``FAILED`` where nobody can say yes."""
        says_no = self in {Bar.LOCKDOWN, Bar.DECIDED, Bar.READ_SINCE}
        return ExitCode.BLOCKED if says_no else ExitCode.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason why a gate is closed: since when where that is known, by which checks, and what to do."""

    bar: Bar
    message: str
    since: datetime | None = None
    checks: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer for one strategy: it is let through exactly when there is no reason against it.

    ``running`` says that it was asked for what runs already. ``now`` is when it was asked.
    """

    strategy: str
    running: bool
    max_age: timedelta
    now: datetime
    permit: Permit | None
    reasons: tuple[Reason, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0 exactly when it is let through."""
        return most_urgent(reason.bar.exit_code for reason in self.reasons)
