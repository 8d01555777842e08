"""A strategy that git moved runs on its old key until it moves: that key must stay safe, whatever waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from decimal import Decimal

import pytest

from reconciler.model.desired import WEEK, MarginLimit, Threshold, Thresholds, Window, WindowKind
from reconciler.model.plan import ActionKind

BAD = {"withdraw_enabled": "fail"}


def plan(make, desired, main, spare=(), **changes):
    reports = (make.report("main", **main), make.report("spare", **dict(spare)))
    held = {"runtimes": {"paper": make.running("grid"), "live": {}}, "inventory": [make.item("grid")]}
    return make.plan(desired, reports=reports, **(held | changes))


def held(make, how):
    desired = make.desired(make.strategy(connection="spare"))
    if how == "suspension":
        return replace(desired, suspend=make.suspension(9))
    always = Window(kind=WindowKind.DENY, days=WEEK, start=time(), end=time())
    return replace(desired, policy=replace(make.policy, windows=(always,)))


@pytest.mark.parametrize("how", ["suspension", "window"])
def test_what_waits_to_move_stops_where_its_old_key_fails(make, how):
    (action,) = plan(make, held(make, how), BAD).actions
    assert action.kind is ActionKind.DISABLE


@pytest.mark.parametrize("how", ["suspension", "window"])
def test_once_it_is_stopped_nothing_is_left_to_do(make, how):
    first = plan(make, held(make, how), BAD)
    runtimes, items = make.apply(first, {"paper": make.running("grid"), "live": {}}, [make.item("grid")])
    assert not plan(make, held(make, how), BAD, runtimes=runtimes, inventory=items).changes


def test_what_the_runtime_says_it_runs_on_outranks_what_we_remember(make):
    running = {"grid": replace(make.running("grid")["grid"], connection="main")}
    items = [make.item("grid", connection="spare")]
    (action,) = plan(
        make, held(make, "window"), BAD, runtimes={"paper": running, "live": {}}, inventory=items
    ).actions
    assert action.kind is ActionKind.DISABLE


def test_an_old_key_that_is_unknown_for_too_long_stops_it_as_well(make):
    since = {"main": make.now - timedelta(hours=1)}
    (action,) = plan(make, held(make, "window"), {"connection_test": "unknown"}, since=since).actions
    assert action.kind is ActionKind.DISABLE


def test_a_new_key_of_which_nobody_knows_does_not_keep_it_on_a_bad_old_one(make):
    desired = make.desired(make.strategy(connection="spare"))
    (action,) = plan(make, desired, BAD, {"connection_test": "unknown"}).actions
    assert action.kind is ActionKind.DISABLE


def test_what_may_be_running_on_a_bad_old_key_is_moved_without_asking_whether_it_runs(make):
    desired = make.desired(make.strategy(connection="spare"))
    runtimes = {"paper": make.running("grid", enabled=None), "live": {}}
    (action,) = plan(make, desired, BAD, runtimes=runtimes).actions
    assert action.kind is ActionKind.CHANGE


def test_the_stop_of_a_move_waits_for_no_threshold_where_policy_is_broken(make):
    policy = replace(
        make.policy,
        max_margin_limit=MarginLimit(amount=Decimal(1), currency="USDT"),
        thresholds=Thresholds(disable=Threshold(count=0)),
    )
    desired = make.desired(make.strategy(runtime="live"), policy=policy)
    kinds = {action.runtime: action.kind for action in plan(make, desired, {}).actions}
    assert kinds == {"paper": ActionKind.DISABLE, "live": ActionKind.BLOCKED}


def test_on_a_sound_old_key_it_waits_for_the_new_one_to_be_known(make):
    desired = make.desired(make.strategy(connection="spare"))
    (action,) = plan(make, desired, {}, {"connection_test": "unknown"}).actions
    assert action.kind is ActionKind.HOLD


def test_where_the_new_key_passes_it_moves_instead_of_stopping(make):
    desired = make.desired(make.strategy(connection="spare"))
    (action,) = plan(make, desired, BAD).actions
    assert action.kind is ActionKind.CHANGE


def test_what_does_not_run_is_not_stopped_again(make):
    desired = make.desired(make.strategy(connection="spare"))
    runtimes = {"paper": make.running("grid", enabled=False), "live": {}}
    (action,) = plan(make, desired, BAD, {"connection_test": "unknown"}, runtimes=runtimes).actions
    assert action.kind is ActionKind.UNKNOWN


@pytest.mark.parametrize("runtimes", [{"paper": {}, "live": None}, {"paper": {}}], ids=["silent", "gone"])
def test_what_may_have_been_started_elsewhere_by_a_pass_that_was_killed_waits_until_that_is_known(
    make, runtimes
):
    desired = make.desired(make.strategy())
    (action,) = make.plan(desired, runtimes=runtimes, begun=[("grid", "live")]).actions
    assert (action.kind, action.checks) == (ActionKind.BLOCKED, ())
    assert "was cut off" in action.reason
    for begun in ([("other", "live")], [("grid", "paper")]):
        (action,) = make.plan(desired, runtimes=runtimes, begun=begun).actions
        assert action.kind is ActionKind.ENABLE


def test_once_the_other_runtime_can_be_read_it_starts(make):
    (action,) = make.plan(make.desired(make.strategy()), begun=[("grid", "live")]).actions
    assert action.kind is ActionKind.ENABLE
