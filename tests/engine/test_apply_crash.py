"""Killed at any instant, the next pass converges, and nothing is enabled twice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.engine.apply import apply, recover
from reconciler.model.plan import Action, ActionKind, OutcomeState, Plan
from reconciler.planning.canonical import same_parameters
from reconciler.runtimes.ledger import Ledger
from reconciler.state.database import writer
from reconciler.state.store import Store, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
THEIRS = {"theirs": {"pairs": ["XRP/USDT"]}}


class Killed(BaseException):
    """The process is gone: no handler of ours may stop it."""


class Mortal:
    """A database whose process dies before or after its n-th write, and then does nothing more."""

    def __init__(self, database, *, dies_at=None, after=False):
        self.database = database
        self.writes = itertools.count()
        self.dies_at, self.after, self.dead = dies_at, after, False

    def read(self, work):
        if self.dead:
            raise Killed
        return self.database.read(work)

    def write(self, work):
        if self.dead:
            raise Killed
        self.dead = next(self.writes) == self.dies_at
        if self.dead and not self.after:
            raise Killed
        result = self.database.write(work)
        if self.dead:
            raise Killed
        return result

    def close(self):
        self.database.close()


class Watched(Ledger):
    """The ledger, watched for a strategy being enabled while it already runs."""

    async def enable(self, strategy, parameters, *, connection, token):
        held = (await self.read()).get(strategy)
        assert held is None or not held.enabled, f"{strategy} was enabled twice"
        await super().enable(strategy, parameters, connection=connection, token=token)


def plan(desired, held, inventory):
    """What planning would say when every check passes."""

    def action(kind, strategy):
        after = desired.get(strategy)
        return Action(
            kind=kind, strategy=strategy, runtime="paper", reason="", connection="main", after=after
        )

    running = {key: item for key, item in held.items() if item.enabled}
    stop = [
        action(ActionKind.DISABLE, key) for key in sorted(inventory) if key not in desired and key in running
    ]
    start = [action(ActionKind.ENABLE, key) for key in sorted(desired) if key not in running]
    differ = [
        action(ActionKind.CHANGE, key)
        for key, parameters in sorted(desired.items())
        if key in running and not same_parameters(running[key].parameters, parameters)
    ]
    return Plan(actions=(*stop, *differ, *start), digest="")


async def one_pass(store, desired, clock):
    """A whole pass; gives how many changes it planned."""
    runtimes = {"paper": Watched("paper", store)}
    with store.lease(clock=clock) as lease:
        common = {"runtimes": runtimes, "store": store, "lease": lease, "clock": clock}
        await recover(**common)
        made = plan(desired, await runtimes["paper"].read(), store.inventory())
        outcomes = await apply(made, **common)
        assert all(outcome.state is OutcomeState.DONE for outcome in outcomes)
    return len(made.changes)


def run_pass(url, desired, hours, **death):
    """A pass at its own hour, so that a dead holder's lease has ended. ``None`` when it was killed."""
    with Store(Mortal(writer(str(url)), **death)) as store, contextlib.suppress(Killed):
        return asyncio.run(one_pass(store, desired, lambda: START + timedelta(hours=hours)))
    return None


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A state in which somebody else runs a strategy of theirs; copied, since making one is slow."""
    path = tmp_path_factory.mktemp("template") / "state.db"
    have_theirs(str(path))
    return path


def have_theirs(url):
    with open_for_writing(url) as store, store.lease(clock=lambda: START) as lease:
        store.ledger_enable("paper", "theirs", THEIRS["theirs"], connection="main", token=lease.token)


@pytest.fixture
def copies(request, tmp_path):
    """Makes as many copies of the template as are asked for, in each kind of database; gives their URLs."""
    if request.param == "sqlite":
        path = request.getfixturevalue("template")
        yield lambda count: [str(shutil.copy(path, tmp_path / f"{number}.db")) for number in range(count)]
        return
    postgres = request.getfixturevalue("postgres")
    made = [postgres.new()]
    have_theirs(postgres.url(made[0]))

    def copy(count):
        made.extend(postgres.new(template=made[0]) for _ in range(count))
        return [postgres.url(name) for name in made[1:]]

    yield copy
    for name in made:
        postgres.drop(name)


def assert_converged(url, desired):
    with open_for_writing(str(url)) as store:
        held = store.ledger_rows("paper")
        running = {key: dict(item.parameters) for key, item in held.items() if item.enabled}
        assert running == {**desired, **THEIRS}
        assert {key: dict(item.parameters) for key, item in store.inventory().items()} == desired
        assert store.unfinished() == ()


FIRST = {"a": {"pairs": ["BTC/USDT"]}, "b": {"pairs": ["ETH/USDT"]}}
SECOND = {"b": {"pairs": ["ETH/USDT"], "risk_level": "balanced"}, "c": {}}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_every_write_is_mended_by_the_next_pass(template, tmp_path, after):
    for point in itertools.count():
        path = shutil.copy(template, tmp_path / f"{point}.db")
        assert run_pass(path, FIRST, 1) == 2
        survived = run_pass(path, SECOND, 2, dies_at=point, after=after)
        run_pass(path, SECOND, 3)
        assert_converged(path, SECOND)
        assert run_pass(path, SECOND, 4) == 0
        if survived is not None:
            break
    assert point == 11  # the lease, three actions of three writes, the release


DESIRED = st.dictionaries(
    st.sampled_from("abcd"),
    st.fixed_dictionaries({}, optional={"pairs": st.sampled_from([[], ["BTC/USDT"]])}),
    max_size=4,
)
DEATH = st.none() | st.tuples(st.integers(0, 14), st.booleans())


@settings(max_examples=20, deadline=None)
@given(history=st.lists(st.tuples(DESIRED, DEATH), min_size=1, max_size=4), last=DESIRED)
def test_any_history_of_changes_and_deaths_converges(template, tmp_path_factory, history, last):
    path = shutil.copy(template, tmp_path_factory.mktemp("history") / "state.db")
    for hour, (desired, death) in enumerate(history, start=1):
        dies_at, after = death or (None, False)
        run_pass(path, desired, hour, dies_at=dies_at, after=after)
    hours = len(history) + 1
    run_pass(path, last, hours)
    assert_converged(path, last)
    assert run_pass(path, last, hours + 1) == 0


KILLED_FOR_REAL = """
    import importlib.util, os, signal, sys

    file, moment, points, *urls = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("crash", file)
    crash = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(crash)

    class Shot(crash.Mortal):
        def write(self, work):
            shoot = next(self.writes) == self.dies_at
            if shoot and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = self.database.write(work)
            if shoot:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

    crash.Mortal = Shot
    for point, url in zip(map(int, points.split()), urls, strict=True):
        child = os.fork()
        if not child:
            crash.run_pass(url, crash.FIRST, 1)
            crash.run_pass(url, crash.SECOND, 2, dies_at=point, after=moment == "after")
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.parametrize(
    ("copies", "moment", "points"),
    [
        ("sqlite", "before", range(12)),
        ("sqlite", "after", range(12)),
        ("postgresql", "after", (0, 2, 5, 7, 11)),
    ],
    indirect=["copies"],
)
def test_kill_minus_nine_at_every_write_is_mended_by_the_next_pass(copies, moment, points):
    code, urls = textwrap.dedent(KILLED_FOR_REAL), copies(len(points))
    command = [sys.executable, "-c", code, __file__, moment, " ".join(map(str, points)), *urls]
    child = subprocess.run(command, check=False, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == ["-9"] * (len(points) - 1) + ["0"], child.stderr
    for url in urls:
        run_pass(url, SECOND, 3)
        assert_converged(url, SECOND)
        assert run_pass(url, SECOND, 4) == 0


async def test_a_second_pass_finds_nothing_to_do_and_writes_no_journal(tmp_path):
    with open_for_writing(str(tmp_path / "state.db")) as store:
        assert await one_pass(store, FIRST, lambda: START) == 2
        before = store.journal()
        assert await one_pass(store, FIRST, lambda: START) == 0
        assert store.journal() == before
