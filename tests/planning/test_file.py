from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import resources
from reconciler.model.errors import StalePlan, UsageError
from reconciler.model.live import Account, KeyReport
from reconciler.planning.canonical import parameters
from reconciler.planning.file import to_json
from reconciler.planning.reader import from_json

SCHEMA = jsonschema_rs.validator_for(json.loads(resources.schema("plan.schema.json")))
WHEN = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def desired(make):
    return make.desired(make.strategy(), make.strategy("dca"), make.strategy("off", enabled=False))


@pytest.fixture
def plan(make, desired):
    held = make.running("off") | make.running("dca", risk_level="aggressive")
    return make.plan(desired, runtimes={"paper": held, "live": {}})


@pytest.fixture
def text(make, desired, plan):
    return to_json(plan, make.run(desired, plan, started_at=WHEN))


@pytest.fixture
def document(text):
    return json.loads(text)


def test_a_plan_comes_back_as_it_was_written(plan, text):
    found = from_json(text)
    assert found.actions == plan.actions
    assert (found.digest, found.targets) == (plan.digest, plan.targets)
    assert found.tool_version == "1.2.3"
    assert found.created_at == WHEN
    assert found.created_at.tzinfo is UTC
    found.require_same(plan)


def test_the_file_says_its_time_in_utc_and_ends_with_a_newline(text):
    assert '"created_at": "2026-11-22T12:00:00Z"' in text
    assert text.endswith("}\n")


def of_world(make, world):
    """Any plan, and the text of its file."""
    made = make.plan(
        world.desired,
        reports=world.reports,
        runtimes=world.runtimes,
        inventory=world.inventory,
        since=world.since,
    )
    return made, to_json(made, make.run(world.desired, made, connections=world.reports))


@given(data=st.data())
def test_any_plan_fits_the_schema_and_comes_back(make, data):
    made, text = of_world(make, data.draw(make.worlds()))
    SCHEMA.validate(json.loads(text))
    found = from_json(text)
    assert len(found.actions) == len(made.actions)
    found.require_same(made)


FINDING = {
    "check": "key-shared",
    "verdict": "fail",
    "severity": "blocking",
    "subject": "connection",
    "subject_id": "main",
    "waived_by": None,
}
SPOILT = {
    "not an object": (lambda d: [d], "the plan file is not an object"),
    "another version": (
        lambda d: d | {"format_version": "2.0"},
        "2.0, and this version .* reads 1.0, 1.1, 1.2",
    ),
    "a later one": (
        lambda d: d | {"format_version": "1.3"},
        "1.3, and this version .* reads 1.0, 1.1, 1.2",
    ),
    "no version": (lambda d: d | {"format_version": "latest"}, "format_version is none of 1.0, 1.1, 1.2"),
    "no way to disable": (lambda d: spoil(d, how="sell"), r"actions\[0\].how"),
    "positions that are no list": (lambda d: spoil(d, open_positions="BTC/USDT"), "open_positions"),
    "a number as version": (lambda d: d | {"format_version": 1.1}, "format_version is none of"),
    "an older one with more": (
        lambda d: d | {"format_version": "1.0"},
        "the plan file holds a field besides",
    ),
    "a field missing": (lambda d: {k: v for k, v in d.items() if k != "digest"}, "lacks 'digest'"),
    "a field too many": (lambda d: d | {"secret": "x"}, "holds a field besides"),
    "a short digest": (lambda d: d | {"digest": "ab"}, "digest is not 64"),
    "a loud digest": (lambda d: d | {"digest": "A" * 64}, "digest is not 64"),
    "no time": (lambda d: d | {"created_at": "yesterday"}, "created_at is not an ISO 8601 time"),
    "a time without a zone": (
        lambda d: d | {"created_at": "2026-11-22T12:00:00"},
        "created_at has no time zone",
    ),
    "a number for a text": (lambda d: d | {"tool_version": 1}, "tool_version is not a text"),
    "an empty text": (lambda d: d | {"tool_version": ""}, "tool_version is not a text"),
    "targets as a text": (lambda d: d | {"targets": "grid"}, "targets is not a list"),
    "a target as null": (lambda d: d | {"targets": [None]}, r"targets\[0\] is not a text"),
    "actions as a mapping": (lambda d: d | {"actions": {}}, "actions is not a list"),
    "an action as a text": (lambda d: d | {"actions": ["x"]}, r"actions\[0\] is not an object"),
    "an unknown kind": (lambda d: spoil(d, kind="trade"), r"actions\[0\].kind is none of disable"),
    "a connection as a number": (lambda d: spoil(d, connection=1), r"actions\[0\].connection is not a text"),
    "checks as a text": (lambda d: spoil(d, checks="x"), r"actions\[0\].checks is not a list"),
    "settings as a list": (lambda d: spoil(d, after=[]), r"actions\[0\].after is neither"),
    "an action with more": (lambda d: spoil(d, command="rm"), r"actions\[0\] holds a field besides"),
    "enabled as a text": (lambda d: spoil(d, enabled="yes"), r"actions\[0\].enabled is neither"),
    "desired as a text": (lambda d: spoil(d, desired="x"), r"actions\[0\].desired is neither"),
    "no such market": (lambda d: spoil(d, market="bazaar"), r"actions\[0\].market is none of spot, margin"),
    "waived as a text": (lambda d: spoil(d, waived="x"), r"actions\[0\].waived is not a list"),
    "waived by nobody": (
        lambda d: spoil(d, waived=[{"check": "key-shared", "by": ""}]),
        r"waived\[0\].by is not a text",
    ),
    "files as a text": (lambda d: d | {"files": "x"}, "files is not a list"),
    "a kind not counted": (lambda d: d | {"summary": {}}, "summary lacks 'blocked'"),
    "less than none": (lambda d: d | {"summary": d["summary"] | {"hold": -1}}, "summary.hold is not a count"),
    "truth as a count": (lambda d: d | {"summary": d["summary"] | {"hold": True}}, "hold is not a count"),
    "a finding as a text": (lambda d: d | {"findings": ["x"]}, r"findings\[0\] is not an object"),
    "a finding that passes": (
        lambda d: d | {"findings": [FINDING | {"verdict": "pass"}]},
        r"findings\[0\].verdict is none of fail, unknown",
    ),
    "no reason": (lambda d: spoil(d, reason=""), r"actions\[0\].reason is not a text"),
}


def spoil(document, **changes):
    first, *rest = document["actions"]
    return document | {"actions": [first | changes, *rest]}


@pytest.mark.parametrize(("change", "message"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_file_is_refused_with_what_and_where_by_parser_and_schema(document, change, message):
    spoilt = change(document)
    with pytest.raises(UsageError, match=message) as caught:
        from_json(json.dumps(spoilt))
    assert "--dry-run --out" in caught.value.hint
    assert not SCHEMA.is_valid(spoilt)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON at line 1, column 1"),
        ("{\n  oops", "not JSON at line 2, column 3"),
        ("null", "not an object"),
        ('{"digest": "a", "digest": "b"}', "names a field twice"),
        ('{"digest": NaN}', "holds NaN"),
        ("[" * 100_000, "nested too deeply"),
        ('{"digest": ' + "9" * 5_000 + "}", "holds a number"),
    ],
)
def test_what_is_no_json_is_refused_without_quoting_it(text, message):
    with pytest.raises(UsageError, match=message):
        from_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_parser_and_schema_give_one_verdict(make, data):
    """But a schema cannot tell that a file shows policy tools something else than it applies."""
    desired = make.desired(make.strategy(), make.strategy("dca"))
    reports = (make.report(key_shared="fail"), make.report("spare"))
    waived = replace(reports[0], findings=tuple(replace(f, waived_by="ada") for f in reports[0].findings))
    made = make.plan(desired)
    document = json.loads(to_json(made, make.run(desired, made, connections=(waived, reports[1]))))
    places = [document, document["summary"], *document["findings"], *document["actions"]]
    place = data.draw(st.sampled_from([*places, *document["actions"][0]["waived"]]))
    place[data.draw(st.sampled_from([*place, "extra"]))] = data.draw(JSON)
    try:
        from_json(json.dumps(document))
    except UsageError:
        assert not SCHEMA.is_valid(document)
    except StalePlan:
        assert SCHEMA.is_valid(document)
    else:
        assert SCHEMA.is_valid(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: spoil_kind(d, "enable", desired=d["actions"][0]["desired"] | {"risk_level": "balanced"}),
        lambda d: spoil_kind(d, "enable", enabled=False),
        lambda d: spoil_kind(d, "change", enabled=None, desired=None),
        lambda d: d | {"summary": d["summary"] | {"disable": 0}},
    ],
)
def test_a_file_that_shows_policy_tools_something_else_than_it_applies_is_refused(document, change):
    with pytest.raises(StalePlan, match="was edited"):
        from_json(json.dumps(change(document)))


def spoil_kind(document, kind, **changes):
    spoilt = [item | changes if item["kind"] == kind else item for item in document["actions"]]
    assert spoilt != document["actions"]
    return document | {"actions": spoilt}


def test_a_file_of_format_1_0_is_read_and_an_action_of_1_1_in_it_is_not(document, plan):
    added = {"enabled", "desired", "exchange", "market", "waived", "how", "open_positions"}
    old = {k: v for k, v in document.items() if k not in {"files", "summary", "findings"}}
    old |= {"format_version": "1.0", "actions": [without(item, added) for item in document["actions"]]}
    told = [replace(action, how=None, open_positions=None) for action in plan.actions]
    assert from_json(json.dumps(old)).actions == tuple(told)
    with pytest.raises(UsageError, match=r"actions\[0\] holds a field besides"):
        from_json(json.dumps(old | {"actions": document["actions"]}))


def test_a_file_of_format_1_1_is_read_and_says_nothing_of_how(document, plan):
    kept = [without(item, {"how", "open_positions"}) for item in document["actions"]]
    found = from_json(json.dumps(document | {"format_version": "1.1", "actions": kept}))
    assert {action.how for action in found.actions} == {None}
    with pytest.raises(StalePlan, match="these actions differ: disable"):
        found.require_same(plan)


def without(item, names):
    return {name: value for name, value in item.items() if name not in names}


@given(data=st.data())
def test_a_policy_tool_sees_every_strategy_as_git_wants_it(make, data):
    world = data.draw(make.worlds())
    made, text = of_world(make, world)
    document = json.loads(text)
    shown = {(item["strategy"], item["runtime"]): item for item in document["actions"]}
    for strategy in world.desired.strategies.values():
        item = shown.pop((strategy.id, strategy.runtime))
        assert item["enabled"] is strategy.enabled
        assert item["desired"] == parameters(strategy.parameters)
        assert (item["exchange"], item["market"]) == ("mexc", "spot")
    assert all((item["enabled"], item["desired"]) == (None, None) for item in shown.values())
    assert document["summary"] == {kind.value: count for kind, count in made.counts().items()}
    failing = {
        (f.check, f.subject_id) for report in world.reports for f in report.findings if f.verdict != "pass"
    }
    told = {(f["check"], f["subject_id"]) for f in document["findings"] if f["subject"] == "connection"}
    assert told == failing


def test_a_waived_check_is_told_with_who_and_a_connection_not_looked_at_with_nulls(make, desired):
    report = make.report(name_unclear="fail", ip_whitelist_missing="fail")
    waived = tuple(
        replace(f, waived_by="treasury") if f.check == "ip-whitelist-missing" else f for f in report.findings
    )
    made = make.plan(desired)
    run = make.run(desired, made, connections=(replace(report, findings=waived),))
    document = json.loads(to_json(made, run))
    for item in document["actions"]:
        assert item["waived"] == [{"check": "ip-whitelist-missing", "by": "treasury"}]
    assert {(f["check"], f["waived_by"]) for f in document["findings"]} == {
        ("name-unclear", None),
        ("ip-whitelist-missing", "treasury"),
    }
    blind = json.loads(to_json(made, replace(run, connections=())))
    assert {(item["exchange"], item["market"]) for item in blind["actions"]} == {(None, None)}
    assert {len(item["waived"]) for item in blind["actions"]} == {0}


CANARY = "canary-3f9a1c77"


def test_nothing_that_an_exchange_or_a_secret_file_says_enters_it(make, desired):
    """Invariant 6: the file goes to tools of others."""
    report = make.report(connection_test="fail", key_shared="fail")
    observation = replace(
        report.observation,
        report=KeyReport(label=CANARY, account=Account(uid=CANARY), unknown_words=(CANARY,)),
        failure=replace(report.observation.failure, message=CANARY, caller_ip=CANARY),
        unread=CANARY,
        caller_ip=CANARY,
    )
    reference = replace(report.connection.credentials, file=CANARY, root=CANARY, fields=(CANARY,))
    spoilt = replace(
        report,
        observation=observation,
        connection=replace(report.connection, credentials=reference),
        findings=tuple(replace(f, evidence=CANARY, cause=CANARY, fix=CANARY) for f in report.findings),
    )
    made = make.plan(desired, reports=(spoilt,))
    text = to_json(made, make.run(desired, made, connections=(spoilt,)))
    assert CANARY not in text
    assert '"check": "key-shared"' in text


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_plan_or_a_usage_error(text):
    with pytest.raises(UsageError):
        from_json(text)


def test_a_plan_that_changed_is_stale_and_names_the_actions(make, plan, text):
    reviewed = from_json(text)
    now = make.plan(
        make.desired(make.strategy(), make.strategy("dca"), make.strategy("off", enabled=False)),
        reports=[make.report(key_shared="fail")],
        runtimes={"paper": make.running("off") | make.running("dca", risk_level="aggressive"), "live": {}},
    )
    with pytest.raises(StalePlan) as caught:
        reviewed.require_same(now)
    for word in ("enable grid", "change dca", "disable dca", plan.digest[:8], now.digest[:8]):
        assert word in caught.value.message
    assert "off" not in caught.value.message


def test_other_evidence_behind_the_same_actions_is_stale_too(make, plan, text):
    reviewed = from_json(text)
    now = make.plan(
        make.desired(make.strategy(), make.strategy("dca"), make.strategy("off", enabled=False)),
        reports=[make.report(name_unclear="fail")],
        runtimes={"paper": make.running("off") | make.running("dca", risk_level="aggressive"), "live": {}},
    )
    with pytest.raises(StalePlan, match="files, live keys or findings changed"):
        reviewed.require_same(now)


def test_a_file_whose_actions_were_edited_is_refused_although_its_digest_still_fits(document, plan):
    for changes in ({"kind": "enable"}, {"strategy": "other"}, {"runtime": "live"}):
        with pytest.raises(StalePlan, match=r"these actions differ|was edited"):
            from_json(json.dumps(spoil(document, **changes))).require_same(plan)
    dropped = document | {"actions": document["actions"][1:]}
    uncounted = document["summary"] | {"disable": 0}
    for edited in (dropped, dropped | {"summary": uncounted}):
        with pytest.raises(StalePlan):
            from_json(json.dumps(edited)).require_same(plan)
