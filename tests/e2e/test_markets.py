"""Money and pairs through the command: told as advice, never in the way, no amount anywhere."""

from __future__ import annotations

import json

import pytest

from reconciler.sandbox.scenario import Faults
from reconciler.state.store import open_for_reading

ONE = "btc-eth-recovery"
HELD = "123.4567891"
LIST = "/api/v3/exchangeInfo"


@pytest.fixture
def poor(site):
    """The example's one good connection, whose account holds too little, and whose ETH/USDT is suspended."""

    def only_the_good(document):
        document["connections"] = {"mexc-spot-main": document["connections"]["mexc-spot-main"]}
        document["strategies"] = {ONE: document["strategies"][ONE]}

    site.edit(only_the_good)
    site.key("mexc-spot-main").balances = {"USDT": HELD}
    site.sandbox.sandbox.scenario.exchanges["mexc"].closed.append("ETH/USDT")
    return site


def told(site, *arguments):
    findings = site.report(*arguments)["findings"]
    return {one["check"]: one["verdict"] for one in findings if one["check"].startswith("strategy-")}


def runs(site):
    return {
        id_
        for id_, row in open_for_reading(f"sqlite:///{site.state}").ledger_rows("paper").items()
        if row.enabled
    }


def test_it_is_advice_and_stops_nothing(poor):
    done = poor.call("--yes")
    assert done.returncode == 0
    assert "strategy-margin-balance: mexc-spot-main holds less USDT than the margin limit of" in done.stdout
    assert "strategy-pair-listed: not open for trading on mexc spot: ETH/USDT" in done.stdout
    assert runs(poor) == {ONE}


def test_no_amount_is_shown_or_kept(poor):
    shown = [poor.call("--yes", "-v")]
    formats = ("json", "markdown", "github", "sarif", "junit", "gitlab")
    shown += [poor.call("--dry-run", "--output", format_) for format_ in formats]
    shown += [poor.call("check", "-v"), poor.call("check", "--output", "json"), poor.call("status")]
    kept = b"".join(file.read_bytes() for file in poor.state.parent.iterdir() if file.is_file())
    assert kept
    assert HELD.encode() not in kept
    assert all(HELD not in one.stdout + one.stderr for one in shown)
    assert any("margin limit" in one.stdout for one in shown)


def test_a_list_that_is_not_to_be_had_is_unknown_and_stops_nothing(poor):
    mexc = poor.sandbox.sandbox.scenario.exchanges["mexc"]
    mexc.faults.paths[LIST] = Faults(outage=503)
    assert told(poor, "--yes") == {"strategy-margin-balance": "fail", "strategy-pair-listed": "unknown"}
    assert poor.call("--yes").returncode == 0
    assert runs(poor) == {ONE}


def test_lists_are_asked_for_where_something_should_run(poor):
    """Not by a check of keys, nor for a strategy that is off; one request each time, and no key in it."""

    def asked(*arguments):
        poor.sandbox.sandbox.requests.clear()
        poor.call(*arguments)
        return [one.key for one in poor.sandbox.sandbox.requests if one.path == LIST]

    assert asked("check") == []
    assert asked("--dry-run") == [""]
    poor.edit(lambda document: document["strategies"][ONE].update(enabled=False))
    assert asked("--dry-run") == []


def test_a_dry_run_keeps_nothing(poor):
    assert told(poor, "--dry-run")["strategy-pair-listed"] == "fail"
    assert not poor.state.exists()
    assert json.loads(poor.call("--dry-run", "--output", "json").stdout)["findings"]
