"""Guards through the command: what is held back, the exit code, and how people let it pass."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from reconciler.planning.reader import from_json
from reconciler.resources import schema
from reconciler.state.store import open_for_reading

RUNNING = "btc-eth-recovery"
TODAY = datetime.now(UTC).date()


def approval(allow, count, days=1):
    until = (TODAY + timedelta(days=days)).isoformat()
    return {"allow": allow, "count": count, "reason": "r", "approved_by": "treasury", "until": until}


def merge(document, **sections):
    for name, value in sections.items():
        known = document.get(name)
        document[name] = {**known, **value} if isinstance(known, dict) else value


@pytest.fixture
def small(site):
    """The one good connection of the example and its two strategies, of which one is enabled."""

    def only_the_good(document):
        for section in ("connections", "strategies"):
            kept = {
                key: one
                for key, one in document[section].items()
                if "mexc-spot-main" in (key, one.get("connection"))
            }
            document[section] = kept

    site.edit(only_the_good)
    return site


def edit(site, **sections):
    site.edit(lambda document: merge(document, **sections))


def running(site):
    if not site.state.exists():
        return set()
    rows = open_for_reading(f"sqlite:///{site.state}").ledger_rows("paper")
    return {id_ for id_, row in rows.items() if row.enabled}


def last(done):
    return done.stdout.rstrip().splitlines()[-1]


def test_a_limit_on_starts_is_told_in_a_dry_run_holds_back_an_apply_and_yields_to_an_approval(small):
    edit(small, policy={"thresholds": {"enable": {"count": 0}}})
    dry = small.call("--dry-run")
    assert dry.returncode == 6
    told = " ".join(dry.stdout.split())
    assert "1 of 1 strategies that git wants would be enabled at once" in told
    assert "policy.thresholds.enable.count allows 0" in told
    assert "{allow: enable, count: 1, reason" in told
    assert last(dry).startswith("reconcile: 0 to enable, 0 to change, 0 to disable, 1 blocked")
    report = small.report("--yes")
    jsonschema.validate(report, json.loads(schema("report.schema.json")))
    assert (report["exit_code"], report["outcomes"], running(small)) == (6, [], set())

    edit(small, approvals=[approval("enable", 1, days=-1)])
    over = small.call("--yes")
    assert (over.returncode, running(small)) == (6, set())
    assert "approval-expired" in over.stdout

    edit(small, approvals=[approval("enable", 1)])
    assert small.call("--yes").returncode == 0
    assert running(small) == {RUNNING}


def test_files_that_lost_everything_stop_nothing_until_that_is_approved(small):
    assert small.call("--yes").returncode == 0
    whole = small.config.read_text()
    small.config.write_text("version: 1\n")
    for option in ("--dry-run", "--yes"):
        done = small.call(option)
        assert done.returncode == 6, done.stdout
        assert "the files hold no strategy any more" in " ".join(done.stdout.split())
    assert running(small) == {RUNNING}

    small.config.write_text(whole)
    assert small.call("--yes").returncode == 0

    small.config.write_text(f"version: 1\napprovals: {json.dumps([approval('disable', 1)])}\n")
    small.call("--yes")
    assert running(small) == set()


def test_a_key_that_turns_bad_is_stopped_although_nothing_may_stop_for_the_files(small):
    assert small.call("--yes").returncode == 0
    zero = {"enable": {"count": 0}, "disable": {"count": 0}}
    edit(small, policy={"thresholds": zero})
    small.key("mexc-spot-main").uid = "1"
    done = small.call("--yes")
    assert done.returncode == 5
    assert running(small) == set()


def test_a_plan_file_tells_it_and_applies_nothing(small):
    edit(small, policy={"thresholds": {"enable": {"count": 0}}})
    assert small.call("--dry-run", "--out", "plan.json").returncode == 6
    text = (small.root / "plan.json").read_text()
    document = json.loads(text)
    jsonschema.validate(document, json.loads(schema("plan.schema.json")))
    assert {
        "check": "threshold-enable",
        "verdict": "fail",
        "severity": "blocking",
        "subject": "policy",
        "subject_id": "thresholds.enable",
        "waived_by": None,
    } in document["findings"]
    assert [a.checks for a in from_json(text).actions if a.kind == "blocked"] == [("threshold-enable",)]
    assert small.call("--plan", "plan.json").returncode == 6
    assert running(small) == set()
    edit(small, approvals=[approval("enable", 1)])
    assert small.call("--plan", "plan.json").returncode == 8
