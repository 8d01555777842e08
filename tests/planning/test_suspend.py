"""A suspension: nothing starts or changes, whatever runs may still stop, and its end resumes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.plan import ActionKind

PLACES = ["everything", "egress", "connection", "runtime", "strategy"]


def suspended(make, desired, place, days=0):
    """The files with one thing suspended that concerns the strategy ``grid``."""
    one = make.suspension(days, "everything" if place == "everything" else f"{place} it")
    if place == "everything":
        return replace(desired, suspend=one)
    section, id_ = {
        "egress": ("egress", "bot"),
        "connection": ("connections", "main"),
        "runtime": ("runtimes", "paper"),
        "strategy": ("strategies", "grid"),
    }[place]
    items = dict(getattr(desired, section))
    items[id_] = replace(items[id_], suspend=one)
    return replace(desired, **{section: items})


def files(make, *strategies):
    """Files whose connections leave from the egress ``bot``."""
    desired = make.desired(*(strategies or (make.strategy(),)))
    through = {id_: replace(one, egress="bot") for id_, one in desired.connections.items()}
    return replace(desired, connections=through)


def plan(make, desired, running=None, **changes):
    return make.plan(desired, runtimes={"paper": running or {}, "live": {}}, **changes)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("days", "check"), [(0, "suspended"), (9, "suspended"), (-1, "suspension-expired")])
class TestHeld:
    def test_nothing_starts_before_or_after_its_end(self, make, place, days, check):
        (action,) = plan(make, suspended(make, files(make), place, days)).actions
        assert (action.kind, action.checks, action.after) == (ActionKind.BLOCKED, (check,), None)
        assert "not started" in action.reason

    def test_what_runs_is_not_changed(self, make, place, days, check):
        running = make.running("grid", risk_level="aggressive")
        (action,) = plan(make, suspended(make, files(make), place, days), running).actions
        assert (action.kind, action.checks, action.before) == (ActionKind.HOLD, (check,), None)

    def test_what_runs_as_git_says_is_told_all_the_same(self, make, place, days, check):
        (action,) = plan(make, suspended(make, files(make), place, days), make.running("grid")).actions
        assert (action.kind, action.checks) == (ActionKind.HOLD, (check,))
        assert "left as it runs" in action.reason

    @pytest.mark.parametrize("verdicts", [{"withdraw_enabled": "fail"}, {"ip_whitelist_missing": "fail"}])
    def test_a_failed_check_stops_it(self, make, place, days, check, verdicts):
        desired = suspended(make, files(make), place, days)
        (action,) = plan(make, desired, make.running("grid"), reports=(make.report(**verdicts),)).actions
        assert (action.kind, check in action.checks) == (ActionKind.DISABLE, False)

    def test_unknown_beyond_its_grace_stops_it(self, make, place, days, check):
        desired = suspended(make, files(make), place, days)
        dark = (make.report(connection_test="unknown"),)
        since = {"main": make.now - timedelta(minutes=16)}
        (action,) = plan(make, desired, make.running("grid"), reports=dark, since=since).actions
        assert action.kind is ActionKind.DISABLE
        assert check not in action.reason

    def test_git_stops_it(self, make, place, days, check):
        desired = suspended(make, files(make, make.strategy(enabled=False)), place, days)
        (action,) = plan(make, desired, make.running("grid")).actions
        assert (action.kind, action.checks, check) == (ActionKind.DISABLE, (), check)


def test_it_concerns_nothing_else(make):
    other = make.strategy("other", connection="spare", runtime="live")
    desired = files(make, make.strategy(), other)
    for place in ("connection", "runtime", "strategy"):
        found = {a.strategy: a.kind for a in plan(make, suspended(make, desired, place)).actions}
        assert found == {"grid": ActionKind.BLOCKED, "other": ActionKind.ENABLE}


def test_one_that_is_over_outweighs_one_that_is_not(make):
    desired = suspended(make, suspended(make, files(make), "runtime", 9), "connection", -1)
    (action,) = plan(make, desired).actions
    assert action.checks == ("suspension-expired",)


def test_a_move_to_a_suspended_runtime_waits_as_a_whole_and_one_away_from_it_does_not(make):
    desired = files(make, make.strategy())
    there = make.plan(
        suspended(make, desired, "runtime"),
        runtimes={"paper": {}, "live": make.running("grid")},
        inventory=[make.item("grid", "live")],
    )
    assert [(a.kind.value, a.runtime) for a in there.actions] == [("hold", "live"), ("blocked", "paper")]
    away = make.plan(
        suspended(make, files(make, make.strategy(runtime="live")), "runtime"),
        runtimes={"paper": make.running("grid"), "live": {}},
        inventory=[make.item("grid")],
    )
    assert [(a.kind.value, a.runtime) for a in away.actions] == [("disable", "paper"), ("enable", "live")]


@pytest.mark.parametrize("old_key", [{}, {"withdraw_enabled": "fail"}, {"withdraw_enabled": "unknown"}])
@pytest.mark.parametrize("told", [True, False], ids=["the runtime tells its key", "only we remember"])
def test_what_may_not_move_to_another_key_yet_stops_where_its_old_one_fails(make, old_key, told):
    """A key that can withdraw carries no strategy, also none that waits to leave it (invariant 3)."""
    running = make.running("grid")
    if told:
        running = {"grid": replace(running["grid"], connection="main")}
    (action,) = make.plan(
        suspended(make, files(make, make.strategy(connection="spare")), "strategy"),
        reports=(make.report("main", **old_key), make.report("spare")),
        runtimes={"paper": running, "live": {}},
        inventory=[make.item("grid")],
    ).actions
    if old_key.get("withdraw_enabled") == "fail":
        assert (action.kind, action.checks) == (ActionKind.DISABLE, ("withdraw-enabled",))
        assert "may not move yet" in action.reason
    else:
        assert (action.kind, action.checks) == (ActionKind.HOLD, ("suspended",))


def test_what_is_suspended_counts_towards_no_limit(make):
    names = [f"s{number}" for number in range(11)]
    desired = files(make, *(make.strategy(id_) for id_ in names))
    assert plan(make, desired).breaches
    held = suspended(make, desired, "everything")
    assert plan(make, held).breaches == ()


@given(data=st.data())
def test_a_suspension_only_ever_takes_away_starts_and_changes(make, data):
    world = data.draw(make.worlds())
    parts = {name: getattr(world, name) for name in ("reports", "runtimes", "inventory", "since")}
    desired = make.approved(world.desired)
    held, free = make.plan(desired, **parts), make.plan(make.unguarded(world.desired), **parts)
    assert set(map(repr, held.changes)) <= set(map(repr, free.changes))
    waiting = {action.strategy for action in held.actions if action.kind is ActionKind.BLOCKED}
    for action in free.changes:
        strategy = desired.strategies.get(action.strategy)
        if action in held.changes:
            starts = action.kind is not ActionKind.DISABLE
            assert not (starts and strategy and desired.suspensions_of(strategy))
        elif action.kind is ActionKind.DISABLE:
            assert action.of_files
            assert action.strategy in waiting  # half of a move
