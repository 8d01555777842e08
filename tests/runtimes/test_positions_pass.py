"""Whole passes over a runtime that tells what is open: the files, the plan, a real program, the state."""

from __future__ import annotations

import json
import re
import shutil
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.engine import lockdown, pass_
from reconciler.engine.files import read
from reconciler.engine.runtimes import ABILITIES
from reconciler.engine.settings import Settings
from reconciler.model.emergency import Wanted
from reconciler.model.errors import ConfigError
from reconciler.model.memory import Scope
from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome, OutcomeState
from reconciler.output.report_json import report_document
from reconciler.planning.file import to_json
from reconciler.planning.reader import from_json
from reconciler.resources import folder
from reconciler.state.store import open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
CONNECTION = "mexc-spot-main"
PROGRAM = str(folder("examples") / "runtimes" / "command" / "switches.py")
CLOSE = "close_first_manual"


class Desk:
    """A key that nobody here can open, and the example's program with its switches, one for each strategy."""

    def __init__(self, root) -> None:
        self.root, self.switches = root, root / "switches"
        self.switches.mkdir()
        shutil.copytree(folder("examples") / "secrets", root / "secrets")
        self.strategies, self.policy, self.runtime = {}, {}, {}

    def want(self, id_, *, enabled=False, **fields):
        self.strategies[id_] = {
            "name": id_,
            "connection": CONNECTION,
            "runtime": "here",
            "enabled": enabled,
            "pairs": ["BTC/USDT"],
            **fields,
        }

    def switch(self, id_, **changes):
        """Somebody, or the bot behind it, changes a switch."""
        file = self.switches / f"{id_}.json"
        held = json.loads(file.read_text()) if file.exists() else {"enabled": True, "paused": False}
        file.write_text(json.dumps(held | changes))

    def state_of(self, id_):
        held = json.loads((self.switches / f"{id_}.json").read_text())
        return "running" if held["enabled"] else "paused" if held["paused"] else "stopped"

    @property
    def settings(self):
        connection = {
            "name": "MEXC Spot Grid",
            "exchange": "mexc",
            "market": "spot",
            "credentials": f"secrets/{CONNECTION}.sops.yaml",
        }
        command = {"type": "command", "command": [sys.executable, PROGRAM, str(self.switches)]}
        document = {
            "version": 1,
            "policy": self.policy,
            "connections": {CONNECTION: connection},
            "runtimes": {"here": command | self.runtime},
            "strategies": self.strategies,
        }
        (self.root / "connections.yaml").write_text(json.dumps(document, indent=1))
        return Settings(
            files=(str(self.root / "connections.yaml"),),
            state=str(self.root / "state.db"),
            sops=str(self.root / "no-sops"),
            allow_commands=True,
            environ={},
            now=lambda: START,
        )

    def own(self, id_):
        """Have it be one that this tool started."""
        place = {"strategy": id_, "runtime": "here", "connection": CONNECTION}
        action = Action(kind=ActionKind.ENABLE, reason="", after={}, **place)
        item = InventoryItem(enabled_at=START, **place)
        with (
            open_for_writing(self.settings.state) as store,
            store.lease(clock=lambda: START) as lease,
        ):
            intent = store.intend(action, token=lease.token, at=START)
            done = Outcome(action=action, state=OutcomeState.DONE)
            store.conclude(intent, done, token=lease.token, at=START, keep=item)

    def inventory(self):
        with open_for_writing(self.settings.state) as store:
            return set(store.inventory())


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def action_on(report, id_="bot"):
    return next(action for action in report.plan.actions if action.strategy == id_)


@pytest.mark.parametrize(
    ("fields", "runtime", "policy", "left"),
    [
        ({}, {}, {}, "stopped"),
        ({}, {"disable": "stop_entries"}, {}, "paused"),
        ({}, {}, {"on_disable": "stop_entries"}, "paused"),
        ({"on_disable": "stop"}, {"disable": "stop_entries"}, {"on_disable": CLOSE}, "stopped"),
    ],
)
async def test_it_is_disabled_as_the_files_choose(desk, fields, runtime, policy, left):
    desk.want("bot", **fields)
    desk.runtime, desk.policy = runtime, policy
    desk.switch("bot", open_positions=["BTC/USDT"])
    report = await pass_.converge(desk.settings)
    assert desk.state_of("bot") == left
    (action,) = report_document(report)["plan"]["actions"]
    how = {"stopped": "stop", "paused": "stop_entries"}[left]
    assert (action["how"], action["open_positions"]) == (how, ["BTC/USDT"])
    assert action_on(await pass_.dry_run(desk.settings)).kind == "none"


async def test_what_left_git_waits_for_its_positions_and_is_told_until_it_stopped(desk):
    desk.want("other")
    desk.policy = {"on_disable": CLOSE}
    desk.switch("bot", open_positions=["BTC/USDT", "ETH/USDT"])
    desk.own("bot")
    await pass_.converge(desk.settings)
    assert (desk.state_of("bot"), desk.inventory()) == ("paused", {"bot"})
    for held in (["ETH/USDT"], None):
        desk.switch("bot", open_positions=held)
        report = await pass_.converge(desk.settings)
        assert (action_on(report).kind, report.outcomes, desk.state_of("bot")) == ("hold", (), "paused")
        assert "run again" in action_on(report).reason
        assert "open-positions" in {finding.check for finding in report.findings}
    desk.switch("bot", open_positions=[])
    await pass_.converge(desk.settings)
    assert (desk.state_of("bot"), desk.inventory()) == ("stopped", set())
    assert "bot" not in {one.strategy for one in (await pass_.dry_run(desk.settings)).plan.actions}


async def test_a_reviewed_plan_says_how_and_holds_while_positions_come_and_go(desk):
    desk.want("bot", on_disable=CLOSE)
    desk.switch("bot", open_positions=["BTC/USDT"])
    report = await pass_.dry_run(desk.settings)
    reviewed = from_json(to_json(report.plan, report))
    assert [(one.how, one.open_positions) for one in reviewed.actions] == [(CLOSE, ("BTC/USDT",))]
    desk.switch("bot", open_positions=["BTC/USDT", "ETH/USDT"])
    await pass_.converge(desk.settings, reviewed=reviewed)
    assert desk.state_of("bot") == "paused"


@pytest.mark.parametrize(
    ("chosen", "left"), [(CLOSE, "paused"), ("stop_entries", "paused"), ("stop", "stopped")]
)
async def test_a_lockdown_waits_for_no_position(desk, chosen, left):
    desk.want("bot", enabled=True, on_disable=chosen)
    desk.switch("bot", open_positions=["BTC/USDT"])
    desk.own("bot")
    with ExitStack() as opened:
        wanted = Wanted(scope=Scope.ALL, scope_id="", reason="leak")
        told = await lockdown.declare(desk.settings, wanted, opened).enforce()
    assert told.exit_code == 0
    assert desk.state_of("bot") == left


def test_a_strategy_that_chooses_what_its_runtime_cannot_do_is_an_error_with_its_line(desk):
    desk.want("bot", on_disable=CLOSE)
    files = desk.settings.files
    assert read(files).strategies["bot"].on_disable == CLOSE
    path = desk.root / "connections.yaml"
    document = json.loads(path.read_text())
    document["runtimes"] = {"here": {"type": "ledger"}}
    path.write_text(json.dumps(document, indent=1))
    with pytest.raises(ConfigError) as caught:
        read(files)
    (problem,) = caught.value.problems
    assert problem.code == "cannot-disable-so"
    assert CLOSE in path.read_text().splitlines()[problem.mark.line - 1]
    assert problem.fix.startswith("write stop, or leave it out")
    document["strategies"]["bot"].pop("on_disable")
    document["policy"] = {"on_disable": CLOSE}
    path.write_text(json.dumps(document, indent=1))
    assert read(files).policy.on_disable == CLOSE  # a default for all of them: the plan says what it does


def test_the_page_about_positions_says_of_every_runtime_what_it_can():
    page = (Path(__file__).parents[2] / "docs" / "positions.md").read_text()
    rows = re.findall(r"^\| `([\w]+)` \| (.+?) \| `(\w+)` \| (yes|no)\b", page, re.MULTILINE)
    words = re.compile(r"`(\w+)`")
    told = {name: (tuple(words.findall(can)), first, says) for name, can, first, says in rows}
    assert told == {
        name: (
            tuple(one.value for one in can.choices),
            can.disables[0].value,
            "yes" if can.tells_positions else "no",
        )
        for name, can in ABILITIES.items()
    }
