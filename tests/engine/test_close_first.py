"""`on_disable: close_first_manual` over generated histories: plans, applied, and what the bot was told.

A bot opens and closes positions as it likes, tells of them or not, is restarted by hand; git wants it, does
not, or forgets it; its key passes or fails.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.engine.apply import apply
from reconciler.engine.runtimes import ABILITIES
from reconciler.model.bot import Bot
from reconciler.model.desired import (
    Approval,
    Connection,
    CredentialRef,
    Desired,
    Guarded,
    Market,
    OnDisable,
    Policy,
    RuntimeSpec,
    Strategy,
)
from reconciler.model.errors import Mark, RuntimeFailed
from reconciler.model.finding import Finding, Severity, Subject, Verdict
from reconciler.model.live import KeyReport, Observation, Status
from reconciler.model.plan import Action, ActionKind, OutcomeState, Plan, RunningStrategy
from reconciler.model.report import ConnectionReport
from reconciler.model.runtime_kinds import RuntimeFailureKind
from reconciler.planning.plan import ended, make_plan
from reconciler.state.store import open_for_writing

STOP, ENTRIES, CLOSE = OnDisable.STOP, OnDisable.STOP_ENTRIES, OnDisable.CLOSE_FIRST_MANUAL
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MARK = Mark(file="connections.yaml", line=1)


@dataclass
class Trader:
    """A bot that tells what is open, or does not. ``told``: what it was told, while what was open.

    ``opens``: it opens one more position just before it hears that it has to stop.
    """

    state: str = "stopped"
    holds: tuple[str, ...] = ()
    tells: bool = True
    opens: bool = False
    refuses: RuntimeFailureKind | None = None
    told: list[tuple[OnDisable, tuple[str, ...] | None]] = field(default_factory=list)

    async def read(self):
        bot = Bot(open_positions=self.holds if self.tells else None)
        enabled, paused = self.state == "running", self.state == "paused"
        return {"grid": RunningStrategy(id="grid", enabled=enabled, parameters=None, bot=bot, paused=paused)}

    async def enable(self, strategy, parameters, *, connection, token):
        self.state = "running"

    async def disable(self, strategy, *, token, how):
        if self.opens and self.state == "running":
            self.holds, self.opens = ("NEW/USDT",), False
        self.told.append((how, self.holds if self.tells else None))
        if self.refuses and how is ENTRIES:
            raise RuntimeFailed("it cannot", kind=self.refuses, untouched=True)
        if how is STOP:
            self.state = "stopped"
        elif self.state == "running":
            self.state = "paused"


def report(verdict):
    finding = Finding(
        check="ip-whitelist-missing",
        verdict=verdict,
        severity=Severity.BLOCKING,
        subject=Subject.CONNECTION,
        subject_id="main",
    )
    observation = Observation(connection="main", exchange="mexc", observed_at=NOW, report=KeyReport())
    reference = CredentialRef(file="secrets/main.sops.yaml", mark=MARK, root=".")
    connection = Connection(
        id="main", name="m", exchange="mexc", market=Market.SPOT, credentials=reference, mark=MARK
    )
    return ConnectionReport(
        connection=connection, observation=observation, status=Status.CONNECTED, findings=(finding,)
    )


def files(wanted, how=CLOSE):
    """Git wants it to run (``True``), does not (``False``), or has forgotten it (``None``)."""
    strategy = Strategy(
        id="grid", name="g", connection="main", runtime="there", enabled=bool(wanted), pairs=("BTC/USDT",),
        parameters={}, mark=MARK,
    )  # fmt: skip
    spec = RuntimeSpec(id="there", type="freqtrade", mark=MARK)
    any_number = Approval(
        allow=Guarded.DISABLE, count=9, reason="", approved_by="", until=NOW.date(), mark=MARK
    )
    return Desired(
        files=("connections.yaml",),
        policy=Policy(on_disable=how),
        connections={"main": report(Verdict.PASS).connection},
        runtimes={"there": spec},
        strategies={} if wanted is None else {"grid": strategy},
        approvals=(any_number,),
    )


class Desk:
    """Passes over one bot, with a real state. ``how``: what policy chooses."""

    def __init__(self, store, bot):
        self.store, self.bot, self.how = store, bot, CLOSE

    async def plan(self, wanted, verdict):
        desired, runtimes = files(wanted, self.how), {"there": await self.bot.read()}
        inventory = self.store.inventory()
        plan = make_plan(
            desired, (report(verdict),), runtimes, inventory, {}, now=NOW,
            permits=lambda found: all(one.verdict is Verdict.PASS for one in found),
            judge=lambda _policy, _strategy: (), abilities=ABILITIES,
        )  # fmt: skip
        return plan, ended(desired, runtimes, inventory, ABILITIES)

    async def converge(self, wanted, verdict=Verdict.PASS):
        plan, over = await self.plan(wanted, verdict)
        with self.store.lease(clock=lambda: NOW) as lease:
            self.store.forget(over, token=lease.token, events=())
            given = {"store": self.store, "lease": lease, "clock": lambda: NOW}
            return plan, await apply(plan, runtimes={"there": self.bot}, **given)


@cache
def new_state():
    """A state in which nothing ever happened, as bytes: to make one anew costs more than a history."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "state.db"
        with open_for_writing(str(file)):
            pass
        return file.read_bytes()


def run(history):
    """What ``history`` makes of a new state and a bot."""

    async def lived():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "state.db"
            file.write_bytes(new_state())
            file.chmod(0o600)
            with open_for_writing(str(file)) as store:
                await history(Desk(store, Trader()))

    asyncio.run(lived())


MOMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "wanted": st.sampled_from([True, False, False, None]),
            "verdict": st.sampled_from([Verdict.PASS, Verdict.PASS, Verdict.FAIL]),
            "holds": st.sampled_from([(), ("BTC/USDT",), ("A/X", "B/X")]),
            "tells": st.sampled_from([True, True, False]),
            "opens": st.booleans(),
            "by_hand": st.sampled_from([None, None, None, "running", "paused", "stopped"]),
        }
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=30, deadline=None)
@given(moments=MOMENTS)
def test_it_is_stopped_only_while_nothing_is_open_and_its_entries_at_once(moments):
    async def history(desk):
        bot = desk.bot
        for moment in moments:
            bot.holds, bot.tells, bot.opens = moment["holds"], moment["tells"], moment["opens"]
            bot.state = moment["by_hand"] or bot.state
            before, ours = bot.state, "grid" in desk.store.inventory()
            bot.told.clear()
            wanted, verdict = moment["wanted"], moment["verdict"]
            _, outcomes = await desk.converge(wanted, verdict)
            assert {one.state for one in outcomes} <= {OutcomeState.DONE}
            assert all(held == () for how, held in bot.told if how is STOP)
            if wanted is not None or ours:  # invariants 12 and 3: nothing waits that may open anything
                assert (bot.state == "running") == bool(wanted and verdict is Verdict.PASS)
            else:  # invariant 9
                assert bot.state == before
            assert (await desk.plan(wanted, verdict))[0].changes == ()  # invariant 10
        bot.holds, bot.tells, bot.opens = (), True, False
        touched = "grid" in desk.store.inventory()
        await desk.converge(None)
        assert not touched or bot.state == "stopped"
        assert desk.store.inventory() == {}

    run(history)


def test_it_waits_says_for_what_and_stops_altogether_once_that_is_closed():
    async def history(desk):
        bot = desk.bot
        await desk.converge(True)
        bot.holds = ("BTC/USDT",)
        plan, (outcome,) = await desk.converge(None)
        assert (outcome.state, bot.state, bot.told) == ("done", "paused", [(ENTRIES, ("BTC/USDT",))])
        assert "grid" in desk.store.inventory()  # ours until it has stopped
        plan, outcomes = await desk.converge(None)
        assert (plan.actions[0].kind, plan.actions[0].open_positions, outcomes) == ("hold", bot.holds, ())
        bot.tells = False
        assert (await desk.converge(None))[0].actions[0].kind == "hold"
        bot.holds, bot.tells = (), True
        await desk.converge(None)
        assert (bot.state, desk.store.inventory()) == ("stopped", {})
        assert (await desk.plan(None, Verdict.PASS))[0].actions == ()

    run(history)


@pytest.mark.parametrize(
    ("how", "holds", "kind", "left"),
    [
        (CLOSE, ("BTC/USDT",), "hold", "paused"),
        (CLOSE, (), "disable", "stopped"),
        (STOP, ("BTC/USDT",), "disable", "stopped"),
    ],
)
def test_what_was_paused_for_safety_stays_ours_and_stops_once_git_forgets_it(how, holds, kind, left):
    async def history(desk):
        bot, desk.how = desk.bot, ENTRIES
        await desk.converge(True)
        bot.holds = holds
        _, (outcome,) = await desk.converge(True, Verdict.FAIL)
        assert (outcome.state, bot.state, set(desk.store.inventory())) == ("done", "paused", {"grid"})
        assert (await desk.plan(True, Verdict.FAIL))[0].changes == ()
        desk.how = how
        plan, _ = await desk.converge(None, Verdict.FAIL)
        assert ([one.kind for one in plan.actions], bot.state) == ([kind], left)
        assert set(desk.store.inventory()) == ({"grid"} if left == "paused" else set())
        assert (await desk.plan(None, Verdict.FAIL))[0].changes == ()

    run(history)


def test_what_was_paused_for_safety_is_let_go_where_git_forgets_it_and_chooses_nothing_more():
    async def history(desk):
        bot, desk.how = desk.bot, ENTRIES
        await desk.converge(True)
        await desk.converge(True, Verdict.FAIL)
        plan, _ = await desk.converge(None, Verdict.FAIL)
        assert (plan.actions, bot.state, desk.store.inventory()) == ((), "paused", {})

    run(history)


def test_one_that_somebody_else_started_is_none_of_ours_by_a_pause_for_safety():
    """Invariant 9: git wanted it while it was paused; nothing more is done to it once git forgets it."""

    async def history(desk):
        bot = desk.bot
        bot.state = "running"
        await desk.converge(True, Verdict.FAIL)
        assert (bot.state, desk.store.inventory()) == ("paused", {})
        plan, _ = await desk.converge(None, Verdict.FAIL)
        assert (plan.actions, bot.state) == ((), "paused")

    run(history)


def test_what_only_the_files_stopped_as_they_chose_is_ours_no_longer():
    async def history(desk):
        bot, desk.how = desk.bot, ENTRIES
        await desk.converge(True)
        await desk.converge(False)
        assert (bot.state, desk.store.inventory()) == ("paused", {})

    run(history)


def test_a_position_that_is_opened_after_the_plan_is_not_left_alone():
    async def history(desk):
        bot = desk.bot
        await desk.converge(True)
        plan, _ = await desk.plan(False, Verdict.PASS)
        assert plan.actions[0].open_positions == ()
        bot.opens = True
        with desk.store.lease(clock=lambda: NOW) as lease:
            given = {"store": desk.store, "lease": lease, "clock": lambda: NOW}
            (outcome,) = await apply(plan, runtimes={"there": bot}, **given)
        assert (outcome.state, bot.state) == ("done", "paused")

    run(history)


def test_it_starts_nowhere_else_where_a_position_was_opened_meanwhile():
    async def history(desk):
        bot, other = desk.bot, Trader()
        await desk.converge(True)
        leave = Action(
            kind=ActionKind.DISABLE, strategy="grid", runtime="there", reason="", how=CLOSE, open_positions=()
        )
        arrive = Action(kind=ActionKind.ENABLE, strategy="grid", runtime="else", reason="", connection="main")
        bot.opens = True
        with desk.store.lease(clock=lambda: NOW) as lease:
            given = {"store": desk.store, "lease": lease, "clock": lambda: NOW}
            plan = Plan(actions=(leave, arrive), digest="")
            outcomes = await apply(plan, runtimes={"there": bot, "else": other}, **given)
        assert [one.state for one in outcomes] == ["done", "not_tried"]
        assert (bot.state, other.state) == ("paused", "stopped")
        assert desk.store.inventory()["grid"].runtime == "there"

    run(history)


@pytest.mark.parametrize(
    "kind",
    [RuntimeFailureKind.REFUSED, RuntimeFailureKind.WRONG_VERSION, RuntimeFailureKind.UNAUTHORISED],
)
@pytest.mark.parametrize(
    ("checks", "told", "state"), [((), [ENTRIES], "running"), (("key-shared",), [ENTRIES, STOP], "stopped")]
)
def test_where_entries_cannot_be_stopped_a_stop_for_safety_is_one_altogether(kind, checks, told, state):
    async def history(desk):
        bot = desk.bot
        await desk.converge(True)
        bot.refuses = kind
        action = Action(
            kind=ActionKind.DISABLE, strategy="grid", runtime="there", reason="", checks=checks, how=ENTRIES
        )
        with desk.store.lease(clock=lambda: NOW) as lease:
            given = {"store": desk.store, "lease": lease, "clock": lambda: NOW}
            (outcome,) = await apply(Plan(actions=(action,), digest=""), runtimes={"there": bot}, **given)
        assert ([how for how, _ in bot.told], bot.state) == (told, state)
        assert outcome.state == ("done" if checks else "failed")
        assert ("nobody manages what stays open" in outcome.detail) == bool(checks)

    run(history)


def test_what_waits_in_one_place_keeps_no_other_place_from_stopping():
    """Somebody started it in the runtime to which it is to move: there its key fails."""

    async def history(desk):
        bot, other = desk.bot, Trader(state="running")
        await desk.converge(True)
        bot.holds = ("BTC/USDT",)
        leave = Action(kind=ActionKind.DISABLE, strategy="grid", runtime="there", reason="", how=CLOSE)
        stop = replace(leave, runtime="zzz", checks=("withdraw-enabled",), how=ENTRIES)
        with desk.store.lease(clock=lambda: NOW) as lease:
            given = {"store": desk.store, "lease": lease, "clock": lambda: NOW}
            for actions in ((leave, stop), (leave, replace(stop, checks=()))):
                other.state = "running"
                plan = Plan(actions=actions, digest="")
                outcomes = await apply(plan, runtimes={"there": bot, "zzz": other}, **given)
                assert [one.state for one in outcomes] == ["done", "done"]
                assert (bot.state, other.state) == ("paused", "paused")

    run(history)


def test_a_stop_that_left_it_managing_its_positions_did_not_take_effect():
    async def history(desk):
        bot = desk.bot
        await desk.converge(True)

        async def only_pauses(strategy, *, token, how):
            bot.state = "paused"

        bot.disable = only_pauses
        action = Action(kind=ActionKind.DISABLE, strategy="grid", runtime="there", reason="")
        for how, state in ((STOP, "failed"), (ENTRIES, "done")):
            with desk.store.lease(clock=lambda: NOW) as lease:
                given = {"store": desk.store, "lease": lease, "clock": lambda: NOW}
                plan = Plan(actions=(replace(action, how=how),), digest="")
                (outcome,) = await apply(plan, runtimes={"there": bot}, **given)
            assert outcome.state == state

    run(history)
