"""The rows of the embedded runtime: what is enabled is what the table says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from reconciler.model.plan import RunningStrategy
from reconciler.state.lease import fence
from reconciler.state.schema import ledger, plain

_TABLE: Final = ledger


def rows(db: Connection, runtime: str) -> Mapping[str, RunningStrategy]:
    """What the runtime holds, by strategy."""
    found = db.execute(sa.select(_TABLE).where(_TABLE.c.runtime == runtime).order_by(_TABLE.c.strategy))
    return {
        row.strategy: RunningStrategy(id=row.strategy, enabled=row.enabled, parameters=row.parameters)
        for row in found
    }


def enable(db: Connection, runtime: str, strategy: str, parameters: Mapping[str, Any], *, token: int) -> None:
    """Have a row that is enabled with ``parameters``."""
    fence(db, token)
    values = {"enabled": True, "parameters": plain(parameters), "token": token}
    if db.execute(sa.update(_TABLE).where(_row(runtime, strategy)).values(**values)).rowcount == 0:
        db.execute(sa.insert(_TABLE).values(runtime=runtime, strategy=strategy, **values))


def change(db: Connection, runtime: str, strategy: str, parameters: Mapping[str, Any], *, token: int) -> bool:
    """Give an enabled row new parameters; ``False`` when there is none."""
    fence(db, token)
    running = _row(runtime, strategy) & _TABLE.c.enabled.is_(sa.true())
    values = {"parameters": plain(parameters), "token": token}
    return db.execute(sa.update(_TABLE).where(running).values(**values)).rowcount == 1


def disable(db: Connection, runtime: str, strategy: str, *, token: int) -> None:
    """Have no enabled row; what it last ran with stays readable."""
    fence(db, token)
    db.execute(sa.update(_TABLE).where(_row(runtime, strategy)).values(enabled=False, token=token))


def _row(runtime: str, strategy: str) -> ColumnElement[bool]:
    return (_TABLE.c.runtime == runtime) & (_TABLE.c.strategy == strategy)
