"""What the state holds about one strategy, read in a few milliseconds.

For ``gate`` alone, which is asked before every start of a bot: importing SQLAlchemy takes longer than it may.
So the driver is used directly; what a row means, which schema is ours, how a file is read without a trace and
what an error means come from where all others take them. Whatever is unexpected raises, so that a gate stays
closed; so does a state that is not there, which other readers take for an empty one.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from reconciler.model.errors import StateError
from reconciler.model.finding import Subject
from reconciler.model.gate import Glance
from reconciler.state import revisions
from reconciler.state.rows import condition_of, lockdown_of, permit_of, reading_of
from reconciler.state.sqlite_file import Traces, connect, locate, settled
from reconciler.state.url import driver, on_server

if TYPE_CHECKING:
    from reconciler.state.address import Address

#: How long, in seconds, a reader waits for who holds the file or a table. Writers never make it wait.
_PATIENCE: Final = 2.0

#: The tables that are read here, and which columns hold a moment or JSON. A test holds them to the schema.
TABLES: Final = ("permits", "inventory", "readings", "conditions", "lockdowns")
MOMENTS: Final = frozenset({"at", "since", "unknown_since", "lifted_at", "enabled_at"})
DOCUMENTS: Final = frozenset({"checks", "key", "parameters"})

_BEGIN_ON_SERVER: Final = (
    f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = {int(_PATIENCE * 1000)}"
)
_Row: TypeAlias = Mapping[str, Any]


class _Ask(Protocol):
    """Runs one query, in which ``?`` stands for each value."""

    def __call__(self, query: str, *values: str) -> list[_Row]:
        """Its rows, decoded, by the names of their columns."""


def glance(url: str, strategy: str) -> Glance:
    """What the state that ``url`` names holds about ``strategy``, in one consistent view.

    Raise :class:`StateError` when it is not there, cannot be read, has another schema than ours or
    holds a value that is not ours, and :class:`reconciler.model.errors.UsageError` for a URL that names none.
    """
    if not on_server(url):
        path = locate(url)
        return settled(path, lambda traces: _of_file(path, traces, strategy))
    with driver():
        from reconciler.state.address import parse  # noqa: PLC0415 - needs the extra
    return _of_server(parse(url), strategy)


def _of_file(path: Path, traces: Traces, strategy: str) -> Glance:
    if traces.file is None:
        raise _absent(path)
    with contextlib.closing(connect(path, live=traces.live, patience=_PATIENCE)) as connection:
        connection.isolation_level = None
        connection.row_factory = sqlite3.Row

        def ask(query: str, *values: str) -> list[_Row]:
            return [_decoded(dict(row)) for row in connection.execute(query, values)]

        connection.execute("BEGIN")  # one view for all that follows
        tables = [row["name"] for row in ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if not tables:
            raise _absent(path)
        return _look(ask, strategy, ours="alembic_version" in tables)


def _of_server(address: Address, strategy: str) -> Glance:
    import psycopg  # noqa: PLC0415 - needs the extra
    from psycopg.rows import dict_row  # noqa: PLC0415

    from reconciler.state.postgres_trouble import no_schema, translated  # noqa: PLC0415 - needs the driver

    with translated(address):
        opened = psycopg.connect(
            address.conninfo,
            client_encoding="utf8",
            autocommit=True,
            prepare_threshold=None,
            row_factory=dict_row,
        )
        with contextlib.closing(opened) as connection:

            def ask(query: str, *values: str) -> list[_Row]:
                rows = connection.execute(query.replace("?", "%s").encode(), values)
                return [_decoded(row) for row in rows]

            connection.execute(_BEGIN_ON_SERVER.encode())
            (there,) = ask(
                "SELECT current_schema() AS schema, to_regclass('alembic_version') AS version,"
                " EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema()) AS used"
            )
            if there["schema"] is None:
                raise no_schema()
            if not there["used"]:
                raise _absent(address)
            return _look(ask, strategy, ours=there["version"] is not None)


def _look(ask: _Ask, strategy: str, *, ours: bool) -> Glance:
    if not ours:
        raise revisions.not_ours()
    revisions.require(revisions.one_of([row["version_num"] for row in ask("SELECT * FROM alembic_version")]))
    try:
        return _found(ask, strategy)
    except (TypeError, KeyError) as error:
        raise ValueError("a row holds what it cannot") from error


def _found(ask: _Ask, strategy: str) -> Glance:
    permits = [permit_of(row) for row in ask("SELECT * FROM permits WHERE strategy = ?", strategy)]
    runs_on = [row["connection"] for row in ask("SELECT * FROM inventory WHERE strategy = ?", strategy)]
    names = sorted({name for name in (*(one.connection for one in permits), *runs_on) if name})
    about = [(Subject.STRATEGY, strategy), *((Subject.CONNECTION, name) for name in names)]
    read = [
        reading_of(row) for name in names for row in ask("SELECT * FROM readings WHERE connection = ?", name)
    ]
    found = (ask("SELECT * FROM conditions WHERE subject = ? AND subject_id = ?", *one) for one in about)
    in_force = ask("SELECT * FROM lockdowns WHERE lifted_at IS NULL ORDER BY id")
    return Glance(
        permit=permits[0] if permits else None,
        runs_on=runs_on[0] if runs_on else None,
        readings={one.connection: one for one in read},
        conditions=tuple(condition_of(row) for rows in found for row in rows),
        lockdowns=tuple(map(lockdown_of, in_force)),
        known=()
        if permits
        else tuple(row["strategy"] for row in ask("SELECT strategy FROM permits ORDER BY strategy")),
    )


def _decoded(row: Mapping[str, Any]) -> _Row:
    """The row with moments and JSON as what they are. Raise ``ValueError`` where they are none."""
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 - as the column is
    if value is None or name not in MOMENTS | DOCUMENTS:
        return value
    try:
        if name in DOCUMENTS:
            return json.loads(value) if isinstance(value, str) else value
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except TypeError as error:
        raise ValueError("a column holds what it cannot") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _absent(place: object) -> StateError:
    return StateError(
        f"the state {place} is not there: no apply ever recorded anything in it",
        hint="name the --state of the applies, or run one first: `reconcile`",
    )
