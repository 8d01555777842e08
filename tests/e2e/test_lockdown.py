"""The emergency stop as the real command, on a bad night: whatever is broken, it does what can be done."""

from __future__ import annotations

import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from reconciler.model.plan import Action, ActionKind, InventoryItem, Outcome, OutcomeState
from reconciler.resources import schema
from reconciler.state.store import open_for_reading, open_for_writing

RUNNING = "btc-eth-recovery"
SCHEMA = json.loads(schema("lockdown.schema.json"))


@pytest.fixture
def night(site):
    """A team's checkout in which a strategy runs, with every way to read a key taken away."""
    assert site.call("--yes").returncode in {0, 5}
    assert running(site) == [RUNNING]
    site.environment = {
        name: value for name, value in site.environment.items() if not name.startswith("SOPS_")
    } | {"RECONCILER_SOPS": "/nowhere/sops"}
    site.sandbox.sandbox.requests.clear()
    yield site
    assert list(site.sandbox.sandbox.requests) == [], "it asked an exchange"


def running(site):
    rows = open_for_reading(str(site.state)).ledger_rows("paper")
    return sorted(name for name, row in rows.items() if row.enabled)


def line(site, *arguments):
    return [
        *("lockdown", "--state", f"sqlite:///{site.state}", "-f", "connections.yaml"),
        *arguments,
    ]


def lockdown(site, *arguments, **more):
    return site.run(*line(site, *arguments), raw=True, **more)


def document(site, *arguments, **more):
    done = lockdown(site, *arguments, "--output", "json", **more)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    jsonschema.validate(told, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert told["exit_code"] == done.returncode
    return told


ALL = ("--all", "--reason", "laptop stolen", "--yes")


def test_everything_stops_stays_stopped_under_every_apply_and_comes_back_once_lifted(site):
    site.call("--yes")
    told = document(site, *ALL)
    assert (told["exit_code"], running(site)) == (0, [])
    assert [(one["strategy"], one["state"]) for one in told["strategies"]] == [(RUNNING, "done")]
    applied = site.call("--yes", "--output", "json")
    report = json.loads(applied.stdout)
    assert (applied.returncode, running(site)) == (5, [])
    assert [one["check"] for one in report["findings"] if one["check"] == "lockdown"] == ["lockdown"]
    assert report["outcomes"] == []
    lifted = document(site, "--lift", str(told["lockdown"]["id"]), "--yes")
    assert RUNNING in lifted["may_start"]
    site.call("--yes")
    assert running(site) == [RUNNING]


def test_its_screen_says_what_stopped_and_then_what_to_do_with_each_key(night):
    done = lockdown(night, *ALL)
    assert done.returncode == 0, done.stderr
    assert "lockdown 1 of everything is in force" in done.stderr
    text = done.stdout
    places = [
        text.index(part)
        for part in (
            "LOCKDOWN 1 of everything",
            f"- stopped      {RUNNING} · on mexc-spot-main · in paper",
            "KEYS TO REPLACE",
            "Recovery PRO Connection",
            "IT MAY WITHDRAW: begin here",
            "https://www.kucoin.com/account/api",
            "MEXC Spot Main",
            "sops secrets/mexc-spot-main.sops.yaml",
            "FOR EACH KEY, IN THIS ORDER",
            "[ ] 1.         Delete the key at its exchange",
        )
    ]
    assert places == sorted(places)
    last = text.rstrip().splitlines()[-1]
    assert last == "lockdown 1 of everything: 1 stopped, 0 not stopped, 0 unknown, 5 keys to replace"


@pytest.mark.parametrize("scope", [("--exchange", "mexc"), ("--connection", "mexc-spot-main")])
def test_a_part_of_it(night, scope):
    told = document(night, *scope, *ALL[1:])
    assert (told["exit_code"], running(night)) == (0, [])
    assert {one["exchange"] for one in told["keys"]} == {"mexc"}


def test_another_part_leaves_it_running(night):
    assert document(night, "--exchange", "kucoin", *ALL[1:])["exit_code"] == 0
    assert running(night) == [RUNNING]


@pytest.mark.parametrize("broken", ["no yaml", "deleted", "no secrets", "whole checkout"])
def test_with_broken_files(night, broken):
    match broken:
        case "no yaml":
            night.config.write_text("connections: {mexc-spot-main: [\n")
        case "deleted":
            night.config.unlink()
        case "no secrets":
            shutil.rmtree(night.root / "secrets")
        case "whole checkout":
            for item in night.root.iterdir():
                if item.name != "state":
                    shutil.rmtree(item) if item.is_dir() else item.unlink()
    told = document(night, "--exchange", "mexc", *ALL[1:])
    assert (told["exit_code"], running(night)) == (0, [])
    assert told["troubles"]
    main = next(one for one in told["keys"] if one["connection"] == "mexc-spot-main")
    assert (main["exchange"], main["may_withdraw"], main["account"]) == ("mexc", False, "209302839")


def test_a_script_is_never_kept_waiting_for_an_answer(night):
    done = lockdown(night, "--all", "--reason", "x")
    assert (done.returncode, running(night)) == (3, [RUNNING])
    assert "there is nobody to ask" in done.stderr
    assert open_for_reading(str(night.state)).lockdowns() == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--yes",), "say what to stop"),
        (("--all", "--exchange", "mexc", "--yes"), "say what to stop"),
        (("--all", "--yes"), "say why"),
        (("--exchange", "mexcc", "--reason", "x", "--yes"), "did you mean mexc?"),
        (("--lift", "9", "--yes"), "no lockdown with the number 9"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_happens(night, arguments, said):
    done = lockdown(night, *arguments)
    assert (done.returncode, running(night)) == (3, [RUNNING])
    assert said in done.stderr


@pytest.mark.parametrize(("answer", "code", "left"), [(b"y\n", 0, []), (b"n\n", 10, [RUNNING])])
def test_at_a_terminal_it_asks_with_the_number(night, answer, code, left):
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    try:
        done = lockdown(night, "--all", "--reason", "drill", stdin=theirs)
    finally:
        os.close(theirs)
        os.close(ours)
    assert "stops what runs of 6 strategies (1 enabled by this tool) and keeps everything" in done.stderr
    assert (done.returncode, running(night)) == (code, left)


def test_interrupted_in_the_middle_it_stays_in_force_and_is_run_again(night):
    with open_for_writing(str(night.state)) as store, store.lease():
        child = subprocess.Popen(
            [sys.executable, "-m", "reconciler.cli", *line(night, *ALL)],
            cwd=night.root,
            env=night.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert "is in force" in child.stderr.readline()
        assert "waiting for the lock" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        out, problems = child.communicate(timeout=200)
    assert (child.returncode, out) == (130, "")
    assert "not everything was stopped: run the same command again" in problems
    assert running(night) == [RUNNING]
    assert document(night, *ALL)["declared_before"]
    assert running(night) == []


def test_two_at_once_both_end_well(night):
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "reconciler.cli", *line(night, *scope, *ALL[1:])],
            cwd=night.root,
            env=night.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for scope in (("--all",), ("--exchange", "mexc"))
    ]
    for child in children:
        out, problems = child.communicate(timeout=200)
        assert child.returncode == 0, (out, problems)
    assert running(night) == []


def test_on_a_full_disk_it_says_what_to_do_by_hand(night):
    """No file may grow by a byte: the state can be read, and takes nothing."""

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    told = document(night, *ALL, preexec_fn=full)
    assert (told["exit_code"], told["recorded"]) == (1, False)
    assert [(one["strategy"], one["state"]) for one in told["strategies"]] == [(RUNNING, "failed")]
    assert told["by_hand"]
    assert len(told["keys"]) == 5
    assert running(night) == [RUNNING]
    text = lockdown(night, *ALL, preexec_fn=full).stdout
    assert "LOCKDOWN of everything IS NOT RECORDED" in text
    assert "! NOT STOPPED  btc-eth-recovery" in text
    assert "DO BY HAND, NOW" in text


def test_in_the_wrong_folder_it_is_no_comfort(night, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    night.root = elsewhere
    done = night.run("lockdown", *ALL, raw=True)
    assert done.returncode == 1
    assert "nothing was ever applied with this state" in " ".join(done.stdout.split())


def test_a_runtime_that_the_broken_files_took_away_is_told_by_its_name(night):
    with open_for_writing(str(night.state)) as store, store.lease() as lease:
        action = Action(
            kind=ActionKind.ENABLE,
            strategy="far",
            runtime="ft-eu",
            reason="",
            connection="mexc-spot-main",
            after={},
        )
        at = open_for_reading(str(night.state)).passes()[0].started_at
        intent = store.intend(action, token=lease.token, at=at)
        item = InventoryItem(strategy="far", runtime="ft-eu", connection="mexc-spot-main", enabled_at=at)
        done = Outcome(action=action, state=OutcomeState.DONE)
        store.conclude(intent, done, token=lease.token, at=at, keep=item)
    night.config.unlink()
    told = document(night, *ALL)
    found = {one["strategy"]: one for one in told["strategies"]}
    assert (told["exit_code"], found[RUNNING]["state"], found["far"]["state"]) == (9, "done", "failed")
    assert "ft-eu" in found["far"]["detail"]
    assert any("its runtime itself" in one for one in told["by_hand"])


def test_the_list_shows_those_in_force_and_makes_no_state(site):
    empty = document(site, "--list")
    assert empty["lockdowns"] == []
    assert not Path(site.state).exists()
    site.call("--yes")
    document(site, "--exchange", "mexc", "--reason", "a\nb", "--yes")
    assert "lockdown 1 of exchange mexc" in lockdown(site, "--list").stdout
    (one,) = document(site, "--list")["lockdowns"]
    assert (one["scope"], one["scope_id"]) == ("exchange", "mexc")


def test_it_needs_nothing_that_is_heavy():
    code = (
        "import sys; from reconciler.cli.entry import run\n"
        "run(['lockdown', '--all', '--reason', 'x', '--yes', '--state', '/dev/null/x', '-f', 'nowhere'])\n"
        "print(sorted(m for m in sys.modules if m in {'ccxt', 'aiohttp'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
