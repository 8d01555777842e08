from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.checks import GUARD_CHECKS, evaluate_strategy, permits
from reconciler.model.finding import Verdict
from reconciler.model.plan import ActionKind
from reconciler.planning.decide import is_off


def plan_of(make, world, **changes):
    parts = {
        "reports": world.reports,
        "runtimes": world.runtimes,
        "inventory": world.inventory,
        "since": world.since,
    }
    return make.plan(world.desired, **parts | changes)


def verdicts_of(world, connection, verdict):
    (report,) = (report for report in world.reports if report.connection.id == connection)
    return {finding.check for finding in report.findings if finding.blocks and finding.verdict is verdict}


def runs_on(world, action):
    """The connection that a strategy uses in a runtime: by the runtime, else as we started it."""
    held = (world.runtimes.get(action.runtime) or {}).get(action.strategy)
    ours = {item.strategy: item.connection for item in world.inventory if item.runtime == action.runtime}
    return (held and held.connection) or ours.get(action.strategy) or action.connection


def broken_by(world, id_):
    """The rules of policy that a strategy breaks by itself."""
    found = evaluate_strategy(world.desired.policy, world.desired.strategies[id_])
    return {finding.check for finding in found if finding.verdict is not Verdict.PASS}


@given(data=st.data())
def test_nothing_starts_or_changes_unless_every_blocking_check_passed(make, data):
    """Invariant 1."""
    world = data.draw(make.worlds())
    allowed = {report.connection.id for report in world.reports if permits(report.findings)}
    for action in plan_of(make, world).actions:
        if action.kind in {ActionKind.ENABLE, ActionKind.CHANGE}:
            strategy = world.desired.strategies[action.strategy]
            assert strategy.enabled
            assert strategy.connection in allowed
            assert not broken_by(world, strategy.id)
            assert action.after == strategy.parameters


@given(data=st.data())
def test_unknown_starts_nothing_and_stops_nothing_before_its_grace_is_over(make, data):
    """Invariant 2."""
    world = data.draw(make.worlds())
    dark = tuple(make.report(id_, connection_test="unknown") for id_ in ("main", "spare"))
    grace = world.desired.policy.unknown_grace
    for action in plan_of(make, world, reports=dark).actions:
        strategy = world.desired.strategies.get(action.strategy)
        assert action.kind not in {ActionKind.ENABLE, ActionKind.CHANGE}
        if (
            action.kind is ActionKind.DISABLE
            and strategy
            and strategy.enabled
            and strategy.runtime == action.runtime
            and not broken_by(world, strategy.id)
        ):
            waited = {strategy.connection, runs_on(world, action)}
            assert any(make.now - world.since.get(id_, make.now) > grace for id_ in waited)


@given(data=st.data())
def test_nothing_runs_on_where_the_key_that_it_really_runs_on_fails(make, data):
    """Invariant 3, and 12: whatever waits, git moved or nobody can answer, that key decides."""
    world = data.draw(make.worlds())
    for action in plan_of(make, world).actions:
        held = world.runtimes.get(action.runtime)
        known = action.strategy in world.desired.strategies or any(
            item.strategy == action.strategy and item.runtime == action.runtime for item in world.inventory
        )
        if held is None or is_off(held.get(action.strategy)) or action.kind is ActionKind.UNMANAGED:
            continue
        if known and action.kind not in {ActionKind.DISABLE, ActionKind.CHANGE}:
            assert not verdicts_of(world, runs_on(world, action), Verdict.FAIL), action


@given(data=st.data())
def test_an_unreadable_runtime_is_never_acted_on(make, data):
    """Invariant 2: what cannot be read is unknown, and unknown never prunes."""
    world = data.draw(make.worlds())
    for action in plan_of(make, world).changes:
        assert world.runtimes.get(action.runtime) is not None


@given(data=st.data())
def test_a_key_that_can_withdraw_carries_nothing(make, data):
    """Invariant 3."""
    world = data.draw(make.worlds())
    able = tuple(make.report(id_, withdraw_enabled="fail") for id_ in ("main", "spare"))
    waived = tuple(
        replace(report, findings=tuple(replace(f, waived_by="mallory") for f in report.findings))
        for report in able
    )
    for reports in (able, waived):
        plan = plan_of(make, world, reports=reports)
        told = {a.kind for a in plan.actions if not a.paused}  # such a one is off
        assert not told & {ActionKind.ENABLE, ActionKind.CHANGE, ActionKind.HOLD}
        held, _ = make.apply(plan, world.runtimes, world.inventory)
        for strategy in world.desired.strategies.values():
            assert held[strategy.runtime] is None or is_off(held[strategy.runtime].get(strategy.id))


@given(data=st.data())
def test_what_is_neither_in_git_nor_ours_is_never_touched(make, data):
    """Invariant 9."""
    world = data.draw(make.worlds())
    ours = {(item.strategy, item.runtime) for item in world.inventory}
    ours |= {(strategy.id, strategy.runtime) for strategy in world.desired.strategies.values()}
    plan = plan_of(make, world)
    assert {(action.strategy, action.runtime) for action in plan.changes} <= ours
    told = {(a.strategy, a.runtime) for a in plan.actions if a.kind is ActionKind.UNMANAGED}
    running = {
        (id_, name)
        for name, held in world.runtimes.items()
        for id_, it in (held or {}).items()
        if not is_off(it)
    }
    assert told == running - ours


@given(data=st.data())
def test_apply_then_plan_again_is_empty(make, data):
    """Invariant 10."""
    world = data.draw(make.worlds())
    held, inventory = make.apply(plan_of(make, world), world.runtimes, world.inventory)
    assert plan_of(make, world, runtimes=held, inventory=inventory).changes == ()


@given(data=st.data(), order=st.randoms(use_true_random=False))
def test_order_changes_neither_the_plan_nor_its_digest(make, data, order):
    """Invariant 11."""
    world = data.draw(make.worlds())

    def shuffled(mapping):
        return dict(order.sample(list(mapping.items()), len(mapping)))

    other = replace(
        world.desired,
        strategies=shuffled(world.desired.strategies),
        connections=shuffled(world.desired.connections),
        runtimes=shuffled(world.desired.runtimes),
    )
    turned = tuple(
        replace(report, findings=tuple(order.sample(report.findings, len(report.findings))))
        for report in order.sample(world.reports, len(world.reports))
    )
    runtimes = {name: held and shuffled(held) for name, held in shuffled(world.runtimes).items()}
    again = make.plan(
        other,
        reports=turned,
        runtimes=runtimes,
        inventory=order.sample(world.inventory, len(world.inventory)),
        since=shuffled(world.since),
    )
    assert again == plan_of(make, world)


@given(data=st.data())
def test_what_git_stops_is_stopped_whatever_the_checks_say(make, data):
    """Invariant 12: disabling waits for no check."""
    world = data.draw(make.worlds())
    stopped = {id_: replace(strategy, enabled=False) for id_, strategy in world.desired.strategies.items()}
    world.desired = make.unguarded(replace(world.desired, strategies=stopped))
    for reports in (world.reports, ()):
        held, _ = make.apply(plan_of(make, world, reports=reports), world.runtimes, world.inventory)
        for strategy in stopped.values():
            assert held[strategy.runtime] is None or is_off(held[strategy.runtime].get(strategy.id))


@given(data=st.data())
def test_a_failed_check_stops_at_once_even_beside_an_unknown_one(make, data):
    world = data.draw(make.worlds())
    for action in plan_of(make, world).actions:
        if action.kind is ActionKind.HOLD and not GUARD_CHECKS.keys() & set(action.checks):
            assert not verdicts_of(world, action.connection, Verdict.FAIL)
            assert not broken_by(world, action.strategy)
            assert verdicts_of(world, action.connection, Verdict.UNKNOWN)


@given(data=st.data())
def test_what_breaks_policy_neither_runs_nor_is_left_running_whatever_the_keys_say(make, data):
    world = data.draw(make.worlds())
    waived = tuple(
        replace(report, findings=tuple(replace(f, waived_by="mallory") for f in report.findings))
        for report in world.reports
    )
    for reports in (world.reports, waived, ()):
        plan = plan_of(make, world, reports=reports)
        held, _ = make.apply(plan, world.runtimes, world.inventory)
        for action in plan.actions:
            strategy = world.desired.strategies.get(action.strategy)
            if strategy is None or strategy.runtime != action.runtime or not broken_by(world, strategy.id):
                continue
            runtime = held[strategy.runtime]
            assert runtime is None or is_off(runtime.get(strategy.id))
            if runtime is not None:
                assert action.kind in {ActionKind.DISABLE, ActionKind.BLOCKED}
                assert broken_by(world, strategy.id) <= set(action.checks)
                assert all(check in action.reason for check in action.checks)


@given(data=st.data())
def test_policy_only_ever_takes_away(make, data):
    """Whatever policy does not stop is as it would be without one."""
    world = data.draw(make.worlds())
    world.desired = make.unguarded(world.desired)
    bound = plan_of(make, world)
    world.desired = replace(world.desired, policy=make.policy)
    free = {(a.strategy, a.runtime): a for a in plan_of(make, world).actions}
    for action in bound.actions:
        if action.kind not in {ActionKind.DISABLE, ActionKind.BLOCKED}:
            assert free[action.strategy, action.runtime] == action


@given(data=st.data())
def test_no_strategy_ends_up_running_twice_by_our_hand(make, data):
    world = data.draw(make.worlds())
    plan = plan_of(make, world)
    held, _ = make.apply(plan, world.runtimes, world.inventory)
    for action in plan.changes:
        if action.kind is ActionKind.ENABLE:
            places = [
                name for name, state in held.items() if state and not is_off(state.get(action.strategy))
            ]
            assert places == [action.runtime]


@given(data=st.data())
def test_every_strategy_of_git_is_told_exactly_once_and_disables_come_first(make, data):
    world = data.draw(make.worlds())
    actions = plan_of(make, world).actions
    places = [(action.strategy, action.runtime) for action in actions]
    assert len(places) == len(set(places))
    assert {(s.id, s.runtime) for s in world.desired.strategies.values()} <= set(places)
    acting = [action.kind for action in actions if action.kind.acts]
    assert acting == sorted(acting, key=[ActionKind.DISABLE, ActionKind.CHANGE, ActionKind.ENABLE].index)
    assert all(action.kind.acts for action in actions[: len(acting)])


@given(data=st.data())
def test_a_targeted_plan_is_a_part_of_the_whole_one(make, data):
    world = data.draw(make.worlds())
    world.desired = make.unguarded(world.desired)
    known = sorted({*world.desired.strategies, *world.desired.connections})
    targets = tuple(data.draw(st.sets(st.sampled_from(known), min_size=1)))
    part = set(map(repr, plan_of(make, world, targets=targets).actions))
    assert part <= set(map(repr, plan_of(make, world).actions))
