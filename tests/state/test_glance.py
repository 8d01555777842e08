"""What ``gate`` reads is what everybody reads, without a trace; whatever is odd raises."""

from __future__ import annotations

import json
import select
import shutil
import socket
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from reconciler.model.errors import StateError, UsageError
from reconciler.model.event import Event, EventKind, EventSeverity
from reconciler.model.finding import Subject, Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Condition, May, Permit, Reading, Scope
from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome, OutcomeState
from reconciler.state import glance as module
from reconciler.state import schema
from reconciler.state.glance import glance


@pytest.fixture
def filled(store, clock):
    """A state with one strategy that runs on another connection than the files name by now."""
    facts = {"status": Status.DEGRADED, "verdict": Verdict.FAIL, "checks": ("withdraw-enabled",)}
    lacks = {"verdict": Verdict.FAIL, "blocks": True, "evidence": "seen", "since": clock()}
    about = [(Subject.CONNECTION, "new"), (Subject.CONNECTION, "third"), (Subject.STRATEGY, "btc")]
    move = Action(kind=ActionKind.ENABLE, strategy="btc", runtime="ft", reason="r", connection="old")
    with store.lease(clock=clock) as lease:
        read = [
            Reading(connection=one, exchange="mexc", at=clock(), **facts) for one in ("new", "old", "third")
        ]
        store.record_evidence(read, token=lease.token)
        item = InventoryItem(
            strategy="btc", runtime="ft", connection="old", parameters={"a": [1]}, enabled_at=clock()
        )
        intent = store.intend(move, token=lease.token, at=clock())
        done = Outcome(action=move, state=OutcomeState.DONE)
        store.conclude(intent, done, token=lease.token, at=clock(), keep=item)
        store.record_decisions(
            token=lease.token,
            strategies=["btc", "eth"],
            permits=[
                Permit(
                    strategy=one,
                    runtime="ft",
                    connection="new",
                    may=May.GO_ON,
                    why="w",
                    at=clock(),
                    checks=("c",),
                )
                for one in ("btc", "eth")
            ],
            conditions=[Condition(subject=s, subject_id=i, check="c", **lacks) for s, i in about],
        )
    for scope, name in ((Scope.ALL, ""), (Scope.EXCHANGE, "kucoin")):
        store.declare(scope=scope, scope_id=name, reason="r", by="b", at=clock(), event=_event(clock))
    store.lift(1, at=clock(), event=_event(clock))
    return store


def _event(clock):
    fields = {"kind": EventKind.LOCKDOWN, "severity": EventSeverity.INFO, "subject": Subject.POLICY}
    return Event(**fields, subject_id="x", summary="s", at=clock())


def test_it_sees_what_every_other_reader_sees(filled, url):
    seen = glance(url, "btc")
    assert seen.permit == filled.permits()["btc"]
    assert seen.runs_on == "old"
    assert seen.readings == {name: filled.readings()[name].reading for name in ("new", "old")}
    assert set(seen.conditions) == {one for one in filled.conditions() if one.subject_id != "third"}
    assert seen.lockdowns == filled.lockdowns()
    assert [one.scope for one in seen.lockdowns] == [Scope.EXCHANGE]


def test_of_a_strategy_that_it_does_not_know_it_sees_the_others_and_what_is_locked_down(filled, url):
    seen = glance(url, "nope")
    assert (seen.permit, seen.runs_on, seen.readings, seen.conditions) == (None, None, {}, ())
    assert seen.known == ("btc", "eth")
    assert seen.lockdowns == filled.lockdowns()


def test_the_columns_that_it_decodes_are_those_of_the_schema():
    tables = [schema.metadata.tables[name] for name in module.TABLES]
    columns = [column for table in tables for column in table.c]
    assert {one.name for one in columns if isinstance(one.type, schema.Instant)} == module.MOMENTS
    assert {one.name for one in columns if isinstance(one.type, sa.JSON)} == module.DOCUMENTS


def test_reading_leaves_no_trace(filled, url, path, traces, tmp_path):
    left = tmp_path / "left"  # as a writer that was killed leaves it
    shutil.copytree(path.parent, left)
    before = traces(left)
    assert set(before) == {"state.db", "state.db-wal", "state.db-shm"}
    assert glance(str(left / "state.db"), "btc").permit
    assert traces(left) == before
    filled.close()
    before = traces(path.parent)
    assert set(before) == {"state.db"}
    assert glance(url, "btc").permit
    assert traces(path.parent) == before


def test_a_state_that_is_not_there_is_no_empty_one(url, path):
    for prepare in (lambda: None, path.parent.mkdir, path.touch):
        prepare()
        with pytest.raises(StateError, match="is not there"):
            glance(url, "btc")


def test_an_empty_database_is_no_empty_state(postgres, database):
    with pytest.raises(StateError, match="is not there"):
        glance(postgres.url(database), "btc")


def test_a_database_of_somebody_else_is_refused(postgres, database):
    postgres.do("CREATE TABLE orders (id int)", database=database)
    with pytest.raises(StateError, match="not this tool's"):
        glance(postgres.url(database), "btc")


def test_another_schema_is_refused(store, url):
    for version, words in (("0001", "reads 0002"), ("9999", "does not know")):
        statement = sa.text("UPDATE alembic_version SET version_num = :new").bindparams(new=version)
        store._db.write(lambda db, statement=statement: db.execute(statement))
        with pytest.raises(StateError, match=words):
            glance(url, "btc")


def test_a_server_that_is_gone_is_a_state_that_cannot_be_read():
    with pytest.raises(StateError, match="cannot be reached"):
        glance("postgresql://nobody@127.0.0.1:1/state", "btc")


@pytest.mark.parametrize("url", ["mysql://host/state", "sqlite://state.db", ":memory:"])
def test_what_names_no_state_is_refused(url):
    with pytest.raises(UsageError):
        glance(url, "btc")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("may", "perhaps"),
        ("at", "yesterday"),
        ("at", b"\x00"),
        ("at", 12),
        ("checks", "{broken"),
        ("checks", "7"),
    ],
)
def test_a_value_that_is_not_ours_is_refused(filled, url, path, column, value):
    filled.close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE permits SET {column} = ?", (value,))  # noqa: S608 - a name of this test's own
    raw.close()
    with pytest.raises(StateError, match="not ours"):
        glance(url, "btc")


def test_a_damaged_file_is_refused(filled, url, path):
    filled.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(StateError, match="damaged"):
        glance(url, "btc")


def test_a_table_that_is_missing_is_refused(filled, url):
    filled._db.write(lambda db: db.exec_driver_sql("DROP TABLE lockdowns"))
    with pytest.raises(StateError):
        glance(url, "btc")


def test_a_user_who_may_only_read_can_ask(filled, url, postgres, database):
    if not url.startswith("postgresql"):
        pytest.skip("about the server alone")
    postgres.do(
        "CREATE ROLE asker LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO asker", database=database
    )
    try:
        assert glance(postgres.url(database, user="asker"), "btc") == glance(url, "btc")
    finally:
        postgres.do("DROP OWNED BY asker", "DROP ROLE asker", database=database)


class Far:
    """A server at a distance: counts how often a client waits for it."""

    def __init__(self, folder, real):
        self.turns = 0
        self._real = str(real / ".s.PGSQL.5432")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen(1)
        self._thread = threading.Thread(target=self._relay)
        self._thread.start()

    def _relay(self):
        client, _ = self._listening.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._real)
        answered = True
        with client, server:
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    (server if end is client else client).sendall(data)
                    self.turns += end is client and answered
                    answered = end is server

    def close(self):
        self._thread.join(20)
        self._listening.close()
        assert not self._thread.is_alive()


def test_a_server_that_is_far_is_waited_for_once(filled, url, postgres, database):
    if not url.startswith("postgresql"):
        pytest.skip("about the server alone")
    with tempfile.TemporaryDirectory(prefix="far-") as folder:
        far = Far(Path(folder), postgres.folder)
        seen = glance(f"postgresql://postgres@/{database}?host={folder}", "btc")
        far.close()
    assert seen == glance(url, "btc")
    assert far.turns == 3, "to begin, to ask, and to say goodbye"


WRITER = """
    import sys
    from datetime import UTC, datetime
    from reconciler.model.finding import Verdict
    from reconciler.model.live import Status
    from reconciler.model.memory import May, Permit, Reading
    from reconciler.state.store import open_for_writing

    print("ready", flush=True)
    for turn in range(40):
        at = datetime(2026, 11, 22, 10, 0, turn, tzinfo=UTC)
        with open_for_writing(sys.argv[1]) as store, store.lease(clock=lambda: at) as lease:
            fields = {"strategy": "btc", "runtime": "ft", "connection": "c", "why": str(turn), "at": at}
            one = Reading(connection="c", at=at, status=Status.CONNECTED, verdict=Verdict.PASS)
            store.record_evidence([one], token=lease.token)
            store.record_decisions(
                token=lease.token, permits=[Permit(**fields, may=May.RUN)], strategies=["btc"], conditions=()
            )
"""


def test_beside_a_writer_that_comes_and_goes_every_view_is_whole(url, store, spawn):
    store.close()
    looks = 0
    with spawn(WRITER, url) as writer:
        writer.stdout.readline()
        while writer.poll() is None:
            seen = glance(url, "btc")
            looks += 1
            if seen.permit:
                assert seen.permit.why == str(seen.permit.at.second)
                assert seen.readings["c"].at >= seen.permit.at
    assert writer.returncode == 0
    assert looks > 10


def test_the_key_comes_back_as_it_was_kept(store, clock, url):
    key = {"permissions": {"withdraw": None}, "account": {"uid": "1"}}
    with store.lease(clock=clock) as lease:
        one = Reading(connection="c", at=clock(), status=Status.CONNECTED, verdict=Verdict.PASS, key=key)
        store.record_evidence([one], token=lease.token)
        permit = Permit(strategy="btc", runtime="ft", connection="c", may=May.RUN, why="", at=clock())
        store.record_decisions(token=lease.token, permits=[permit], strategies=["btc"], conditions=())
    assert json.dumps(glance(url, "btc").readings["c"].key) == json.dumps(key)
