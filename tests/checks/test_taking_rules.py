"""Whether anything makes a bot keep to what its strategy states: for every type, nothing skipped silently."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.checks import BOT_CHECKS, TAKING_CHECKS, TakingCase, evaluate_taking
from reconciler.model.desired import RuntimeSpec, Strategy
from reconciler.model.errors import Mark
from reconciler.model.finding import Severity, Subject, Verdict
from reconciler.model.taking import EVERYTHING, NOTHING, Parameter, Taking, stated
from reconciler.resources import schema
from reconciler.runtimes.interface import RuntimeType
from reconciler.runtimes.registry import TYPES

#: What stands in a strategy beside its parameters and ``settings``, whose keys each type lists.
NO_PARAMETERS = {"name", "connection", "runtime", "enabled", "suspend", "settings", "on_disable"}
VALUES = {
    "pairs": ["BTC/USDT"],
    "risk_level": "balanced",
    "margin_limit": {"amount": "5", "currency": "USDT"},
    "averaging": {"max_additions": 3, "step": "2%", "multiplier": "1"},
    "recovery_mode": {"enabled": False},
}
FIELDS = tuple(dict.fromkeys(one.field for one in Parameter))
LINES = {name: number for number, name in enumerate((*FIELDS, *Parameter), start=100)}


def told(type_, takes, fields):
    """The finding for a strategy that states these fields, each on a line of its own."""
    marks = {name: Mark(file="connections.yaml", line=line) for name, line in LINES.items()}
    strategy = Strategy(
        id="grid",
        name="Grid",
        connection="main",
        runtime="rt",
        enabled=True,
        pairs=("BTC/USDT",),
        parameters={name: VALUES[name] for name in fields},
        mark=Mark(file="connections.yaml", line=7),
        marks=marks,
    )
    runtime = RuntimeSpec(id="rt", type=type_, mark=Mark(file="connections.yaml", line=2))
    return evaluate_taking(TakingCase(strategy=strategy, runtime=runtime, takes=takes))


def reported(finding):
    """The parameters that a finding names, whole fields as all that they hold."""
    if finding.verdict is Verdict.PASS:
        return set()
    named = re.findall(r"([a-z_.]+) \(line (\d+)\)", finding.evidence)
    assert all(LINES[name] == int(line) for name, line in named)
    return {one for name, _ in named for one in Parameter if name in (one, one.field)}


def some_takes():
    return st.dictionaries(st.sampled_from(Parameter), st.sampled_from(Taking))


def some_fields():
    return st.sets(st.sampled_from(FIELDS))


@given(takes=some_takes(), fields=some_fields())
def test_what_is_stated_is_taken_or_reported_with_its_line(takes, fields):
    finding = told("freqtrade", takes, fields)
    assert reported(finding) == {one for one in Parameter if one.field in fields} - takes.keys()
    assert (finding.verdict is Verdict.PASS) == (not reported(finding))


@pytest.mark.parametrize("type_", TYPES)
@given(fields=some_fields())
def test_no_type_of_the_registry_skips_anything_silently(type_, fields):
    takes = TYPES[type_].takes
    finding = told(type_, takes, fields)
    for one in Parameter:
        assert (one.field in fields) == (one in stated({name: VALUES[name] for name in fields}))
        assert (one in reported(finding)) == (one.field in fields and one not in takes)


@pytest.mark.parametrize("type_", TYPES)
def test_what_a_type_is_compared_with_some_check_of_the_bot_judges(type_):
    judged = {one for check in BOT_CHECKS.values() for one in check.judges}
    compared = {one for one, how in TYPES[type_].takes.items() if how is Taking.COMPARED}
    assert compared <= judged


def test_a_type_that_says_nothing_takes_nothing():
    assert RuntimeType(name="new", open=lambda opening: opening).takes == NOTHING == {}
    assert reported(told("new", NOTHING, FIELDS)) == set(Parameter)
    assert reported(told("new", EVERYTHING, FIELDS)) == set()


def test_every_field_that_a_strategy_can_have_is_a_parameter():
    """A new one in the schema that no runtime was asked about would be skipped by all of them."""
    definitions = json.loads(schema("connections.schema.json"))["$defs"]
    fields = definitions["strategy"]["properties"]
    assert set(FIELDS) == fields.keys() - NO_PARAMETERS
    parts = fields["averaging"]["properties"]
    assert {one for one in Parameter if one.field == "averaging"} == {f"averaging.{part}" for part in parts}


def test_a_field_of_which_nothing_is_taken_is_named_as_one():
    assert "keep to averaging (line" in told("x", NOTHING, ["averaging"]).evidence
    partly = told("x", {Parameter.STEP: Taking.GIVEN}, ["averaging"]).evidence
    assert re.findall(r"averaging\S*", partly) == ["averaging.max_additions", "averaging.multiplier"]


def test_the_finding_is_advice_at_the_first_line_with_a_way_out():
    finding = told("kubernetes", NOTHING, ["margin_limit", "risk_level"])
    assert (finding.check, finding.severity, finding.blocks) == (
        "strategy-settings-taken",
        Severity.ADVISORY,
        False,
    )
    assert (finding.subject, finding.subject_id) == (Subject.STRATEGY, "grid")
    assert finding.mark.line == LINES["risk_level"]
    assert finding.evidence == (
        f"nothing makes the bot of grid keep to risk_level (line {LINES['risk_level']}), "
        f"margin_limit (line {LINES['margin_limit']}): a kubernetes runtime does not take that"
    )
    assert (finding.cause, finding.fix) == (
        TAKING_CHECKS[finding.check].cause,
        TAKING_CHECKS[finding.check].fix,
    )


def test_without_places_the_strategy_is_the_place(make):
    strategy = replace(make.strategy(), parameters={"risk_level": "balanced"}, marks={})
    runtime = RuntimeSpec(id="rt", type="kubernetes", mark=make.mark)
    finding = evaluate_taking(TakingCase(strategy=strategy, runtime=runtime, takes=NOTHING))
    assert finding.mark == make.mark
    assert f"risk_level (line {make.mark.line})" in finding.evidence
