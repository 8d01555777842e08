"""What is particular to PostgreSQL: no trace of a reader, and each trouble with its cause and fix."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from reconciler.model.errors import ExitCode, StateError
from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Reading
from reconciler.model.plan import Action, ActionKind
from reconciler.state import schema
from reconciler.state.postgres import WritableServer, parse
from reconciler.state.store import Store, open_for_reading, open_for_writing


def evidence(*, known=(), unknown=(), at):
    """Readings of connections whose checks all pass, and of others that gave no answer."""
    verdicts = {**dict.fromkeys(known, Verdict.PASS), **dict.fromkeys(unknown, Verdict.UNKNOWN)}
    return [
        Reading(connection=name, at=at, status=Status.CONNECTED, verdict=verdict)
        for name, verdict in verdicts.items()
    ]


AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ACTION = Action(kind=ActionKind.ENABLE, strategy="btc", runtime="paper", reason="")


@pytest.fixture
def url(postgres, database):
    return postgres.url(database)


@pytest.fixture
def ask(url):
    """One value from the server."""

    def one(query):
        with psycopg.connect(url) as connection:
            return connection.execute(query).fetchone()[0]

    return one


def everything(state):
    return (
        state.inventory(),
        state.unknown_since(),
        state.unfinished(),
        state.journal(),
        state.passes(),
        state.lease_record(),
        state.ledger_rows("paper"),
    )


EMPTY = ({}, {}, (), (), (), None, {})
TABLES = "SELECT count(*) FROM pg_class"
NEXT_WRITE = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"


def assert_refused(action, *words):
    with pytest.raises(StateError) as caught:
        action()
    error = caught.value
    assert error.exit_code is ExitCode.FAILED
    assert error.hint
    for word in words:
        assert word in str(error)
    assert "hunter2" not in f"{error} {error.hint} {error.__cause__}"


def refused_both_ways(url, *words):
    assert_refused(lambda: open_for_reading(url).inventory(), *words)
    assert_refused(lambda: open_for_writing(url), *words)


def test_reading_before_the_first_apply_sees_nothing_and_makes_nothing(url, ask):
    before = ask(TABLES), ask(NEXT_WRITE)
    assert everything(open_for_reading(url)) == EMPTY
    assert (ask(TABLES), ask(NEXT_WRITE)) == before


def test_reading_writes_nothing_at_all_and_waits_for_no_writer(url, ask):
    with open_for_writing(url) as store, store.lease() as lease:
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=AT), token=lease.token)
        with psycopg.connect(url) as writer:
            writer.execute("LOCK lease, readings, inventory IN EXCLUSIVE MODE")
            before = ask(NEXT_WRITE)
            state = open_for_reading(url)
            assert state.unknown_since() == {"mexc": AT}
            assert state.lease_record().holder
            everything(state)
            assert ask(NEXT_WRITE) == before


def test_a_user_that_may_only_read_can_make_a_dry_run(postgres, database, url):
    with open_for_writing(url) as store, store.lease() as lease:
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=AT), token=lease.token)
    role = f"auditor_{database}"
    postgres.do(
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        database=database,
    )
    theirs = postgres.url(database, user=role)
    try:
        assert open_for_reading(theirs).unknown_since() == {"mexc": AT}
        with open_for_writing(theirs) as store:
            assert_refused(lambda: store.lease().__enter__(), "lacks a right", "42501")
    finally:
        postgres.do(f"DROP OWNED BY {role}", f"DROP ROLE {role}", database=database)


def test_what_a_reader_runs_cannot_write_even_if_it_wanted_to(url):
    with open_for_writing(url):
        state = open_for_reading(url)
    write = "INSERT INTO cursors (sink, seq, failures) VALUES ('mexc', 1, 0)"
    assert_refused(lambda: state._reader.read(lambda db: db.exec_driver_sql(write)), "25006")


def test_a_commit_is_on_the_disk_before_anybody_acts_on_it(postgres, database, url):
    """Invariant 7 stands on this: an intent that a power cut takes back was never recorded."""

    def ask(setting):
        with open_for_writing(url) as store:
            show = f"SHOW {setting}"
            return store._db.write(lambda db: db.exec_driver_sql(show).scalar_one())

    for kept, used in (("off", "on"), ("on", "on"), ("remote_apply", "remote_apply"), ("local", "local")):
        postgres.do(f"ALTER DATABASE {database} SET synchronous_commit = {kept}")
        assert ask("synchronous_commit") == used


def test_writers_see_what_the_one_before_them_did_whatever_the_servers_default(postgres, database, url):
    """Under a snapshot taken before the wait for the lock, two could take the same lease."""
    postgres.do(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'")
    with open_for_writing(url) as store:
        show = "SHOW transaction_isolation"
        assert store._db.write(lambda db: db.exec_driver_sql(show).scalar_one()) == "read committed"
        assert store._db.read(lambda db: db.exec_driver_sql(show).scalar_one()) == "repeatable read"


def test_a_wrong_or_missing_password_is_said_without_it(postgres, database):
    for theirs in (f"clerk:hunter2-but-wrong@/{database}", f"clerk@/{database}"):
        refused_both_ways(
            f"postgresql://{theirs}?host={postgres.folder}", "refused user or password", "clerk"
        )


def test_the_password_can_come_from_a_file_or_the_environment(postgres, database, tmp_path, monkeypatch):
    url = f"postgresql://clerk@/{database}?host={postgres.folder}"
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    assert everything(open_for_reading(url)) == EMPTY
    monkeypatch.delenv("PGPASSWORD")
    kept = tmp_path / "pgpass"
    kept.write_text("*:*:*:clerk:hunter2\n")
    kept.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(kept))
    assert everything(open_for_reading(url)) == EMPTY


def test_a_user_that_is_not_there(postgres, database):
    refused_both_ways(postgres.url(database, user="stranger"), "refused user or password")


def test_a_database_that_is_not_there_is_no_empty_state(postgres):
    refused_both_ways(postgres.url("nowhere"), "no such database", "/nowhere?")


def test_a_server_that_is_down(postgres, tmp_path):
    refused_both_ways(f"postgresql:///kept?host={tmp_path}", "cannot be reached")
    refused_both_ways("postgresql://127.0.0.1:1/kept", "cannot be reached", "127.0.0.1:1")


def test_a_server_that_has_no_connection_left(postgres, database):
    postgres.do("ALTER ROLE clerk CONNECTION LIMIT 0")
    try:
        refused_both_ways(
            f"postgresql://clerk:hunter2@/{database}?host={postgres.folder}", "no connection left"
        )
    finally:
        postgres.do("ALTER ROLE clerk CONNECTION LIMIT -1")


def test_a_user_that_may_not_create_tables(postgres, database):
    theirs = f"postgresql://clerk:hunter2@/{database}?host={postgres.folder}"
    assert open_for_reading(theirs).inventory() == {}
    assert_refused(lambda: open_for_writing(theirs), "lacks a right", "42501")


def test_a_read_only_replica_can_be_read_and_not_written(postgres, database, url):
    with open_for_writing(url):
        pass
    postgres.do(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    assert open_for_reading(url).inventory() == {}
    with open_for_writing(url) as store:
        assert_refused(lambda: store.lease().__enter__(), "read-only replica", "25006")


def test_a_schema_by_search_path_keeps_a_state_apart_in_a_shared_database(postgres, database, url):
    postgres.do("CREATE TABLE orders (id int)", "CREATE SCHEMA reconciler", database=database)
    refused_both_ways(url, "not this tool's")
    apart = f"{url}&options=-csearch_path%3Dreconciler"
    with open_for_writing(apart) as store, store.lease() as lease:
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=AT), token=lease.token)
    assert open_for_reading(apart).unknown_since() == {"mexc": AT}


def test_a_schema_that_is_not_there_is_no_empty_state(url):
    refused_both_ways(f"{url}&options=-csearch_path%3Dtypo", "no schema")


def test_a_newer_schema_is_refused_both_ways_and_stays_as_it_is(postgres, database, url, ask):
    with open_for_writing(url):
        pass
    postgres.do("UPDATE alembic_version SET version_num = '9999'", database=database)
    refused_both_ways(url, "does not know")
    assert ask("SELECT version_num FROM alembic_version") == "9999"


def test_an_older_schema_is_not_migrated_by_a_reader(url, ask, monkeypatch):
    with open_for_writing(url):
        pass
    monkeypatch.setattr("reconciler.state.migrate.REVISIONS", (*schema.REVISIONS, "9999"))
    monkeypatch.setattr("reconciler.state.migrate.HEAD", "9999")
    assert_refused(lambda: open_for_reading(url).inventory(), f"schema {schema.HEAD}", "9999")
    assert ask("SELECT version_num FROM alembic_version") == schema.HEAD


def test_a_migration_that_is_cut_off_leaves_nothing(url, ask, monkeypatch):
    def fail(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.Operations.create_index", fail)
        with pytest.raises(KeyboardInterrupt):
            open_for_writing(url)
    assert ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    with open_for_writing(url) as store:
        assert store.inventory() == {}


def test_a_value_that_is_not_ours_is_refused(postgres, database, url):
    with open_for_writing(url):
        pass
    row = "VALUES (1, 'enable', 's', 'paper', '{}', now())"
    columns = "(token, kind, strategy, runtime, action, intended_at)"
    postgres.do(f"INSERT INTO journal {columns} {row}", database=database)
    assert_refused(lambda: open_for_reading(url).unfinished(), "a value that is not ours")


def test_a_writer_that_waits_too_long_says_why(postgres, database, url):
    with Store(WritableServer(parse(url), patience=0.2)) as store, psycopg.connect(url) as other:
        other.execute("LOCK lease IN ACCESS EXCLUSIVE MODE")
        assert_refused(lambda: store.lease().__enter__(), "being written by another process", "55P03")


def test_a_connection_that_was_cut_between_two_uses_is_made_again(postgres, database, url):
    with open_for_writing(url) as store, store.lease() as lease:
        postgres.cut(database)
        lease.check()
        postgres.cut(database)
        store.intend(ACTION, token=lease.token, at=AT)
    assert len(open_for_reading(url).unfinished()) == 1


def test_a_connection_that_is_cut_within_a_write_is_an_error_and_writes_nothing(postgres, database, url):
    with open_for_writing(url) as store:

        def write(db):
            db.exec_driver_sql("INSERT INTO cursors (sink, seq, failures) VALUES ('mexc', 1, 0)")
            postgres.cut(database)
            db.exec_driver_sql("INSERT INTO cursors (sink, seq, failures) VALUES ('kucoin', 2, 0)")

        assert_refused(lambda: store._db.write(write), "was lost")
        assert store.cursors() == {}


def test_no_error_quotes_what_was_to_be_kept(url):
    with open_for_writing(url) as store:
        for text in ("canary\0canary", "canary\ud800canary"):
            with pytest.raises(StateError) as caught:
                store.begin_pass(mode=text, started_at=AT)
            assert "canary" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_nothing_is_left_behind_in_a_session_that_a_pooler_would_hand_on(url):
    with open_for_writing(url) as store, store.lease() as lease:
        for number in range(12):
            store.ledger_enable("paper", str(number), {}, connection="main", token=lease.token)
        left = store._db.read(
            lambda db: db.exec_driver_sql(
                "SELECT (SELECT count(*) FROM pg_prepared_statements)"
                " + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
                " + (SELECT count(*) FROM pg_settings WHERE source = 'session'"
                "    AND name IN ('lock_timeout', 'statement_timeout', 'synchronous_commit'))"
            ).scalar_one()
        )
    assert left == 0
