"""The loop as a process of its own: real ccxt to the sandbox, the real sops, real signals."""

from __future__ import annotations

import json
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress

import psycopg
import pytest

from reconciler.model.errors import LockHeld
from reconciler.model.event import EventKind
from reconciler.state.store import open_for_reading, open_for_writing

LIMIT = 120
RUNNING = "btc-eth-recovery"
WIDER = "SPOT_ACCOUNT_READ,SPOT_DEAL_WRITE,SPOT_DEAL_READ,SPOT_WITHDRAW_WRITE"


class Watched:
    """A running loop, and what it has said so far."""

    def __init__(self, site, line, environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reconciler.cli", *line],
            cwd=site.root,
            env={**site.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream):
        for line in stream:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def until(self, pattern, limit=LIMIT):
        """The first new line in which ``pattern`` is found."""
        deadline = time.monotonic() + limit
        ended = 0
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"never said {pattern!r}:\n" + "\n".join(self.said)) from None
            if line is None:
                ended += 1
                assert ended < 2, f"ended without {pattern!r}:\n" + "\n".join(self.said)
                continue
            self.said.append(line)
            if re.search(pattern, line):
                return line

    def end(self, number=signal.SIGTERM):
        """Have it end, and give its exit code and all that it said."""
        self.process.send_signal(number)
        code = self.process.wait(LIMIT)
        for reader in self._readers:
            reader.join(LIMIT)
        while not self._lines.empty():
            line = self._lines.get()
            if line is not None:
                self.said.append(line)
        return code

    @property
    def address(self):
        return self.until("listening on ").split("listening on ")[1].split(": ")[0]


@pytest.fixture
def watch(site):
    """Starts loops; whatever still runs when the test ends is killed."""
    started = []

    def start(*arguments, environment=None, raw=False, chosen=None):
        given = arguments or ("--watch", "--yes", "--interval", "1")
        line = list(arguments[0]) if raw else site.arguments(*given)
        if chosen:
            folder = site.root / chosen
            folder.mkdir()
            for name in ("connections.yaml", "secrets"):
                (site.root / name).rename(folder / name)
            line[1] = f"{chosen}/connections.yaml"
        started.append(Watched(site, line, environment or {}))
        return started[-1]

    yield start
    for one in started:
        with suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()
        for reader in one._readers:
            reader.join(LIMIT)
        one.process.stdout.close()
        one.process.stderr.close()


def get(url):
    """Status and body of an endpoint."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own loopback
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def until(condition, what):
    """Return what ``condition`` gives once that is something; asked again and again."""
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.02)
    return found


def state(site):
    return open_for_reading(f"sqlite:///{site.state}")


def running(site):
    return {name for name, held in state(site).ledger_rows("paper").items() if held.enabled}


def started(site, loop):
    """Return once the loop has started what it may."""
    loop.until("digest ")
    until(lambda: running(site) == {RUNNING}, "what may run runs")


def test_what_happens_to_a_key_is_acted_on_within_an_interval_and_told_once(site, watch):
    loop = watch()
    started(site, loop)
    key = site.key("mexc-spot-main")
    kept = key.permissions
    key.permissions = WIDER
    loop.until("withdraw-enabled of mexc-spot-main: ")
    assert not running(site)
    key.permissions = kept
    loop.until("withdraw-enabled of mexc-spot-main is over")
    until(lambda: running(site) == {RUNNING}, "it was started again")
    assert loop.end() == 0
    assert sum("withdraw-enabled of mexc-spot-main: " in line for line in loop.said) == 1
    assert "Traceback" not in "\n".join(loop.said)


def test_a_key_that_is_revoked_is_acted_on(site, watch):
    loop = watch()
    started(site, loop)
    site.key("mexc-spot-main").faults.error = "invalid_key"
    until(lambda: not running(site), "it was stopped")
    site.key("mexc-spot-main").faults.error = None
    until(lambda: running(site) == {RUNNING}, "it was started again")
    assert loop.end() == 0


def test_files_are_picked_up_at_once_and_a_bad_commit_changes_nothing(site, watch):
    """The interval is an hour: whatever happens here, happens because the files changed."""
    settle_at_once(site)
    loop = watch("--watch", "--yes", "--interval", "3600", "--listen", "0")
    where = loop.address
    until(lambda: get(f"{where}/readyz")[0] == 200, "the first pass is done")
    assert running(site) == {RUNNING}
    good = site.config.read_text()
    site.config.write_text("version: 1\nstrategies: [oops]\n")
    loop.until("the configuration cannot be used, so the last good one goes on: connections.yaml:")
    status, body = get(f"{where}/readyz")
    assert (status, len(body["why"])) == (503, 1)
    assert get(f"{where}/healthz")[0] == 200
    assert running(site) == {RUNNING}
    site.config.write_text(good.replace("enabled: true", "enabled: false", 1))
    loop.until("over: the configuration")
    until(lambda: not running(site), "it was stopped")
    until(lambda: get(f"{where}/readyz")[0] == 200, "it is ready again")
    assert loop.end() == 0


def settle_at_once(site):
    site.edit(lambda document: document["policy"].update(settle=1))


def test_a_mounted_configuration_that_is_swapped_by_its_link_is_noticed(site, watch):
    """As Kubernetes swaps a ConfigMap: the files are links through a link that is replaced."""
    settle_at_once(site)
    text, place = site.config.read_text(), site.root / "mounted"
    place.mkdir()

    def version(name, content):
        (place / name).mkdir()
        (place / name / "connections.yaml").write_text(content)
        shutil.copytree(site.root / "secrets", place / name / "secrets")
        (place / "..new").symlink_to(name)
        (place / "..new").rename(place / "..data")

    version("..one", text)
    (place / "connections.yaml").symlink_to("..data/connections.yaml")
    (place / "secrets").symlink_to("..data/secrets")
    site.config.unlink()
    site.config.symlink_to("mounted/connections.yaml")
    arguments = site.arguments("--watch", "--yes", "--interval", "3600")
    arguments[1] = "mounted/connections.yaml"
    loop = watch(arguments, raw=True)
    started(site, loop)
    version("..two", text.replace("enabled: true", "enabled: false", 1))
    until(lambda: not running(site), "it was stopped")
    assert loop.end() == 0


def test_a_folder_that_is_moved_away_and_back_is_noticed(site, watch):
    """As a deployment by renaming does; the folder that was watched is another one then."""
    loop = watch("--watch", "--yes", "--interval", "2", chosen="conf")
    started(site, loop)
    other = site.root / "next"
    shutil.copytree(site.root / "conf", other)
    file = other / "connections.yaml"
    file.write_text(file.read_text().replace("enabled: true", "enabled: false", 1))
    (site.root / "conf").rename(site.root / "before")
    other.rename(site.root / "conf")
    until(lambda: not running(site), "it was stopped")
    assert loop.end() == 0


def test_a_hup_reads_everything_now(site, watch):
    settle_at_once(site)
    loop = watch("--watch", "--yes", "--interval", "3600")
    started(site, loop)
    site.key("mexc-spot-main").permissions = WIDER
    loop.process.send_signal(signal.SIGHUP)
    until(lambda: not running(site), "it was stopped")
    assert loop.end() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_told_to_end_while_it_reads_it_gives_everything_back(site, watch, number, code):
    for key in site.sandbox.sandbox.keys.values():
        key.faults.delay_ms = 3_600_000
    loop = watch("--watch", "--yes", "--interval", "3600", "--timeout", "300")
    until(lambda: site.sandbox.sandbox.requests, "a key is being read")
    assert loop.end(number) == code
    record = state(site).lease_record()
    assert record is None or record.holder is None
    assert not running(site)


def test_one_that_hangs_delays_no_other(site, watch):
    loop = watch()
    started(site, loop)
    for name in ("recovery-pro", "btc-eth-new-groups", "kucoin-futures-conservative"):
        site.key(name).faults.delay_ms = 3_600_000
    site.key("mexc-spot-main").permissions = WIDER
    until(lambda: not running(site), "it was stopped")
    assert loop.end() == 0


def test_two_loops_at_once_take_turns_and_agree(site, watch):
    loops = [watch(), watch()]
    for loop in loops:
        loop.until("digest ")
    until(lambda: running(site) == {RUNNING}, "one of them started it")
    site.key("mexc-spot-main").permissions = WIDER
    until(lambda: not running(site), "one of them stopped it")
    assert [loop.end() for loop in loops] == [0, 0]
    kinds = [one.event.kind for one in state(site).events()]
    assert kinds.count(EventKind.ENABLED) == kinds.count(EventKind.DISABLED) == 1
    assert state(site).audit_faults() == ()


def test_a_lock_that_a_pipeline_holds_is_waited_for(site, watch):
    loop = watch()
    started(site, loop)
    with open_for_writing(f"sqlite:///{site.state}") as store:
        token = until(lambda: taken(store), "the lease was free for a moment")
        loop.until("the lock is held by ")
        with suppress(Exception):
            token.__exit__(None, None, None)
    loop.until("over: the lock is held by ")
    assert loop.end() == 0
    assert sum("Z the lock is held by" in line for line in loop.said) == 1


def taken(store):
    held = store.lease()
    try:
        held.__enter__()
    except LockHeld:
        return None
    return held


def test_a_manager_hears_ready_status_reload_and_stop(site, watch, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LIMIT)
        settings = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "900000"}
        loop = watch("--watch", "--yes", "--interval", "60", environment=settings)
        heard = []

        def hear(word):
            while not any(word in line for line in heard):
                heard.append(manager.recv(4096).decode())

        for word in ("READY=1", "WATCHDOG=1", " passes, the last ended with 5"):
            hear(word)
        heard.clear()
        loop.process.send_signal(signal.SIGHUP)
        for word in ("RELOADING=1\nMONOTONIC_USEC=", "READY=1"):
            hear(word)
        loop.process.send_signal(signal.SIGTERM)
        hear("STOPPING=1")
        assert loop.process.wait(LIMIT) == 0


def test_no_secret_is_said_kept_or_answered(site, watch):
    loop = watch("--watch", "--yes", "-v", "--interval", "1", "--listen", "0")
    where = loop.address
    started(site, loop)
    site.key("mexc-spot-main").faults.error = "bad_signature"
    site.key("recovery-pro").faults.outage = "closed"
    until(lambda: not running(site), "it was stopped")
    file = site.root / "secrets" / "mexc-spot-main.sops.yaml"
    kept = file.read_text()
    file.write_text(kept.replace("api_key: ", "api_key: x"))
    loop.until("credentials-unreadable of mexc-spot-main")
    answers = [get(f"{where}/{path}") for path in ("healthz", "readyz")]
    assert loop.end() == 0
    said = "\n".join(loop.said) + repr(answers)
    stored = b"".join(path.read_bytes() for path in site.state.parent.iterdir())
    for key in site.sandbox.sandbox.keys.values():
        for secret in filter(None, (key.api_key, key.secret, key.passphrase)):
            assert secret not in said
            assert secret.encode() not in stored


def test_a_database_that_is_gone_for_a_while_is_waited_for(site, watch, postgres, database):
    site.database = postgres.url(database)
    loop = watch("--watch", "--yes", "--interval", "1", "--listen", "0")
    where = loop.address
    loop.until("digest ")
    until(lambda: get(f"{where}/readyz")[0] == 200, "the first pass is done")
    until(lambda: renamed(postgres, database, "away"), "it is gone between two passes")
    loop.until("nothing can be done without the state")
    assert get(f"{where}/readyz")[0] == 503
    assert get(f"{where}/healthz")[0] == 200
    until(lambda: renamed(postgres, "away", database), "it is back")
    loop.until("over: nothing can be done without the state")
    until(lambda: get(f"{where}/readyz")[0] == 200, "it is ready again")
    assert loop.end() == 0
    assert sum("Z nothing can be done without" in line for line in loop.said) == 1


def renamed(postgres, old, new):
    """Whether the database has another name now; it cannot while somebody is connected."""
    try:
        postgres.do(f"ALTER DATABASE {old} RENAME TO {new}")
    except psycopg.Error:
        return False
    return True


def test_an_audit_keeps_no_state(site, watch):
    loop = watch("--watch", "--dry-run", "--interval", "1")
    loop.until("digest ")
    site.key("mexc-spot-main").permissions = WIDER
    loop.until("withdraw-enabled")
    assert loop.end() == 0
    assert not site.state.parent.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--watch",), "--yes to apply again and again"),
        (("--watch", "--yes", "--dry-run"), "--dry-run changes nothing"),
        (("--watch", "--yes", "--plan", "plan.json"), "are for one run"),
        (("--watch", "--dry-run", "--out", "plan.json"), "are for one run"),
        (("--watch", "--dry-run", "--detailed-exitcode"), "are for one run"),
        (("--yes", "--interval", "5"), "add --watch"),
        (("--dry-run", "--listen", "9187"), "add --watch"),
        (("--watch", "--yes", "--listen", "nowhere"), "is no address"),
        (("--watch", "--yes", "--target", "nobody"), "neither a strategy nor a connection"),
    ],
)
def test_what_contradicts_itself_does_not_begin(site, arguments, said):
    done = site.call(*arguments)
    assert done.returncode == 3
    assert said in done.stderr
    assert not running(site)


def test_with_bad_files_it_does_not_begin(site):
    site.config.write_text("version: 2\n")
    done = site.call("--watch", "--yes")
    assert done.returncode == 3
    assert "connections.yaml:1:" in done.stderr


def test_a_repository_is_followed_forwards_alone(site, watch, upstream):
    loop = watch("--watch", "--yes", "--interval", "1", "--git", str(upstream.root))
    started(site, loop)
    first = upstream.head
    text = (upstream.root / "connections.yaml").read_text()
    (upstream.root / "connections.yaml").write_text("version: one\n")
    upstream.commit()
    loop.until("cannot be used, so the last good one goes on")
    (upstream.root / "connections.yaml").write_text(text.replace("enabled: true", "enabled: false"))
    stopped = upstream.commit()
    loop.until("over: the configuration cannot be used")
    until(lambda: not running(site), "what git no longer wants was stopped")
    until(lambda: state(site).passes(limit=1)[0].commit == stopped, "the commit is recorded")
    upstream.git("reset", "--quiet", "--hard", first)
    loop.until("gives nothing new, so what was taken goes on: .*history was rewritten")
    assert loop.end() == 0
    assert not running(site)
    again = watch("--watch", "--yes", "--interval", "1", "--git", str(upstream.root))
    again.until("so the last good commit goes on: .*history was rewritten")
    again.until("digest ")
    assert again.end() == 0
    assert not running(site)
    assert state(site).passes(limit=1)[0].commit == stopped


def test_a_loop_begins_with_the_last_good_commit_where_the_newest_is_wrong(site, watch, upstream):
    loop = watch("--watch", "--yes", "--interval", "1", "--git", str(upstream.root))
    started(site, loop)
    good = upstream.head
    assert loop.end() == 0
    (upstream.root / "connections.yaml").write_text("version: one\n")
    upstream.commit()
    again = watch("--watch", "--yes", "--interval", "1", "--git", str(upstream.root))
    again.until("cannot be used, so the last good one goes on")
    again.until("digest ")
    assert again.end() == 0
    assert running(site) == {RUNNING}
    assert state(site).passes(limit=1)[0].commit == good


def chat(site, receiver) -> tuple[str, ...]:
    """Options that have the loop tell ``receiver``."""
    file = site.root.parent / "sinks.yaml"
    file.write_text(
        json.dumps({"sinks": {"chat": {"type": "slack", "url": receiver.url, "per_minute": 100}}})
    )
    file.chmod(0o600)
    return ("--notify-file", str(file))


def titles(receiver) -> list[str]:
    return [one.json["text"].partition("\n")[0] for one in receiver.taken]


def test_people_are_told_beside_the_next_pass_and_a_dead_sink_delays_none(site, watch, receiver):
    receiver.hang = True
    loop = watch("--watch", "--yes", "--interval", "1", *chat(site, receiver))
    started(site, loop)
    until(lambda: receiver.taken, "somebody is told")
    before = state(site).last_finished().id
    until(lambda: state(site).last_finished().id > before + 2, "passes go on while nobody answers")
    receiver.hang = False
    receiver.stopped.set()
    assert loop.end() == 0
    assert "canary" not in "\n".join(loop.said).lower()


def test_what_a_loop_finds_is_told_once_and_so_is_its_end(site, watch, receiver):
    loop = watch("--watch", "--yes", "--interval", "1", *chat(site, receiver))
    started(site, loop)
    key = site.key("mexc-spot-main")
    kept, key.permissions = key.permissions, WIDER
    found = "CRITICAL: withdraw-enabled of connection mexc-spot-main"
    until(lambda: found in titles(receiver), "found")
    key.permissions = kept
    over = "Info: over: withdraw-enabled of connection mexc-spot-main"
    until(lambda: over in titles(receiver), "over")
    loop.end()
    assert (titles(receiver).count(found), titles(receiver).count(over)) == (1, 1)


def test_the_last_that_happened_is_told_before_a_loop_ends(site, watch, receiver):
    loop = watch("--watch", "--yes", "--interval", "60", *chat(site, receiver))
    loop.until("digest ")
    until(lambda: [one for one in state(site).events() if one.event.subject_id == "recovery-pro"], "found")
    assert loop.end() == 0
    assert "CRITICAL: withdraw-enabled of connection recovery-pro" in titles(receiver)
    assert state(site).cursors()["chat"].seq == state(site).audit_head().seq


def test_metrics_are_answered_and_written(site, watch):
    loop = watch("--watch", "--yes", "--interval", "1", "--listen", "127.0.0.1:0", "--metrics-file", "m.prom")
    address = loop.address
    started(site, loop)

    def scraped():
        with urllib.request.urlopen(f"{address}/metrics", timeout=60) as answer:  # noqa: S310 - loopback
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4; charset=")
            return answer.read().decode()

    until(lambda: "reconciler_last_pass_exit_code 5.0" in scraped(), "a pass is told of")
    text = scraped()
    assert "reconciler_loop_up 1.0" in text
    assert 'reconciler_connection_passing{connection="mexc-spot-main"} 1.0' in text
    assert "last_run" not in text
    until((site.root / "m.prom").exists, "metrics are written")
    assert "reconciler_loop_up" not in (site.root / "m.prom").read_text()
    loop.end()


def test_in_json_every_line_of_a_loop_is_an_object(site, watch):
    loop = watch("--watch", "--yes", "--interval", "1", "--listen", "0", "--log-format", "json")
    loop.until("listening on ")
    started(site, loop)
    site.key("mexc-spot-main").permissions = WIDER
    line = json.loads(loop.until("this key may withdraw"))
    assert (line["level"], line["logger"]) == ("critical", "reconciler")
    assert line["event"].startswith("withdraw-enabled of mexc-spot-main: ")
    loop.end()
    whole = "\n".join(loop.said)
    report = whole.partition("reconciler 0.1.0 · apply")[2].partition("(digest")[0]
    rest = [line for line in loop.said if line not in report]
    assert all(json.loads(line)["event"] for line in rest if not line.startswith(("reconcile", "reconciler")))
