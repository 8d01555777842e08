"""A dry run reads the state and leaves no trace; what it reads is true."""

from __future__ import annotations

import os
import signal
import sqlite3

import pytest

from reconciler.model.errors import ExitCode, StateError, UsageError
from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Reading
from reconciler.state import schema, sqlite_file
from reconciler.state.sqlite_file import locate
from reconciler.state.store import open_for_reading, open_for_writing


def evidence(*, known=(), unknown=(), at):
    """Readings of connections whose checks all pass, and of others that gave no answer."""
    verdicts = {**dict.fromkeys(known, Verdict.PASS), **dict.fromkeys(unknown, Verdict.UNKNOWN)}
    return [
        Reading(connection=name, at=at, status=Status.CONNECTED, verdict=verdict)
        for name, verdict in verdicts.items()
    ]


def everything(state):
    """Each thing that can be asked of the state."""
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


def test_an_absent_state_reads_as_empty_and_stays_absent(url, path):
    assert everything(open_for_reading(url)) == EMPTY
    assert not path.parent.exists()


def test_an_empty_file_reads_as_empty_and_stays_empty(url, path, traces):
    path.parent.mkdir()
    path.touch()
    before = traces(path.parent)
    assert everything(open_for_reading(url)) == EMPTY
    assert traces(path.parent) == before


def test_reading_a_closed_state_leaves_the_folder_byte_identical(url, path, clock, traces):
    with open_for_writing(url) as store, store.lease(clock=clock) as lease:
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=clock()), token=lease.token)
    before = traces(path.parent)
    assert list(before) == ["state.db"]
    assert open_for_reading(url).unknown_since() == {"mexc": clock()}
    everything(open_for_reading(url))
    assert traces(path.parent) == before


LIVE_WRITER = """
    import sys
    from datetime import datetime, UTC
    from reconciler.model.finding import Verdict
    from reconciler.model.live import Status
    from reconciler.model.memory import Reading
    from reconciler.state.store import open_for_writing

    def readings(names, verdict, at):
        fields = {"at": at, "status": Status.CONNECTED, "verdict": Verdict(verdict)}
        return [Reading(connection=name, **fields) for name in names]

    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    with open_for_writing(sys.argv[1]) as store, store.lease(clock=lambda: at) as lease:
        for line in sys.stdin:
            store.record_evidence(readings([line.strip()], "unknown", at), token=lease.token)
            print("done", flush=True)
"""


def test_reading_beside_a_live_writer_sees_its_commits_and_changes_nothing(url, path, clock, traces, spawn):
    with spawn(LIVE_WRITER, url) as writer:
        seen = set()
        for name in ("mexc", "kucoin"):
            writer.stdin.write(f"{name}\n")
            writer.stdout.readline()
            seen.add(name)
            before = traces(path.parent)
            assert sorted(before) == ["state.db", "state.db-shm", "state.db-wal"]
            assert open_for_reading(url).unknown_since() == dict.fromkeys(seen, clock())
            assert traces(path.parent) == before
        writer.stdin.close()
    assert list(traces(path.parent)) == ["state.db"]


KILLED_WRITER = """
    import os, signal, sys
    from datetime import datetime, UTC
    from reconciler.model.finding import Verdict
    from reconciler.model.live import Status
    from reconciler.model.memory import Reading
    from reconciler.state.store import open_for_writing

    def readings(names, verdict, at):
        fields = {"at": at, "status": Status.CONNECTED, "verdict": Verdict(verdict)}
        return [Reading(connection=name, **fields) for name in names]

    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    with open_for_writing(sys.argv[1]) as store, store.lease(clock=lambda: at) as lease:
        store.record_evidence(readings(["mexc"], "unknown", at), token=lease.token)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_reading_after_a_writer_was_killed_sees_what_it_committed_and_changes_nothing(
    url, path, clock, traces, spawn
):
    with spawn(KILLED_WRITER, url) as writer:
        assert writer.wait() == -signal.SIGKILL
    before = traces(path.parent)
    assert "state.db-wal" in before
    assert open_for_reading(url).unknown_since() == {"mexc": clock()}
    assert traces(path.parent) == before
    with open_for_writing(url) as store:
        assert store.unknown_since() == {"mexc": clock()}
    assert list(traces(path.parent)) == ["state.db"]


def test_reading_after_the_last_writer_was_killed_while_it_left(url, path, clock, traces, spawn):
    """It removes the index of its journal before the journal, which then only repeats what the file holds."""
    with spawn(KILLED_WRITER, url) as writer:
        assert writer.wait() == -signal.SIGKILL
    journal = path.with_name("state.db-wal")
    kept = journal.read_bytes()
    open_for_writing(url).close()
    journal.write_bytes(kept)
    before = traces(path.parent)
    assert sorted(before) == ["state.db", "state.db-wal"]
    assert open_for_reading(url).unknown_since() == {"mexc": clock()}
    assert traces(path.parent) == before
    for other in (
        kept.replace(b"mexc", b"okx!"),
        kept[:-1],
    ):  # the second says what was before the last commit
        journal.write_bytes(other)
        assert_refused(lambda: open_for_reading(url).unknown_since(), "without its index")


def break_index(path):
    """Let the two copies of the header in the index differ, as in the middle of a write; gives the file."""
    index = path.with_name("state.db-shm")
    whole = index.read_bytes()
    index.write_bytes(whole[:8] + bytes([whole[8] ^ 1]) + whole[9:])
    return index, whole


def test_reading_asks_again_where_the_index_is_half_written(url, path, clock, spawn, monkeypatch):
    with spawn(LIVE_WRITER, url) as writer:
        writer.stdin.write("mexc\n")
        writer.stdout.readline()
        index, whole = break_index(path)
        pauses = []

        def mend(seconds):
            pauses.append(seconds)
            if len(pauses) == 2:
                index.write_bytes(whole)

        monkeypatch.setattr(sqlite_file.time, "sleep", mend)
        assert open_for_reading(url).unknown_since() == {"mexc": clock()}
        assert len(pauses) == 2
        writer.stdin.close()


def test_an_index_that_stays_half_written_is_told_as_such(url, path, spawn, monkeypatch):
    with spawn(LIVE_WRITER, url) as writer:
        writer.stdin.write("mexc\n")
        writer.stdout.readline()
        index, whole = break_index(path)
        pauses = []
        monkeypatch.setattr(sqlite_file.time, "sleep", pauses.append)
        assert_refused(lambda: open_for_reading(url).unknown_since(), "-shm", "SQLITE_READONLY_RECOVERY")
        assert len(pauses) == 99
        index.write_bytes(whole)
        writer.stdin.close()


BUSY_WRITER = """
    import sys
    from datetime import datetime, UTC
    from reconciler.model.finding import Verdict
    from reconciler.model.live import Status
    from reconciler.model.memory import Reading
    from reconciler.state.store import open_for_writing

    def readings(names, verdict, at):
        fields = {"at": at, "status": Status.CONNECTED, "verdict": Verdict(verdict)}
        return [Reading(connection=name, **fields) for name in names]

    print("ready", flush=True)
    for turn in range(30):
        at = datetime(2026, 11, 22, 10, 0, turn, tzinfo=UTC)
        with open_for_writing(sys.argv[1]) as store, store.lease(clock=lambda: at) as lease:
            store.record_evidence(readings(["a", "b"], "pass", at), token=lease.token)
            store.record_evidence(readings(["a", "b"], "unknown", at), token=lease.token)
"""


@pytest.mark.parametrize("length", [0, 31, 32, 33, 56])
def test_reading_after_a_writer_was_killed_before_its_journal_held_anything(url, path, clock, spawn, length):
    """SQLite never gets past a journal of a header alone: it retries for ten seconds, then fails."""
    with open_for_writing(url) as store, store.lease(clock=clock):
        pass
    before = everything(open_for_reading(url))
    with spawn(KILLED_WRITER, url) as writer:
        assert writer.wait() == -signal.SIGKILL
    with path.with_name("state.db-wal").open("r+b") as journal:
        journal.truncate(length)
    assert everything(open_for_reading(url)) == before
    with open_for_writing(url) as store:
        assert everything(store) == before


def test_no_read_is_torn_while_a_writer_comes_and_goes(url, store, spawn):
    store.close()
    with spawn(BUSY_WRITER, url) as writer:
        writer.stdout.readline()
        state, reads = open_for_reading(url), 0
        while writer.poll() is None:
            since = state.unknown_since()
            reads += 1
            assert set(since) in (set(), {"a", "b"})
            assert len(set(since.values())) <= 1
    assert writer.returncode == 0
    assert reads > 10


def test_a_folder_that_may_not_be_written_can_be_read(url, path, clock):
    with open_for_writing(url) as store, store.lease(clock=clock) as lease:
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=clock()), token=lease.token)
    path.parent.chmod(0o500)
    path.chmod(0o400)
    try:
        assert open_for_reading(url).unknown_since() == {"mexc": clock()}
    finally:
        path.parent.chmod(0o700)


def assert_refused(action, *words):
    with pytest.raises(StateError) as caught:
        action()
    error = caught.value
    assert error.exit_code is ExitCode.FAILED
    assert error.code == "state"
    assert error.hint
    for word in words:
        assert word in str(error)


def refused_both_ways(url, *words):
    assert_refused(lambda: open_for_reading(url).inventory(), *words)
    assert_refused(lambda: open_for_writing(url), *words)


def test_a_file_that_is_no_database_is_refused_and_untouched(url, path):
    path.parent.mkdir()
    path.write_bytes(b"connections: {}\n" * 500)
    refused_both_ways(url, "no SQLite database", str(path))
    assert path.read_bytes() == b"connections: {}\n" * 500


def test_a_truncated_database_is_refused(url, path, store):
    store.close()
    path.write_bytes(path.read_bytes()[:5000])
    refused_both_ways(url, str(path))


def test_a_damaged_page_is_refused(url, path, clock):
    with open_for_writing(url) as store, store.lease(clock=clock) as lease:
        store.record_evidence(
            evidence(known=[], unknown=[f"c{n}" for n in range(500)], at=clock()), token=lease.token
        )
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert_refused(lambda: open_for_reading(url).unknown_since(), "damaged")


def test_a_value_that_is_not_ours_is_refused(url, path, store):
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO inventory VALUES ('s', 'paper', NULL, '{broken', '2026-11-22 10:00:00')")
    raw.close()
    assert_refused(lambda: open_for_reading(url).inventory(), "a value that is not ours")


def test_a_journal_line_that_is_no_action_is_refused(url, path, store):
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute(
            "INSERT INTO journal (token, kind, strategy, runtime, action, intended_at)"
            " VALUES (1, 'enable', 's', 'paper', '{}', '2026-11-22 10:00:00')"
        )
    raw.close()
    assert_refused(lambda: open_for_reading(url).unfinished(), "a value that is not ours")


def test_a_newer_schema_is_refused_both_ways_and_stays_as_it_is(url, path, store):
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    before = path.read_bytes()
    refused_both_ways(url, "does not know")
    assert path.read_bytes() == before


def test_an_older_schema_is_not_migrated_by_a_reader(url, path, store, monkeypatch):
    store.close()
    monkeypatch.setattr("reconciler.state.migrate.REVISIONS", (*schema.REVISIONS, "9999"))
    monkeypatch.setattr("reconciler.state.migrate.HEAD", "9999")
    before = path.read_bytes()
    assert_refused(lambda: open_for_reading(url).inventory(), f"schema {schema.HEAD}", "9999")
    assert path.read_bytes() == before


def test_another_tools_database_is_refused_both_ways(url, path):
    path.parent.mkdir()
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE orders (id INTEGER)")
    raw.close()
    refused_both_ways(url, "not this tool's")


def test_a_journal_copied_without_its_index_is_refused(url, path, spawn):
    with spawn(KILLED_WRITER, url) as writer:
        writer.wait()
    (path.parent / "state.db-shm").unlink()
    assert_refused(lambda: open_for_reading(url).inventory(), "-shm")
    with open_for_writing(url) as store:
        assert set(store.unknown_since()) == {"mexc"}


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo], ids=["folder", "fifo"])
def test_what_is_no_file_is_refused_without_waiting(url, path, make):
    path.parent.mkdir()
    make(path)
    refused_both_ways(url, "no regular file")


def test_a_parent_that_is_a_file_is_absent_to_readers_and_refused_to_writers(tmp_path):
    (tmp_path / "file").touch()
    url = str(tmp_path / "file" / "state.db")
    assert open_for_reading(url).inventory() == {}
    assert_refused(lambda: open_for_writing(url))


def test_a_path_too_long_for_the_system_is_refused():
    refused_both_ways(f"/tmp/{'x' * 5000}/state.db", "cannot be used")  # noqa: S108 - never made


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("sqlite:///kept/state.db", "kept/state.db"),
        ("kept/state.db", "kept/state.db"),
        ("sqlite:////var/lib/state.db", "/var/lib/state.db"),
        ("/var/lib/state.db", "/var/lib/state.db"),
        ("sqlite:///100% #1 ü.db", "100% #1 ü.db"),
    ],
)
def test_urls_name_files(url, end, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = locate(url)
    assert found.is_absolute()
    assert str(found) == (end if end.startswith("/") else str(tmp_path / end))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        ":memory:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "a\0b",
        "mysql://me:hunter2@host/db",
        "sqlite://host/path",
    ],
)
def test_what_names_no_file_is_a_usage_error_that_quotes_nothing(url):
    with pytest.raises(UsageError) as caught:
        open_for_reading(url)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


def test_odd_names_can_be_written_and_read(tmp_path, clock):
    url = str(tmp_path / "100% #1 ?ü" / "state.db")
    with open_for_writing(url) as store, store.lease(clock=clock) as lease:
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=clock()), token=lease.token)
    assert open_for_reading(url).unknown_since() == {"mexc": clock()}
