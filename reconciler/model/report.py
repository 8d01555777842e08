"""What one run has to tell, whoever renders it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.desired import Connection, Strategy
from reconciler.model.errors import ExitCode
from reconciler.model.finding import Finding
from reconciler.model.live import Observation, Status
from reconciler.model.plan import Outcome, Plan


class Mode(StrEnum):
    """Which command made a report."""

    DRY_RUN = "dry-run"
    APPLY = "apply"
    CHECK = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReport:
    """One connection: desired, observed and judged. ``findings`` holds passes too."""

    connection: Connection
    observation: Observation
    status: Status
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. ``plan`` is ``None`` for ``check``; ``outcomes`` is empty unless something was applied.

    ``findings`` are those about no single connection; ``strategies`` are the desired ones by id.
    """

    version: str
    mode: Mode
    started_at: datetime
    files: tuple[str, ...]
    connections: tuple[ConnectionReport, ...]
    strategies: tuple[Strategy, ...] = ()
    findings: tuple[Finding, ...] = ()
    plan: Plan | None = None
    outcomes: tuple[Outcome, ...] = ()
    exit_code: ExitCode = ExitCode.DONE

    def all_findings(self) -> tuple[Finding, ...]:
        """Every finding of the run, connections first."""
        nested = (finding for item in self.connections for finding in item.findings)
        return (*nested, *self.findings)
