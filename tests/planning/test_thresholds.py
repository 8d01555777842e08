"""How many start, or are stopped by the files, at once: the numbers, and what never waits for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.checks import GUARD_CHECKS
from reconciler.model.desired import Desired, Guarded, Policy, Threshold, Thresholds
from reconciler.model.plan import Action, ActionKind, Bound
from reconciler.planning.guard import Guards
from reconciler.planning.thresholds import Recent, breaches

GUARDS = {"threshold-enable", "threshold-disable"}


def ids(count, prefix="s"):
    return [f"{prefix}{number}" for number in range(count)]


def plan_of(make, world, desired=None):
    return make.plan(
        desired or world.desired,
        reports=world.reports,
        runtimes=world.runtimes,
        inventory=world.inventory,
        since=world.since,
    )


def stopping(make, stopped, running, **changes):
    """The plan where the files switch ``stopped`` of ``running`` strategies off."""
    names = ids(running)
    strategies = [make.strategy(id_, enabled=place >= stopped) for place, id_ in enumerate(names)]
    return make.plan(
        make.desired(*strategies, **changes), runtimes={"paper": make.running(*names), "live": {}}
    )


def starting(make, count, **changes):
    return make.plan(make.desired(*map(make.strategy, ids(count)), **changes))


def limits(**sides):
    return Policy(thresholds=Thresholds(**sides))


def acting(plan):
    return {kind.value: count for kind, count in plan.counts().items() if kind.acts and count}


@pytest.mark.parametrize(
    ("stopped", "running", "bound"),
    [
        (1, 1, None),
        (2, 2, None),
        (2, 3, None),
        (3, 3, Bound.PERCENT),
        (3, 5, Bound.PERCENT),
        (3, 6, None),
        (10, 20, None),
        (11, 21, Bound.COUNT),
        (10, 300, None),
        (11, 300, Bound.COUNT),
        (300, 300, Bound.COUNT),
    ],
)
def test_the_defaults_let_a_few_stop_and_hold_back_what_looks_like_an_accident(make, stopped, running, bound):
    plan = stopping(make, stopped, running)
    assert [breach.bound for breach in plan.breaches] == ([bound] if bound else [])
    assert acting(plan) == ({} if bound else {"disable": stopped})
    if bound:
        assert plan.counts()[ActionKind.HOLD] == stopped
        (breach,) = plan.breaches
        assert (breach.count, breach.of) == (stopped, running)


@pytest.mark.parametrize(("stopped", "held"), [(3, True), (2, False)])
def test_a_pass_killed_after_its_stops_for_safety_changes_no_share(make, stopped, held):
    """Were those counted as running, the rest of the same files would be held back after the kill."""
    bad, off = ids(2, "bad"), ids(stopped, "off")
    desired = make.desired(
        *(make.strategy(id_, connection="spare") for id_ in bad),
        *(make.strategy(id_, enabled=False) for id_ in off),
        make.strategy("stays"),
    )
    reports = (make.report(), make.report("spare", withdraw_enabled="fail"))
    for running in ([*bad, *off, "stays"], [bad[0], *off, "stays"], [*off, "stays"]):
        plan = make.plan(desired, reports=reports, runtimes={"paper": make.running(*running), "live": {}})
        assert [breach.of for breach in plan.breaches] == ([stopped + 1] if held else [])
        assert plan.counts()[ActionKind.HOLD] == (stopped if held else 0)


@pytest.mark.parametrize(("count", "held"), [(1, False), (3, False), (10, False), (11, True), (300, True)])
def test_a_first_apply_starts_ten_and_needs_an_approval_for_more(make, count, held):
    plan = starting(make, count)
    assert acting(plan) == ({} if held else {"enable": count})
    assert len(plan.breaches) == held
    assert plan.counts()[ActionKind.BLOCKED] == (count if held else 0)


ZERO = [Threshold(count=0), Threshold(percent=Decimal(0)), Threshold(count=5, percent=Decimal(0))]


@pytest.mark.parametrize("zero", ZERO)
def test_zero_means_none(make, zero):
    assert acting(starting(make, 1, policy=limits(enable=zero))) == {}
    assert acting(stopping(make, 1, 9, policy=limits(disable=zero))) == {}


def test_without_a_limit_any_number_passes(make):
    free = limits(enable=Threshold(), disable=Threshold())
    assert acting(starting(make, 40, policy=free)) == {"enable": 40}
    assert acting(stopping(make, 40, 40, policy=free)) == {"disable": 40}


@pytest.mark.parametrize("count", [1, 2, 3, 50])
@pytest.mark.parametrize(
    "policy", [Policy(), limits(disable=Threshold()), limits(disable=Threshold(count=99))]
)
def test_files_without_any_strategy_stop_nothing_whatever_the_limits(make, count, policy):
    names = ids(count)
    world = {
        "runtimes": {"paper": make.running(*names), "live": {}},
        "inventory": [make.item(id_) for id_ in names],
    }
    emptied = make.desired(
        policy=policy, connections={}, runtimes={"paper": make.desired().runtimes["paper"]}
    )
    plan = make.plan(emptied, **world)
    assert acting(plan) == {}
    assert (plan.breaches[0].bound, plan.breaches[0].count) == (Bound.EMPTIED, count)
    approved = replace(emptied, approvals=(make.approval("disable", count),))
    assert acting(make.plan(approved, **world)) == {"disable": count}


class TestApprovals:
    @pytest.mark.parametrize(("count", "passes"), [(11, False), (12, True), (13, True)])
    def test_one_raises_the_limit_to_its_count(self, make, count, passes):
        plan = starting(make, 12, approvals=(make.approval("enable", count),))
        assert acting(plan) == ({"enable": 12} if passes else {})
        if not passes:
            assert plan.breaches[0].approved == 11

    def test_it_raises_a_limit_of_zero_too(self, make):
        none = limits(enable=Threshold(count=0))
        assert acting(starting(make, 1, policy=none, approvals=(make.approval("enable", 1),))) == {
            "enable": 1
        }

    def test_several_do_not_add_up(self, make):
        plan = starting(make, 12, approvals=(make.approval("enable", 6), make.approval("enable", 7)))
        assert acting(plan) == {}

    def test_one_for_stops_lets_nothing_start(self, make):
        assert acting(starting(make, 12, approvals=(make.approval("disable", 50),))) == {}
        assert acting(stopping(make, 12, 12, approvals=(make.approval("enable", 50),))) == {}

    @pytest.mark.parametrize(
        ("late", "passes"), [(timedelta(hours=11, minutes=59), True), (timedelta(hours=12), False)]
    )
    def test_one_ends_with_its_last_day_in_utc(self, make, late, passes):
        from reconciler.planning.thresholds import breaches  # noqa: PLC0415

        desired = make.desired(
            *map(make.strategy, ids(12)), approvals=(make.approval("enable", 12, until=make.now.date()),)
        )
        actions = make.plan(replace(desired, approvals=(make.approval("enable"),))).actions
        for zone in (UTC, datetime.now().astimezone().tzinfo):
            now = (make.now + late).astimezone(zone)
            assert (breaches(actions, desired, running=frozenset(), now=now) == ()) is passes

    def test_none_lets_a_key_that_can_withdraw_carry_a_strategy(self, make):
        """Invariant 3."""
        desired = make.desired(make.strategy(), approvals=(make.approval("enable"),))
        plan = make.plan(desired, reports=(make.report(withdraw_enabled="fail"), make.report("spare")))
        assert plan.counts()[ActionKind.BLOCKED] == 1


class TestWhatNeverWaits:
    """A stop for safety, whatever the limits and however many."""

    none = limits(enable=Threshold(count=0), disable=Threshold(count=0))

    @pytest.mark.parametrize("enabled", [True, False])
    @pytest.mark.parametrize(
        "verdicts", [{"withdraw_enabled": "fail"}, {"ip_whitelist_missing": "fail"}, {"key_expired": "fail"}]
    )
    def test_a_failed_check_stops_all_of_them_even_those_that_git_switched_off(self, make, enabled, verdicts):
        names = ids(30)
        desired = make.desired(*(make.strategy(id_, enabled=enabled) for id_ in names), policy=self.none)
        plan = make.plan(
            desired,
            reports=(make.report(**verdicts), make.report("spare")),
            runtimes={"paper": make.running(*names), "live": {}},
        )
        assert acting(plan) == {"disable": 30}
        assert plan.breaches == ()
        assert all(not action.of_files for action in plan.changes)

    @pytest.mark.parametrize(("minutes", "stops"), [(14, False), (16, True)])
    def test_unknown_beyond_its_grace_stops_what_left_git(self, make, minutes, stops):
        plan = make.plan(
            make.desired(policy=self.none),
            reports=(make.report(connection_test="unknown"),),
            runtimes={"paper": make.running("grid"), "live": {}},
            inventory=[make.item("grid")],
            since={"main": make.now - timedelta(minutes=minutes)},
        )
        assert acting(plan) == ({"disable": 1} if stops else {})

    def test_an_old_memory_of_a_key_that_nobody_looked_at_is_no_evidence(self, make):
        plan = make.plan(
            make.desired(connections={}),
            reports=(),
            runtimes={"paper": make.running("grid"), "live": {}},
            inventory=[make.item("grid")],
            since={"main": make.now - timedelta(days=9)},
        )
        assert acting(plan) == {}

    def test_settings_that_break_policy_stop_although_git_switched_it_off_too(self, make):
        policy = replace(self.none, allowed_quotes=("EUR",))
        desired = make.desired(make.strategy(enabled=False), policy=policy)
        plan = make.plan(desired, runtimes={"paper": make.running("grid"), "live": {}})
        assert acting(plan) == {"disable": 1}
        assert "policy-quotes" in plan.changes[0].reason


def test_when_stops_wait_starts_wait_too_and_changes_do_not(make):
    names = ids(3)
    desired = make.desired(
        *(make.strategy(id_, enabled=False) for id_ in names), make.strategy("new"), make.strategy("other")
    )
    running = make.running(*names) | make.running("other", risk_level="aggressive")
    plan = make.plan(
        replace(desired, policy=limits(disable=Threshold(count=2))), runtimes={"paper": running, "live": {}}
    )
    assert acting(plan) == {"change": 1}
    (new,) = (action for action in plan.actions if action.strategy == "new")
    assert (new.kind, new.checks) == (ActionKind.BLOCKED, ("threshold-disable",))
    assert new.after is None


@pytest.mark.parametrize("guarded", ["enable", "disable"])
def test_a_move_to_another_runtime_waits_as_a_whole(make, guarded):
    """Else it would run twice, or not at all until somebody approves."""
    desired = make.desired(
        make.strategy("grid", runtime="live"), policy=limits(**{guarded: Threshold(count=0)})
    )
    plan = make.plan(
        desired, runtimes={"paper": make.running("grid"), "live": {}}, inventory=[make.item("grid")]
    )
    assert [(a.kind.value, a.runtime) for a in plan.actions] == [("hold", "paper"), ("blocked", "live")]
    assert all(action.checks == (f"threshold-{guarded}",) for action in plan.actions)


@given(data=st.data())
def test_nothing_of_what_a_breach_is_about_is_done_and_a_breach_tells_true_numbers(make, data):
    world = data.draw(make.worlds())
    plan = plan_of(make, world)
    free = plan_of(make, world, make.approved(world.desired))
    for breach in plan.breaches:
        assert breach.count > max(breach.allowed, breach.approved)
        if breach.guarded == "enable":
            wanted = {a.strategy for a in free.actions if a.kind is ActionKind.ENABLE}
        else:
            wanted = {a.strategy for a in free.actions if a.of_files}
            assert not [a for a in plan.changes if a.of_files]
        assert ActionKind.ENABLE not in {a.kind for a in plan.changes}
        assert breach.count == len(wanted)
        assert breach.count <= breach.of
    if not plan.breaches:
        assert plan.actions == free.actions


@given(data=st.data())
def test_no_guard_holds_back_a_stop_for_safety_or_lets_more_happen(make, data):
    world = data.draw(make.worlds())
    plan = plan_of(make, world)
    free = plan_of(make, world, make.approved(world.desired))
    assert set(map(repr, plan.changes)) <= set(map(repr, free.changes))
    for action in free.changes:
        waits = action.kind is ActionKind.ENABLE or action.of_files
        assert waits or action in plan.changes
    for action in free.actions:
        if action.kind is ActionKind.DISABLE and not action.of_files:
            assert not GUARD_CHECKS.keys() & set(action.checks)


@given(data=st.data())
def test_a_tighter_limit_never_lets_more_happen(make, data):
    """Monotone, in count and percentage of both, and in approvals."""
    world = data.draw(make.worlds())
    draw = data.draw

    def tightened(limit):
        count = draw(st.integers(0, 3 if limit.count is None else limit.count))
        percent = draw(st.integers(0, 100 if limit.percent is None else int(limit.percent)))
        return Threshold(count=count, percent=Decimal(percent))

    loose = world.desired.policy.thresholds
    tight = Thresholds(enable=tightened(loose.enable), disable=tightened(loose.disable))
    desired = replace(world.desired, policy=replace(world.desired.policy, thresholds=tight), approvals=())
    done = {(a.kind, a.strategy, a.runtime) for a in plan_of(make, world, desired).changes}
    could = {(a.kind, a.strategy, a.runtime) for a in plan_of(make, world).changes}
    assert done <= could


@given(data=st.data())
def test_zero_lets_nothing_start_and_nothing_stop_for_the_files_alone(make, data):
    world = data.draw(make.worlds())
    zero = Thresholds(enable=Threshold(count=0), disable=Threshold(count=0))
    desired = replace(world.desired, policy=replace(world.desired.policy, thresholds=zero), approvals=())
    for action in plan_of(make, world, desired).changes:
        assert action.kind is not ActionKind.ENABLE
        assert not action.of_files


class TestWhatWasDoneOfLate:
    """Several passes of one interval do not get past a limit that one pass keeps."""

    def plan(self, make, *, want=0, stop=0, running=0, recent):
        wanted, ran = ids(want), ids(running, "r")
        strategies = [
            *map(make.strategy, wanted),
            *(make.strategy(id_, enabled=n >= stop) for n, id_ in enumerate(ran)),
        ]
        return make.plan(
            make.desired(*strategies),
            runtimes={"paper": make.running(*ran), "live": {}},
            guards=Guards(recent=recent),
        )

    @pytest.mark.parametrize(
        ("before", "now", "held"), [(5, 5, False), (5, 6, True), (10, 1, True), (11, 0, False)]
    )
    def test_starts_add_up(self, make, before, now, held):
        plan = self.plan(make, want=now, recent=Recent(enabled=frozenset(ids(before, "b"))))
        assert [(one.guarded, one.count) for one in plan.breaches] == (
            [(Guarded.ENABLE, before + now)] if held else []
        )
        assert acting(plan) == ({} if held or not now else {"enable": now})

    def test_one_that_starts_again_counts_once(self, make):
        plan = self.plan(make, want=10, recent=Recent(enabled=frozenset(ids(10))))
        assert acting(plan) == {"enable": 10}

    @pytest.mark.parametrize(
        ("before", "now", "held"), [(5, 5, False), (5, 6, True), (0, 10, False), (10, 1, True)]
    )
    def test_stops_by_the_files_add_up(self, make, before, now, held):
        plan = self.plan(make, stop=now, running=30, recent=Recent(stopped=frozenset(ids(before, "b"))))
        assert [(one.guarded, one.count, one.of) for one in plan.breaches] == (
            [(Guarded.DISABLE, before + now, 30 + before)] if held else []
        )

    def test_the_share_is_of_all_that_ran_before_the_first_of_them(self, make):
        """4 of 8 may stop at once; after 3 of them 1 more, and not half of the 5 that are left."""
        gone = Recent(stopped=frozenset(ids(3, "b")))
        assert acting(self.plan(make, stop=1, running=5, recent=gone)) == {"disable": 1}
        assert acting(self.plan(make, stop=2, running=5, recent=gone)) == {}

    def test_a_stop_for_safety_adds_to_nothing_and_waits_for_nothing(self, make):
        action = Action(kind=ActionKind.DISABLE, strategy="x", runtime="paper", reason="", checks=("a",))
        found = breaches(
            [action],
            make.desired(),
            running=frozenset("x"),
            now=datetime(2026, 11, 22, tzinfo=UTC),
            recent=Recent(stopped=frozenset(ids(99))),
        )
        assert found == ()

    @given(
        batches=st.lists(st.sets(st.integers(0, 60), max_size=12), max_size=8),
        limit=st.integers(0, 12),
    )
    def test_however_starts_are_split_no_more_come_through_than_at_once(self, batches, limit):
        policy = limits(enable=Threshold(count=limit))
        started: set[str] = set()
        for batch in batches:
            actions = [
                Action(kind=ActionKind.ENABLE, strategy=f"s{n}", runtime="paper", reason="") for n in batch
            ]
            desired = Desired(files=("c.yaml",), policy=policy)
            found = breaches(
                actions,
                desired,
                running=frozenset(),
                now=datetime(2026, 11, 22, tzinfo=UTC),
                recent=Recent(enabled=frozenset(started)),
            )
            if not found:
                started |= {action.strategy for action in actions}
        assert len(started) <= limit
