"""How rows of the tables become what the rest of the tool speaks of, whoever read them."""

from __future__ import annotations

from typing import Any, Protocol

from reconciler.model.finding import Subject, Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Condition, Lockdown, May, Permit, Reading, Scope


class Row(Protocol):
    """A row by the names of its columns, moments aware, JSON decoded. Foreign words raise ``ValueError``."""

    def __getitem__(self, column: str, /) -> Any:  # noqa: ANN401 - as the column is
        """What stands in ``column``."""


def permit_of(row: Row) -> Permit:
    """The last decision about a strategy."""
    return Permit(
        strategy=row["strategy"],
        runtime=row["runtime"],
        connection=row["connection"],
        may=May(row["may"]),
        why=row["why"],
        checks=tuple(row["checks"]),
        at=row["at"],
    )


def reading_of(row: Row) -> Reading:
    """The last reading of a connection."""
    return Reading(
        connection=row["connection"],
        exchange=row["exchange"],
        at=row["at"],
        status=Status(row["status"]),
        verdict=Verdict(row["verdict"]),
        checks=tuple(row["checks"]),
        key=row["key"],
    )


def condition_of(row: Row) -> Condition:
    """Something that is not as it should be."""
    return Condition(
        subject=Subject(row["subject"]),
        subject_id=row["subject_id"],
        check=row["check"],
        verdict=Verdict(row["verdict"]),
        blocks=bool(row["blocks"]),
        evidence=row["evidence"],
        since=row["since"],
    )


def lockdown_of(row: Row) -> Lockdown:
    """An emergency stop."""
    return Lockdown(
        id=row["id"],
        scope=Scope(row["scope"]),
        scope_id=row["scope_id"],
        since=row["since"],
        by=row["by"],
        reason=row["reason"],
    )
