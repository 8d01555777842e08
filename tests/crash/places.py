"""Where a world lies, to copy and to look into: a database of either kind, and the log of its bots."""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa
from bots import Log
from world import LEDGERS, Hand

from reconciler.model.event import EventKind
from reconciler.model.memory import Permit
from reconciler.state.database import reader, writer
from reconciler.state.store import open_for_reading, open_for_writing

#: Every act on a ledger leaves a row in the very transaction that does it.
_SQLITE = """
    CREATE TABLE acts (seq INTEGER PRIMARY KEY, runtime, strategy, was, enabled, connection, parameters);

    CREATE TRIGGER fresh AFTER INSERT ON ledger BEGIN
    INSERT INTO acts (runtime, strategy, was, enabled, connection, parameters)
    VALUES (NEW.runtime, NEW.strategy, false, NEW.enabled, NEW.connection, NEW.parameters);
    END;

    CREATE TRIGGER again AFTER UPDATE ON ledger BEGIN
    INSERT INTO acts (runtime, strategy, was, enabled, connection, parameters)
    VALUES (NEW.runtime, NEW.strategy, OLD.enabled, NEW.enabled, NEW.connection, NEW.parameters);
    END;
"""
_POSTGRES = """
    CREATE TABLE acts (
    seq serial PRIMARY KEY, runtime text, strategy text, was boolean, enabled boolean,
    connection text, parameters text
    );

    CREATE FUNCTION told() RETURNS trigger AS $$ BEGIN
    INSERT INTO acts (runtime, strategy, was, enabled, connection, parameters)
    VALUES (
    NEW.runtime, NEW.strategy, coalesce(OLD.enabled, false), NEW.enabled, NEW.connection, NEW.parameters
    );
    RETURN NEW;
    END $$ LANGUAGE plpgsql;

    CREATE TRIGGER told AFTER INSERT OR UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION told();
"""
#: A pass is handed a clock that is not the exchange's.
NOISE = ("clock-skew",)


class Databases(Protocol):
    """Makes databases of one kind."""

    def fresh(self) -> str:
        """The URL of a database of our schema, in which every act on a ledger leaves a row."""

    def copy(self, url: str) -> str:
        """The URL of a copy of a database that nobody uses, as it lies after whatever ended its users."""

    def whole(self, url: str) -> bool:
        """Whether the database is intact, by its own word where it gives one."""

    def drop(self, url: str) -> None:
        """Remove it."""


class Files:
    """SQLite files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self._template = self._new()
        _prepare(str(self._template), _SQLITE)

    def _new(self) -> Path:
        return self._folder / f"{next(self._numbers)}.db"

    def fresh(self) -> str:
        return self.copy(str(self._template))

    def copy(self, url: str) -> str:
        path = self._new()
        for end in ("", "-wal", "-shm"):
            if Path(url + end).exists():
                shutil.copy(url + end, f"{path}{end}")
        return str(path)

    def whole(self, url: str) -> bool:
        told = reader(url).read(lambda db: db.execute(sa.text("PRAGMA integrity_check")).scalars().all())
        return told == ["ok"]

    def drop(self, url: str) -> None:
        for end in ("", "-wal", "-shm"):
            Path(url + end).unlink(missing_ok=True)


class Server:
    """Databases of a PostgreSQL server that others started, whose URL holds ``{}`` for the database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count()
        self._template = self._new("template1")
        _prepare(self._url.format(self._template), _POSTGRES)

    def _new(self, template: str) -> str:
        name = f"crash_{next(self._numbers)}"
        with psycopg.connect(self._url.format("postgres"), autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (template,)
            )
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _name(self, url: str) -> str:
        before, after = self._url.split("{}")
        return url.removeprefix(before).removesuffix(after)

    def fresh(self) -> str:
        return self._url.format(self._new(self._template))

    def copy(self, url: str) -> str:
        return self._url.format(self._new(self._name(url)))

    def whole(self, url: str) -> bool:
        return bool(open_for_reading(url).passes(limit=1))

    def drop(self, url: str) -> None:
        with psycopg.connect(self._url.format("postgres"), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {self._name(url)} WITH (FORCE)")


def _prepare(url: str, statements: str) -> None:
    """Have our schema, and what ``statements`` add, which a blank line divides."""
    database = writer(url)
    database.write(lambda db: [db.exec_driver_sql(one) for one in statements.split("\n\n")])
    database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that was done in a runtime, and what the strategy then runs on and with."""

    kind: str
    runtime: str
    strategy: str
    connection: str | None
    parameters: str


class Place:
    """One database and one log."""

    def __init__(self, databases: Databases, url: str, log: Path) -> None:
        self._databases = databases
        self.url = url
        self._reader = reader(url)
        self.log = Log(log, self._told)

    def copy(self) -> Place:
        url = self._databases.copy(self.url)
        log = self.log.path.with_name(f"log-{url.rpartition('/')[2].partition('?')[0]}")
        shutil.copy(self.log.path, log)
        return Place(self._databases, url, log)

    def drop(self) -> None:
        self._databases.drop(self.url)
        self.log.path.unlink()

    def whole(self) -> bool:
        return self._databases.whole(self.url)

    def _told(self) -> int:
        return self._read("SELECT coalesce(max(seq), 0) FROM acts")[0][0]

    def _read(self, query: str) -> list[Any]:
        return self._reader.read(lambda db: list(db.execute(sa.text(query)).all()))

    def acts(self) -> list[Act]:
        """All that was ever done in any runtime, in order."""
        rows = [(row.seq, _of_row(row)) for row in self._read("SELECT * FROM acts ORDER BY seq")]
        done: list[Act] = []
        for line in self.log.lines():
            while rows and rows[0][0] <= line["order"]:
                done.append(rows.pop(0)[1])
            act = Act(
                kind=line["act"],
                runtime=line["runtime"],
                strategy=line["strategy"],
                connection=line["connection"],
                parameters=json.dumps(line["parameters"], sort_keys=True),
            )
            done.append(act)
        return done + [act for _, act in rows]

    def state(self) -> dict[str, Any]:
        """What runs where, what is ours, and what is open: what two ways to one end must agree on."""
        state = open_for_reading(self.url)
        ledgers = {
            (runtime, name): (row.connection, _plain(row.parameters))
            for runtime in LEDGERS
            for name, row in state.ledger_rows(runtime).items()
            if row.enabled
        }
        bots = {
            (runtime, name): (line["connection"], line["parameters"])
            for runtime in ("bot-a", "bot-b")
            for name, line in self.log.running(runtime).items()
        }
        return {
            "running": ledgers | bots,
            "ours": {
                name: (item.runtime, item.connection, _plain(item.parameters))
                for name, item in state.inventory().items()
            },
            "open": {(one.action.strategy, one.action.runtime) for one in state.unfinished()},
            "troubles": {
                (one.subject.value, one.subject_id, one.check, one.verdict.value)
                for one in state.conditions()
                if one.check not in NOISE
            },
            "told": Counter(
                (one.event.kind.value, one.event.subject_id, one.event.check)
                for one in state.events()
                if one.event.kind is not EventKind.FAILED and one.event.check not in NOISE
            ),
            "faults of the audit log": state.audit_faults(),
        }

    def permits(self) -> Mapping[str, Permit]:
        return open_for_reading(self.url).permits()

    def inventory(self) -> Mapping[str, str]:
        """In which runtime this tool enabled each strategy that it has not stopped since."""
        return {name: item.runtime for name, item in open_for_reading(self.url).inventory().items()}

    def by_hand(self, hand: Hand, now: Callable[[], Any]) -> None:
        """Do in a runtime what somebody does past this tool."""
        parameters = {"pairs": ["XRP/USDT"]}
        with open_for_writing(self.url) as store, store.lease(clock=now) as lease:
            if hand.runtime in LEDGERS:
                running = (store.ledger_rows(hand.runtime).get(hand.strategy)) is not None
                if hand.start:
                    store.ledger_enable(
                        hand.runtime, hand.strategy, parameters, connection=hand.connection, token=lease.token
                    )
                elif running:
                    store.ledger_disable(hand.runtime, hand.strategy, token=lease.token)
                return
            self.log.append(
                act="enable" if hand.start else "disable",
                runtime=hand.runtime,
                strategy=hand.strategy,
                connection=hand.connection if hand.start else None,
                parameters=parameters,
                token=lease.token,
            )


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _of_row(row: Any) -> Act:
    kind = {(0, 1): "enable", (1, 1): "change"}.get((int(row.was), int(row.enabled)), "disable")
    return Act(
        kind=kind,
        runtime=row.runtime,
        strategy=row.strategy,
        connection=row.connection,
        parameters=row.parameters,
    )
