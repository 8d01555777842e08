"""How things stand by what the state holds, and what happened so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.model.errors import ExitCode
from reconciler.model.event import Recorded
from reconciler.model.finding import Subject
from reconciler.model.memory import SKEW, Condition, Lockdown, Permit, Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Who holds the lock, by its number; ``until`` is when it ends unless it is renewed."""

    lock_id: int
    holder: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPass:
    """One pass; ``exit_code`` and ``finished_at`` are ``None`` while it runs, or if it was killed."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    by: str | None
    commit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What the last passes left, as far as it was asked for. Everything is sorted as it is shown.

    ``running`` are the strategies that this tool enabled, ``unfinished`` those with an action of which
    nobody knows whether it was done. What is older than ``max_age`` counts no more.
    """

    now: datetime
    max_age: timedelta
    connections: tuple[Remembered, ...]
    strategies: tuple[Permit, ...]
    conditions: tuple[Condition, ...]
    lockdowns: tuple[Lockdown, ...]
    running: frozenset[str]
    unfinished: tuple[str, ...]
    applier: Applier | None
    passes: tuple[PastPass, ...]

    def stale(self, at: datetime) -> bool:
        """Whether what was read at ``at`` counts no more: it is too old, or of the future."""
        return not -SKEW <= self.now - at <= self.max_age

    def about(self, subject: Subject, subject_id: str) -> tuple[Condition, ...]:
        """What is not as it should be with one of its subjects, the oldest first."""
        return tuple(one for one in self.conditions if (one.subject, one.subject_id) == (subject, subject_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Part of the audit log, oldest first. ``more`` says that older events were left out by the limit."""

    events: tuple[Recorded, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether the audit log is as it was written. ``head`` is its end, ``SEQ:HASH``, to keep elsewhere."""

    records: int
    head: str
    faults: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0 for a whole log, else ``BLOCKED``."""
        return ExitCode.BLOCKED if self.faults else ExitCode.DONE
