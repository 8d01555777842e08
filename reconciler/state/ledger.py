"""The rows of the embedded runtime: what is enabled is what the table says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
        row.strategy: RunningStrategy(
            id=row.strategy, enabled=row.enabled, connection=row.connection, parameters=row.parameters
        )
        for row in found
    }


def runtimes(db: Connection) -> tuple[str, ...]:
    """The runtimes that ever held something, by id."""
    return tuple(db.execute(sa.select(_TABLE.c.runtime).distinct().order_by(_TABLE.c.runtime)).scalars())


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a row is to say: which strategy runs where, on which connection, with what."""

    runtime: str
    strategy: str
    connection: str
    parameters: Mapping[str, Any]

    def values(self, token: int) -> dict[str, Any]:
        """The columns that are not its key."""
        return {"connection": self.connection, "parameters": plain(self.parameters), "token": token}


def enable(db: Connection, run: Run, *, token: int) -> None:
    """Have a row that is enabled as ``run`` says."""
    fence(db, token)
    values = {"enabled": True, **run.values(token)}
    if db.execute(sa.update(_TABLE).where(_row(run.runtime, run.strategy)).values(**values)).rowcount == 0:
        db.execute(sa.insert(_TABLE).values(runtime=run.runtime, strategy=run.strategy, **values))


def change(db: Connection, run: Run, *, token: int) -> bool:
    """Have an enabled row be as ``run`` says; ``False`` when there is none."""
    fence(db, token)
    running = _row(run.runtime, run.strategy) & _TABLE.c.enabled.is_(sa.true())
    values = run.values(token)
    return db.execute(sa.update(_TABLE).where(running).values(**values)).rowcount == 1


def disable(db: Connection, runtime: str, strategy: str, *, token: int) -> None:
    """Have no enabled row; what it last ran with stays readable."""
    fence(db, token)
    db.execute(sa.update(_TABLE).where(_row(runtime, strategy)).values(enabled=False, token=token))


def _row(runtime: str, strategy: str) -> ColumnElement[bool]:
    return (_TABLE.c.runtime == runtime) & (_TABLE.c.strategy == strategy)
