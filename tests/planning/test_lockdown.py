"""An emergency stop in force: after any pass nothing that it covers runs, and nothing else was touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import OnUnknown
from reconciler.model.memory import Lockdown, May, Scope
from reconciler.model.plan import ActionKind
from reconciler.planning.decide import is_off
from reconciler.planning.guard import Guards
from reconciler.planning.lockdown import CHECK, covering
from reconciler.planning.permits import assumed, permits_of
from reconciler.planning.settle import Settling

EXCHANGES = {"main": "mexc", "spare": "kucoin", "old": "mexc"}
SCOPES = ((Scope.ALL, ""), (Scope.EXCHANGE, "mexc"), (Scope.EXCHANGE, "kucoin"))
SCOPES += tuple((Scope.CONNECTION, name) for name in EXCHANGES)


@pytest.fixture
def declared(make):
    return lambda scope, scope_id="": Lockdown(
        id=3, scope=scope, scope_id=scope_id, since=make.now, by="ada@desk", reason="a key\nleaked"
    )


@st.composite
def emergencies(draw, make):
    """A world with connections of two exchanges, what files forgot, and one or two lockdowns in force."""
    world = draw(make.worlds())
    connections = {
        name: replace(one, exchange=EXCHANGES[name]) for name, one in world.desired.connections.items()
    }
    policy = replace(world.desired.policy, on_unknown=draw(st.sampled_from(OnUnknown)))
    world.desired = replace(world.desired, connections=connections, policy=policy)
    world.inventory = [
        replace(item, connection=draw(st.sampled_from([item.connection, "old", None])))
        for item in world.inventory
    ]
    scopes = draw(st.lists(st.sampled_from(SCOPES), min_size=1, max_size=2, unique=True))
    world.guards = Guards(
        settling=Settling(passes=draw(st.integers(1, 3))),
        lockdowns=[
            Lockdown(id=number, scope=scope, scope_id=name, since=make.now, by="ada", reason="leaked")
            for number, (scope, name) in enumerate(scopes, start=1)
        ],
        exchanges=draw(st.sampled_from([{}, {"old": "mexc"}])),
    )
    return world


def plan_of(make, world, **changes):
    parts = {
        "reports": world.reports,
        "runtimes": world.runtimes,
        "inventory": world.inventory,
        "since": world.since,
        "guards": world.guards,
    }
    return make.plan(world.desired, **parts | changes)


def covers(world, connection):
    """Said in other words than the code: unknown is covered, of all lockdowns."""
    if not connection:
        return True
    named = world.desired.connections.get(connection)
    exchange = named.exchange if named else world.guards.exchanges.get(connection)
    return any(
        one.scope is Scope.ALL
        or (one.scope is Scope.CONNECTION and one.scope_id == connection)
        or (one.scope is Scope.EXCHANGE and exchange in (None, one.scope_id))
        for one in world.guards.lockdowns
    )


def place(world, runtime, strategy):
    """The connection that a strategy uses: by the runtime, else as we started it, else by git."""
    held = (world.runtimes[runtime] or {}).get(strategy)
    ours = {item.strategy: item.connection for item in world.inventory if item.runtime == runtime}
    wanted = world.desired.strategies.get(strategy)
    of_git = wanted.connection if wanted and wanted.runtime == runtime else None
    return (held and held.connection) or ours.get(strategy) or of_git


def in_charge(world):
    """Every strategy and runtime that git names together, or in which this tool enabled it."""
    found = {(item.strategy, item.runtime) for item in world.inventory}
    return found | {(one.id, one.runtime) for one in world.desired.strategies.values()}


def running(held):
    return {
        (id_, name) for name, items in held.items() for id_, one in (items or {}).items() if not is_off(one)
    }


@given(data=st.data())
def test_nothing_that_is_covered_runs_after_a_pass(make, data):
    """Whatever thresholds, windows, suspensions, settling, files and keys say, or do not say."""
    world = data.draw(emergencies(make))
    dark = tuple(make.report(id_, connection_test="unknown") for id_ in ("main", "spare"))
    for reports in (world.reports, dark, ()):
        plan = plan_of(make, world, reports=reports)
        held, inventory = make.apply(plan, world.runtimes, world.inventory)
        for strategy, runtime in running(held) & in_charge(world):
            if world.runtimes[runtime] is None:
                continue
            assert not covers(world, place(world, runtime, strategy)), (strategy, runtime)
        after = replace_world(world, runtimes=held, inventory=inventory)
        again = plan_of(make, after, reports=reports)
        assert not [
            a for a in again.changes if a.kind is not ActionKind.DISABLE and covers(world, a.connection)
        ]


def replace_world(world, **changes):
    return type(world)(**{**vars(world), **changes})


@given(data=st.data())
def test_nothing_starts_or_moves_onto_what_is_covered(make, data):
    world = data.draw(emergencies(make))
    world.desired = make.unguarded(world.desired)
    for action in plan_of(make, world).actions:
        if action.kind in {ActionKind.ENABLE, ActionKind.CHANGE}:
            assert not covers(world, action.connection)


@given(data=st.data())
def test_what_it_does_not_cover_is_as_it_would_be_without(make, data):
    world = data.draw(emergencies(make))
    world.desired = make.unguarded(world.desired)
    calm = replace(world.guards, lockdowns=())
    before = plan_of(make, world, guards=calm).actions
    touched = {
        action.strategy
        for action in before
        if covers(world, action.connection)
        or (action.runtime in world.runtimes and covers(world, place(world, action.runtime, action.strategy)))
    }
    now = plan_of(make, world).actions
    assert [one for one in now if one.strategy not in touched] == [
        one for one in before if one.strategy not in touched
    ]


@given(data=st.data())
def test_what_runs_on_another_key_is_not_stopped_by_it(make, data):
    world = data.draw(emergencies(make))
    for action in plan_of(make, world).changes:
        if CHECK in action.checks:
            assert action.kind is ActionKind.DISABLE
            assert covers(world, place(world, action.runtime, action.strategy))


@given(data=st.data())
def test_what_nobody_here_started_is_left_alone(make, data):
    world = data.draw(emergencies(make))
    plan = plan_of(make, world)
    assert {(action.strategy, action.runtime) for action in plan.changes} <= in_charge(world)
    foreign = running(world.runtimes) - in_charge(world)
    assert {(a.strategy, a.runtime) for a in plan.actions if a.kind is ActionKind.UNMANAGED} == foreign


@given(data=st.data())
def test_its_stops_count_for_no_threshold_and_wait_for_none(make, data):
    world = data.draw(emergencies(make))
    plan = plan_of(make, world)
    stopped = {(a.strategy, a.runtime) for a in plan.changes if CHECK in a.checks}
    unguarded = replace_world(world, desired=make.unguarded(world.desired))
    free = plan_of(make, unguarded)
    assert stopped == {(a.strategy, a.runtime) for a in free.changes if CHECK in a.checks}
    assert not [a for a in plan.changes if CHECK in a.checks and a.of_files]


@given(data=st.data())
def test_a_run_over_targets_stops_what_is_covered_of_them_and_nothing_else(make, data):
    world = data.draw(emergencies(make))
    known = sorted({*world.desired.strategies, *world.desired.connections})
    targets = tuple(data.draw(st.sets(st.sampled_from(known), min_size=1)))
    whole = {(a.strategy, a.runtime): a for a in plan_of(make, world).actions}
    for action in plan_of(make, world, targets=targets).actions:
        stops = CHECK in whole[action.strategy, action.runtime].checks
        assert (CHECK in action.checks) == stops or action.kind is ActionKind.HOLD
        if whole[action.strategy, action.runtime].kind is ActionKind.DISABLE and stops:
            assert action.kind is ActionKind.DISABLE


@given(data=st.data())
def test_no_permit_lets_what_is_covered_run_even_where_its_runtime_does_not_answer(make, data):
    world = data.draw(emergencies(make))
    held = assumed(world.runtimes, world.inventory)
    plan = plan_of(make, world, runtimes=held)
    world.runtimes = held
    for permit in permits_of(world.desired, plan, world.reports, now=make.now):
        if permit.may is May.RUN:
            assert not covers(world, permit.connection)
        if permit.may is not May.STOP and permit.strategy in held[permit.runtime]:
            runs = not is_off(held[permit.runtime][permit.strategy])
            assert not (runs and covers(world, place(world, permit.runtime, permit.strategy)))


class TestMoves:
    """A strategy that git moves while one of its two places is locked down."""

    @pytest.fixture
    def moving(self, make, declared):
        """It runs on one connection, git wants it on the other, and one of the two is locked down."""

        def plan(*, runs_on, wanted, locked, **changes):
            desired = make.desired(make.strategy("grid", connection=wanted))
            held = make.running("grid")
            held["grid"] = replace(held["grid"], connection=runs_on)
            guards = Guards(lockdowns=[declared(Scope.CONNECTION, locked)])
            parts = {
                "runtimes": {"paper": held, "live": {}},
                "inventory": [make.item("grid", connection=runs_on)],
                "guards": guards,
            }
            (action,) = make.plan(desired, **parts | changes).actions
            return action

        return plan

    def test_from_a_locked_key_it_is_stopped(self, moving):
        action = moving(runs_on="main", wanted="spare", locked="main")
        assert (action.kind, action.checks) == (ActionKind.DISABLE, (CHECK,))

    def test_to_a_locked_key_it_stays_where_it_is(self, moving):
        action = moving(runs_on="spare", wanted="main", locked="main")
        assert (action.kind, action.checks) == (ActionKind.HOLD, (CHECK,))
        assert action.reason == (
            "lockdown 3 of connection main is in force since 2026-11-22T12:00:00Z: a key leaked"
        )

    def test_to_a_locked_key_it_is_stopped_where_the_key_that_it_runs_on_fails(self, make, moving):
        reports = (make.report("main"), make.report("spare", withdraw_enabled="fail"))
        action = moving(runs_on="spare", wanted="main", locked="main", reports=reports)
        assert (action.kind, action.checks) == (ActionKind.DISABLE, ("withdraw-enabled",))

    def test_to_another_runtime_and_a_locked_key_it_stays_in_the_old_one(self, make, declared):
        desired = make.desired(make.strategy("grid", connection="main", runtime="live"))
        plan = make.plan(
            desired,
            runtimes={"paper": make.running("grid"), "live": {}},
            inventory=[make.item("grid", "paper", "spare")],
            guards=Guards(lockdowns=[declared(Scope.CONNECTION, "main")]),
        )
        kinds = {action.runtime: action.kind for action in plan.actions}
        assert kinds == {"live": ActionKind.BLOCKED, "paper": ActionKind.HOLD}

    def test_to_another_runtime_from_a_locked_key_it_is_stopped(self, make, declared):
        desired = make.desired(make.strategy("grid", connection="spare", runtime="live"))
        plan = make.plan(
            desired,
            runtimes={"paper": make.running("grid"), "live": {}},
            inventory=[make.item("grid", "paper", "main")],
            guards=Guards(lockdowns=[declared(Scope.CONNECTION, "main")]),
        )
        assert {a.runtime: a.kind for a in plan.changes}["paper"] is ActionKind.DISABLE


def test_a_connection_that_files_forgot_is_of_the_exchange_that_it_was_read_at(make, declared):
    mexc = [declared(Scope.EXCHANGE, "mexc")]
    told = {"old": "mexc", "other": "kucoin"}.get
    assert covering(mexc, "old", told)
    assert covering(mexc, "other", told) is None
    assert covering(mexc, "never-read", told), "nobody knows its exchange, so it may be this one"


def test_what_runs_on_a_key_that_nobody_can_name_falls_under_every_lockdown(make, declared):
    item = replace(make.item("grid"), connection=None)
    (action,) = make.plan(
        make.desired(),
        runtimes={"paper": make.running("grid"), "live": {}},
        inventory=[item],
        guards=Guards(lockdowns=[declared(Scope.CONNECTION, "main")]),
    ).actions
    assert action.kind is ActionKind.DISABLE
    assert not action.of_files


def test_a_plan_that_was_reviewed_before_it_is_stale_after_it(make, declared):
    desired = make.desired(make.strategy("grid"))
    guards = Guards(lockdowns=[declared(Scope.ALL)])
    assert make.plan(desired).digest != make.plan(desired, guards=guards).digest


def test_the_hour_of_a_lockdown_is_told_in_utc(make):
    late = Lockdown(
        id=1, scope=Scope.ALL, scope_id="", since=make.now + timedelta(hours=1), by="ada", reason="drill"
    )
    (action,) = make.plan(make.desired(make.strategy()), guards=Guards(lockdowns=[late])).actions
    assert action.reason == "lockdown 1 of everything is in force since 2026-11-22T13:00:00Z: drill"
