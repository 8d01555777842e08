"""The loop as a process of its own: real ccxt to the sandbox, the real sops, real signals."""

from __future__ import annotations

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

from reconciler.state.store import open_for_reading

LIMIT = 40
RUNNING = "btc-eth-recovery"
WIDER = "SPOT_ACCOUNT_READ,SPOT_DEAL_WRITE,SPOT_DEAL_READ,SPOT_WITHDRAW_WRITE"


class Watched:
    """A running loop, and what it has said so far."""

    def __init__(self, site, *arguments, environment=None):
        self.site = site
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reconciler.cli", *site.arguments(*arguments)],
            cwd=site.root,
            env={**site.environment, **(environment or {})},
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

    def start(*arguments, environment=None):
        given = arguments or ("--watch", "--yes", "--interval", "1")
        started.append(Watched(site, *given, environment=environment))
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
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - of loopback
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
