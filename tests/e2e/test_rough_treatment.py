"""Killed, interrupted, run twice, declined, cut off: nothing leaks, hangs or is lost."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.engine.settings import Settings
from reconciler.engine.unlock import unlock
from reconciler.state.store import open_for_reading, open_for_writing

RUNNING = "btc-eth-recovery"
LIMIT = 120


def start(site, *arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "reconciler.cli", *site.arguments(*arguments)],
        cwd=site.root,
        env=site.environment,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )


def wait_for_request(site):
    """Return once the command has reached the exchange: it is in the middle of its pass."""
    deadline = time.monotonic() + LIMIT
    while not site.sandbox.sandbox.requests:
        assert time.monotonic() < deadline, "no request came"
        select.select([], [], [], 0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_ends_with_130_and_changes_nothing(site, number):
    site.key("mexc-spot-main").faults.delay_ms = 5000
    process = start(site, "--yes")
    wait_for_request(site)
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "Traceback" not in err
    site.key("mexc-spot-main").faults.delay_ms = 0
    assert site.call("--yes").returncode == 5  # the lease was given back


def test_killed_in_the_middle_the_next_pass_converges(site):
    site.key("mexc-spot-main").faults.delay_ms = 5000
    process = start(site, "--yes")
    wait_for_request(site)
    process.kill()
    process.communicate(timeout=LIMIT)
    site.key("mexc-spot-main").faults.delay_ms = 0
    record = open_for_reading(f"sqlite:///{site.state}").lease_record()
    if record and record.holder:
        unlock(Settings(files=(), state=f"sqlite:///{site.state}"), record.token)
    assert [o["state"] for o in site.report("--yes")["outcomes"]] == ["done"]


def test_of_two_at_once_one_waits_outside(site):
    site.key("mexc-spot-main").faults.delay_ms = 1500
    with ThreadPoolExecutor(2) as pool:
        codes = sorted(done.returncode for done in pool.map(lambda _: site.run("--yes"), range(2)))
    assert codes in ([5, 7], [5, 5])  # 7 where they met; one after the other where they did not
    assert list(open_for_reading(f"sqlite:///{site.state}").inventory()) == [RUNNING]


def test_while_another_holds_the_lease_an_apply_says_who(site):
    with open_for_writing(f"sqlite:///{site.state}") as store, store.lease(clock=lambda: datetime.now(UTC)):
        done = site.call("--yes")
        assert done.returncode == 7
        assert str(os.getpid()) in done.stderr
        assert site.call("--dry-run").returncode == 5, "a dry run takes no lock"


@pytest.mark.parametrize(("answer", "code", "enabled"), [("n\n", 10, False), ("y\n", 5, True)])
def test_at_a_terminal_it_asks(site, answer, code, enabled):
    controller, terminal = pty.openpty()
    process = start(site, stdin=terminal)
    os.write(controller, answer.encode())
    out, err = process.communicate(timeout=LIMIT)
    os.close(controller)
    os.close(terminal)
    assert process.returncode == code, err
    assert "Apply 1 change?" in err
    assert "enable" in out
    kept = open_for_reading(f"sqlite:///{site.state}").inventory()
    assert (RUNNING in kept) is enabled


def test_an_exchange_that_is_gone_is_unknown_and_does_not_hang(site):
    for name in ("mexc-spot-main", "mexc-grid-backup"):
        site.key(name).faults.outage = "closed"
    report = site.report("--dry-run")
    states = {item["id"]: item["status"] for item in report["connections"]}
    assert states["mexc-spot-main"] == "unreachable"
    assert states["recovery-pro"] == "degraded"


def test_a_slow_exchange_is_cut_off_at_the_timeout(site):
    site.key("mexc-spot-main").faults.delay_ms = 30_000
    started = time.monotonic()
    done = site.call("check", "mexc-spot-main", "--timeout", "0.3")
    assert done.returncode == 1
    assert time.monotonic() - started < 25


def test_a_closed_pipe_ends_quietly(site):
    process = start(site, "--dry-run", "-v")
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    with process.stderr as stream:
        err = stream.read()
    process.wait(LIMIT)
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_a_full_disk_behind_standard_output_is_told_and_what_was_done_stands(site):
    with Path("/dev/full").open("w") as full:
        process = start(site, "--yes", stdout=full)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert "error: standard output cannot be written: No space left on device" in err
    assert "Exception ignored" not in err
    assert open_for_reading(f"sqlite:///{site.state}").inventory()


def test_without_sops_nothing_starts_and_the_report_says_why(site):
    del site.environment["RECONCILER_SOPS"]
    site.environment["PATH"] = str(site.root)
    done = site.run("--yes")
    assert done.returncode == 4
    assert "the program sops was not found" in done.stdout
    assert not open_for_reading(f"sqlite:///{site.state}").inventory()


def test_a_state_that_is_no_database_stops_an_apply(site):
    site.state.parent.mkdir()
    site.state.write_bytes(b"not a database" * 100)
    for command in ("--yes", "--dry-run"):
        done = site.call(command)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "state.db" in done.stderr


def test_an_output_file_that_cannot_be_written_is_an_error(site):
    done = site.call("--dry-run", "--output-file", "json=nowhere/report.json")
    assert done.returncode == 3
    assert "nowhere/report.json" in done.stderr


def test_at_a_terminal_the_grace_of_what_is_held_runs_too(site):
    site.call("--yes")
    site.key("mexc-spot-main").faults.outage = 503
    controller, terminal = pty.openpty()
    process = start(site, stdin=terminal)
    process.communicate(timeout=LIMIT)
    os.close(controller)
    os.close(terminal)
    assert "mexc-spot-main" in open_for_reading(f"sqlite:///{site.state}").unknown_since()


def test_nobody_is_asked_in_json(site):
    controller, terminal = pty.openpty()
    process = start(site, "--output", "json", stdin=terminal)
    out, err = process.communicate(timeout=LIMIT)
    os.close(controller)
    os.close(terminal)
    assert process.returncode == 3
    assert out == ""
    assert "--yes" in err
