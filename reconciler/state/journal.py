"""The journal: intents before actions, outcomes after them, and the inventory that follows from both."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from reconciler.model.errors import LockHeld
from reconciler.model.memory import Lockdown
from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome, OutcomeState
from reconciler.state import decisions, schema, tallies
from reconciler.state.records import Intent, action_to_json


def forget(db: Connection, items: Iterable[InventoryItem]) -> None:
    """End the claim on ``items``."""
    table = schema.inventory
    for item in items:
        db.execute(sa.delete(table).where(table.c.strategy == item.strategy, table.c.runtime == item.runtime))


def intend(
    db: Connection,
    action: Action,
    *,
    token: int,
    at: datetime,
    pass_id: int | None,
    lockdowns: frozenset[int],
) -> Intent:
    """Record that ``action`` is about to be done; refuse a start under a lockdown that its plan knew not."""
    if action.kind is not ActionKind.DISABLE:
        _refuse_under_new(decisions.lockdowns(db), lockdowns)
    values = {
        "pass_id": pass_id,
        "token": token,
        "kind": action.kind.value,
        "strategy": action.strategy,
        "runtime": action.runtime,
        "action": action_to_json(action),
        "intended_at": at,
    }
    statement = sa.insert(schema.journal).values(**values).returning(schema.journal.c.id)
    number = db.execute(statement).scalar_one()
    return Intent(id=number, token=token, action=action, intended_at=at, pass_id=pass_id)


def conclude(
    db: Connection,
    intent: Intent,
    outcome: Outcome,
    *,
    at: datetime,
    keep: InventoryItem | None,
    drop: bool,
) -> None:
    """Record what became of ``intent`` and what that means for the inventory."""
    journal, action = schema.journal, intent.action
    end = {"outcome": outcome.state.value, "detail": outcome.detail, "finished_at": at}
    open_ = journal.c.finished_at.is_(None)
    if db.execute(sa.update(journal).where(journal.c.id == intent.id, open_).values(**end)).rowcount != 1:
        raise LockHeld("another apply already found out what became of this action")
    tallies.add(db, tallies.ACTIONS, [(action.kind.value, outcome.state.value)])
    superseded = {**end, "outcome": OutcomeState.UNKNOWN.value, "detail": f"settled by {intent.id}"}
    same = (journal.c.strategy == action.strategy) & (journal.c.runtime == action.runtime)
    db.execute(sa.update(journal).where(same, open_, journal.c.id < intent.id).values(**superseded))
    if drop or keep:
        mine = schema.inventory.c.strategy == action.strategy
        here = schema.inventory.c.runtime == action.runtime
        db.execute(sa.delete(schema.inventory).where(mine if keep else mine & here))
    if keep:
        db.execute(sa.insert(schema.inventory).values(_inventory_row(keep)))


def _refuse_under_new(in_force: Iterable[Lockdown], known: frozenset[int]) -> None:
    for one in in_force:
        if one.id not in known:
            raise LockHeld(f"{one} was declared meanwhile, so nothing more is started")


def _inventory_row(item: InventoryItem) -> dict[str, Any]:
    return {
        "strategy": item.strategy,
        "runtime": item.runtime,
        "connection": item.connection,
        "parameters": schema.plain(item.parameters),
        "enabled_at": item.enabled_at,
    }
