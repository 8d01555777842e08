"""What the state holds, as frozen dataclasses, and how a row becomes one."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row

from reconciler import machine
from reconciler.model.desired import OnDisable
from reconciler.model.plan import Action, ActionKind, OutcomeState
from reconciler.state.schema import plain

Clock: TypeAlias = Callable[[], datetime]
"""Gives the present moment, aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who applies: enough for a colleague to find the process."""

    host: str
    pid: int
    user: str
    started_at: datetime

    @classmethod
    def here(cls, clock: Clock) -> Holder:
        """This process, as of now."""
        return cls(host=socket.gethostname(), pid=os.getpid(), user=machine.user(), started_at=clock())

    def __str__(self) -> str:
        return f"{self.user}@{self.host}, process {self.pid}, since {shown(self.started_at)}"


def shown(moment: datetime) -> str:
    """A moment in UTC for people: ``2026-11-22T10:00:00Z``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """The lease as it lies in the state. ``holder`` is ``None`` while nobody holds it."""

    token: int
    holder: Holder | None
    expires_at: datetime | None

    def held(self, now: datetime) -> bool:
        """Whether somebody holds it at ``now``."""
        return self.expires_at is not None and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An action that was about to be done. While ``outcome`` is ``None`` nobody knows whether it was."""

    id: int
    token: int
    action: Action
    intended_at: datetime
    pass_id: int | None = None
    outcome: OutcomeState | None = None
    detail: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRecord:
    """One pass. ``exit_code`` and what follows it is ``None`` while it runs, or if it was killed."""

    id: int
    started_at: datetime
    mode: str
    digest: str | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    summary: Mapping[str, Any] | None = None
    by: str | None = None
    commit: str | None = None


def lease_of(row: Row[Any]) -> LeaseRecord:
    """The lease that a row holds."""
    held = row.expires_at is not None
    holder = Holder(host=row.host, pid=row.pid, user=row.user, started_at=row.started_at) if held else None
    return LeaseRecord(token=row.token, holder=holder, expires_at=row.expires_at)


def intent_of(row: Row[Any]) -> Intent:
    """The journal line that a row holds."""
    return Intent(
        id=row.id,
        token=row.token,
        action=_action_of(row.action),
        intended_at=row.intended_at,
        pass_id=row.pass_id,
        outcome=OutcomeState(row.outcome) if row.outcome else None,
        detail=row.detail or "",
        finished_at=row.finished_at,
    )


def pass_of(row: Row[Any]) -> PassRecord:
    """The pass that a row holds."""
    return PassRecord(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping


def action_to_json(action: Action) -> dict[str, Any]:
    """An action as the journal keeps it."""
    return {
        "kind": action.kind.value,
        "strategy": action.strategy,
        "runtime": action.runtime,
        "reason": action.reason,
        "connection": action.connection,
        "checks": list(action.checks),
        "before": plain(action.before),
        "after": plain(action.after),
        **({"how": action.how.value} if action.how else {}),
        **({"paused": True} if action.paused else {}),
    }


def _action_of(kept: Mapping[str, Any]) -> Action:
    """The action that the journal keeps. Raise ``ValueError`` when it is not one."""
    try:
        how = OnDisable(kept["how"]) if kept.get("how") else None
        checks = tuple(kept["checks"])
        return Action(**{**kept, "kind": ActionKind(kept["kind"]), "checks": checks, "how": how})
    except (KeyError, TypeError) as error:
        raise ValueError("the journal holds something that is no action") from error
