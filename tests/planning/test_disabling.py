"""How a plan disables: what the most specific choice says, as far as the runtime can do it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.bot import Bot
from reconciler.model.desired import OnDisable
from reconciler.model.finding import Verdict
from reconciler.model.plan import ActionKind, RunningStrategy
from reconciler.planning.decide import is_off
from reconciler.planning.disabling import CHECK, Can
from reconciler.planning.gate import gate
from reconciler.planning.permits import permits_of
from reconciler.planning.plan import ended

STOP, ENTRIES, CLOSE = OnDisable.STOP, OnDisable.STOP_ENTRIES, OnDisable.CLOSE_FIRST_MANUAL
CLOSES = {"on_disable": CLOSE}


def held(enabled, positions=None, *, paused=False):
    bot = Bot(open_positions=positions)
    return RunningStrategy(id="grid", enabled=enabled, parameters=None, bot=bot, paused=paused)


def desired(make, *strategies, kind="bot", option=None, policy=None, **more):
    options = {"disable": option} if option else {}
    runtimes = {"paper": make.runtime("paper", type=kind, options=options), "live": make.runtime("live")}
    return make.desired(
        *strategies, runtimes=runtimes, policy=replace(make.policy, on_disable=policy), **more
    )


def planned(make, files, running, **more):
    return make.plan(files, runtimes={"paper": {"grid": running}, "live": {}}, **more)


def only(plan):
    (action,) = plan.actions
    return action


class TestChoice:
    @pytest.mark.parametrize(
        ("kind", "chosen", "how"),
        [
            ("bot", (None, None, None), ENTRIES),
            ("ledger", (None, None, None), STOP),
            ("nobody-knows", (None, None, None), STOP),
            ("bot", (None, None, STOP), STOP),
            ("bot", (None, None, CLOSE), CLOSE),
            ("bot", (None, "stop", CLOSE), STOP),
            ("bot", (CLOSE, "stop", ENTRIES), CLOSE),
            ("bot", (ENTRIES, "stop", STOP), ENTRIES),
            ("blind", (None, None, None), STOP),
            ("blind", (None, None, CLOSE), ENTRIES),
            ("blind", (None, "stop_entries", STOP), ENTRIES),
            ("ledger", (None, None, ENTRIES), STOP),
            ("ledger", (None, None, CLOSE), STOP),
        ],
    )
    def test_the_most_specific_one_counts_as_far_as_the_runtime_can(self, make, kind, chosen, how):
        strategy, option, policy = chosen
        grid = make.strategy(enabled=False, on_disable=strategy)
        files = desired(make, grid, kind=kind, option=option, policy=policy)
        action = only(planned(make, files, held(True, positions=("BTC/USDT",))))
        assert (action.kind, action.how, action.open_positions) == ("disable", how, ("BTC/USDT",))
        wanted = strategy or (OnDisable(option) if option else None) or policy
        assert ("is chosen, which a" in action.reason) == (wanted not in (None, how))

    def test_of_one_that_left_the_files_its_runtime_and_policy_decide(self, make):
        files = desired(make, policy=CLOSE, approvals=(make.approval(),))
        action = only(
            planned(make, files, held(True, positions=("BTC/USDT",)), inventory=[make.item("grid")])
        )
        assert (action.kind, action.how) == ("disable", CLOSE)

    def test_how_is_part_of_what_was_reviewed_and_what_is_open_is_not(self, make):
        grid = make.strategy(enabled=False)
        digests = {
            planned(make, desired(make, grid, option=option), held(True, positions=positions)).digest
            for option in ("stop", "stop_entries")
            for positions in (None, (), ("A/X",))
        }
        assert len(digests) == 2

    @pytest.mark.parametrize(
        ("can", "choices"),
        [
            (Can(), (STOP,)),
            (Can(tells_positions=True), (STOP,)),
            (Can(disables=(ENTRIES,), tells_positions=True), (ENTRIES,)),
            (Can(disables=(STOP, ENTRIES)), (STOP, ENTRIES)),
            (Can(disables=(ENTRIES, STOP), tells_positions=True), (ENTRIES, STOP, CLOSE)),
        ],
    )
    def test_waiting_takes_a_runtime_that_tells_and_that_opens_nothing_meanwhile(self, can, choices):
        assert can.choices == choices
        assert {can.nearest(one) for one in OnDisable} <= set(choices)


class TestCloseFirst:
    @pytest.mark.parametrize(
        ("positions", "told"),
        [
            (("BTC/USDT",), "entries stop, and the rest waits: 1 position stays open: BTC/USDT: close them"),
            (None, "entries stop, and the rest waits: it does not tell now what is open: look there"),
            ((), "it stops altogether: nothing is open"),
        ],
    )
    def test_what_runs_stops_its_entries_at_once(self, make, positions, told):
        action = only(
            planned(make, desired(make, make.strategy(enabled=False, **CLOSES)), held(True, positions))
        )
        assert (action.kind, action.how, action.checks) == ("disable", CLOSE, ())
        assert told in action.reason

    @pytest.mark.parametrize("positions", [("BTC/USDT", "ETH/USDT"), None])
    def test_what_only_manages_its_positions_waits_for_them(self, make, positions):
        files = desired(make, make.strategy(enabled=False, **CLOSES))
        action = only(planned(make, files, held(False, positions, paused=True)))
        assert (action.kind, action.how, action.checks) == ("hold", CLOSE, (CHECK,))
        assert action.open_positions == positions
        assert "run again" in action.reason
        assert all(pair in action.reason for pair in positions or ())

    def test_once_nothing_is_open_it_stops_altogether_and_no_limit_counts_it_again(self, make):
        policy = replace(make.policy, on_disable=CLOSE, thresholds=make.thresholds(disable=0))
        files = replace(desired(make, make.strategy(enabled=False)), policy=policy)
        plan = planned(make, files, held(False, (), paused=True))
        assert (only(plan).kind, only(plan).how, plan.breaches) == ("disable", CLOSE, ())
        assert planned(make, files, held(True, ())).breaches

    def test_what_stopped_altogether_needs_nothing_more(self, make):
        files = desired(make, make.strategy(enabled=False, **CLOSES))
        assert only(planned(make, files, held(False, ("BTC/USDT",)))).kind == "none"

    def test_one_that_left_git_stays_ours_until_it_stopped(self, make):
        files, item = desired(make, policy=CLOSE, approvals=(make.approval(),)), make.item("grid")
        for positions, paused, kinds, over in [
            (("A/X",), True, ["hold"], ()),
            (None, True, ["hold"], ()),
            ((), True, ["disable"], ()),
            (("A/X",), False, [], (item,)),
        ]:
            runtimes = {"paper": {"grid": held(False, positions, paused=paused)}, "live": {}}
            plan = make.plan(files, runtimes=runtimes, inventory=[item])
            assert [action.kind for action in plan.actions] == kinds
            assert ended(files, runtimes, {"grid": item}, make.abilities) == over

    @pytest.mark.parametrize(("enabled", "paused"), [(True, False), (False, True)])
    @pytest.mark.parametrize(
        ("positions", "kind"), [(("A/X",), "blocked"), (None, "blocked"), ((), "enable")]
    )
    def test_it_moves_to_another_runtime_only_once_nothing_is_open(
        self, make, enabled, paused, positions, kind
    ):
        files = desired(make, make.strategy(runtime="live"), policy=CLOSE)
        plan = planned(make, files, held(enabled, positions, paused=paused), inventory=[make.item("grid")])
        found = {action.runtime: action for action in plan.actions}
        assert found["live"].kind == kind
        assert (CHECK in found["live"].checks) == (kind == "blocked")
        assert found["paper"].kind == ("hold" if paused and kind == "blocked" else "disable")

    @pytest.mark.parametrize("positions", [("A/X",), None])
    def test_what_has_stopped_altogether_keeps_it_from_moving_no_longer(self, make, positions):
        """Whatever it left open: nobody there manages it, so there is nothing to wait for."""
        files = desired(make, make.strategy(runtime="live"), policy=CLOSE)
        plan = planned(make, files, held(False, positions), inventory=[make.item("grid")])
        assert [(action.runtime, action.kind) for action in plan.actions] == [("live", "enable")]

    def test_one_that_git_wants_again_starts_from_where_it_is(self, make):
        files = desired(make, make.strategy(**CLOSES))
        assert only(planned(make, files, held(False, ("A/X",), paused=True))).kind == "enable"

    def test_who_asks_meanwhile_whether_it_may_run_is_told_no(self, make):
        files = desired(make, make.strategy(enabled=False, **CLOSES))
        plan = planned(make, files, held(False, ("A/X",), paused=True))
        assert [one.may for one in permits_of(files, plan, (), now=make.now)] == ["stop"]


def test_a_stop_that_the_files_choose_stops_what_only_manages_its_positions(make):
    running = held(False, ("A/X",), paused=True)
    chosen = only(planned(make, desired(make, make.strategy(enabled=False, on_disable=STOP)), running))
    assert (chosen.kind, chosen.how) == ("disable", STOP)
    assert "1 position stays open: A/X, and nobody manages that" in chosen.reason
    for kind in ("bot", "blind"):
        files = desired(make, make.strategy(enabled=False), kind=kind)
        assert only(planned(make, files, running)).kind == "none"


def test_what_somebody_paused_is_not_left_alone_by_files_that_may_be_lost(make):
    """To stop it altogether leaves what it holds to nobody: that is as much as stopping one that runs."""
    running, item = held(False, ("A/X",), paused=True), make.item("grid")
    none = replace(make.policy, on_disable=STOP, thresholds=make.thresholds(disable=0))
    off = replace(desired(make, make.strategy(enabled=False)), policy=none)
    gone = desired(make, policy=STOP)
    for files in (off, gone):
        plan = planned(make, files, running, inventory=[item])
        (breach,) = plan.breaches
        assert (only(plan).kind, breach.count, breach.of) == ("hold", 1, 1)


@pytest.mark.parametrize("verdict", [{"withdraw_enabled": "fail"}, {"connection_test": "fail"}])
@pytest.mark.parametrize(("chosen", "how"), [(CLOSE, ENTRIES), (ENTRIES, ENTRIES), (STOP, STOP)])
def test_a_stop_for_safety_waits_for_no_position(make, verdict, chosen, how):
    files = desired(make, make.strategy(on_disable=chosen))
    action = only(planned(make, files, held(True, ("A/X",)), reports=(make.report(**verdict),)))
    assert (action.kind, action.how) == ("disable", how)


def plan_of(make, world, **changes):
    parts = {"runtimes": world.runtimes, "inventory": world.inventory}
    return make.plan(world.desired, reports=world.reports, since=world.since, **parts | changes)


@given(data=st.data())
def test_nothing_that_may_open_positions_ever_waits_for_those_that_are_open(make, data):
    """Invariant 12, whatever files, checks and runtimes say."""
    world = data.draw(make.worlds())
    bad = {
        report.connection.id
        for report in world.reports
        if gate(report, permits=make.permits).verdict is Verdict.FAIL
    }
    for action in plan_of(make, world).actions:
        running = (world.runtimes.get(action.runtime) or {}).get(action.strategy)
        if CHECK in action.checks and action.kind is ActionKind.HOLD:
            assert is_off(running)
            assert running.paused
        if action.kind is ActionKind.DISABLE:
            strategy = world.desired.strategies.get(action.strategy)
            wanted = strategy is not None and strategy.enabled and strategy.runtime == action.runtime
            assert action.how is not None
            assert not (wanted and action.how is CLOSE)
        runs = running is not None and not is_off(running)
        if runs and running.connection in bad and action.kind is not ActionKind.UNMANAGED:
            assert action.kind in {ActionKind.DISABLE, ActionKind.CHANGE}


@given(data=st.data())
def test_what_is_to_be_closed_first_is_told_to_stop_only_where_nothing_is_open(make, data):
    world = data.draw(make.worlds())
    every = {id_: replace(one, on_disable=CLOSE) for id_, one in world.desired.strategies.items()}
    runtimes = {name: make.runtime(name, type="bot") for name in world.desired.runtimes}
    policy = replace(world.desired.policy, on_disable=CLOSE)
    world.desired = replace(world.desired, strategies=every, runtimes=runtimes, policy=policy)
    for action in plan_of(make, world).actions:
        if action.kind is ActionKind.DISABLE:
            assert action.how in {CLOSE, ENTRIES}
            held_open = world.runtimes[action.runtime][action.strategy]
            told = held_open.bot.open_positions if held_open.bot else None
            assert action.open_positions == told
            assert not (action.paused and told != ())
