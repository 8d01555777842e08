"""An emergency stop, whatever else is broken: runtimes, files, the lock, the state itself."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.engine import lockdown as job
from reconciler.engine import lockdown_lift
from reconciler.engine.settings import Settings
from reconciler.model.emergency import Wanted
from reconciler.model.errors import ExitCode, ReconcilerError, UsageError
from reconciler.model.event import EventKind, EventSeverity
from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.memory import May, Permit, Reading, Scope
from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome, OutcomeState, RunningStrategy
from reconciler.runtimes import registry
from reconciler.runtimes.bounded import Limits
from reconciler.runtimes.interface import RuntimeType
from reconciler.runtimes.ledger import Ledger
from reconciler.state.records import Holder
from reconciler.state.store import open_for_reading, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
ADA = Holder(host="server", pid=4711, user="ada", started_at=START)
EVERYTHING = Wanted(scope=Scope.ALL, scope_id="", reason="a key leaked")
MEXC = Wanted(scope=Scope.EXCHANGE, scope_id="mexc", reason="a key leaked")
SPARE = Wanted(scope=Scope.CONNECTION, scope_id="spare", reason="a key leaked")
SOON = Limits(call=0.05, runtime=0.08)


def of_connection(name):
    return replace(SPARE, scope_id=name)


class Remote:
    """A runtime elsewhere, which answers as it is told to: not at all, with an error, or well."""

    def __init__(self, *running, connection=None, read="well", disable="well"):
        self.held = {name: RunningStrategy(id=name, enabled=True, connection=connection) for name in running}
        self.moods = {"read": read, "disable": disable}
        self.asked = []

    async def _mood(self, call):
        match self.moods[call]:
            case "hangs":
                await asyncio.Event().wait()
            case "refuses":
                raise ReconcilerError("the bot says no")
            case "breaks":
                raise OSError("secret-of-the-network")

    async def read(self):
        await self._mood("read")
        return dict(self.held)

    async def disable(self, strategy, *, token, how):
        self.asked.append((strategy, token))
        await self._mood("disable")
        if strategy in self.held:
            self.held[strategy] = replace(self.held[strategy], enabled=False)

    async def close(self):
        self.closed = True


class Desk:
    """Connections of two exchanges, embedded and other runtimes, and a state."""

    def __init__(self, root, url, monkeypatch):
        self.file, self.url = root / "connections.yaml", url
        self.now, self.said, self.remotes = START, [], {}
        self.wants = {}
        monkeypatch.setattr(
            registry,
            "TYPES",
            {"ledger": RuntimeType(name="ledger", open=self._opened)},
        )
        (root / "secrets").mkdir()
        for name, exchange in (("main", "mexc"), ("spare", "kucoin")):
            secret = f"connection: {name}\nexchange: {exchange}\napi_key: x\n"
            (root / "secrets" / f"{name}.sops.yaml").write_text(secret)

    def _opened(self, opening):
        name = opening.spec.id
        return self.remotes.get(name) or Ledger(name, opening.state)

    def want(self, strategy, connection="main", runtime="paper", *, enabled=True):
        self.wants[strategy] = {
            "name": strategy,
            "connection": connection,
            "runtime": runtime,
            "enabled": enabled,
            "pairs": ["BTC/USDT"],
            "risk_level": "conservative",
            "margin_limit": {"amount": "500", "currency": "USDT"},
        }

    def write(self):
        document = {
            "version": 1,
            "egress": {"bot": {"addresses": ["203.0.113.10"]}},
            "connections": {
                name: {
                    "name": f"{exchange} {name}",
                    "exchange": exchange,
                    "market": "spot",
                    "egress": "bot",
                    "credentials": f"secrets/{name}.sops.yaml",
                }
                for name, exchange in (("main", "mexc"), ("spare", "kucoin"))
            },
            "runtimes": {name: {"type": "ledger"} for name in ("paper", *self.remotes)},
            "strategies": self.wants,
        }
        self.file.write_text(json.dumps(document))

    @property
    def settings(self):
        async def sleep(seconds):
            self.now += timedelta(seconds=seconds)

        return Settings(
            files=(str(self.file),),
            state=self.url,
            environ={},
            now=lambda: self.now,
            sleep=sleep,
            notice=self.said.append,
        )

    def own(self, strategy, connection="main", runtime="paper", *, begun=False):
        """Have it enabled by this tool; with ``begun`` by an apply that was killed before it said so."""
        action = Action(
            kind=ActionKind.ENABLE,
            strategy=strategy,
            runtime=runtime,
            reason="",
            connection=connection,
            after={},
        )
        with open_for_writing(self.url) as store, store.lease(clock=lambda: self.now) as lease:
            intent = store.intend(action, token=lease.token, at=self.now)
            if runtime not in self.remotes:
                store.ledger_enable(runtime, strategy, {}, connection=connection, token=lease.token)
            if not begun:
                item = InventoryItem(
                    strategy=strategy, runtime=runtime, connection=connection, enabled_at=self.now
                )
                outcome = Outcome(action=action, state=OutcomeState.DONE)
                store.conclude(intent, outcome, token=lease.token, at=self.now, keep=item)

    def by_hand(self, strategy, connection="main", runtime="paper"):
        """Have it run although this tool never started it."""
        with open_for_writing(self.url) as store, store.lease(clock=lambda: self.now) as lease:
            store.ledger_enable(runtime, strategy, {}, connection=connection, token=lease.token)

    def applied(self, **readings):
        """Have had a pass, which read these connections: name -> (exchange, key)."""
        with open_for_writing(self.url) as store, store.lease(clock=lambda: self.now) as lease:
            number = store.begin_pass(mode="apply", started_at=self.now)
            new = [
                Reading(
                    connection=name,
                    exchange=exchange,
                    at=self.now,
                    status=Status.CONNECTED,
                    verdict=Verdict.PASS,
                    key=key,
                )
                for name, (exchange, key) in readings.items()
            ]
            store.record_evidence(new, token=lease.token)
            store.finish_pass(number, finished_at=self.now, exit_code=0, summary={})

    def permit(self, strategy, connection, runtime="paper", may=May.RUN):
        with open_for_writing(self.url) as store, store.lease(clock=lambda: self.now) as lease:
            one = Permit(
                strategy=strategy, runtime=runtime, connection=connection, may=may, why="", at=self.now
            )
            store.record_decisions(token=lease.token, permits=[one], strategies=[strategy], conditions=[])

    def lockdown(self, wanted=EVERYTHING, *, write=True, limits=SOON):
        if write:
            self.write()
        with ExitStack() as opened:
            declared = job.declare(self.settings, wanted, opened)
            return asyncio.run(declared.enforce(limits=limits))

    def running(self, runtime="paper"):
        rows = open_for_reading(self.url).ledger_rows(runtime)
        return sorted(name for name, row in rows.items() if row.enabled)


@pytest.fixture
def desk(tmp_path, state_url, monkeypatch):
    return Desk(tmp_path, state_url, monkeypatch)


def states(told):
    return {one.action.strategy: one.state.value for one in told.outcomes}


def key(*, withdraw=False, restricted=True, uid="77"):
    return {
        "permissions": {"read": True, "spot": True, "withdraw": withdraw},
        "ip_whitelist": {"restricted": restricted, "addresses": ["203.0.113.10"] if restricted else None},
        "account": {"uid": uid},
        "expires_at": None,
        "disabled": None,
    }


def test_everything_stops_is_recorded_and_told(desk):
    desk.want("grid")
    desk.applied()
    desk.own("grid")
    desk.own("gone", "spare", "old-ledger")
    told = desk.lockdown()
    assert (told.exit_code, states(told)) == (ExitCode.DONE, {"grid": "done", "gone": "done"})
    assert desk.running() == desk.running("old-ledger") == []
    state = open_for_reading(desk.url)
    (lockdown,) = state.lockdowns()
    assert (lockdown, lockdown.reason, told.troubles) == (told.lockdown, "a key leaked", ())
    assert state.inventory() == {}
    assert state.unfinished() == ()
    first, *others = (one.event for one in state.events())
    assert (first.kind, first.severity) == (EventKind.LOCKDOWN, EventSeverity.CRITICAL)
    assert {one.kind for one in others} == {EventKind.DISABLED}
    assert all(one.origin.by == first.origin.by for one in others)
    assert all(action.action.checks == ("lockdown",) for action in state.journal()[:2])


@pytest.mark.parametrize(
    ("wanted", "left"),
    [(EVERYTHING, []), (MEXC, ["b"]), (SPARE, ["a", "by-hand"]), (of_connection("main"), ["b"])],
)
def test_it_stops_what_it_covers_and_nothing_else(desk, wanted, left):
    desk.want("a")
    desk.want("b", "spare")
    desk.want("by-hand")
    desk.applied()
    desk.own("a")
    desk.own("b", "spare")
    desk.by_hand("by-hand")
    told = desk.lockdown(wanted)
    assert (told.exit_code, desk.running()) == (0, left)


def test_the_key_that_it_runs_on_counts_not_the_one_that_git_wants(desk):
    desk.want("moves-away", "spare")
    desk.want("moves-here", "main")
    desk.applied()
    desk.own("moves-away", "main")
    desk.own("moves-here", "spare")
    told = desk.lockdown(MEXC)
    assert states(told) == {"moves-away": "done"}
    assert desk.running() == ["moves-here"]


def test_what_nobody_here_started_is_told_and_left_alone(desk):
    desk.applied()
    desk.by_hand("foreign")
    desk.by_hand("other", "spare")
    told = desk.lockdown(MEXC)
    assert [(one.strategy, one.runtime, one.connection) for one in told.foreign] == [
        ("foreign", "paper", "main")
    ]
    assert desk.running() == ["foreign", "other"]


def test_what_an_apply_had_begun_to_start_is_stopped_whatever_its_runtime_shows(desk):
    desk.remotes["bot"] = Remote()
    desk.applied()
    desk.own("late", runtime="bot", begun=True)
    told = desk.lockdown()
    assert desk.remotes["bot"].asked == [("late", open_token(desk))]
    assert states(told) == {"late": "done"}
    assert open_for_reading(desk.url).unfinished() == ()


def open_token(desk):
    return open_for_reading(desk.url).lease_record().token


class TestRuntimes:
    @pytest.mark.parametrize("mood", ["hangs", "refuses", "breaks"])
    @pytest.mark.parametrize("call", ["read", "disable"])
    def test_one_that_fails_or_hangs_stops_no_other(self, desk, mood, call):
        desk.remotes["bad"] = Remote("one", "two", **{call: mood})
        desk.remotes["good"] = Remote("three")
        desk.applied()
        for name, runtime in (("one", "bad"), ("two", "bad"), ("three", "good"), ("four", "paper")):
            desk.own(name, runtime=runtime)
        told = desk.lockdown()
        found = states(told)
        assert (found["three"], found["four"]) == ("done", "done")
        assert told.exit_code is ExitCode.PARTLY_APPLIED
        assert {found["one"], found["two"]} <= {"failed", "unknown"}
        assert [name for name, _ in desk.remotes["bad"].asked][:1] == ["one"], "it was not even tried"
        assert told.unreadable == (("bad",) if call == "read" else ())
        assert "secret-of-the-network" not in repr(told)

    def test_nothing_stopped_is_a_failure(self, desk):
        desk.remotes["bad"] = Remote("one", disable="refuses")
        desk.applied()
        desk.own("one", runtime="bad")
        told = desk.lockdown()
        assert (states(told), told.exit_code) == ({"one": "failed"}, ExitCode.FAILED)
        assert "the bot says no" in told.outcomes[0].detail
        assert "one" in open_for_reading(desk.url).inventory(), "it still runs because of us"

    def test_one_that_nobody_can_open_is_told(self, desk, monkeypatch):
        def broken(opening):
            raise ReconcilerError("its credentials cannot be opened")

        desk.applied()
        desk.own("grid")
        monkeypatch.setattr(registry, "TYPES", {"ledger": RuntimeType(name="ledger", open=broken)})
        told = desk.lockdown()
        assert states(told) == {"grid": "unknown"}
        assert "its credentials cannot be opened" in told.outcomes[0].detail

    def test_one_that_the_files_lost_is_told_with_what_to_do(self, desk):
        desk.remotes["bot"] = Remote("grid")
        desk.applied()
        desk.own("grid", runtime="bot")
        desk.remotes.clear()
        told = desk.lockdown()
        assert states(told) == {"grid": "failed"}
        assert "the runtime bot is not there" in told.outcomes[0].detail

    def test_a_strategy_of_git_is_stopped_unseen_where_its_runtime_cannot_be_read(self, desk):
        desk.remotes["bot"] = Remote(read="breaks")
        desk.want("grid", runtime="bot")
        desk.want("off", runtime="bot", enabled=False)
        desk.applied()
        told = desk.lockdown()
        assert [name for name, _ in desk.remotes["bot"].asked] == ["grid"]
        assert states(told) == {"grid": "unknown"}

    def test_a_runtime_without_a_word_leaves_a_doubt_even_where_nothing_is_known_to_run(self, desk):
        desk.remotes["bot"] = Remote(read="hangs")
        desk.applied()
        told = desk.lockdown()
        assert (told.unreadable, told.exit_code) == (("bot",), ExitCode.PARTLY_APPLIED)


class TestFiles:
    @pytest.mark.parametrize("broken", ["deleted", "no yaml", "half", "a folder"])
    def test_the_state_alone_is_enough(self, desk, broken):
        desk.want("grid")
        desk.want("by-hand")
        desk.applied(main=("mexc", key()), spare=("kucoin", None))
        desk.own("grid")
        desk.own("other", "spare")
        desk.by_hand("by-hand")
        desk.permit("by-hand", "main")
        desk.write()
        text = desk.file.read_text()
        desk.file.unlink()
        match broken:
            case "no yaml":
                desk.file.write_text("a: [b\n")
            case "half":
                desk.file.write_text(text[: len(text) // 2])
            case "a folder":
                desk.file.mkdir()
        told = desk.lockdown(MEXC, write=False)
        assert (told.exit_code, desk.running()) == (0, ["other"])
        assert any("the files are not sound" in trouble for trouble in told.troubles)
        assert [one.connection for one in told.keys] == ["main"]

    def test_a_part_that_is_sound_still_reaches_its_runtimes(self, desk):
        desk.remotes["bot"] = Remote("grid")
        desk.want("grid", runtime="bot")
        desk.want("wrong", runtime="nowhere")
        desk.applied()
        told = desk.lockdown()
        assert states(told)["grid"] == "done"
        assert told.troubles

    def test_an_exchange_that_nobody_remembers_is_covered(self, desk):
        desk.applied()
        desk.own("old", "forgotten")
        assert states(desk.lockdown(MEXC)) == {"old": "done"}


class TestNames:
    @pytest.mark.parametrize("wanted", [of_connection("mian"), replace(MEXC, scope_id="mexcc")])
    def test_a_misspelt_one_is_refused_before_anything_is_declared(self, desk, wanted):
        desk.applied()
        with pytest.raises(UsageError, match="nothing was stopped") as caught:
            desk.lockdown(wanted)
        assert "did you mean m" in caught.value.hint
        assert open_for_reading(desk.url).lockdowns() == ()

    def test_where_the_files_are_broken_nobody_knows_better(self, desk):
        desk.applied()
        desk.file.write_text("a: [b\n")
        told = desk.lockdown(of_connection("new"), write=False)
        assert told.lockdown
        assert [one.connection for one in told.keys] == ["new"]
        assert any("nothing that can be read knows the connection new" in one for one in told.troubles)


class TestLock:
    def test_an_apply_that_holds_it_is_waited_for_briefly_and_then_fenced_off(self, desk):
        desk.applied()
        desk.own("grid")
        with open_for_writing(desk.url) as store, store.lease(ADA, clock=lambda: desk.now) as lease:
            told = desk.lockdown()
            assert (states(told), desk.now) == ({"grid": "done"}, START + timedelta(seconds=job.PATIENCE))
            with pytest.raises(ReconcilerError):
                lease.check()
        assert any("by force from ada@server" in one for one in desk.said)

    def test_nothing_that_a_plan_of_before_wanted_is_started_after(self, desk):
        desk.want("grid")
        desk.applied()
        with open_for_writing(desk.url) as store, store.lease(ADA, clock=lambda: desk.now) as lease:
            desk.write()
            with ExitStack() as opened:
                job.declare(desk.settings, EVERYTHING, opened)
            action = Action(kind=ActionKind.ENABLE, strategy="grid", runtime="paper", reason="")
            with pytest.raises(ReconcilerError, match="was declared meanwhile"):
                store.intend(action, token=lease.token, at=desk.now)

    def test_the_same_twice_is_one_lockdown(self, desk):
        desk.applied()
        first, second = desk.lockdown(), desk.lockdown()
        assert (first.declared_before, second.declared_before) == (False, True)
        assert first.lockdown == second.lockdown
        kinds = [one.event.kind for one in open_for_reading(desk.url).events()]
        assert kinds == [EventKind.LOCKDOWN]

    def test_one_that_loses_the_lock_to_another_emergency_goes_on_afterwards(self, desk):
        desk.applied()
        desk.remotes["bot"] = Remote("first", "second")
        desk.own("first", runtime="bot")
        desk.own("second", runtime="bot")
        bot, quiet = desk.remotes["bot"], desk.remotes["bot"].disable

        async def disable(strategy, *, token, how):
            bot.disable = quiet
            await quiet(strategy, token=token, how=how)
            with (
                open_for_writing(desk.url) as store,
                store.lease(ADA, clock=lambda: desk.now, by_force=True),
            ):
                pass

        bot.disable = disable
        told = desk.lockdown()
        assert (states(told), told.exit_code) == ({"first": "done", "second": "done"}, 0)


class TestState:
    def test_one_that_cannot_be_written_leaves_a_list_of_what_to_do(
        self, tmp_path, postgres, database, monkeypatch
    ):
        """A server that became a standby; a full disk is in ``tests/e2e``."""
        desk = Desk(tmp_path, postgres.url(database), monkeypatch)
        desk.remotes["bot"] = Remote("elsewhere")
        desk.want("grid")
        desk.want("elsewhere", runtime="bot")
        desk.applied(main=("mexc", key()))
        desk.own("grid")
        desk.own("elsewhere", runtime="bot")
        postgres.do(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        told = desk.lockdown()
        assert (told.lockdown, told.exit_code) == (None, ExitCode.FAILED)
        assert states(told) == {"elsewhere": "done", "grid": "failed"}
        assert any("could not be recorded" in one for one in told.troubles)
        assert [one.connection for one in told.keys] == ["spare", "main"]
        assert [token for _, token in desk.remotes["bot"].asked] == [open_token(desk)]

    def test_one_in_which_nothing_was_ever_applied_is_no_comfort(self, desk):
        told = desk.lockdown()
        assert told.lockdown
        assert told.exit_code is ExitCode.FAILED
        assert any("nothing was ever applied with this state" in one for one in told.troubles)

    def test_one_that_takes_no_record_any_more_hinders_no_stop(self, desk):
        desk.remotes["bot"] = Remote("grid")
        desk.applied()
        desk.own("grid", runtime="bot")
        server = desk.url.startswith("postgresql")
        full = "ALTER TABLE journal ADD CONSTRAINT full_ CHECK (false) NOT VALID" if server else FULL
        with open_for_writing(desk.url) as store:
            store._db.write(lambda db: db.exec_driver_sql(full))
        assert states(desk.lockdown()) == {"grid": "done"}


#: A journal that takes nothing more.
FULL = "CREATE TRIGGER full_ BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'full'); END"


def test_keys_come_most_dangerous_first_with_what_is_known_of_them(desk):
    desk.want("grid")
    desk.applied(
        main=("mexc", key()),
        spare=("kucoin", key(withdraw=True)),
        open=("okx", key(restricted=False)),
        dark=("okx", None),
    )
    told = desk.lockdown()
    assert [one.connection for one in told.keys] == ["spare", "dark", "open", "main"]
    last = told.keys[-1]
    assert (last.exchange_name, last.page) == ("MEXC", "https://www.mexc.com/user/openapi")
    assert (last.addresses, last.strategies, last.read_at) == (("203.0.113.10",), ("grid",), START)
    assert last.secret_file.endswith("secrets/main.sops.yaml")


class TestLifting:
    def test_it_ends_one_and_says_what_may_start(self, desk):
        desk.want("a")
        desk.want("b", "spare")
        desk.want("off", enabled=False)
        desk.applied()
        everything, mexc = desk.lockdown().lockdown, desk.lockdown(MEXC).lockdown
        seen = lockdown_lift.before_lifting(desk.settings, everything.id)
        assert (seen.may_start, seen.still) == (("b",), (mexc,))
        assert len(open_for_reading(desk.url).lockdowns()) == 2
        told = lockdown_lift.lift(desk.settings, everything.id)
        assert lockdown_lift.in_force(desk.settings).lockdowns == (mexc,)
        last = open_for_reading(desk.url).events()[-1].event
        assert (last.kind, last.origin.by) == (EventKind.LOCKDOWN_LIFTED, told.by)
        assert lockdown_lift.lift(desk.settings, mexc.id).may_start == ("a", "b")[:1]

    def test_it_works_where_the_files_are_broken(self, desk):
        desk.applied()
        number = desk.lockdown().lockdown.id
        desk.file.unlink()
        told = lockdown_lift.lift(desk.settings, number)
        assert told.troubles
        assert open_for_reading(desk.url).lockdowns() == ()

    def test_one_that_is_not_in_force_is_refused_and_nothing_made(self, desk, tmp_path):
        with pytest.raises(UsageError, match="number 4"):
            lockdown_lift.lift(desk.settings, 4)
        assert not (tmp_path / "kept").exists()
