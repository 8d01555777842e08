"""Applying a plan: what is done, what is not, and what is recorded of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.engine.apply import apply, recover
from reconciler.model.errors import ReconcilerError, StateError
from reconciler.model.event import EventKind, Origin
from reconciler.model.plan import Action, ActionKind, OutcomeState, Plan, RunningStrategy
from reconciler.state.store import open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DONE, FAILED, NOT_TRIED, UNKNOWN = (
    OutcomeState.DONE,
    OutcomeState.FAILED,
    OutcomeState.NOT_TRIED,
    OutcomeState.UNKNOWN,
)


class Bots:
    """A runtime outside of our process, with the faults that such have.

    ``before`` and ``after`` hold what a call on a strategy raises before or after it took effect.
    """

    def __init__(self):
        self.holds = {}
        self.calls = []
        self.before = {}
        self.after = {}
        self.unreadable = None
        self.wrong_connection = None

    async def read(self):
        if self.unreadable:
            raise self.unreadable
        return dict(self.holds)

    async def enable(self, strategy, parameters, *, connection, token):
        self._do("enable", strategy, self._running(strategy, parameters, connection))

    async def change(self, strategy, parameters, *, connection, token):
        self._do("change", strategy, self._running(strategy, parameters, connection))

    def _running(self, strategy, parameters, connection):
        told = self.wrong_connection or connection
        return RunningStrategy(id=strategy, enabled=True, connection=told, parameters=parameters)

    async def disable(self, strategy, *, token, how):
        self._do("disable", strategy, None)

    def _do(self, what, strategy, held):
        self.calls.append((what, strategy))
        if error := self.before.get(strategy):
            raise error
        self.holds.pop(strategy, None)
        if held:
            self.holds[strategy] = held
        if error := self.after.get(strategy):
            raise error


@pytest.fixture
def bots():
    return Bots()


class Desk:
    """A state, a lease and the runtimes: what an apply needs."""

    def __init__(self, store, lease, bots):
        self.store, self.lease, self.bots = store, lease, bots
        self.now = START

    def clock(self):
        return self.now

    async def apply(self, *actions, **options):
        plan = Plan(actions=actions, digest="ab12")
        return await apply(plan, **self._common(), **options)

    async def recover(self):
        return await recover(**self._common())

    def _common(self):
        runtimes = {"bots": self.bots}
        return {"runtimes": runtimes, "store": self.store, "lease": self.lease, "clock": self.clock}


@pytest.fixture
def desk(tmp_path, bots):
    with open_for_writing(str(tmp_path / "state.db")) as store:
        made = Desk(store, None, bots)
        with store.lease(clock=lambda: made.now) as lease:
            made.lease = lease
            yield made


def action(kind, strategy, after=None, runtime="bots"):
    return Action(kind=kind, strategy=strategy, runtime=runtime, reason="", connection="mexc", after=after)


def enable(strategy, after=None, **more):
    return action(ActionKind.ENABLE, strategy, {"pairs": ["BTC/USDT"]} if after is None else after, **more)


def change(strategy, after):
    return action(ActionKind.CHANGE, strategy, after)


def disable(strategy, **more):
    return action(ActionKind.DISABLE, strategy, **more)


def states(outcomes):
    return [outcome.state for outcome in outcomes]


async def test_enabling_runs_it_and_makes_it_ours(desk, bots):
    (outcome,) = await desk.apply(enable("btc"))
    assert (outcome.state, outcome.detail, outcome.at) == (DONE, "", START)
    assert bots.holds["btc"].enabled
    item = desk.store.inventory()["btc"]
    assert (item.runtime, item.connection, item.enabled_at) == ("bots", "mexc", START)
    assert item.parameters == {"pairs": ["BTC/USDT"]}


async def test_disabling_stops_it_and_ends_our_claim(desk, bots):
    await desk.apply(enable("btc"))
    assert states(await desk.apply(disable("btc"))) == [DONE]
    assert bots.holds == {}
    assert desk.store.inventory() == {}


async def test_changing_updates_what_is_ours_and_claims_nothing_else(desk, bots):
    bots.holds["theirs"] = RunningStrategy(id="theirs", enabled=True)
    await desk.apply(enable("ours"))
    settings = {"risk_level": "conservative"}
    outcomes = await desk.apply(change("ours", settings), change("theirs", settings))
    assert states(outcomes) == [DONE, DONE]
    assert {key: item.parameters for key, item in desk.store.inventory().items()} == {"ours": settings}


async def test_disables_go_first_whatever_the_order_of_the_plan(desk, bots):
    for strategy in ("a", "b"):
        bots.holds[strategy] = RunningStrategy(id=strategy, enabled=True)
    await desk.apply(enable("c"), change("b", {"x": 1}), disable("a"))
    assert bots.calls == [("disable", "a"), ("change", "b"), ("enable", "c")]


async def test_a_stop_for_safety_waits_for_none_that_only_the_files_ask_for(desk, bots):
    for strategy in ("a", "b", "c"):
        bots.holds[strategy] = RunningStrategy(id=strategy, enabled=True)
    outcomes = await desk.apply(
        disable("a"),
        replace(disable("b"), checks=("key-shared",)),
        disable("c"),
        stop=lambda: bool(bots.calls),
    )
    assert bots.calls == [("disable", "b")]
    assert [one.action.strategy for one in outcomes] == ["b", "a", "c"]


class Waiting(Bots):
    """Bots that stop only once somebody says so; or are waited for in vain."""

    def __init__(self):
        super().__init__()
        self.asked, self.told = asyncio.Event(), asyncio.Event()

    async def disable(self, strategy, **more):
        self.asked.set()
        await self.told.wait()
        await super().disable(strategy, **more)


async def test_a_runtime_that_hangs_keeps_nothing_from_being_stopped_in_another(desk, bots):
    slow = Waiting()
    for strategy in ("a", "b", "c"):
        slow.holds[strategy] = bots.holds[strategy] = RunningStrategy(id=strategy, enabled=True)

    def seen(outcome):
        if outcome.action.strategy == "c":
            assert slow.asked.is_set()
            assert slow.calls == []
            slow.told.set()

    plan = Plan(
        actions=(disable("a", runtime="slow"), disable("b"), disable("c"), enable("d", runtime="slow")),
        digest="",
    )
    outcomes = await apply(
        plan,
        runtimes={"slow": slow, "bots": bots},
        store=desk.store,
        lease=desk.lease,
        clock=desk.clock,
        progress=seen,
    )
    assert [(one.action.strategy, one.state) for one in outcomes] == [(name, DONE) for name in "abcd"]
    assert bots.calls == [("disable", "b"), ("disable", "c")]
    assert slow.calls == [("disable", "a"), ("enable", "d")]


class Together(Bots):
    """Bots of which each stop waits until so many are under way; ``most`` is how many there were at once."""

    def __init__(self, wanted):
        super().__init__()
        self.wanted, self.under_way, self.most = wanted, 0, 0
        self.begun = []
        self.enough = asyncio.Event()

    async def disable(self, strategy, **more):
        self.begun.append(strategy)
        self.under_way += 1
        self.most = max(self.under_way, self.most)
        if self.under_way == self.wanted:
            self.enough.set()
        await self.enough.wait()
        await super().disable(strategy, **more)
        self.under_way -= 1


@pytest.mark.parametrize("at_once", [{}, {"bots": 1}, {"bots": 3}, {"bots": 9}])
async def test_so_many_stops_go_on_at_once_in_a_runtime_as_it_takes(desk, at_once):
    names = [f"s{number}" for number in range(7)]
    wanted = min(at_once.get("bots", 1), len(names))
    desk.bots = Together(wanted)
    desk.bots.holds = {name: RunningStrategy(id=name, enabled=True) for name in names}
    stops = [replace(disable(name), checks=("key-shared",) if name > "s3" else ()) for name in names]
    outcomes = await desk.apply(*stops, enable("late"), stops_at_once=at_once)
    assert desk.bots.most == wanted
    assert [one.action.strategy for one in outcomes] == [*names[4:], *names[:4], "late"]
    assert set(states(outcomes)) == {DONE}
    assert [what for what, _ in desk.bots.calls] == ["disable"] * 7 + ["enable"]
    assert desk.bots.begun == [*names[4:], *names[:4]], "those for safety go first"
    assert desk.store.unfinished() == ()


async def test_of_several_stops_at_once_one_that_fails_hinders_none_and_is_found_again(desk):
    desk.bots = Together(3)
    desk.bots.holds = {name: RunningStrategy(id=name, enabled=True) for name in "abc"}
    desk.bots.before["b"] = OSError("the connection broke off")
    outcomes = await desk.apply(*map(disable, "abc"), enable("b", runtime="bots"), stops_at_once={"bots": 3})
    told = {(one.action.kind.value, one.action.strategy): one.state for one in outcomes}
    assert told == {
        ("disable", "a"): DONE, ("disable", "b"): FAILED, ("disable", "c"): DONE, ("enable", "b"): NOT_TRIED,
    }  # fmt: skip
    assert [intent.action.strategy for intent in desk.store.unfinished()] == ["b"]


async def test_an_interruption_lets_all_stops_finish_that_are_under_way(desk):
    desk.bots = Together(2)
    desk.bots.holds = {name: RunningStrategy(id=name, enabled=True) for name in "abcd"}
    outcomes = await desk.apply(
        *map(disable, "abcd"), stops_at_once={"bots": 2}, stop=lambda: desk.bots.under_way == 2
    )
    assert states(outcomes)[:2] == [DONE, DONE]
    assert desk.store.unfinished() == ()


class Fault(BaseException):
    """What no part of an apply may take for an answer."""


async def test_a_fault_of_ours_ends_what_is_going_on_in_other_runtimes(desk, bots):
    slow = Waiting()
    slow.holds["a"] = bots.holds["b"] = RunningStrategy(id="a", enabled=True)
    bots.before["b"] = Fault()
    plan = Plan(actions=(disable("a", runtime="slow"), disable("b")), digest="")
    runtimes = {"slow": slow, "bots": bots}
    with pytest.raises(Fault):
        await apply(plan, runtimes=runtimes, store=desk.store, lease=desk.lease, clock=desk.clock)
    slow.told.set()
    await asyncio.sleep(0)
    assert slow.calls == []
    assert {intent.action.strategy for intent in desk.store.unfinished()} == {"a", "b"}


async def test_what_does_not_act_is_left_alone(desk, bots):
    quiet = [kind for kind in ActionKind if not kind.acts]
    assert await desk.apply(*(action(kind, kind.value) for kind in quiet)) == ()
    assert bots.calls == []
    assert desk.store.journal() == ()


async def test_one_failure_stops_no_other_action(desk, bots):
    for strategy in ("a", "b", "c"):
        bots.holds[strategy] = RunningStrategy(id=strategy, enabled=True)
    bots.before["a"] = ReconcilerError("the bot refuses")
    bots.before["b"] = OSError("https://user:hunter2@bots/")
    outcomes = await desk.apply(disable("a"), disable("b"), disable("c"), enable("d"))
    assert states(outcomes) == [FAILED, FAILED, DONE, DONE]
    assert "the bot refuses" in outcomes[0].detail
    assert "OSError" in outcomes[1].detail
    assert "hunter2" not in outcomes[1].detail


async def test_a_strategy_whose_disable_failed_is_not_enabled_elsewhere(desk, bots):
    bots.holds["btc"] = RunningStrategy(id="btc", enabled=True)
    bots.before["btc"] = ReconcilerError("the bot refuses")
    other = Bots()
    plan = Plan(actions=(disable("btc"), enable("btc", runtime="other")), digest="")
    runtimes = {"bots": bots, "other": other}
    outcomes = await apply(plan, runtimes=runtimes, store=desk.store, lease=desk.lease, clock=desk.clock)
    assert states(outcomes) == [FAILED, NOT_TRIED]
    assert other.calls == []


async def test_a_strategy_that_cannot_be_stopped_in_one_place_is_stopped_in_the_other(desk, bots):
    """It was started by hand where git has it now, and its key fails: the stop there waits for nothing."""
    other = Bots()
    for one in (bots, other):
        one.holds["btc"] = RunningStrategy(id="btc", enabled=True)
    bots.before["btc"] = ReconcilerError("the bot refuses")
    unsafe = replace(disable("btc", runtime="other"), checks=("withdraw-enabled",))
    left = replace(disable("btc"), checks=("withdraw-enabled",))
    runtimes = {"bots": bots, "other": other}
    given = {"runtimes": runtimes, "store": desk.store, "lease": desk.lease, "clock": desk.clock}
    outcomes = await apply(Plan(actions=(left, unsafe), digest=""), **given)
    assert states(outcomes) == [FAILED, DONE]
    assert other.holds == {}


async def test_the_runtimes_word_outranks_that_of_the_call(desk, bots):
    bots.after["btc"] = TimeoutError()
    (outcome,) = await desk.apply(enable("btc"))
    assert outcome.state is DONE
    assert "did not end in time" in outcome.detail
    assert "btc" in desk.store.inventory()
    assert desk.store.unfinished() == ()


async def test_a_call_that_claims_success_without_effect_has_failed(desk, bots):
    bots._do = lambda *_args: None
    (outcome,) = await desk.apply(enable("btc"))
    assert outcome.state is FAILED
    assert "not in effect" in outcome.detail
    assert desk.store.inventory() == {}
    assert desk.store.unfinished() == ()


async def test_a_known_refusal_claims_nothing_even_when_somebody_else_runs_it(desk, bots):
    bots.holds["btc"] = RunningStrategy(id="btc", enabled=True, parameters={"pairs": ["BTC/USDT"]})
    bots.before["btc"] = ReconcilerError("already running")
    (outcome,) = await desk.apply(enable("btc"))
    assert outcome.state is DONE
    assert desk.store.inventory() == {}


async def test_what_runs_with_other_parameters_after_enabling_is_ours_but_not_done(desk, bots):
    async def deaf(strategy, parameters, *, connection, token):
        bots.holds[strategy] = RunningStrategy(id=strategy, enabled=True, parameters={"pairs": []})

    bots.enable = deaf
    (outcome,) = await desk.apply(enable("btc"))
    assert outcome.state is FAILED
    assert desk.store.inventory()["btc"].parameters == {"pairs": []}


@pytest.mark.parametrize("silence", [ReconcilerError("gone"), OSError(), KeyError("x")], ids=repr)
async def test_what_cannot_be_read_back_is_unknown_and_stays_open(desk, bots, silence):
    bots.unreadable = silence
    (outcome,) = await desk.apply(enable("btc"))
    assert outcome.state is UNKNOWN
    assert desk.store.inventory() == {}
    assert len(desk.store.unfinished()) == 1
    assert states(await desk.recover()) == [UNKNOWN]
    bots.unreadable = None
    assert states(await desk.recover()) == [DONE]
    assert "btc" in desk.store.inventory()
    assert await desk.recover() == ()


async def test_a_runtime_that_does_not_tell_is_unknown(desk, bots):
    for act in (enable("btc"), disable("btc")):
        bots._do = lambda _what, key, _held: bots.holds.update({key: RunningStrategy(id=key, enabled=None)})
        assert states(await desk.apply(act)) == [UNKNOWN]
    assert desk.store.inventory() == {}


async def test_an_effect_that_comes_late_is_found_by_the_next_pass(desk, bots):
    bots.before["btc"] = TimeoutError()
    (outcome,) = await desk.apply(enable("btc"))
    assert outcome.state is FAILED
    assert "may come late" in outcome.detail
    bots.holds["btc"] = RunningStrategy(id="btc", enabled=True, parameters={"pairs": ["BTC/USDT"]})
    assert states(await desk.recover()) == [DONE]
    assert "btc" in desk.store.inventory()


async def test_an_effect_that_never_comes_is_settled_by_the_next_pass(desk, bots):
    bots.before["btc"] = TimeoutError()
    await desk.apply(enable("btc"))
    assert states(await desk.recover()) == [FAILED]
    assert desk.store.unfinished() == ()
    assert desk.store.inventory() == {}


async def test_a_late_disable_is_settled_too(desk, bots):
    await desk.apply(enable("btc"))
    bots.before["btc"] = TimeoutError()
    assert states(await desk.apply(disable("btc"))) == [FAILED]
    assert "btc" in desk.store.inventory()
    bots.holds.clear()
    assert states(await desk.recover()) == [DONE]
    assert desk.store.inventory() == {}


async def test_a_runtime_that_is_not_there_fails_with_a_fix_and_journals_nothing(desk):
    (outcome,) = await desk.apply(disable("btc", runtime="gone"))
    assert outcome.state is FAILED
    assert "put it back" in outcome.detail
    assert desk.store.journal() == ()


async def test_an_action_whose_runtime_left_the_files_stays_open_until_it_is_back(desk, bots):
    bots.unreadable = OSError()
    await desk.apply(enable("btc"))
    bots.unreadable = None
    common = {"store": desk.store, "lease": desk.lease, "clock": desk.clock}
    assert states(await recover(runtimes={}, **common)) == [UNKNOWN]
    assert states(await recover(runtimes={"bots": bots}, **common)) == [DONE]


async def test_an_interruption_lets_the_action_finish_and_leaves_the_rest(desk, bots):
    seen = []
    outcomes = await desk.apply(
        enable("a"), enable("b"), enable("c"), progress=seen.append, stop=lambda: bool(bots.calls)
    )
    assert states(outcomes) == [DONE, NOT_TRIED, NOT_TRIED]
    assert tuple(seen) == outcomes
    assert bots.calls == [("enable", "a")]
    assert set(desk.store.inventory()) == {"a"}


async def test_a_lost_lease_stops_everything_and_says_so(desk, bots):
    def time_flies(_outcome):
        desk.now += timedelta(hours=1)

    outcomes = await desk.apply(enable("a"), enable("b"), enable("c"), progress=time_flies)
    assert states(outcomes) == [DONE, NOT_TRIED, NOT_TRIED]
    assert desk.lease.lost
    assert "lost its lock" in outcomes[1].detail
    assert bots.calls == [("enable", "a")]


async def test_a_holder_superseded_in_mid_action_records_nothing(desk, bots, tmp_path):
    real = bots.enable

    async def slow(strategy, parameters, *, connection, token):
        await real(strategy, parameters, connection=connection, token=token)
        with (
            open_for_writing(str(tmp_path / "state.db")) as other,
            other.lease(clock=lambda: START + timedelta(hours=1)),
        ):
            pass

    bots.enable = slow
    outcomes = await desk.apply(enable("a"), enable("b"))
    assert states(outcomes) == [UNKNOWN, NOT_TRIED]
    assert "could not be recorded" in outcomes[0].detail
    assert desk.store.inventory() == {}
    assert [intent.action.strategy for intent in desk.store.unfinished()] == ["a"]


async def test_a_state_that_cannot_be_written_keeps_hands_off_the_runtime(desk, bots, monkeypatch):
    def full(_work):
        raise StateError("the disk is full")

    monkeypatch.setattr(desk.store._db, "write", full)
    outcomes = await desk.apply(enable("a"), enable("b"))
    assert states(outcomes) == [FAILED, FAILED]
    assert "the disk is full" in outcomes[0].detail
    assert bots.calls == []


async def test_an_outcome_that_cannot_be_recorded_is_unknown_and_found_again(desk, bots, monkeypatch):
    real = desk.store._db.write

    def full(_work):
        raise StateError("the disk is full")

    with monkeypatch.context() as patch:
        bots._do = lambda *args: (Bots._do(bots, *args), patch.setattr(desk.store._db, "write", full))
        (outcome,) = await desk.apply(enable("a"))
    assert outcome.state is UNKNOWN
    assert "the disk is full" in outcome.detail
    assert desk.store._db.write == real
    assert states(await desk.recover()) == [DONE]
    assert "a" in desk.store.inventory()


async def test_the_journal_tells_the_pass_and_every_outcome(desk, bots):
    number = desk.store.begin_pass(mode="apply", started_at=START)
    bots.before["b"] = ReconcilerError("no")
    await desk.apply(enable("a"), enable("b"), origin=Origin(by="ada", pass_id=number))
    lines = {line.action.strategy: line for line in desk.store.journal()}
    assert {key: line.outcome for key, line in lines.items()} == {"a": DONE, "b": FAILED}
    assert {line.pass_id for line in lines.values()} == {number}
    assert "no" in lines["b"].detail
    told = {one.event.subject_id: one.event for one in desk.store.events()}
    assert {key: event.kind for key, event in told.items()} == {"a": EventKind.ENABLED, "b": EventKind.FAILED}
    assert {event.origin for event in told.values()} == {Origin(by="ada", pass_id=number)}


async def test_reordered_pairs_count_as_in_effect_as_they_do_for_planning(desk, bots):
    async def sorting(strategy, parameters, *, connection, token):
        pairs = sorted(parameters["pairs"])
        bots.holds[strategy] = RunningStrategy(id=strategy, enabled=True, parameters={"pairs": pairs})

    bots.enable = sorting
    assert states(await desk.apply(enable("a", {"pairs": ("ETH/USDT", "BTC/USDT")}))) == [DONE]


async def test_a_change_records_the_connection_that_it_moved_to(desk):
    await desk.apply(enable("btc"))
    moved = replace(change("btc", {"pairs": ["BTC/USDT"]}), connection="kucoin")
    assert states(await desk.apply(moved)) == [DONE]
    assert desk.store.inventory()["btc"].connection == "kucoin"


async def test_a_runtime_that_runs_it_on_another_connection_has_not_done_it(desk):
    """The key that passed the checks is the one to trade on, and no other."""
    desk.bots.wrong_connection = "kucoin"
    (outcome,) = await desk.apply(enable("btc", {"pairs": ["BTC/USDT"]}))
    assert outcome.state is OutcomeState.FAILED
