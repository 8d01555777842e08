"""Which files and connections a run takes, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from reconciler.checks import CATALOGUE, ENTRIES
from reconciler.engine.choose import chosen_connections, named_connections
from reconciler.engine.files import read
from reconciler.model.errors import ConfigError, UsageError
from reconciler.model.plan import InventoryItem


def document(*checks):
    def connection(id_):
        return {
            "name": id_,
            "exchange": "mexc",
            "market": "spot",
            "credentials": f"secrets/{id_}.sops.yaml",
        }

    def strategy(id_):
        return {
            "name": id_,
            "connection": id_.partition("-")[0],
            "runtime": "paper",
            "enabled": True,
            "pairs": ["BTC/USDT"],
            "risk_level": "conservative",
            "margin_limit": {"amount": "500", "currency": "USDT"},
        }

    return {
        "version": 1,
        "connections": {id_: connection(id_) for id_ in ("spare", "main", "third")},
        "runtimes": {"paper": {"type": "ledger"}},
        "strategies": {id_: strategy(id_) for id_ in ("main-grid", "main-trend", "third-grid")},
        "waivers": [
            {
                "check": check,
                "connection": "main",
                "reason": "moving",
                "approved_by": "treasury",
                "until": "2026-12-31",
            }
            for check in checks
        ],
    }


@pytest.fixture
def load(tmp_path):
    def work(*checks):
        (tmp_path / "secrets").mkdir(exist_ok=True)
        for id_ in ("spare", "main", "third"):
            (tmp_path / "secrets" / f"{id_}.sops.yaml").touch()
        path = tmp_path / "connections.yaml"
        path.write_text(json.dumps(document(*checks), indent=1))
        return read([str(path)])

    return work


def ids(connections):
    return [connection.id for connection in connections]


def test_a_waiver_of_any_check_of_the_catalogue_is_read_but_of_withdrawals(load):
    others = set(CATALOGUE) - {"withdraw-enabled"}
    assert {waiver.check for waiver in load(*others).waivers} == others
    with pytest.raises(ConfigError, match="1 error"):
        load("withdraw-enabled")


def test_every_waiver_of_a_check_that_does_not_exist_is_an_error_with_its_place(load):
    with pytest.raises(ConfigError) as caught:
        load("ip-whitelist-extra", "ip-whitelist-exta", "zzzzzz")
    near, far = caught.value.problems
    assert (near.code, far.code) == ("unknown-check", "unknown-check")
    assert "ip-whitelist-extra" in near.fix
    assert "reconcile explain" in far.fix
    assert near.mark.line < far.mark.line


@pytest.mark.parametrize("check", sorted(set(ENTRIES) - set(CATALOGUE)))
def test_a_check_that_no_waiver_reaches_is_said_to_exist_and_why_it_is_not_waived(load, check):
    with pytest.raises(ConfigError) as caught:
        load(check)
    (problem,) = caught.value.problems
    assert problem.code == "not-waivable"
    assert problem.message.startswith(f"{check} exists and cannot be waived: it ")
    assert problem.fix


@pytest.mark.parametrize(
    ("check", "why", "fix"),
    [
        ("policy-averaging", "rule of policy", "the policy itself"),
        ("bot-mode", "compares the bot itself", "what they say of its strategy"),
        ("strategy-pair-listed", "advice", "remove the waiver"),
        ("strategy-settings-taken", "advice", "remove the waiver"),
        ("runtime-test", "whether a runtime answers", "start the runtime"),
        ("threshold-enable", "a guard", "docs/guards.md"),
    ],
)
def test_each_kind_of_check_says_what_helps_instead_of_a_waiver(load, check, why, fix):
    with pytest.raises(ConfigError) as caught:
        load(check)
    (problem,) = caught.value.problems
    assert why in problem.message
    assert fix in problem.fix


def test_all_connections_or_those_named_once_and_by_id(load):
    desired = load()
    assert ids(named_connections(desired, ())) == ["main", "spare", "third"]
    assert ids(named_connections(desired, ("third", "main", "third"))) == ["main", "third"]


def test_a_name_that_is_not_in_the_files_is_refused_with_what_is_near_or_there(load):
    with pytest.raises(UsageError, match="'mian'") as caught:
        named_connections(load(), ("main", "mian"))
    assert "main" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        named_connections(
            load(),
            ("main-grid",),
        )
    assert "main" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        named_connections(load(), ("zzzzzz",))
    assert caught.value.hint == "there are: main, spare, third"


@pytest.mark.parametrize(
    ("targets", "looked_at"),
    [
        ((), ["main", "spare", "third"]),
        (("spare",), ["spare"]),
        (("main-grid",), ["main"]),
        (("main-grid", "main-trend", "main"), ["main"]),
        (("third-grid", "spare"), ["spare", "third"]),
        # Nobody knows what it ran on: there is no key to look at, and never all of them.
        (("left-git",), []),
    ],
)
def test_targets_choose_the_connections_that_they_stand_on(load, targets, looked_at):
    assert ids(chosen_connections(load(), targets)) == looked_at


@pytest.mark.parametrize(
    ("targets", "looked_at"),
    [
        (("gone-grid",), ["spare"]),
        (("main-grid",), ["main", "third"]),
        (("main",), ["main", "third"]),
        (("third",), ["third"]),
        (("lost-grid",), []),
    ],
)
def test_the_key_on_which_a_targeted_strategy_still_runs_is_looked_at_too(load, targets, looked_at):
    enabled_on = {"gone-grid": "spare", "main-grid": "third", "lost-grid": "left-git"}
    inventory = {
        strategy: InventoryItem(
            strategy=strategy,
            runtime="paper",
            connection=connection,
            enabled_at=datetime(2026, 11, 22, tzinfo=UTC),
        )
        for strategy, connection in enabled_on.items()
    }
    assert ids(chosen_connections(load(), targets, inventory)) == looked_at
