"""What a pass leaves behind survives it: passes, evidence, journal, inventory."""

from __future__ import annotations

import importlib.resources
import resource
import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.desired import OnDisable
from reconciler.model.errors import LockHeld, StateError
from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Reading
from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome, OutcomeState
from reconciler.state import schema, sqlite
from reconciler.state.migrate import revision
from reconciler.state.sqlite import WritableFile
from reconciler.state.store import open_for_reading, open_for_writing

ACTION = Action(
    kind=ActionKind.ENABLE,
    strategy="btc",
    runtime="paper",
    reason="every check passed",
    connection="mexc",
    checks=("connection-test",),
    after={"pairs": ["BTC/USDT"]},
)


def evidence(*, known=(), unknown=(), at):
    """Readings of connections whose checks all pass, and of others that gave no answer."""
    verdicts = {**dict.fromkeys(known, Verdict.PASS), **dict.fromkeys(unknown, Verdict.UNKNOWN)}
    return [
        Reading(connection=name, at=at, status=Status.CONNECTED, verdict=verdict)
        for name, verdict in verdicts.items()
    ]


def item(clock, **changes):
    fields = {"strategy": "btc", "runtime": "paper", "connection": "mexc", "enabled_at": clock()}
    return InventoryItem(**{**fields, "parameters": {"pairs": ["BTC/USDT"]}, **changes})


def done(action=ACTION):
    return Outcome(action=action, state=OutcomeState.DONE)


def test_the_file_and_its_folder_belong_to_the_owner_alone(store, path):
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_file_is_a_durable_wal_database(store, path):
    def ask(db):
        return [db.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]

    assert store._db.read(ask) == ["wal", 2]


def test_a_place_that_cannot_have_a_write_ahead_log_is_refused():
    engine = sqlite._engine(partial(sqlite3.connect, ":memory:"), durable=True)
    with pytest.raises(StateError, match="cannot share memory"):
        engine.connect()


def differences(db):
    return compare_metadata(MigrationContext.configure(db), schema.metadata)


def test_the_shipped_migrations_make_exactly_the_tables_that_the_code_uses(store):
    assert store._db.read(differences) == []


def test_the_known_revisions_are_those_that_ship():
    config = Config()
    migrations = importlib.resources.files("reconciler.state") / "migrations"
    config.set_main_option("script_location", str(migrations))
    script = ScriptDirectory.from_config(config)
    shipped = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(shipped)) == schema.REVISIONS
    assert script.get_current_head() == schema.HEAD


@pytest.mark.parametrize("released", schema.REVISIONS)
def test_every_released_schema_is_brought_to_ours_with_what_it_holds(url, released, clock, monkeypatch):
    row = "VALUES ('btc', 'paper', 'mexc', '{}', '2026-11-22 10:00:00+00:00')"
    with monkeypatch.context() as then:
        then.setattr("alembic.command.upgrade", partial(_upgrade_to, released, command.upgrade))
        then.setattr("reconciler.state.migrate.HEAD", released)
        with open_for_writing(url) as store:
            store._db.write(lambda db: db.exec_driver_sql(f"INSERT INTO inventory {row}"))
    with open_for_writing(url) as store:
        kept = {"btc": item(clock, parameters={})}
        assert store.inventory() == kept
        assert store._db.read(revision) == schema.HEAD
        assert store._db.read(differences) == []
    assert open_for_reading(url).inventory() == kept


def _upgrade_to(released, upgrade, config, _head):
    upgrade(config, released)


def test_a_migration_that_is_cut_off_leaves_nothing(path, url, monkeypatch):
    def fail(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.Operations.create_index", fail)
        with pytest.raises(KeyboardInterrupt):
            WritableFile(path)
    assert open_for_reading(url).inventory() == {}
    with open_for_writing(url) as store:
        assert store.inventory() == {}


MANY_OPENERS = """
    import os, sys
    from alembic import command
    from reconciler.state.store import open_for_writing
    children = []
    for turn in range(8):
        child = os.fork()
        if not child:
            with open_for_writing(sys.argv[1]) as store:
                assert store.inventory() == {}
            os._exit(0)
        children.append(child)
    sys.exit(max(os.waitpid(child, 0)[1] for child in children) != 0)
"""


def test_many_processes_may_create_the_state_at_once(url, spawn):
    with spawn(MANY_OPENERS, url) as child:
        _out, problems = child.communicate()
    assert child.returncode == 0, problems


def test_a_full_disk_is_an_error_with_cause_and_fix_and_loses_nothing(store, clock, path):
    kept = store.begin_pass(mode="apply", started_at=clock())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        with pytest.raises(StateError) as caught:
            store.finish_pass(kept, finished_at=clock(), exit_code=0, summary={"text": "x" * 2_000_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.hint
    assert store.passes()[0].exit_code is None


def test_no_error_quotes_what_was_to_be_kept(store, clock):
    with pytest.raises(StateError) as caught:
        store.begin_pass(mode="apply", started_at=datetime(2026, 11, 22))  # noqa: DTZ001 - what is refused
    chain = [caught.value, caught.value.__cause__]
    assert not any("2026" in str(error) for error in chain)


def test_passes_come_back_newest_first_with_what_they_did(store, clock):
    first = store.begin_pass(mode="apply", started_at=clock(), digest="ab12")
    clock.advance(60)
    second = store.begin_pass(mode="apply", started_at=clock())
    store.finish_pass(first, finished_at=clock(), exit_code=9, summary={"enabled": ("a", "b")})
    later, earlier = store.passes()
    assert (later.id, later.exit_code, later.finished_at) == (second, None, None)
    assert (earlier.id, earlier.digest, earlier.exit_code) == (first, "ab12", 9)
    assert earlier.summary == {"enabled": ["a", "b"]}
    assert earlier.finished_at - earlier.started_at == timedelta(seconds=60)
    assert store.passes(limit=1) == (later,)


def test_evidence_remembers_the_first_moment_until_it_is_known_again(store, clock):
    with store.lease(clock=clock) as lease:
        start = clock()
        store.record_evidence(evidence(known=["kucoin"], unknown=["mexc"], at=clock()), token=lease.token)
        clock.advance(600)
        store.record_evidence(evidence(known=[], unknown=["mexc", "kucoin"], at=clock()), token=lease.token)
        assert store.unknown_since() == {"mexc": start, "kucoin": clock()}
        store.record_evidence(evidence(known=["mexc"], unknown=[], at=clock()), token=lease.token)
        assert store.unknown_since() == {"kucoin": clock()}
        clock.advance(600)
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=clock()), token=lease.token)
        assert store.unknown_since()["mexc"] == clock()


def test_a_first_moment_that_lies_ahead_after_the_clock_was_set_back_becomes_now(store, clock):
    with store.lease(clock=clock) as lease:
        store.record_evidence(evidence(known=[], unknown=["mexc", "kucoin"], at=clock()), token=lease.token)
        clock.advance(-86_400)
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=clock()), token=lease.token)
        assert store.unknown_since()["mexc"] == clock()
        assert store.unknown_since()["kucoin"] > clock(), "a pass over others says nothing of it"


def test_evidence_of_a_holder_that_was_superseded_is_refused(store, clock):
    """Else an apply that slept past its time would start grace periods anew on what it saw long ago."""
    with store.lease(clock=clock) as old:
        store.record_evidence(evidence(known=[], unknown=["mexc"], at=clock()), token=old.token)
        since = clock()
        clock.advance(3600)
        with store.lease(clock=clock) as new:
            for refused in (
                lambda: store.record_evidence(
                    evidence(known=["mexc"], unknown=[], at=clock()), token=old.token
                ),
                lambda: store.forget([], token=old.token),
            ):
                with pytest.raises(LockHeld):
                    refused()
            assert store.unknown_since() == {"mexc": since}
            store.record_evidence(evidence(known=["mexc"], unknown=[], at=clock()), token=new.token)
    assert store.unknown_since() == {}


def test_an_intent_is_unfinished_until_it_is_concluded(store, clock):
    with store.lease(clock=clock) as lease:
        pass_id = store.begin_pass(mode="apply", started_at=clock())
        intent = store.intend(ACTION, token=lease.token, at=clock(), pass_id=pass_id)
        assert store.unfinished() == (intent,)
        assert store.unfinished()[0].action == ACTION
        store.conclude(intent, done(), token=lease.token, at=clock(), keep=item(clock))
    assert store.unfinished() == ()
    (line,) = store.journal()
    assert (line.outcome, line.pass_id, line.finished_at) == (OutcomeState.DONE, pass_id, clock())
    assert store.inventory() == {"btc": item(clock)}


@pytest.mark.parametrize("how", [None, *OnDisable])
@pytest.mark.parametrize("paused", [True, False])
def test_how_something_was_to_be_disabled_outlives_a_kill(store, clock, how, paused):
    """What is open does not: whoever looks again asks the runtime."""
    action = replace(ACTION, kind=ActionKind.DISABLE, after=None, how=how, paused=paused)
    with store.lease(clock=clock) as lease:
        store.intend(replace(action, open_positions=("BTC/USDT",)), token=lease.token, at=clock())
    assert store.unfinished()[0].action == action


def test_outcome_and_inventory_are_recorded_together_or_not_at_all(store, clock):
    with store.lease(clock=clock) as lease:
        intent = store.intend(ACTION, token=lease.token, at=clock())
        unkeepable = item(clock, parameters={"x": object()})
        with pytest.raises(StateError):
            store.conclude(intent, done(), token=lease.token, at=clock(), keep=unkeepable)
        assert store.unfinished() == (intent,)
        assert store.inventory() == {}


def test_concluding_settles_older_intents_on_the_same_strategy_only(store, clock):
    other = Action(kind=ActionKind.ENABLE, strategy="eth", runtime="paper", reason="")
    elsewhere = Action(kind=ActionKind.ENABLE, strategy="btc", runtime="live", reason="")
    with store.lease(clock=clock) as lease:
        kept = [store.intend(a, token=lease.token, at=clock()) for a in (ACTION, other, elsewhere, ACTION)]
        store.conclude(kept[-1], done(), token=lease.token, at=clock())
    assert [intent.action for intent in store.unfinished()] == [other, elsewhere]
    assert store.journal()[-1].outcome is OutcomeState.UNKNOWN


def test_dropping_touches_only_the_runtime_that_was_disabled(store, clock):
    move = Action(kind=ActionKind.DISABLE, strategy="btc", runtime="old", reason="moved")
    with store.lease(clock=clock) as lease:
        intent = store.intend(ACTION, token=lease.token, at=clock())
        store.conclude(intent, done(), token=lease.token, at=clock(), keep=item(clock))
        intent = store.intend(move, token=lease.token, at=clock())
        store.conclude(intent, done(move), token=lease.token, at=clock(), drop=True)
        assert set(store.inventory()) == {"btc"}
        here = Action(kind=ActionKind.DISABLE, strategy="btc", runtime="paper", reason="gone")
        intent = store.intend(here, token=lease.token, at=clock())
        store.conclude(intent, done(here), token=lease.token, at=clock(), drop=True)
    assert store.inventory() == {}


def test_an_intent_is_concluded_once(store, clock):
    with store.lease(clock=clock) as lease:
        intent = store.intend(ACTION, token=lease.token, at=clock())
        store.conclude(intent, done(), token=lease.token, at=clock())
        with pytest.raises(LockHeld, match="already found out"):
            store.conclude(intent, done(), token=lease.token, at=clock(), keep=item(clock))
    assert store.inventory() == {}


def test_what_was_written_is_there_for_the_next_process(url, clock):
    with open_for_writing(url) as store, store.lease(clock=clock) as lease:
        intent = store.intend(ACTION, token=lease.token, at=clock())
    with open_for_writing(url) as store:
        assert store.unfinished() == (intent,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    value=st.dictionaries(st.text(), JSON, max_size=4),
    moment=st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1)),  # noqa: DTZ001 - the zone comes next
    minutes=st.integers(-720, 720),
)
def test_any_parameters_and_any_moment_come_back_as_they_were(store, value, moment, minutes):
    zone = timezone(timedelta(minutes=minutes))
    moment = moment.replace(tzinfo=zone)
    number = store.begin_pass(mode="apply", started_at=moment)
    store.finish_pass(number, finished_at=moment, exit_code=0, summary=value)
    (kept,) = store.passes(limit=1)
    assert kept.started_at == moment
    assert kept.started_at.tzinfo is UTC
    assert kept.summary == value


def test_a_commit_is_on_the_disk_before_anybody_acts_on_it(url, path):
    """Invariant 7 stands on this: an intent that a power cut takes back was never recorded."""
    with open_for_writing(url) as store:
        modes = store._db.read(
            lambda db: {
                name: db.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        )
    assert modes == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
