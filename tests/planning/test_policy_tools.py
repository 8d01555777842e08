"""The example policies in Rego, evaluated over real plan files, are of one mind with the built-in rules."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from regopy import Interpreter

from reconciler.checks import evaluate_strategy
from reconciler.checks.strategy import grown
from reconciler.model.desired import MarginLimit, Policy
from reconciler.model.finding import Verdict
from reconciler.planning.file import to_json
from reconciler.resources import folder

POLICIES = folder("examples") / "policy"
RULES = {
    "margin_limit.rego": "policy-margin-limit",
    "averaging.rego": "policy-averaging",
    "quotes.rego": "policy-quotes",
}
#: What stands at the top of the three files.
SAME = Policy(
    max_margin_limit=MarginLimit(amount=Decimal(1000), currency="USDT"),
    max_averaging_factor=Decimal(10),
    allowed_quotes=("USDC", "USDT"),
)


def denied(document, *names):
    """What the policies of these names say of a document, as conftest would print it."""
    rego = Interpreter()
    rego.set_input(document)
    for name in names:
        rego.add_module(name, (POLICIES / name).read_text())
    return set(rego.query("data.main.deny").results[0].expressions[0])


def written(make, desired, **changes):
    """The plan file of a run without any policy built in."""
    made = make.plan(desired, **changes)
    return json.loads(to_json(made, make.run(desired, made)))


def averaging(additions, multiplier):
    return {"max_additions": additions, "step": "2%", "multiplier": multiplier}


def subjects(messages):
    return {message.partition(": ")[0] for message in messages}


# Where both agree. This interpreter of Rego (rego-cpp) rounds to sixteen digits, so amounts have at most
# twelve and sums stay away from their limit; and it takes a text below 0.0001 for no number, so denies it.
EDGES = ["1000", "1000.0", "1000.000001", "999.999999", "0.0001", "999999999999"]
AMOUNTS = st.sampled_from(EDGES) | st.from_regex(r"[1-9][0-9]{0,4}\.[0-9]{1,6}", fullmatch=True)
GROWTHS = [
    (9, "1"),
    (10, "1"),
    (1, "9"),
    (1, "9.0001"),
    (0, "999999999999"),
    (3, "1.5"),
    (4, "1.5"),
    (2, "2.5"),
]
GROWTHS += [(100, "999999999999"), (100, "0.5"), (100, "0.9"), (100, "0.8999"), (100, "0.9001")]
MULTIPLIERS = st.from_regex(r"(0\.[1-9][0-9]{0,3}|[1-3]\.[0-9]{1,4})", fullmatch=True)
AVERAGING = (
    st.sampled_from(GROWTHS)
    | st.tuples(st.integers(0, 12), MULTIPLIERS)
    | st.tuples(st.integers(0, 100), MULTIPLIERS)
).map(lambda growth: averaging(*growth))
LIMITS = st.fixed_dictionaries({"amount": AMOUNTS, "currency": st.sampled_from(["USDT", "USDT", "USDC"])})
QUOTES = st.sampled_from(["USDT", "USDC", "EUR", "USDTX"])
PAIRS = st.lists(
    st.one_of(
        QUOTES.map("BTC/{}".format),
        st.tuples(QUOTES, QUOTES).map(lambda both: "ETH/{}:{}".format(*both)),
        st.tuples(QUOTES, QUOTES).map(lambda both: "USDT/{}:{}-261225".format(*both)),
    ),
    min_size=1,
    max_size=4,
    unique=True,
)
STATES = st.sampled_from([{}, {"key_shared": "fail"}, {"connection_test": "unknown"}])


@st.composite
def strategies(draw, make, id_):
    pairs = draw(PAIRS)
    parameters = {"pairs": pairs}
    for name, values in (("margin_limit", LIMITS), ("averaging", AVERAGING)):
        value = draw(st.none() | values)
        if value is not None:
            parameters[name] = value
    given_averaging = parameters.get("averaging")
    if given_averaging:
        _, factor = grown(given_averaging, SAME.max_averaging_factor)
        assume(factor in {1, 10} or abs(factor - 10) > Decimal("1e-9"))
    return make.strategy(
        id_,
        enabled=draw(st.sampled_from([True, True, True, False])),
        pairs=tuple(pairs),
        parameters=parameters,
    )


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_rego_and_the_built_in_rules_deny_the_same(make, data):
    wanted = [data.draw(strategies(make, id_)) for id_ in ("a", "b", "c")]
    desired = make.desired(*wanted)
    reports = [make.report(**data.draw(STATES)), make.report("spare")]
    held = data.draw(st.sampled_from([{}, make.running("a", "b"), make.running("c", enabled=None)]))
    document = written(make, desired, reports=reports, runtimes={"paper": held, "live": {}})
    found = [finding for strategy in wanted for finding in evaluate_strategy(SAME, strategy)]
    for name, check in RULES.items():
        broken = {f.subject_id for f in found if f.check == check and f.verdict is Verdict.FAIL}
        assert subjects(denied(document, name)) == broken, name


@pytest.mark.parametrize("amount", EDGES)
@pytest.mark.parametrize("growth", GROWTHS, ids=str)
def test_at_the_edges_too(make, amount, growth):
    parameters = {"pairs": [], "margin_limit": {"amount": amount, "currency": "USDT"}}
    strategy = make.strategy("s", parameters=parameters | {"averaging": averaging(*growth)})
    found = {f.check for f in evaluate_strategy(SAME, strategy) if f.blocks}
    document = written(make, make.desired(strategy))
    told = {check for name, check in RULES.items() if denied(document, name)}
    assert told == found - {"policy-quotes"}


def test_the_three_are_used_together_and_say_who_breaks_what(make):
    fine = make.strategy(
        "fine", parameters={"pairs": [], "margin_limit": {"amount": "9", "currency": "USDT"}}
    )
    wild = make.strategy(
        "wild",
        parameters={
            "pairs": ["BTC/EUR", "ETH/USDT"],
            "averaging": averaging(6, "2"),
        },
    )
    told = denied(written(make, make.desired(fine, wild)), *RULES)
    assert sorted(told) == [
        "wild: averaging may make its position at most 10 times the first order",
        "wild: needs a margin_limit of at most 1000 USDT",
        'wild: trades ["BTC/EUR"], and only {"USDC", "USDT"} may be quote or settlement',
    ]


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"format_version": "1.0", "actions": []},
        {"format_version": "2.0", "actions": []},
        {"format_version": "1.1", "actions": [{"strategy": "x", "enabled": True}]},
        {"format_version": "1.1", "actions": [{"strategy": "x", "enabled": True, "desired": None}]},
    ],
    ids=json.dumps,
)
def test_what_a_policy_cannot_judge_it_denies(name, document):
    assert denied(document, name)


@pytest.mark.parametrize(
    "averaging", [None, {}, {"max_additions": 2}, {"multiplier": "1"}, "often"], ids=repr
)
def test_averaging_of_another_shape_is_denied(make, averaging):
    document = written(make, make.desired(make.strategy()))
    document["actions"][0]["desired"]["averaging"] = averaging
    assert denied(document, "averaging.rego")


def test_a_later_minor_version_is_judged_too(make):
    document = written(make, make.desired(make.strategy())) | {"format_version": "1.12"}
    assert denied(document, "quotes.rego", "averaging.rego") == set()


def test_what_is_shipped_is_what_is_told_here():
    assert {path.name for path in POLICIES.glob("*.rego")} == set(RULES)
    page = (POLICIES / "README.md").read_text()
    for name, check in RULES.items():
        text = (POLICIES / name).read_text()
        assert f"`{name}`" in page
        assert "conftest test --policy examples/policy plan.json" in text.partition("package main")[0]
        (option,) = re.findall(r"built in as policy\.([a-z_]+)", text)
        assert re.search(rf"^{option} := ", text, re.MULTILINE), "the limit stands at the top"
        assert f"`policy.{option}`" in page
        assert replace(SAME, **{option: getattr(Policy(), option)}) != SAME, check
