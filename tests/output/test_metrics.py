"""Metrics as Prometheus reads them, by its conventions, and what the examples make of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from reconciler.checks.catalogue import ENTRIES
from reconciler.model.finding import Subject, Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Condition, Cursor, Lockdown, May, Reading, Remembered, Scope
from reconciler.model.vitals import Vitals
from reconciler.output.metrics import render
from reconciler.resources import folder

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EXAMPLES = folder("examples") / "monitoring"
PROMTOOL = shutil.which("promtool")
#: The labels that there are, and no others: few, and bounded by the files and by this program.
LABELS = {
    "version",
    "connection",
    "status",
    "check",
    "severity",
    "verdict",
    "decision",
    "scope",
    "kind",
    "outcome",
    "exit_code",
    "sink",
}

MAIN = Remembered(
    reading=Reading(
        connection="main",
        at=AT,
        status=Status.DEGRADED,
        verdict=Verdict.FAIL,
        checks=("withdraw-enabled",),
        key={
            "permissions": {"withdraw": True},
            "ip_whitelist": {"restricted": True, "addresses": ["203.0.113.10"]},
            "account": {"uid": "209302839"},
            "expires_at": "2026-12-31T00:00:00+00:00",
            "disabled": False,
        },
    ),
)
LOST = Remembered(
    reading=Reading(connection="lost", at=AT, status=Status.UNREACHABLE, verdict=Verdict.UNKNOWN),
    unknown_since=AT - timedelta(hours=1),
)


def condition(**changes) -> Condition:
    given_ = {
        "subject": Subject.CONNECTION,
        "subject_id": "main",
        "check": "withdraw-enabled",
        "verdict": Verdict.FAIL,
        "blocks": True,
        "evidence": "it may withdraw to 203.0.113.99",
        "since": AT,
    }
    return Condition(**{**given_, **changes})


ALL = Vitals(
    version="0.1.0",
    connections={"main": MAIN, "lost": LOST},
    conditions=(condition(), condition(subject_id="other"), condition(check="key-old", blocks=False)),
    decisions={May.RUN: 3, May.STOP: 1},
    enabled=3,
    unfinished=1,
    lockdowns=(
        Lockdown(id=1, scope=Scope.EXCHANGE, scope_id="mexc", since=AT, by="alice@host", reason="leak"),
    ),
    locked=True,
    last_pass=(AT, AT + timedelta(seconds=2.5), 5),
    events={("found", "critical"): 7},
    actions={("disable", "done"): 4},
    passes={("0", ""): 10, ("5", ""): 2},
    head=42,
    sinks=(Cursor(sink="chat", seq=40, failures=2, failing_since=AT),),
    run=(AT, 5),
    loop_up=True,
)


def samples(vitals: Vitals) -> dict[str, float]:
    found = (one for family in text_string_to_metric_families(render(vitals)) for one in family.samples)
    return {
        one.name.removeprefix("reconciler_") + str(sorted(one.labels.values())): one.value for one in found
    }


def test_what_is_said_is_what_is_so():
    told = samples(ALL)
    assert told["connection_status['degraded', 'main']"] == 1
    assert told["connection_status['connected', 'main']"] == 0
    assert told["connection_passing['main']"] == told["connection_passing['lost']"] == 0
    assert told["connection_last_read_timestamp_seconds['main']"] == AT.timestamp()
    assert told["connection_unknown_since_timestamp_seconds['lost']"] == AT.timestamp() - 3600
    assert "connection_unknown_since_timestamp_seconds['main']" not in told
    assert (
        told["connection_key_expires_timestamp_seconds['main']"]
        == datetime(2026, 12, 31, tzinfo=UTC).timestamp()
    )
    assert told["findings_open['blocking', 'fail', 'withdraw-enabled']"] == 2
    assert told["findings_open['advisory', 'fail', 'key-old']"] == 1
    assert (told["strategies['run']"], told["strategies['stop']"], told["strategies['go-on']"]) == (3, 1, 0)
    assert (told["strategies_enabled[]"], told["actions_unfinished[]"], told["lock_held[]"]) == (3, 1, 1)
    assert (told["lockdowns_in_force['exchange']"], told["lockdowns_in_force['all']"]) == (1, 0)
    assert (told["last_pass_duration_seconds[]"], told["last_pass_exit_code[]"]) == (2.5, 5)
    assert told["actions_total['disable', 'done']"] == 4
    assert told["actions_total['enable', 'failed']"] == 0, "so that the first one is seen as an increase"
    assert told["events_total['critical', 'found']"] == 7
    assert (told["passes_total['0']"], told["passes_total['5']"]) == (10, 2)
    assert (told["sink_failures['chat']"], told["sink_behind_events['chat']"]) == (2, 2)
    assert (told["last_run_exit_code[]"], told["loop_up[]"]) == (5, 1)


def test_of_what_is_not_known_nothing_is_said():
    told = samples(Vitals(version="0.1.0"))
    assert not {name for name in told if name.startswith(("connection", "last", "sink", "loop", "findings"))}
    assert samples(replace(ALL, loop_up=False))["loop_up[]"] == 0


def test_no_address_no_account_and_no_reason_is_said():
    text = render(ALL)
    for private in ("203.0.113", "209302839", "alice", "leak", "mexc"):
        assert private not in text


@given(st.text(min_size=1, max_size=20))
def test_any_name_is_spelt_so_that_it_is_read_back(name):
    told = text_string_to_metric_families(render(replace(ALL, connections={name: MAIN})))
    names = {
        one.labels["connection"] for family in told for one in family.samples if "connection" in one.labels
    }
    assert names == {name}


def test_names_follow_the_conventions():
    """What ``promtool check metrics`` asks for; it runs as well, where it is installed."""
    for family in text_string_to_metric_families(render(ALL)):
        assert re.fullmatch(r"reconciler_[a-z]+(_[a-z]+)*", family.name)
        assert family.documentation.endswith(".")
        counter = family.type == "counter"
        assert all(one.name.endswith("_total") is counter for one in family.samples)
        assert not re.search(
            r"_(ms|milliseconds|minutes|hours|days|percent|kb|mb|count|sum|bucket)$", family.name
        )
        assert not re.search(r"gauge|counter|histogram|summary", family.name)
        assert {label for one in family.samples for label in one.labels} <= LABELS
        if family.name.endswith("_timestamp_seconds"):
            assert all(one.value > 1e9 for one in family.samples)


def promtool(*arguments: str, **more) -> None:
    assert PROMTOOL
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False, **more)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_has_no_complaint():
    promtool("check", "metrics", input=render(ALL))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_the_alerts_fire_when_they_should_and_only_then():
    promtool("check", "rules", str(EXAMPLES / "alerts.yml"))
    promtool("test", "rules", "alerts_test.yml", cwd=EXAMPLES)


ALERTS = [
    rule
    for group in yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((EXAMPLES / "grafana-dashboard.json").read_text())
EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in ALERTS),
    *((panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]),
]


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_every_query_of_the_examples_asks_for_what_there_is(where, expression):
    there = {
        one.name: set(one.labels) for f in text_string_to_metric_families(render(ALL)) for one in f.samples
    }
    asked = re.findall(r"(reconciler_\w+)(?:\{([^}]*)\})?", expression)
    assert asked, where
    for name, chosen in asked:
        assert name in there
        for label, value in re.findall(r'(\w+)[!=~]+"([^"]*)"', chosen):
            assert label in there[name]
            assert label != "check" or value in ENTRIES
    for labels in re.findall(r"by \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", labels)) <= there[asked[0][0]]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do_and_is_tested(rule):
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    tests = yaml.safe_load((EXAMPLES / "alerts_test.yml").read_text())["tests"]
    fires = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    quiet = {
        one["alertname"] for test in tests for one in test["alert_rule_test"] if not one.get("exp_alerts")
    }
    assert rule["alert"] in fires & quiet


def test_the_dashboard_uses_every_metric_that_tells_of_trouble():
    used = " ".join(expression for _, expression in EXPRESSIONS)
    names = {family.name for family in text_string_to_metric_families(render(ALL))}
    unused = {name for name in names if name not in used}
    assert unused <= {"reconciler_lock_held", "reconciler_last_run_timestamp_seconds"}
