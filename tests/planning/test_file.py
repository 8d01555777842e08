from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import resources
from reconciler.model.errors import StalePlan, UsageError
from reconciler.planning import from_json, to_json

SCHEMA = jsonschema_rs.validator_for(json.loads(resources.schema("plan.schema.json")))
WHEN = datetime(2026, 11, 22, 13, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def plan(make):
    desired = make.desired(make.strategy(), make.strategy("dca"), make.strategy("off", enabled=False))
    held = make.running("off") | make.running("dca", risk_level="aggressive")
    return make.plan(desired, runtimes={"paper": held, "live": {}})


@pytest.fixture
def document(plan):
    return json.loads(to_json(plan, version="1.2.3", created_at=WHEN))


def test_a_plan_comes_back_as_it_was_written(plan):
    found = from_json(to_json(plan, version="1.2.3", created_at=WHEN))
    assert found.actions == plan.actions
    assert (found.digest, found.targets) == (plan.digest, plan.targets)
    assert found.tool_version == "1.2.3"
    assert found.created_at == WHEN
    assert found.created_at.tzinfo is UTC
    found.require_same(plan)


def test_the_file_says_its_time_in_utc_and_ends_with_a_newline(plan):
    text = to_json(plan, version="1.2.3", created_at=WHEN)
    assert '"created_at": "2026-11-22T12:00:00Z"' in text
    assert text.endswith("}\n")


@given(data=st.data())
def test_any_plan_fits_the_schema_and_comes_back(make, data):
    world = data.draw(make.worlds())
    made = make.plan(
        world.desired,
        reports=world.reports,
        runtimes=world.runtimes,
        inventory=world.inventory,
        since=world.since,
    )
    text = to_json(made, version="1", created_at=WHEN)
    SCHEMA.validate(json.loads(text))
    found = from_json(text)
    assert to_json(made, version="1", created_at=WHEN) == text
    assert len(found.actions) == len(made.actions)
    found.require_same(made)


SPOILT = {
    "not an object": (lambda d: [d], "the plan file is not an object"),
    "another version": (lambda d: d | {"format_version": "2.0"}, "format_version is not 1.0"),
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
    made = make.plan(make.desired(make.strategy(), make.strategy("dca")))
    document = json.loads(to_json(made, version="1", created_at=WHEN))
    place = data.draw(st.sampled_from([document, *document["actions"]]))
    place[data.draw(st.sampled_from([*place, "extra"]))] = data.draw(JSON)
    try:
        from_json(json.dumps(document))
    except UsageError:
        assert not SCHEMA.is_valid(document)
    else:
        assert SCHEMA.is_valid(document)


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_a_plan_or_a_usage_error(text):
    with pytest.raises(UsageError):
        from_json(text)


def test_a_plan_that_changed_is_stale_and_names_the_actions(make, plan):
    reviewed = from_json(to_json(plan, version="1", created_at=WHEN))
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


def test_other_evidence_behind_the_same_actions_is_stale_too(make, plan):
    reviewed = from_json(to_json(plan, version="1", created_at=WHEN))
    now = make.plan(
        make.desired(make.strategy(), make.strategy("dca"), make.strategy("off", enabled=False)),
        reports=[make.report(name_unclear="fail")],
        runtimes={"paper": make.running("off") | make.running("dca", risk_level="aggressive"), "live": {}},
    )
    with pytest.raises(StalePlan, match="files, live keys or findings changed"):
        reviewed.require_same(now)


def test_a_file_whose_actions_were_edited_is_refused_although_its_digest_still_fits(document, plan):
    for changes in ({"kind": "enable"}, {"strategy": "other"}, {"runtime": "live"}):
        with pytest.raises(StalePlan, match="these actions differ"):
            from_json(json.dumps(spoil(document, **changes))).require_same(plan)
    dropped = document | {"actions": document["actions"][1:]}
    with pytest.raises(StalePlan):
        from_json(json.dumps(dropped)).require_same(plan)
