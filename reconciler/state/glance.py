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
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reconciler.model.errors import StateError
from reconciler.model.finding import Subject
from reconciler.model.gate import Glance
from reconciler.state import revisions
from reconciler.state.rows import condition_of, lockdown_of, permit_of, reading_of
from reconciler.state.sqlite_file import Traces, connect, locate, settled
from reconciler.state.url import driver, on_server

if TYPE_CHECKING:
    from psycopg import Connection

    from reconciler.state.address import Address

#: How long, in seconds, a reader waits for who holds the file or a table. Writers never make it wait.
_PATIENCE: Final = 2.0

#: The tables that are read here, and which columns hold a moment or JSON. A test holds them to the schema.
TABLES: Final = ("permits", "inventory", "readings", "conditions", "lockdowns")
MOMENTS: Final = frozenset({"at", "since", "unknown_since", "lifted_at", "enabled_at"})
DOCUMENTS: Final = frozenset({"checks", "key", "parameters"})

_NAMES: Final = (
    "(SELECT connection FROM permits WHERE strategy = :strategy"
    " UNION SELECT connection FROM inventory WHERE strategy = :strategy)"
)

#: What is asked of each table, about ``:strategy``; ``known`` are all others, where it is not known itself.
_QUERIES: Final = {  # of names of ours alone
    "versions": "SELECT * FROM alembic_version",
    "permits": "SELECT * FROM permits WHERE strategy = :strategy",
    "inventory": "SELECT * FROM inventory WHERE strategy = :strategy",
    "readings": f"SELECT * FROM readings WHERE connection IN {_NAMES}",  # noqa: S608
    "conditions": "SELECT * FROM conditions"  # noqa: S608
    f" WHERE subject = '{Subject.STRATEGY}' AND subject_id = :strategy"
    f" OR subject = '{Subject.CONNECTION}' AND subject_id IN {_NAMES}",
    "lockdowns": "SELECT * FROM lockdowns WHERE lifted_at IS NULL",
    "known": "SELECT strategy FROM permits"
    " WHERE NOT EXISTS (SELECT 1 FROM permits WHERE strategy = :strategy)",
}

#: All of them in one statement, each row as JSON, so that a server that is far is asked once.
_AT_ONCE: Final = " UNION ALL ".join(
    f"SELECT '{name}' AS asked, row_to_json(found) AS row FROM ({query}) AS found"  # noqa: S608 - all is ours
    for name, query in _QUERIES.items()
).replace(":strategy", "%(strategy)s")
_BEGIN_ON_SERVER: Final = (
    f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = {int(_PATIENCE * 1000)}"
)
_WHY_NOT: Final = (
    "SELECT current_schema() AS schema, to_regclass('alembic_version') AS version,"
    " EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema()) AS used"
)
_Row: TypeAlias = Mapping[str, Any]
_Found: TypeAlias = Mapping[str, list[_Row]]
"""The rows that each of the queries gave."""


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

        def ask(query: str) -> list[_Row]:
            return [dict(row) for row in connection.execute(query, {"strategy": strategy})]

        connection.execute("BEGIN")  # one view for all that follows
        tables = [row["name"] for row in ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if not tables:
            raise _absent(path)
        if "alembic_version" not in tables:
            raise revisions.not_ours()
        _require_ours(ask(_QUERIES["versions"]))
        return _seen({name: ask(query) for name, query in _QUERIES.items()})


def _of_server(address: Address, strategy: str) -> Glance:
    import psycopg  # noqa: PLC0415 - needs the extra
    from psycopg.rows import dict_row  # noqa: PLC0415

    from reconciler.state.postgres_trouble import translated  # noqa: PLC0415 - needs the driver

    with translated(address):
        opened = psycopg.connect(
            address.conninfo,
            client_encoding="utf8",
            autocommit=True,
            prepare_threshold=None,
            row_factory=dict_row,
            cursor_factory=psycopg.ClientCursor,  # several statements with values go at once
        )
        with contextlib.closing(opened) as connection:
            query = f"{_BEGIN_ON_SERVER}; {_AT_ONCE}"
            try:
                cursor = connection.execute(query.encode(), {"strategy": strategy})
            except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
                _why_not(connection, address)
                raise
            while cursor.nextset():
                pass  # what the beginning answered
            found: dict[str, list[_Row]] = {name: [] for name in _QUERIES}
            for row in cursor:
                found[row["asked"]].append(row["row"])
            _require_ours(found["versions"])
            return _seen(found)


def _why_not(connection: Connection[_Row], address: Address) -> None:
    """Raise what is wrong with a database that lacks something of ours; nothing where that is not known."""
    from reconciler.state.postgres_trouble import no_schema  # noqa: PLC0415 - needs the driver

    connection.execute(b"ROLLBACK")
    (there,) = connection.execute(_WHY_NOT.encode())
    if there["schema"] is None:
        raise no_schema()
    if not there["used"]:
        raise _absent(address)
    if there["version"] is None:
        raise revisions.not_ours()
    _require_ours(list(connection.execute(_QUERIES["versions"].encode())))


def _require_ours(versions: list[_Row]) -> None:
    revisions.require(revisions.one_of([row["version_num"] for row in versions]))


def _seen(found: _Found) -> Glance:
    """What the rows say. Raise ``ValueError`` where one holds what is not ours."""
    try:
        return _decided({name: [_decoded(row) for row in rows] for name, rows in found.items()})
    except (TypeError, KeyError) as error:
        raise ValueError("a row holds what it cannot") from error


def _decided(found: _Found) -> Glance:
    permits = [permit_of(row) for row in found["permits"]]
    runs_on = [row["connection"] for row in found["inventory"]]
    lockdowns = sorted(map(lockdown_of, found["lockdowns"]), key=lambda one: one.id)
    return Glance(
        permit=permits[0] if permits else None,
        runs_on=runs_on[0] if runs_on else None,
        readings={one.connection: one for one in map(reading_of, found["readings"])},
        conditions=tuple(map(condition_of, found["conditions"])),
        lockdowns=tuple(lockdowns),
        known=tuple(sorted(row["strategy"] for row in found["known"])),
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
