"""One applier, whatever happens to it: the same suite of real processes on each kind of database.

Judged as lock services are: by updates that were lost, and by what a holder does that was paused.
"""

from __future__ import annotations

import contextlib
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model.errors import LockHeld, StateError, UsageError
from reconciler.model.event import Event, EventKind, EventSeverity
from reconciler.model.finding import Subject
from reconciler.state.store import open_for_reading, open_for_writing

UNLOCKED = Event(
    kind=EventKind.UNLOCKED,
    severity=EventSeverity.WARNING,
    subject=Subject.POLICY,
    subject_id="lock",
    summary="ended by hand",
    at=datetime(2026, 11, 22, 10, tzinfo=UTC),
)


#: Seconds until a wait that should have ended counts as failed; nothing sleeps for so long.
DEADLINE = 120
BRIEF = 0.5  # seconds
START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@contextlib.contextmanager
def taken(store, **options):
    """The lease, as soon as it can be had."""
    deadline = time.monotonic() + DEADLINE
    with contextlib.ExitStack() as stack:
        while True:
            try:
                lease = stack.enter_context(store.lease(**options))
                break
            except LockHeld:
                assert time.monotonic() < deadline, "the lease of a holder that is gone never ended"
                time.sleep(0.02)
        yield lease


RACERS = """
    import datetime, os, sys, time
    import psycopg, sqlalchemy
    url, counter, racers, turns, skew = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    real = datetime.datetime

    class Wrong(real):
        off = datetime.timedelta()

        @classmethod
        def now(cls, tz=None):
            return real.now(tz) + cls.off

    if skew:
        datetime.datetime = Wrong
    from reconciler.model.errors import LockHeld
    from reconciler.state.store import open_for_writing

    def race():
        with open_for_writing(url) as store:
            won = 0
            while won < turns:
                try:
                    with store.lease() as lease:
                        lease.check()
                        with open(counter) as file:
                            seen = int(file.read())
                        os.sched_yield()
                        with open(counter, "w") as file:
                            file.write(str(seen + 1))
                        store.ledger_enable("paper", str(seen), {}, connection="main", token=lease.token)
                    won += 1
                except LockHeld:
                    time.sleep(0.002)

    children = []
    for racer in range(racers):
        child = os.fork()
        if not child:
            Wrong.off = datetime.timedelta(days=racer - racers // 2) * skew
            try:
                race()
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    sys.exit(max([os.waitpid(child, 0)[1] for child in children]) != 0)
"""


def test_eight_processes_contend_and_no_update_is_lost(url, tmp_path, spawn):
    """On a server each of them is a host whose clock is days apart from that of every other.

    Were the time of a lease each host's own, the one that is ahead would take it from anybody.
    """
    racers, turns, counter = 8, 12, tmp_path / "counter"
    counter.write_text("0")
    with spawn(RACERS, url, counter, racers, turns, int(url.startswith("postgresql"))) as child:
        _out, problems = child.communicate(timeout=DEADLINE)
    assert child.returncode == 0, problems
    state = open_for_reading(url)
    assert counter.read_text() == str(racers * turns), "an update was lost"
    assert set(state.ledger_rows("paper")) == {str(turn) for turn in range(racers * turns)}
    assert state.lease_record().token == racers * turns
    assert state.lease_record().holder is None


HOLDER = """
    import os, signal, sys
    from datetime import datetime, timedelta
    from pathlib import Path
    from reconciler.model.errors import LockHeld
    from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState
    from reconciler.state.store import open_for_writing
    url, hands, told = sys.argv[1:]
    clock = (lambda: datetime.fromisoformat(Path(hands).read_text())) if hands != "-" else None
    store = open_for_writing(url)
    action = Action(kind=ActionKind.ENABLE, strategy="mine", runtime="paper", reason="")
    with store.lease(clock=clock) as lease:
        intent = store.intend(action, token=lease.token, at=datetime.fromisoformat("2026-11-22T10:00Z"))
        done = Outcome(action=action, state=OutcomeState.DONE)
        acts = {
            "check": lease.check,
            "renew": lease.renew,
            "intend": lambda: store.intend(action, token=lease.token, at=intent.intended_at),
            "conclude": lambda: store.conclude(intent, done, token=lease.token, at=intent.intended_at),
            "enable": lambda: store.ledger_enable("paper", "mine", {}, connection="x", token=lease.token),
            "change": lambda: store.ledger_change("paper", "theirs", {}, connection="x", token=lease.token),
            "disable": lambda: store.ledger_disable("paper", "theirs", token=lease.token),
        }
        lease._ttl = timedelta(seconds=float(told))  # from here on: who is slow to begin still begins
        lease.renew()
        print("holding", os.getpid(), flush=True)
        for line in sys.stdin:
            try:
                acts[line.strip()]()
                print("acted", flush=True)
            except LockHeld:
                print("refused", flush=True)
"""
ACTS = ("enable", "change", "disable", "intend", "conclude", "renew", "check")


@pytest.fixture
def holder(url, spawn):
    """Starts another process that holds the lease, and gives it once it does."""

    def start(hands="-", ttl=BRIEF):
        process = spawn(HOLDER, url, hands, ttl)
        assert process.stdout.readline() == f"holding {process.pid}\n", process.stderr.read()
        return process

    return start


def ask(process, act):
    process.stdin.write(f"{act}\n")
    return process.stdout.readline().strip()


class Hands:
    """A clock that processes share, and that is set as somebody likes."""

    def __init__(self, path):
        self.path = path
        self.set(START)

    def set(self, moment):
        aside = self.path.with_suffix(".new")
        aside.write_text(moment.isoformat())
        aside.replace(self.path)

    def advance(self, **by):
        self.set(self() + timedelta(**by))

    def __call__(self):
        return datetime.fromisoformat(self.path.read_text())

    def __str__(self):
        return str(self.path)


@pytest.fixture
def hands(tmp_path):
    return Hands(tmp_path / "clock")


def test_the_lock_of_a_killed_holder_names_it_and_ends_with_its_time(store, holder, hands):
    killed = holder(hands, ttl=60)
    killed.kill()
    killed.wait()
    with pytest.raises(LockHeld, match=f"process {killed.pid}, ") as caught, store.lease(clock=hands):
        pytest.fail("it was taken before its time")
    assert caught.value.lock_id == 1
    assert f"process {killed.pid}" in caught.value.holder
    hands.advance(seconds=60)
    with store.lease(clock=hands) as lease:
        lease.check()
        assert lease.token == 2
    assert [intent.token for intent in store.unfinished()] == [1]


def test_the_lock_of_a_killed_holder_ends_by_the_databases_own_clock(store, holder):
    holder().kill()
    with taken(store) as lease:
        lease.check()


def test_the_lock_of_a_killed_holder_can_be_ended_at_once_by_its_number_alone(store, holder, hands):
    killed = holder(hands, ttl=60)
    killed.kill()
    with pytest.raises(UsageError):
        store.unlock(2, UNLOCKED)
    assert store.unlock(1, UNLOCKED).holder.pid == killed.pid
    with store.lease(clock=hands) as lease:
        lease.check()


def all_refused(process):
    return {act: ask(process, act) for act in ACTS} == dict.fromkeys(ACTS, "refused")


def everything(store):
    return store.ledger_rows("paper"), store.journal(), store.inventory(), store.lease_record()


@pytest.mark.parametrize("first", ["enable", "conclude", "check"])
def test_a_holder_that_was_stopped_past_its_time_does_nothing_on_waking(store, holder, first):
    """Whatever it was about to do, and whatever it tries afterwards."""
    stopped = holder()
    stopped.send_signal(signal.SIGSTOP)
    with taken(store, ttl=timedelta(minutes=5)) as lease:
        store.ledger_enable("paper", "theirs", {"by": "the second"}, connection="main", token=lease.token)
        before = everything(store)
        stopped.stdin.write(f"{first}\n")
        stopped.send_signal(signal.SIGCONT)
        assert stopped.stdout.readline() == "refused\n"
        assert all_refused(stopped)
        stopped.stdin.close()
        assert stopped.wait(DEADLINE) == 0
        assert everything(store) == before, "it gave back, or changed, what is not its own"
        lease.check()


def test_a_holder_that_was_stopped_and_that_nobody_followed_does_not_act_either(store, holder):
    stopped = holder()
    stopped.send_signal(signal.SIGSTOP)
    with taken(store):
        pass
    stopped.send_signal(signal.SIGCONT)
    assert all_refused(stopped)


def test_a_clock_that_is_set_forward_ends_a_lease_early_and_never_lets_two_act(store, holder, hands):
    first = holder(hands, ttl=60)
    hands.advance(hours=1)
    with store.lease(clock=hands) as lease:
        assert all_refused(first)
        hands.advance(hours=-2)
        assert all_refused(first)
        lease.check()


def test_a_clock_that_is_set_back_lets_a_lease_last_longer_and_never_lets_two_act(store, holder, hands):
    first = holder(hands, ttl=60)
    hands.advance(days=-1)
    with pytest.raises(LockHeld), store.lease(clock=hands):
        pytest.fail("two hold it")
    assert ask(first, "check") == "acted"
    assert ask(first, "renew") == "acted"
    hands.advance(seconds=60)
    with store.lease(clock=hands) as lease:
        assert all_refused(first)
        lease.check()


SLEEPER = """
    import os, signal, sys
    from reconciler.model.errors import StateError
    from reconciler.state.postgres import WritableServer, parse
    from reconciler.state.store import Store
    server = WritableServer(parse(sys.argv[1]), patience=1.0)
    store = Store(server)
    with store.lease() as lease:
        def write(db):
            db.exec_driver_sql("UPDATE lease SET host = 'half done'")
            print("inside", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        try:
            server.write(write)
        except StateError as error:
            print(error, flush=True)
        try:
            store.ledger_enable("paper", "mine", {}, connection="x", token=lease.token)
        except Exception as error:
            print(type(error).__name__, flush=True)
"""


def test_a_writer_that_is_stopped_within_a_write_is_put_out_by_the_server(postgres, database, spawn):
    """A host that vanishes in the middle of a write must not keep everybody else out."""
    url = postgres.url(database)
    with open_for_writing(url) as store, spawn(SLEEPER, url) as sleeper:
        assert sleeper.stdout.readline() == "inside\n"
        store.unlock(1, UNLOCKED)  # waits for the server to end the write of the sleeper
        with store.lease() as lease:
            sleeper.send_signal(signal.SIGCONT)
            assert "stopped for too long in the middle of a write" in sleeper.stdout.readline()
            assert sleeper.stdout.readline() == "LockHeld\n"
            assert store.lease_record().holder.host != "half done"
            lease.check()
    assert open_for_reading(url).ledger_rows("paper") == {}


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_holder_whose_file_was_taken_from_under_it_does_nothing_more(store, url, path, how):
    """What it holds open is nobody else's: the next applier finds no lease, and both would act."""
    if not url.startswith("sqlite"):
        pytest.skip("about the file alone")
    with contextlib.suppress(StateError), store.lease() as lease:
        for one in path.parent.iterdir():
            one.unlink()
        if how == "replaced":
            with open_for_writing(url) as other, other.lease():
                pass
        with pytest.raises(StateError, match="was removed or replaced while it was in use"):
            lease.check()
        with pytest.raises(StateError, match="was removed or replaced"):
            store.record_events([UNLOCKED])
    with open_for_writing(url) as other:
        assert other.events() == ()
