"""A key that flaps starts nothing: a start waits for passes in a row, a stop for nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.desired import OnUnknown
from reconciler.model.plan import ActionKind, RunningStrategy
from reconciler.planning.guard import Guards
from reconciler.planning.settle import Settling


def settling(passes=2, **streaks):
    return Guards(settling=Settling(passes=passes, streaks=streaks))


@pytest.mark.parametrize(
    ("passes", "before", "kind"),
    [
        (1, 0, ActionKind.ENABLE),
        (2, 0, ActionKind.BLOCKED),
        (2, 1, ActionKind.ENABLE),
        (3, 1, ActionKind.BLOCKED),
        (3, 2, ActionKind.ENABLE),
        (3, 900, ActionKind.ENABLE),
    ],
)
def test_this_pass_counts_and_those_before_it(make, passes, before, kind):
    (action,) = make.plan(make.desired(make.strategy()), guards=settling(passes, main=before)).actions
    assert action.kind is kind
    assert (action.checks == ("settling",)) is (kind is ActionKind.BLOCKED)


def test_a_connection_that_nobody_remembers_has_this_pass_alone(make):
    (action,) = make.plan(make.desired(make.strategy()), guards=settling()).actions
    assert (action.kind, action.checks) == (ActionKind.BLOCKED, ("settling",))
    assert "1 of the 2 passes" in action.reason


def test_what_runs_takes_new_settings_at_once_and_another_key_only_once_that_settled(make):
    differs = make.running("grid", risk_level="aggressive")
    (action,) = make.plan(
        make.desired(make.strategy()), runtimes={"paper": differs, "live": {}}, guards=settling()
    ).actions
    assert action.kind is ActionKind.CHANGE
    moved = make.desired(make.strategy(connection="spare"))
    here = {"grid": RunningStrategy(id="grid", enabled=True, connection="main", parameters=make.parameters)}
    held = {"runtimes": {"paper": here, "live": {}}}
    (action,) = make.plan(moved, **held, guards=settling()).actions
    assert (action.kind, action.checks) == (ActionKind.HOLD, ("settling",))
    (action,) = make.plan(moved, **held, guards=settling(spare=1)).actions
    assert action.kind is ActionKind.CHANGE


def test_what_waits_to_leave_a_key_that_fails_stops_meanwhile(make):
    moved = make.desired(make.strategy(connection="spare"))
    here = {"grid": RunningStrategy(id="grid", enabled=True, connection="main", parameters=make.parameters)}
    reports = (make.report("main", withdraw_enabled="fail"), make.report("spare"))
    (action,) = make.plan(
        moved, reports=reports, runtimes={"paper": here, "live": {}}, guards=settling()
    ).actions
    assert (action.kind, action.checks) == (ActionKind.DISABLE, ("withdraw-enabled",))


@settings(max_examples=500)
@given(st.data())
def test_settling_holds_back_starts_and_nothing_else(make, data):
    world = data.draw(make.worlds())
    given_ = {"reports": world.reports, "runtimes": world.runtimes, "since": world.since}
    desired = make.approved(world.desired)  # fewer starts can be within a limit that more of them exceed
    free = make.plan(desired, inventory=world.inventory, **given_)
    held = make.plan(desired, inventory=world.inventory, **given_, guards=settling(5, main=9))
    starts = (ActionKind.ENABLE, ActionKind.CHANGE)
    before = {(one.strategy, one.runtime): one for one in free.actions}
    for action in held.actions:
        was = before[action.strategy, action.runtime]
        if action != was:
            assert "settling" in action.checks or action.kind is ActionKind.DISABLE
            assert was.kind in starts or was.of_files, "a stop for safety waits for nobody"


@pytest.mark.parametrize(
    ("then", "minutes", "kind"),
    [
        (OnUnknown.DISABLE, 14, ActionKind.HOLD),
        (OnUnknown.DISABLE, 16, ActionKind.DISABLE),
        (OnUnknown.HOLD, 14, ActionKind.HOLD),
        (OnUnknown.HOLD, 16, ActionKind.HOLD),
    ],
)
def test_policy_says_what_follows_the_grace(make, then, minutes, kind):
    desired = make.desired(make.strategy(), policy=replace(make.policy, on_unknown=then))
    dark = make.report(connection_test="unknown", withdraw_enabled="unknown")
    (action,) = make.plan(
        desired,
        reports=(dark, make.report("spare")),
        runtimes={"paper": make.running("grid"), "live": {}},
        since={"main": make.now - timedelta(minutes=minutes)},
    ).actions
    assert action.kind is kind
    assert ("policy.on_unknown holds it" in action.reason) is (then is OnUnknown.HOLD and minutes > 15)


def test_holding_on_unknown_outweighs_no_check_that_fails(make):
    desired = make.desired(make.strategy(), policy=replace(make.policy, on_unknown=OnUnknown.HOLD))
    bad = make.report(connection_test="unknown", withdraw_enabled="fail")
    (action,) = make.plan(
        desired, reports=(bad, make.report("spare")), runtimes={"paper": make.running("grid"), "live": {}}
    ).actions
    assert action.kind is ActionKind.DISABLE


def test_holding_on_unknown_starts_nothing(make):
    desired = make.desired(make.strategy(), policy=replace(make.policy, on_unknown=OnUnknown.HOLD))
    dark = make.report(connection_test="unknown", withdraw_enabled="unknown")
    (action,) = make.plan(desired, reports=(dark, make.report("spare"))).actions
    assert action.kind is ActionKind.UNKNOWN
