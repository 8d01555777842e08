"""What one run has to tell, whoever renders it: of live keys, or of files alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.desired import Connection, Strategy
from reconciler.model.errors import ConfigError, ExitCode, Mark, Problem, ReconcilerError, most_urgent
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

    ``findings`` are those about no single connection; ``strategies`` are the desired ones by id;
    ``repository`` are the options that name where ``files`` come from, where they do not lie here.
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
    repository: tuple[str, ...] = ()
    exit_code: ExitCode = ExitCode.DONE

    def all_findings(self) -> tuple[Finding, ...]:
        """Every finding of the run, connections first."""
        nested = (finding for item in self.connections for finding in item.findings)
        return (*nested, *self.findings)


class Weight(StrEnum):
    """Whether a concern ends a run with its exit code, or is only told."""

    FAILS = "fails"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing that is wrong with files or between revisions; never quotes what could be a secret.

    ``code`` is a stable word (``duplicate-key``, ``recipient-still-reads``). ``mark`` is ``None``
    where it has no place in a file; ``commit`` names the revision in which it stands where that is
    not the newest one.
    """

    code: str
    message: str
    fix: str
    mark: Mark | None = None
    weight: Weight = Weight.FAILS
    exit_code: ExitCode = ExitCode.CONFIG
    commit: str | None = None


def concerns_of(error: ReconcilerError) -> tuple[Concern, ...]:
    """The problems of a :class:`ConfigError`; of any other error the one that it is."""
    if isinstance(error, ConfigError) and error.problems:
        return tuple(concern_of(problem) for problem in error.problems)
    return (
        Concern(
            code=error.code, message=error.message, fix=error.hint, mark=error.mark, exit_code=error.exit_code
        ),
    )


def concern_of(problem: Problem, *, exit_code: ExitCode = ExitCode.CONFIG) -> Concern:
    """A problem of a file as a concern that fails with ``exit_code``."""
    return Concern(
        code=problem.code, message=problem.message, fix=problem.fix, mark=problem.mark, exit_code=exit_code
    )


def in_file_order(concerns: Iterable[Concern]) -> tuple[Concern, ...]:
    """Concerns by file and line; what has no place comes last."""
    return tuple(sorted(concerns, key=lambda one: (one.mark is None, one.mark or _NOWHERE, one.code)))


_NOWHERE = Mark(file="", line=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What ``validate`` found in ``files``, in file order; nothing when all is well."""

    version: str
    files: tuple[str, ...]
    concerns: tuple[Concern, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The most urgent exit code of what fails; ``DONE`` without any."""
        return most_urgent(one.exit_code for one in self.concerns if one.weight is Weight.FAILS)
