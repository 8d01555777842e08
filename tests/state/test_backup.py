"""What docs/state.md promises of backups, while an apply goes on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess

import pytest

from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Reading
from reconciler.state.store import open_for_reading, open_for_writing


def evidence(*, known=(), unknown=(), at):
    """Readings of connections whose checks all pass, and of others that gave no answer."""
    verdicts = {**dict.fromkeys(known, Verdict.PASS), **dict.fromkeys(unknown, Verdict.UNKNOWN)}
    return [
        Reading(connection=name, at=at, status=Status.CONNECTED, verdict=verdict)
        for name, verdict in verdicts.items()
    ]


WRITER = """
    import sys
    from datetime import datetime, UTC
    from reconciler.model.finding import Verdict
    from reconciler.model.live import Status
    from reconciler.model.memory import Reading
    from reconciler.state.store import open_for_writing

    def readings(names, verdict, at):
        fields = {"at": at, "status": Status.CONNECTED, "verdict": Verdict(verdict)}
        return [Reading(connection=name, **fields) for name in names]

    with open_for_writing(sys.argv[1]) as store, store.lease() as lease:
        print("ready", flush=True)
        for turn in range(10_000):
            at = datetime(2026, 11, 22, 10, 0, turn % 60, tzinfo=UTC)
            store.record_evidence(readings(["a", "b"], "pass", at), token=lease.token)
            store.record_evidence(readings(["a", "b"], "unknown", at), token=lease.token)
            store.begin_pass(mode="apply", started_at=at, digest="x" * 2000)
"""


def by_backup(path, copy):
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()


def by_vacuum(path, copy):
    source = sqlite3.connect(path)
    source.execute("VACUUM INTO ?", (str(copy),))
    source.close()


def is_whole(copy):
    """Whether a copy can be read and written, holds each write wholly or not, and has no damage."""
    raw = sqlite3.connect(copy)
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
    since = open_for_reading(str(copy)).unknown_since()
    assert set(since) in (set(), {"a", "b"})
    assert len(set(since.values())) <= 1
    with open_for_writing(str(copy)) as store:
        return len(store.passes(limit=10_000))


@pytest.mark.parametrize("make", [by_backup, by_vacuum])
def test_a_backup_made_in_the_middle_of_writing_is_whole(url, path, tmp_path, spawn, make):
    writer = spawn(WRITER, url)
    assert writer.stdout.readline() == "ready\n"
    seen = []
    for number in range(5):
        copy = tmp_path / f"copy-{number}.db"
        make(path, copy)
        seen.append(is_whole(copy))
    assert writer.poll() is None, "it wrote all the while"
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


def test_between_two_applies_a_plain_copy_of_the_one_file_is_enough(url, path, tmp_path, clock):
    with open_for_writing(url) as store, store.lease(clock=clock) as lease:
        store.record_evidence(evidence(known=[], unknown=["a", "b"], at=clock()), token=lease.token)
    assert [item.name for item in path.parent.iterdir()] == ["state.db"], "this is how to tell"
    copy = shutil.copy(path, tmp_path / "copy.db")
    is_whole(copy)
    assert open_for_reading(str(copy)).unknown_since() == {"a": clock(), "b": clock()}


def test_a_dump_of_postgresql_made_during_an_apply_can_be_restored(postgres, database, clock, tmp_path):
    url, other = postgres.url(database), postgres.new()
    try:
        with open_for_writing(url) as store, store.lease(clock=clock) as lease:
            store.record_evidence(evidence(known=[], unknown=["a", "b"], at=clock()), token=lease.token)
            dump = tmp_path / "dump.sql"
            subprocess.run([postgres.programs / "pg_dump", "-f", dump, url], check=True)
        restore = [postgres.programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", dump, postgres.url(other)]
        subprocess.run(restore, check=True, capture_output=True)
        assert open_for_reading(postgres.url(other)).unknown_since() == {"a": clock(), "b": clock()}
        clock.advance(60)
        with open_for_writing(postgres.url(other)) as store, store.lease(clock=clock) as lease:
            assert lease.token == 2
    finally:
        postgres.drop(other)
