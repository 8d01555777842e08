"""What the last pass decided and found: permits of strategies, open conditions, lockdowns in force."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.model.errors import UsageError
from reconciler.model.memory import Condition, Lockdown, Permit, Scope
from reconciler.state import schema
from reconciler.state.rows import condition_of, lockdown_of, permit_of


def permits(db: Connection) -> Mapping[str, Permit]:
    """The last decision about each strategy in the files, by its id."""
    return {row["strategy"]: permit_of(row) for row in db.execute(sa.select(schema.permits)).mappings()}


def record_permits(db: Connection, new: Iterable[Permit], *, keep: Collection[str]) -> None:
    """Replace the permits of the strategies that ``new`` is about; forget all others not in ``keep``."""
    rows = [_permit_row(one) for one in new]
    table = schema.permits
    gone = set(db.execute(sa.select(table.c.strategy)).scalars()) - set(keep)
    _delete(db, table.c.strategy, gone | {row["strategy"] for row in rows})
    if rows:
        db.execute(sa.insert(table), rows)


def conditions(db: Connection) -> tuple[Condition, ...]:
    """Everything that is not as it should be, the oldest first."""
    query = sa.select(schema.conditions).order_by(
        schema.conditions.c.since,
        schema.conditions.c.subject,
        schema.conditions.c.subject_id,
        schema.conditions.c.check,
    )
    return tuple(map(condition_of, db.execute(query).mappings()))


def record_conditions(db: Connection, now: Iterable[Condition]) -> None:
    """Have exactly these open."""
    before = {one.key: one for one in conditions(db)}
    wanted = {one.key: one for one in now}
    table = schema.conditions
    for key in (key for key, one in before.items() if wanted.get(key) != one):
        subject, subject_id, check = key
        mine = (table.c.subject == subject.value) & (table.c.subject_id == subject_id)
        db.execute(sa.delete(table).where(mine, table.c.check == check))
    rows = [_condition_row(one) for key, one in wanted.items() if before.get(key) != one]
    if rows:
        db.execute(sa.insert(table), rows)


def lockdowns(db: Connection) -> tuple[Lockdown, ...]:
    """Those in force, the oldest first."""
    table = schema.lockdowns
    query = sa.select(table).where(table.c.lifted_at.is_(None)).order_by(table.c.id)
    return tuple(map(lockdown_of, db.execute(query).mappings()))


def declare(
    db: Connection, *, scope: Scope, scope_id: str, reason: str, by: str, at: datetime
) -> tuple[Lockdown, bool]:
    """The lockdown of this scope, from now on in force, and whether it is a new one."""
    for one in lockdowns(db):
        if (one.scope, one.scope_id) == (scope, scope_id):
            return one, False
    values = {"scope": scope.value, "scope_id": scope_id, "since": at, "by": by, "reason": reason}
    statement = sa.insert(schema.lockdowns).values(**values).returning(schema.lockdowns.c.id)
    number = db.execute(statement).scalar_one()
    made = Lockdown(id=number, scope=scope, scope_id=scope_id, since=at, by=by, reason=reason)
    return made, True


def lift(db: Connection, number: int, *, at: datetime) -> Lockdown:
    """End the lockdown with this number; gives what it was. Raise :class:`UsageError` for none in force."""
    found = next((one for one in lockdowns(db) if one.id == number), None)
    if found is None:
        raise UsageError(
            f"no lockdown with the number {number} is in force",
            hint="`reconcile lockdown --list` shows those that are",
        )
    table = schema.lockdowns
    db.execute(sa.update(table).where(table.c.id == number).values(lifted_at=at))
    return found


def _delete(db: Connection, column: sa.Column[str], names: Iterable[str]) -> None:
    wanted = [{"mine": name} for name in sorted(names)]
    if wanted:
        db.execute(sa.delete(column.table).where(column == sa.bindparam("mine")), wanted)


def _permit_row(one: Permit) -> dict[str, Any]:
    return {
        "strategy": one.strategy,
        "runtime": one.runtime,
        "connection": one.connection,
        "may": one.may.value,
        "why": one.why,
        "checks": list(one.checks),
        "at": one.at,
    }


def _condition_row(one: Condition) -> dict[str, Any]:
    return {
        "subject": one.subject.value,
        "subject_id": one.subject_id,
        "check": one.check,
        "verdict": one.verdict.value,
        "blocks": one.blocks,
        "evidence": one.evidence,
        "since": one.since,
    }
