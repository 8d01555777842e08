"""The gate before a bot: the wrapper run for real on a real state, the unit and the manifest judged."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from reconciler.model.finding import Verdict
from reconciler.model.live import Status
from reconciler.model.memory import May, Permit, Reading
from reconciler.state.store import open_for_writing

GATE = Path(__file__).parents[2] / "examples" / "gate"
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]

#: Says what it hears, one line each, and ends on TERM, a little later, with 7.
BOT = """
import os, pathlib, signal, sys
said = pathlib.Path(sys.argv[1])
def hear(number, frame):
    with said.open("a") as file:
        file.write(signal.Signals(number).name + "\\n")
    if number == signal.SIGTERM:
        heard.append(number)
heard = []
signal.signal(signal.SIGTERM, hear)
signal.signal(signal.SIGHUP, hear)
with said.open("a") as file:
    file.write("up\\n")
while not heard:
    signal.pause()
with said.open("a") as file:
    file.write("down\\n")
sys.exit(7)
"""


class Place:
    """A state, a bot and the wrapper around it."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.state = folder / "state.db"
        self.said = folder / "said"
        self.bot = folder / "bot.py"
        self.bot.write_text(BOT)
        self.shell = [shell, "sh"] if shell == "busybox" else [shell]
        self.process: subprocess.Popen[str] | None = None

    def decide(self, may: May) -> None:
        now = datetime.now(UTC)
        with open_for_writing(str(self.state)) as store, store.lease() as lease:
            read = Reading(
                connection="mexc", exchange="mexc", at=now, status=Status.CONNECTED, verdict=Verdict.PASS
            )
            permit = Permit(strategy="btc", runtime="ft", connection="mexc", may=may, why="so it is", at=now)
            store.record_evidence([read], token=lease.token)
            store.record_decisions(token=lease.token, permits=[permit], strategies=["btc"], conditions=())

    def start(self, *command: str, interval: str = "0.05") -> subprocess.Popen[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        variables = {"RECONCILER_STATE": str(self.state), "GATE_INTERVAL": interval, "GATE_PATIENCE": "2"}
        self.process = subprocess.Popen(
            [*self.shell, str(GATE / "gated.sh"), "btc", *(command or self.command)],
            env={"PATH": path, "HOME": str(self.state.parent), **variables},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        return self.process

    @property
    def command(self) -> tuple[str, ...]:
        return sys.executable, str(self.bot), str(self.said)

    @property
    def heard(self) -> list[str]:
        return self.said.read_text().split() if self.said.exists() else []

    def until(self, condition) -> None:
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, (self.heard, self.process.poll())
            time.sleep(0.01)

    def nobody_lives(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def ended(self) -> int:
        self.process.communicate(timeout=120)
        return self.process.returncode


@pytest.fixture(params=SHELLS)
def place(request, tmp_path):
    made = Place(tmp_path, request.param)
    yield made
    if made.process and made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.communicate()


@pytest.mark.parametrize("may", [May.STOP, May.GO_ON])
def test_a_bot_that_may_not_run_is_never_started(place, may):
    place.decide(may)
    place.start()
    assert place.ended() == 5
    assert place.heard == []


def test_without_a_state_it_is_never_started(place):
    place.start()
    assert place.ended() == 1
    assert place.heard == []


def test_when_the_gate_closes_the_bot_is_told_to_end_once_and_waited_for(place):
    place.decide(May.RUN)
    place.start()
    place.until(lambda: "up" in place.heard)
    place.decide(May.GO_ON)  # what runs may go on
    place.decide(May.STOP)
    assert place.ended() == 5
    assert place.heard == ["up", "SIGTERM", "down"]


def test_a_state_that_cannot_be_read_closes_it_after_a_few_looks(place):
    place.decide(May.RUN)
    place.start()
    place.until(lambda: "up" in place.heard)
    place.state.write_bytes(b"not a database, whatever it was before" * 100)
    assert place.ended() == 5
    assert place.heard == ["up", "SIGTERM", "down"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_told_to_end_goes_on_to_the_bot_and_its_code_comes_back(place, number):
    place.decide(May.RUN)
    place.start(interval="60")
    place.until(lambda: "up" in place.heard)
    place.process.send_signal(number)
    assert place.ended() == 7
    assert place.heard == ["up", "SIGTERM", "down"]


def test_hangups_reach_the_bot_each_and_it_stays_guarded(place):
    place.decide(May.RUN)
    place.start()
    place.until(lambda: "up" in place.heard)
    for count in (1, 2, 3):
        os.killpg(place.process.pid, 0)
        place.process.send_signal(signal.SIGHUP)
        place.until(lambda count=count: place.heard.count("SIGHUP") == count)
    place.decide(May.STOP)
    assert place.ended() == 5
    assert place.heard[-2:] == ["SIGTERM", "down"]


@pytest.mark.parametrize("code", [0, 3, 127])
def test_it_ends_as_the_bot_does(place, code):
    place.decide(May.RUN)
    place.start("sh", "-c", f"exit {code}", interval="60")
    assert place.ended() == code


@pytest.mark.parametrize("after", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
def test_told_to_end_at_any_moment_of_the_start_no_bot_is_left(place, after):
    place.decide(May.RUN)
    place.start(interval="1")
    end = time.monotonic() + after
    while time.monotonic() < end and not place.heard:
        time.sleep(0.005)
    place.process.terminate()
    assert place.ended() in {-signal.SIGTERM, 143, 7}
    place.until(place.nobody_lives)


def test_shellcheck_finds_nothing(tool):
    assert tool("shellcheck", "--severity=style", str(GATE / "gated.sh")) == (0, "", "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="this machine has no systemd")
@pytest.mark.parametrize("name", ["trading-bot.service", "trading-bot.timer"])
def test_systemd_takes_the_units(tmp_path, name):
    for unit in GATE.glob("trading-bot.*"):
        text = re.sub(r"(?<==)/usr/local/\S+", "/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [shutil.which("systemd-analyze"), "verify", "--man=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_in_the_unit_lets_a_closed_gate_through():
    text = (GATE / "trading-bot.service").read_text()
    settings = [line for line in text.splitlines() if line and not line.startswith("#")]
    (condition,) = [line for line in settings if line.startswith("ExecCondition=")]
    assert condition.startswith("ExecCondition=/")
    assert not any(line.startswith("SuccessExitStatus=") for line in settings)


@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_kubernetes_takes_the_manifest(version):
    (manifest,) = yaml.safe_load_all((GATE / "deployment.yaml").read_text())
    kubernetes_validate.validate(manifest, version, strict=True)
    pod = manifest["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["command"][:2] == ["reconcile", "gate"]
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
