"""The JSON that programs read: held by its schemas, exact in its text, silent to terminals."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import resources
from reconciler.model.errors import ExitCode
from reconciler.model.finding import Severity, Subject, Verdict
from reconciler.model.live import FailureKind, Health, Permission, Status
from reconciler.model.plan import ActionKind, OutcomeState
from reconciler.model.report import Mode
from reconciler.model.secret import MASK, Secret
from reconciler.output.formats.json import render
from reconciler.output.json import dumps

SCHEMAS = {name: json.loads(resources.schema(f"{name}.schema.json")) for name in ("report", "check")}


def validate(document, name):
    jsonschema.validate(document, SCHEMAS[name], cls=jsonschema.Draft202012Validator)


def definition(name, *path):
    found = SCHEMAS[name]["$defs"]
    for step in path:
        found = found[step]
    return found


@pytest.mark.parametrize("name", ["dry_run", "applied", "checked"])
def test_json(name, request, snapshot):
    assert render(request.getfixturevalue(name)) == snapshot


@pytest.mark.parametrize(
    ("name", "schema"), [("dry_run", "report"), ("applied", "report"), ("checked", "check")]
)
def test_json_holds_to_its_schema(name, schema, request):
    validate(json.loads(render(request.getfixturevalue(name))), schema)


@pytest.mark.parametrize("name", ["dry_run", "checked"])
def test_json_of_nothing_holds_to_its_schema(name, request):
    report = request.getfixturevalue(name)
    empty = replace(report, files=(), connections=(), strategies=(), findings=(), plan=None)
    validate(json.loads(render(empty)), "check" if report.mode is Mode.CHECK else "report")


def test_a_connection_of_check_has_exactly_the_fields_of_the_contract(checked):
    found = {one["id"]: one for one in json.loads(render(checked))["connections"]}
    assert list(found) == sorted(found)
    for one in found.values():
        assert list(one) == ["id", "exchange", "status", "key", "failure", "findings"]
    assert found["mexc-spot-main"]["key"] == {
        "permissions": {
            "read": True,
            "spot": True,
            "margin": False,
            "futures": False,
            "options": None,
            "transfer": False,
            "withdraw": False,
        },
        "ip_whitelist": {"restricted": True, "addresses": ["203.0.113.10"]},
        "account": {"uid": "209302839", "is_sub": False, "parent_uid": None},
        "label": "main bot",
        "created_at": "2026-01-02T10:00:00Z",
        "expires_at": "2026-12-31T10:00:00Z",
    }
    assert found["kucoin-futures"]["failure"] == {
        "kind": "ip_not_allowed",
        "message": "KuCoin answered 400006: the address 203.0.113.10 is not on the key's whitelist",
        "caller_ip": "203.0.113.10",
        "retryable": False,
        "candidates": [],
    }
    assert found["recovery-pro"]["key"]["ip_whitelist"] == {"restricted": True, "addresses": None}
    assert found["arbitrage"]["key"] is found["arbitrage"]["failure"] is None


def test_a_finding_has_exactly_the_fields_of_the_contract(checked):
    (found, *_) = json.loads(render(checked))["connections"][0]["findings"]
    assert found == {
        "check": "credentials-unreadable",
        "verdict": "fail",
        "severity": "blocking",
        "kind": None,
        "subject": "connection",
        "subject_id": "arbitrage",
        "file": "examples/connections.yaml",
        "line": 12,
        "column": 3,
        "evidence": "no private key here opens examples/secrets/arbitrage.sops.yaml",
        "cause": "The file is encrypted to other recipients.",
        "fix": "Ask a holder of the key to run sops updatekeys.",
        "waived_by": None,
        "attested_by": None,
    }


def test_a_finding_without_a_place_has_three_nulls(checked):
    item = checked.connections[0]
    bare = replace(item, findings=(replace(item.findings[0], mark=None),))
    document = json.loads(render(replace(checked, connections=(bare,))))
    (found,) = document["connections"][0]["findings"]
    assert (found["file"], found["line"], found["column"]) == (None, None, None)
    validate(document, "check")


def test_the_report_adds_to_the_contract_and_changes_none_of_it(dry_run, checked):
    full = json.loads(render(dry_run))["connections"]
    lean = json.loads(render(checked))["connections"]
    for more, less in zip(full, lean, strict=True):
        assert {name: more[name] for name in less if name != "key"} == {
            name: less[name] for name in less if name != "key"
        }
        assert (less["key"] or {}).items() <= (more["key"] or {}).items()


def test_times_are_utc_and_whole_seconds(checked):
    elsewhere = datetime(2026, 11, 22, 12, 0, 0, 999, tzinfo=timezone(timedelta(hours=2)))
    item = checked.connections[0]
    seen = replace(item.observation, report=replace(item.observation.report, created_at=elsewhere))
    one = replace(checked, started_at=elsewhere, connections=(replace(item, observation=seen),))
    document = json.loads(render(one))
    assert document["started_at"] == "2026-11-22T10:00:00Z"
    assert document["connections"][0]["key"]["created_at"] == "2026-11-22T10:00:00Z"


def test_a_moment_without_a_zone_is_taken_as_utc(checked):
    naive = replace(checked, started_at=datetime(2026, 11, 22, 10, tzinfo=UTC).replace(tzinfo=None))
    assert json.loads(render(naive))["started_at"] == "2026-11-22T10:00:00Z"


def test_the_summary_counts_everything_there_is(dry_run, checked):
    report = json.loads(render(dry_run))
    statuses = {"connected": 1, "degraded": 1, "rejected": 1, "unreachable": 1, "unchecked": 1}
    assert report["summary"]["connections"] == json.loads(render(checked))["summary"] == statuses
    assert sum(report["summary"]["actions"].values()) == len(dry_run.plan.actions)


def test_parameters_of_any_shape_become_json(applied):
    odd = MappingProxyType(
        {
            "amount": Decimal("1.50"),
            "pairs": ("a", "b"),
            "rate": float("nan"),
            "deep": MappingProxyType({"x": 1}),
        }
    )
    (first, *rest) = applied.plan.actions
    plan = replace(applied.plan, actions=(replace(first, before=odd), *rest))
    document = json.loads(render(replace(applied, plan=plan)))
    validate(document, "report")
    assert document["plan"]["actions"][0]["before"] == {
        "amount": "1.50",
        "pairs": ["a", "b"],
        "rate": "nan",
        "deep": {"x": 1},
    }


def test_a_secret_that_strayed_into_parameters_is_masked(dry_run):
    canary = "canary-7f3a9c2e"
    (first, *rest) = dry_run.plan.actions
    strayed = replace(first, before={"token": Secret(canary)}, after={"token": [Secret(canary)]})
    shown = render(replace(dry_run, plan=replace(dry_run.plan, actions=(strayed, *rest))))
    assert canary not in shown
    assert MASK in shown


@given(st.dictionaries(st.text(), st.text()))
def test_text_is_exact_for_decoders_and_inert_for_terminals(document):
    shown = dumps(document)
    assert json.loads(shown) == document
    assert shown.replace("\n", "").isprintable()
    assert not [line for line in shown.splitlines() if line.lstrip().startswith("::") or "##" in line]
    shown.encode()


@pytest.mark.parametrize(
    "value",
    ["\x1b[2J", "\x7f", "\x9b", "\u202e", "\u2028", "\ud800", "\U000e0001", "##[error]", "\\##", "主 é"],
)
def test_awkward_text_survives(value):
    assert json.loads(dumps({value: value})) == {value: value}


def test_orders_to_a_ci_runner_are_not_in_the_text():
    assert dumps({"a": "##[error] ##vso[x]"}) == '{\n  "a": "#\\u0023[error] #\\u0023vso[x]"\n}\n'


@pytest.mark.parametrize("name", ["report", "check"])
def test_schemas_name_every_word_of_the_model(name):
    assert set(definition(name, "failure_kind", "enum")) == set(FailureKind)
    assert (
        set(definition(name, "status", "enum"))
        == set(Status)
        == set(definition(name, "statuses", "properties"))
    )
    assert list(definition(name, "key", "properties", "permissions", "properties")) == list(Permission)
    finding = definition(name, "finding", "properties")
    assert set(finding["verdict"]["enum"]) == set(Verdict)
    assert set(finding["severity"]["enum"]) == set(Severity)
    assert set(finding["subject"]["enum"]) == set(Subject)
    assert set(SCHEMAS[name]["properties"]["exit_code"]["enum"]) == set(ExitCode)


def test_the_report_schema_names_every_word_of_a_plan():
    shown = {kind.value for kind in ActionKind}
    assert (
        set(definition("report", "action_kind", "enum"))
        == shown
        == set(definition("report", "actions", "properties"))
    )
    outcome = definition("report", "outcome", "properties")
    assert set(outcome["kind"]["enum"]) == {kind for kind in ActionKind if kind.acts}
    assert set(outcome["state"]["enum"]) == set(OutcomeState)
    assert set(definition("report", "connection", "properties", "health", "enum")) == set(Health)


def test_both_schemas_describe_shared_parts_alike():
    shared = set(SCHEMAS["report"]["$defs"]) & set(SCHEMAS["check"]["$defs"]) - {"key", "connection"}
    for part in shared:
        assert definition("report", part) == definition("check", part)
    for part in ("key", "connection"):
        lean, full = (definition(name, part, "properties") for name in ("check", "report"))
        assert lean.items() <= full.items()


def closed(schema):
    """Every object schema within ``schema`` that says which properties it has."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for value in schema.values():
            yield from closed(value)


@pytest.mark.parametrize("name", ["report", "check"])
def test_schemas_are_valid_closed_and_complete(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])
    for schema in closed(SCHEMAS[name]):
        if "type" in schema:
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
            assert schema["description"]
