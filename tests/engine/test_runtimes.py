"""Runtimes outside of the state in whole passes: opened, read side by side, closed, and never waited for."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.engine import apply as applying
from reconciler.engine import pass_, runtimes
from reconciler.engine.lockdown import declare
from reconciler.engine.settings import Settings
from reconciler.engine.validate import validate
from reconciler.model.bot import Bot
from reconciler.model.emergency import Wanted
from reconciler.model.errors import ConfigError, ExitCode, RuntimeFailed
from reconciler.model.memory import Scope
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.resources import folder
from reconciler.runtimes import registry
from reconciler.runtimes.interface import RuntimeType

START = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
URL = "http://127.0.0.1:9"


class Remote:
    """A runtime somewhere else: what it holds, and what befalls calls to it."""

    def __init__(self, opening):
        self.opening = opening
        self.closed = False

    async def read(self):
        mood = MOODS.get(self.opening.spec.id)
        if mood == "hangs":
            await asyncio.Event().wait()
        if isinstance(mood, Exception):
            raise mood
        READ.append(self.opening.spec.id)
        return {
            name: RunningStrategy(id=name, enabled=name in ON, parameters=None, bot=Bot(exchange=EXCHANGE[0]))
            for name in {*self.opening.wanted, *self.opening.enabled}
        }

    async def enable(self, strategy, parameters, *, connection, token):
        await self._act(strategy, ON.add)

    async def change(self, strategy, parameters, *, connection, token):
        raise AssertionError("nothing is to change")

    async def disable(self, strategy, *, token, how):
        await self._act(strategy, ON.discard)

    async def _act(self, strategy, act):
        if MOODS.get("act") == "hangs":
            await asyncio.Event().wait()
        act(strategy)
        if isinstance(MOODS.get("act"), Exception):
            raise MOODS["act"]

    async def close(self):
        self.closed = True


ON, READ, OPENED, MOODS, EXCHANGE = set(), [], [], {}, ["mexc"]


class Desk:
    """A connection whose key cannot be read here, and strategies on runtimes elsewhere."""

    def __init__(self, root):
        self.root = root
        shutil.copytree(folder("examples") / "secrets", root / "secrets")
        shutil.copy(folder("examples") / "runtimes/freqtrade/secrets/ft-eu.sops.yaml", root / "secrets")
        self.document = {
            "version": 1,
            "connections": {
                "mexc-spot-main": {
                    "name": "MEXC Spot Main",
                    "exchange": "mexc",
                    "market": "spot",
                    "credentials": "secrets/mexc-spot-main.sops.yaml",
                }
            },
            "runtimes": {"there": {"type": "ledger"}},
            "strategies": {},
        }

    @property
    def settings(self):
        (self.root / "connections.yaml").write_text(json.dumps(self.document))
        return Settings(
            files=(str(self.root / "connections.yaml"),),
            state=str(self.root / "state.db"),
            sops=str(self.root / "no-sops"),
            environ={},
            now=lambda: START,
        )

    def want(self, id_, runtime="there", **more):
        self.document["strategies"][id_] = {
            "name": id_, "connection": "mexc-spot-main", "runtime": runtime, "enabled": True,
            "pairs": ["BTC/USDT"], **more,
        }  # fmt: skip

    def freqtrade(self, name="ft-eu", url="http://127.0.0.1:8080"):
        self.document["runtimes"][name] = {
            "type": "freqtrade", "url": url, "credentials": "secrets/ft-eu.sops.yaml",
        }  # fmt: skip

    def places(self):
        return [
            (one.code, one.exit_code) for one in validate(self.settings.files, now=lambda: START).concerns
        ]


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def remote(monkeypatch):
    """Have every ledger be a runtime somewhere else."""
    for held in (ON, READ, OPENED, MOODS):
        held.clear()
    EXCHANGE[:] = ["mexc"]

    def opening(given):
        OPENED.append(Remote(given))
        return OPENED[-1]

    monkeypatch.setattr(registry, "TYPES", {"ledger": RuntimeType(name="ledger", open=opening)})


def kinds(report):
    return {action.strategy: action.kind.value for action in report.plan.actions}


def told(report):
    return {(one.check, one.subject_id): (one.verdict.value, one.kind) for one in report.findings}


class TestFiles:
    def test_a_sound_runtime_is_sound_without_any_key(self, desk):
        desk.freqtrade()
        desk.want("one", "ft-eu", settings={"strategy": "Grid"})
        assert desk.places() == []

    def test_one_bot_runs_one_strategy_on_or_off(self, desk):
        desk.freqtrade()
        desk.want("one", "ft-eu")
        desk.want("two", "ft-eu", enabled=False)
        assert desk.places() == [("runtime-runs-one", ExitCode.CONFIG)]
        with pytest.raises(ConfigError):
            asyncio.run(pass_.dry_run(desk.settings))

    def test_a_ledger_runs_any_number(self, desk):
        desk.want("one")
        desk.want("two", settings={"anything": 1})
        assert desk.places() == []

    def test_a_setting_that_the_runtime_cannot_take_is_no_silent_skip(self, desk):
        desk.freqtrade()
        desk.want("one", "ft-eu", settings={"strategy": "Grid", "stoploss": "-10%"})
        assert desk.places() == [("unknown-setting", ExitCode.CONFIG)]

    def test_a_url_that_the_secret_file_does_not_name_is_refused(self, desk):
        desk.freqtrade(url="https://evil.example")
        assert desk.places() == [("binding-mismatch", ExitCode.SECRETS)]

    def test_the_secret_of_a_connection_is_none_of_a_runtime(self, desk):
        desk.freqtrade()
        desk.document["runtimes"]["ft-eu"]["credentials"] = "secrets/mexc-grid-backup.sops.yaml"
        assert {code for code, _ in desk.places()} == {"not-a-secret-file", "binding-mismatch"}


class TestCredentials:
    async def test_without_them_a_runtime_is_unknown_and_never_empty(self, desk):
        desk.freqtrade()
        desk.want("one", "ft-eu")
        report = await pass_.converge(desk.settings)
        assert kinds(report) == {"one": "unknown"}
        assert told(report) == {("runtime-test", "ft-eu"): ("unknown", "runtime_locked")}
        assert report.exit_code is ExitCode.SECRETS

    def test_an_emergency_stop_says_that_it_could_not_look(self, desk):
        desk.freqtrade()
        desk.want("one", "ft-eu")
        asyncio.run(pass_.converge(desk.settings))
        with ExitStack() as stack:
            stop = declare(desk.settings, Wanted(scope=Scope.ALL, scope_id="", reason="x"), stack)
            found = asyncio.run(stop.enforce())
        assert found.unreadable == ("ft-eu",)
        assert "was not asked" in found.outcomes[0].detail


class TestReading:
    async def test_one_that_hangs_is_given_up_and_hides_no_other(self, desk, remote, monkeypatch):
        monkeypatch.setattr(runtimes, "READ_SECONDS", 0.05)
        desk.document["runtimes"]["stuck"] = {"type": "ledger"}
        desk.want("one")
        desk.want("two", "stuck")
        ON.add("one")
        MOODS["stuck"] = "hangs"
        report = await pass_.dry_run(desk.settings)
        assert kinds(report) == {"one": "hold", "two": "unknown"}
        assert told(report)["runtime-test", "stuck"] == ("unknown", None)

    async def test_every_runtime_is_closed_however_the_pass_ends(self, desk, remote):
        desk.want("one")
        await pass_.dry_run(desk.settings)
        await pass_.converge(desk.settings)
        MOODS["there"] = RuntimeFailed("no", kind=Kind.UNREACHABLE, untouched=True)
        await pass_.converge(desk.settings)
        assert len(OPENED) >= 3
        assert all(one.closed for one in OPENED)

    async def test_what_the_failure_was_is_told(self, desk, remote):
        desk.want("one")
        MOODS["there"] = RuntimeFailed("login", kind=Kind.UNAUTHORISED, untouched=True, hint="do")
        report = await pass_.dry_run(desk.settings)
        assert told(report) == {("runtime-test", "there"): ("fail", "runtime_unauthorised")}
        assert report.exit_code is ExitCode.SECRETS


class TestBots:
    async def test_one_that_is_not_the_one_of_the_files_is_stopped_though_no_key_can_be_read(
        self, desk, remote
    ):
        desk.want("one")
        ON.add("one")
        EXCHANGE[:] = ["kucoin"]
        report = await pass_.converge(desk.settings)
        assert kinds(report) == {"one": "disable"}
        assert "bot-exchange" in report.plan.actions[0].checks
        assert told(report) == {("bot-exchange", "one"): ("fail", None)}
        assert set() == ON
        assert kinds(await pass_.converge(desk.settings)) == {"one": "blocked"}

    async def test_one_that_git_switched_off_is_told_of_no_more(self, desk, remote):
        desk.want("one", enabled=False)
        EXCHANGE[:] = ["kucoin"]
        report = await pass_.converge(desk.settings)
        assert (kinds(report), told(report)) == ({"one": "none"}, {})

    async def test_targets_choose_what_is_told(self, desk, remote):
        desk.want("one")
        desk.want("two")
        report = await pass_.dry_run(replace(desk.settings, targets=("two",)))
        assert set(told(report)) == {("bot-exchange", "two")}


class TestActing:
    async def test_an_act_that_hangs_ends_in_doubt(self, desk, remote, monkeypatch):
        monkeypatch.setattr(applying, "ACT_SECONDS", 0.05)
        desk.want("one", enabled=False)
        ON.add("one")
        MOODS["act"] = "hangs"
        (outcome,) = (await pass_.converge(desk.settings)).outcomes
        assert outcome.state.value == "failed"
        assert "did not end in time" in outcome.detail
        assert "the next pass looks again" in outcome.detail

    @pytest.mark.parametrize("untouched", [True, False])
    async def test_a_failure_says_whether_it_may_have_acted(self, desk, remote, untouched):
        desk.want("one", enabled=False)
        ON.add("one")
        MOODS["act"] = RuntimeFailed("POST /stop: no", kind=Kind.REFUSED, untouched=untouched, hint="do this")
        (outcome,) = (await pass_.converge(desk.settings)).outcomes
        assert outcome.state.value == "done"
        assert "POST /stop: no (runtime_refused: do this)" in outcome.detail
