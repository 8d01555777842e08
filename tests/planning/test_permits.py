"""What a pass decided, for those who ask between passes: never more than its plan allows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.memory import May
from reconciler.model.plan import ActionKind
from reconciler.planning.permits import assumed, permits_of


def decided(make, desired, reports, runtimes, inventory=(), **more):
    """The permits of one pass, by strategy."""
    items = list(inventory)
    unread = [name for name, held in runtimes.items() if held is None]
    guessed = assumed(runtimes, items)
    plan = make.plan(desired, reports=reports, runtimes=guessed, inventory=items, unread=unread, **more)
    return {one.strategy: one for one in permits_of(desired, plan, reports, now=make.now)}


EMPTY = {"paper": {}, "live": {}}


@pytest.mark.parametrize(
    ("verdicts", "may"),
    [
        ({}, May.RUN),
        ({"withdraw_enabled": "fail"}, May.STOP),
        ({"withdraw_enabled": "unknown"}, May.STOP),
    ],
)
def test_what_does_not_run_may_start_where_every_check_passes(make, verdicts, may):
    reports = (make.report(**verdicts), make.report("spare"))
    permit = decided(make, make.desired(make.strategy()), reports, EMPTY)["grid"]
    assert permit.may is may
    assert permit.at == reports[0].observation.observed_at


def test_what_runs_on_unknown_may_go_on_within_the_grace_and_not_start_anew(make):
    reports = (make.report(connection_test="unknown"), make.report("spare"))
    held = {"paper": make.running("grid"), "live": {}}
    desired = make.desired(make.strategy())
    assert decided(make, desired, reports, held)["grid"].may is May.GO_ON
    late = {"main": make.now - timedelta(hours=1)}
    assert decided(make, desired, reports, held, since=late)["grid"].may is May.STOP


def test_a_bot_that_asks_before_it_answers_is_judged_by_its_key(make):
    reports, down = (make.report(), make.report("spare")), {"paper": None, "live": {}}
    desired = make.desired(make.strategy())
    assert decided(make, desired, reports, down)["grid"].may is May.RUN
    assert decided(make, desired, reports, down, [make.item("grid")])["grid"].may is May.RUN
    bad = (make.report(withdraw_enabled="fail"), make.report("spare"))
    assert decided(make, desired, bad, down, [make.item("grid")])["grid"].may is May.STOP


def test_bots_that_were_running_do_not_count_as_starts_when_their_host_comes_up_again(make):
    strategies = [make.strategy(f"s{number}") for number in range(15)]
    down = {"paper": None, "live": {}}
    reports = (make.report(), make.report("spare"))
    known = [make.item(one.id) for one in strategies]
    again = decided(make, make.desired(*strategies), reports, down, known)
    assert {one.may for one in again.values()} == {May.RUN}
    new = decided(make, make.desired(*strategies), reports, down)
    assert {one.may for one in new.values()} == {May.STOP}, "fifteen new ones need an approval"


def test_a_connection_that_was_not_read_keeps_its_old_permits_and_what_git_stopped_does_not(make):
    desired = make.desired(make.strategy("on"), make.strategy("off", enabled=False))
    permits = decided(make, desired, (make.report("spare"),), EMPTY)
    assert {id_: one.may for id_, one in permits.items()} == {"off": May.STOP}


@pytest.mark.parametrize("runtimes", [{"paper": {}, "live": None}, {"paper": None, "live": None}])
def test_what_runs_where_nobody_can_look_may_not_start_where_git_moved_it(make, runtimes):
    """It would run twice: the bot there is told to stop only once it answers."""
    reports = (make.report(), make.report("spare"))
    permits = decided(make, make.desired(make.strategy()), reports, runtimes, [make.item("grid", "live")])
    assert permits["grid"].may is May.STOP


@given(st.data())
def test_a_permit_never_allows_more_than_the_plan_over_what_was_read(make, data):
    world = data.draw(make.worlds())
    permits = decided(make, world.desired, world.reports, world.runtimes, world.inventory, since=world.since)
    plan = make.plan(
        world.desired,
        reports=world.reports,
        runtimes=world.runtimes,
        inventory=world.inventory,
        since=world.since,
    )
    readable = {name for name, held in world.runtimes.items() if held is not None}
    if len(readable) < len(world.runtimes):
        return
    for action in plan.actions:
        permit = permits.get(action.strategy)
        if permit is None or permit.runtime != action.runtime:
            continue
        if permit.may is May.RUN:
            assert action.kind in (ActionKind.ENABLE, ActionKind.CHANGE, ActionKind.NONE)
        if permit.may is May.GO_ON:
            assert action.kind is ActionKind.HOLD


@given(st.data())
def test_nothing_may_start_whose_checks_do_not_pass_whatever_the_runtimes_tell(make, data):
    world = data.draw(make.worlds())
    permits = decided(make, world.desired, world.reports, world.runtimes, world.inventory, since=world.since)
    clear = {report.connection.id for report in world.reports if not any(f.blocks for f in report.findings)}
    for permit in permits.values():
        if permit.may is May.RUN:
            assert permit.connection in clear
            assert world.desired.strategies[permit.strategy].enabled
