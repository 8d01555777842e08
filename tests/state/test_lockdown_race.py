"""An emergency against applies in other processes: once it returned nothing covered runs, or starts again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from reconciler.model.plan import OutcomeState
from reconciler.state.store import open_for_reading, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
#: Seconds until a wait that should have ended counts as failed.
DEADLINE = 120

#: Applies as a pass does: takes the lease, looks which lockdowns are in force, plans, acts, gives back.
APPLIER = """
    import asyncio, os, signal, sys
    from datetime import UTC, datetime
    from reconciler.engine.apply import apply
    from reconciler.model.errors import LockHeld
    from reconciler.model.plan import Action, ActionKind, Plan
    from reconciler.runtimes.ledger import Ledger
    from reconciler.state.store import open_for_writing
    url, mine, mode = sys.argv[1:]
    names = [f"{mine}-{number}" for number in range(4)]
    clock = lambda: datetime.now(UTC)

    def wait(word):
        print(word, flush=True)
        sys.stdin.readline()

    def halt(outcome):
        if mode == "halts" and outcome.action.strategy == names[2]:
            print("halting", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)

    def one_pass(store, kind):
        with store.lease() as lease:
            known = store.lockdowns()
            kind = ActionKind.DISABLE if known else kind
            if mode == "waits":
                wait("planned")
            actions = [
                Action(kind=kind, strategy=name, runtime="paper", reason="", connection="main", after={})
                for name in names
            ]
            done = asyncio.run(
                apply(
                    Plan(actions=tuple(actions), digest=""),
                    runtimes={"paper": Ledger("paper", store)},
                    store=store,
                    lease=lease,
                    clock=clock,
                    lockdowns=frozenset(one.id for one in known),
                    progress=halt,
                )
            )
            print(*(one.state.value for one in done), flush=True)
        return bool(known)

    with open_for_writing(url) as store:
        if mode != "storm":
            one_pass(store, ActionKind.ENABLE)
            sys.exit()
        after, kind = 0, ActionKind.ENABLE
        while after < 2:
            try:
                after += one_pass(store, kind)
                kind = ActionKind.DISABLE if kind is ActionKind.ENABLE else ActionKind.ENABLE
            except LockHeld:
                os.sched_yield()
"""


@pytest.fixture
def begun(url):
    """A state in which something was applied once."""
    with open_for_writing(url) as store:
        number = store.begin_pass(mode="apply", started_at=START)
        store.finish_pass(number, finished_at=START, exit_code=0, summary={})
    return url


def command(url, *arguments):
    return [
        *(sys.executable, "-m", "reconciler.cli", "lockdown", "--reason", "drill", "--yes"),
        *("--output", "json", "--state", url, "-f", "nowhere.yaml", *(arguments or ("--all",))),
    ]


def lockdown(url, *arguments):
    """The real command, and what it says."""
    done = subprocess.run(
        command(url, *arguments), capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def running(url):
    return [name for name, row in open_for_reading(url).ledger_rows("paper").items() if row.enabled]


def test_an_apply_between_its_plan_and_its_acts_starts_nothing_more(begun, spawn):
    applier = spawn(APPLIER, begun, "a", "waits")
    assert applier.stdout.readline() == "planned\n", applier.stderr.read()
    told = lockdown(begun)
    assert (told["exit_code"], told["strategies"]) == (0, [])
    applier.stdin.write("go\n")
    out, problems = applier.communicate(timeout=DEADLINE)
    assert out.split() == [OutcomeState.NOT_TRIED.value] * 4, problems
    assert running(begun) == []


def test_an_apply_that_is_stopped_in_the_middle_starts_nothing_more_on_waking(begun, spawn):
    applier = spawn(APPLIER, begun, "a", "halts")
    assert applier.stdout.readline() == "halting\n", applier.stderr.read()
    os.waitpid(applier.pid, os.WUNTRACED)
    told = lockdown(begun)
    assert {one["strategy"]: one["state"] for one in told["strategies"]} == {
        f"a-{number}": "done" for number in range(3)
    }
    assert (told["exit_code"], running(begun)) == (0, [])
    applier.send_signal(signal.SIGCONT)
    out, problems = applier.communicate(timeout=DEADLINE)
    assert out.split() == ["done"] * 3 + ["not_tried"], problems
    assert running(begun) == []


def test_among_many_applies_nothing_runs_once_it_returned_and_nothing_starts_again(begun, spawn):
    appliers = [spawn(APPLIER, begun, name, "storm") for name in "abc"]
    for applier in appliers:
        assert applier.stdout.readline(), applier.stderr.read()
    told = lockdown(begun)
    assert running(begun) == []
    assert told["exit_code"] == 0, told
    for applier in appliers:
        _out, problems = applier.communicate(timeout=DEADLINE)
        assert applier.returncode == 0, problems
    assert running(begun) == []


def test_several_emergencies_at_once_all_end_well_and_are_one(begun, spawn):
    with open_for_writing(begun) as store, store.lease() as lease:
        for number in range(12):
            name, connection = f"s{number}", ("main", "spare")[number % 2]
            store.ledger_enable("paper", name, {}, connection=connection, token=lease.token)
    wanted = (("--all",), ("--all",), ("--connection", "main"), ("--connection", "spare"))
    own(begun)
    children = [
        subprocess.Popen(command(begun, *scope), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for scope in wanted
    ]
    for child in children:
        out, problems = child.communicate(timeout=DEADLINE)
        assert child.returncode == 0, (out, problems)
    assert running(begun) == []
    assert sorted(one.scope_id for one in open_for_reading(begun).lockdowns()) == ["", "main", "spare"]


def own(url):
    """Have whatever runs be this tool's, as its inventory says."""
    from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome  # noqa: PLC0415

    with open_for_writing(url) as store, store.lease() as lease:
        for name, row in store.ledger_rows("paper").items():
            action = Action(
                kind=ActionKind.ENABLE,
                strategy=name,
                runtime="paper",
                reason="",
                connection=row.connection,
                after={},
            )
            intent = store.intend(action, token=lease.token, at=START)
            item = InventoryItem(strategy=name, runtime="paper", connection=row.connection, enabled_at=START)
            outcome = Outcome(action=action, state=OutcomeState.DONE)
            store.conclude(intent, outcome, token=lease.token, at=START, keep=item)
