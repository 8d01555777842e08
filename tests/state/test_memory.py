"""What lasts beyond a pass: readings, permits, conditions, lockdowns; and how much of it is kept."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from alembic import command

from reconciler.model.errors import UsageError
from reconciler.model.event import Event, EventKind, EventSeverity
from reconciler.model.finding import Subject, Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Condition, May, Permit, Reading, Scope
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState
from reconciler.state import readings as kept_readings
from reconciler.state import retention, schema
from reconciler.state.store import open_for_reading, open_for_writing


def reading(clock, verdict=Verdict.PASS, status=Status.CONNECTED, **changes):
    return Reading(
        **{
            "connection": "main",
            "exchange": "mexc",
            "at": clock(),
            "status": status,
            "verdict": verdict,
            **changes,
        }
    )


def permit(clock, strategy="btc", **changes):
    fields = {"runtime": "paper", "connection": "main", "may": May.RUN, "why": "all is well", "at": clock()}
    return Permit(strategy=strategy, **{**fields, **changes})


def condition(clock, check="withdraw-enabled", **changes):
    fields = {"subject": Subject.CONNECTION, "subject_id": "main", "verdict": Verdict.FAIL, "blocks": True}
    return Condition(check=check, **{**fields, "evidence": "seen", "since": clock(), **changes})


def event(clock):
    return Event(
        kind=EventKind.LOCKDOWN,
        severity=EventSeverity.CRITICAL,
        subject=Subject.POLICY,
        subject_id="all",
        summary="stop",
        at=clock(),
    )


@pytest.fixture
def looked(store, clock):
    """Records one reading of ``main`` and gives what is then remembered of it."""

    def record(verdict, status=Status.CONNECTED, **changes):
        with store.lease(clock=clock) as lease:
            store.record_evidence([reading(clock, verdict, status, **changes)], token=lease.token)
        return store.readings()["main"]

    return record


def test_a_reading_comes_back_as_it_was(store, clock, looked):
    key = {"permissions": {"withdraw": False}, "account": {"uid": "9007199254740993"}}
    checks = ("ip-whitelist-missing", "withdraw-enabled")
    found = looked(Verdict.FAIL, Status.DEGRADED, checks=checks, key=key)
    assert found.reading == reading(clock, Verdict.FAIL, Status.DEGRADED, checks=checks, key=key)


def test_passes_in_a_row_are_counted_and_begin_anew(clock, looked):
    assert [looked(Verdict.PASS).streak for _ in range(3)] == [1, 2, 3]
    assert looked(Verdict.UNKNOWN, Status.UNREACHABLE).streak == 0
    assert looked(Verdict.PASS).streak == 1


def test_unknown_is_since_the_first_of_a_row_and_ends_with_any_answer(clock, looked):
    assert looked(Verdict.UNKNOWN).unknown_since == clock()
    began = clock()
    clock.advance(60)
    assert looked(Verdict.UNKNOWN).unknown_since == began
    assert looked(Verdict.FAIL).unknown_since is None


def test_a_clock_set_back_prolongs_no_grace(clock, looked):
    looked(Verdict.UNKNOWN)
    clock.advance(-3600)
    assert looked(Verdict.UNKNOWN).unknown_since == clock()


def test_the_key_that_was_last_told_stays_while_the_exchange_says_nothing(looked):
    looked(Verdict.PASS, key={"disabled": False})
    assert looked(Verdict.UNKNOWN, Status.UNREACHABLE).reading.key == {"disabled": False}


def test_each_reading_is_one_letter_and_only_so_many_are_kept(looked, monkeypatch):
    monkeypatch.setattr(kept_readings, "REMEMBERED", 6)
    for status in Status:
        found = looked(Verdict.UNKNOWN, status)
    assert found.recent == "cdrun"
    assert looked(Verdict.PASS).recent == "cdrunc"
    assert looked(Verdict.PASS).recent == "druncc"


def test_connections_that_are_gone_are_forgotten_and_others_stay(store, clock):
    with store.lease(clock=clock) as lease:
        both = [reading(clock), reading(clock, connection="other")]
        store.record_evidence(both, token=lease.token)
        store.record_evidence([], token=lease.token)
        assert set(store.readings()) == {"main", "other"}
        store.record_evidence([], token=lease.token, keep={"other"})
    assert set(store.readings()) == {"other"}


def test_permits_are_replaced_kept_and_forgotten_by_strategy(store, clock):
    with store.lease(clock=clock) as lease:
        record = partial(store.record_decisions, token=lease.token, conditions=())
        record(permits=[permit(clock), permit(clock, "eth")], strategies=["btc", "eth"])
        clock.advance(60)
        stopped = permit(clock, may=May.STOP, checks=("withdraw-enabled",), why="it may withdraw")
        record(permits=[stopped], strategies=["btc", "eth"])
        assert store.permits()["btc"] == stopped
        assert store.permits()["eth"].at == clock() - timedelta(seconds=60)
        record(permits=[], strategies=["eth"])
    assert set(store.permits()) == {"eth"}


def test_exactly_the_conditions_of_now_are_open_the_oldest_first(store, clock):
    old = condition(clock)
    clock.advance(60)
    new = condition(clock, "permission-excess", blocks=False, verdict=Verdict.UNKNOWN)
    with store.lease(clock=clock) as lease:
        record = partial(store.record_decisions, token=lease.token, permits=(), strategies=())
        record(conditions=[new, old])
        assert store.conditions() == (old, new)
        changed = condition(clock, "permission-excess", evidence="something else")
        record(conditions=[changed])
        assert store.conditions() == (changed,)
        record(conditions=[])
    assert store.conditions() == ()


def test_a_lockdown_is_declared_once_and_ends_once(store, clock, url):
    declare = partial(store.declare, reason="leak", by="alice", at=clock(), event=event(clock))
    first = declare(scope=Scope.EXCHANGE, scope_id="mexc")
    assert declare(scope=Scope.EXCHANGE, scope_id="mexc") == first
    other = declare(scope=Scope.ALL, scope_id="")
    assert open_for_reading(url).lockdowns() == (first, other)
    assert store.lift(first.id, at=clock(), event=event(clock)) == first
    assert store.lockdowns() == (other,)
    with pytest.raises(UsageError, match="no lockdown"):
        store.lift(first.id, at=clock(), event=event(clock))
    assert len(store.events()) == 3  # told once each, and nothing of what did not happen


@pytest.mark.parametrize(
    ("scope", "scope_id", "covered"),
    [
        (Scope.ALL, "", {("main", "mexc"), ("main", None), ("other", "kucoin"), (None, None)}),
        (Scope.CONNECTION, "main", {("main", "mexc"), ("main", None)}),
        (Scope.EXCHANGE, "mexc", {("main", "mexc"), ("main", None), (None, None)}),
    ],
)
def test_a_lockdown_covers_what_it_names_and_what_nobody_can_tell(store, clock, scope, scope_id, covered):
    one = store.declare(scope=scope, scope_id=scope_id, reason="r", by="b", at=clock(), event=event(clock))
    places = [("main", "mexc"), ("main", None), ("other", "kucoin"), (None, None)]
    assert {place for place in places if one.covers(*place)} == covered


def counts(store):
    def work(db):
        return {
            name: db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for name, table in schema.metadata.tables.items()
        }

    return store._db.read(work)


def test_thousands_of_passes_leave_a_bounded_number_of_rows(store, clock, monkeypatch):
    for name, number in (("PASSES", 50), ("ACTIONS", 30), ("LOCKDOWNS", 5), ("STEP", 10)):
        monkeypatch.setattr(retention, name, number)
    action = Action(kind=ActionKind.ENABLE, strategy="btc", runtime="paper", reason="r", connection="main")
    orphan = Action(kind=ActionKind.ENABLE, strategy="eth", runtime="paper", reason="r", connection="main")
    most: dict[str, int] = {}
    with store.lease(clock=clock) as lease:
        for number in range(1_000):
            pass_ = store.begin_pass(mode="apply", started_at=clock())
            if number == 3:
                left = store.intend(orphan, token=lease.token, at=clock(), pass_id=pass_)
            if number % 10 == 0:
                store.record_evidence([reading(clock)], token=lease.token, keep={"main"})
                store.record_decisions(
                    token=lease.token,
                    permits=[permit(clock)],
                    strategies=["btc"],
                    conditions=[condition(clock)],
                )
                intent = store.intend(action, token=lease.token, at=clock(), pass_id=pass_)
                done = Outcome(action=action, state=OutcomeState.DONE)
                store.conclude(intent, done, token=lease.token, at=clock())
                one = store.declare(
                    scope=Scope.ALL, scope_id="", reason="r", by="b", at=clock(), event=event(clock)
                )
                store.lift(one.id, at=clock(), event=event(clock))
            store.finish_pass(pass_, finished_at=clock(), exit_code=0, summary={})
            if number % 50 == 0:
                most = {name: max(count, most.get(name, 0)) for name, count in counts(store).items()}
            clock.advance(0.01)
        assert store.unfinished() == (left,)  # never trimmed, nor is its pass
        assert left.pass_id in {one.id for one in store.passes(limit=10_000)}
    bounds = {"passes": 110, "journal": 50, "lockdowns": 20, "audit": 400, "tallies": 50}
    assert {name: count for name, count in most.items() if count > bounds.get(name, 1)} == {}


def test_the_newest_stay(store, clock, monkeypatch):
    monkeypatch.setattr(retention, "PASSES", 20)
    monkeypatch.setattr(retention, "STEP", 10)
    for _ in range(45):
        last = store.begin_pass(mode="apply", started_at=clock())
        store.finish_pass(last, finished_at=clock(), exit_code=0, summary={})
    kept = [one.id for one in store.passes(limit=100)]
    assert kept[:20] == list(range(last, last - 20, -1))
    assert len(kept) < 31


def _only_to(released, upgrade, config, _head):
    upgrade(config, released)


def test_since_when_a_connection_is_unknown_survives_the_new_schema(url, clock, monkeypatch):
    since = "'2026-11-22 09:30:00+00:00'" if url.startswith("postgres") else "'2026-11-22 09:30:00.000000'"
    with monkeypatch.context() as then:
        then.setattr("alembic.command.upgrade", partial(_only_to, "0001", command.upgrade))
        then.setattr("reconciler.state.migrate.HEAD", "0001")
        with open_for_writing(url) as store:
            row = f"VALUES ('main', {since})"
            store._db.write(lambda db: db.exec_driver_sql(f"INSERT INTO evidence {row}"))
    with open_for_writing(url) as store:
        began = clock() - timedelta(minutes=30)
        assert store.unknown_since() == {"main": began}
        kept = store.readings()["main"]
        assert kept.reading == Reading(
            connection="main",
            at=began,
            status=Status.UNCHECKED,
            verdict=Verdict.UNKNOWN,
            checks=("connection-test",),
        )
        assert (kept.streak, kept.recent) == (0, "")
        with store.lease(clock=clock) as lease:
            store.record_evidence([reading(clock, Verdict.UNKNOWN)], token=lease.token)
        assert store.unknown_since() == {"main": began}
        assert store.permits() == {}
        assert store.audit_faults() == ()
