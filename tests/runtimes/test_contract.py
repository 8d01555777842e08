"""The contract of webhooks and commands: its schemas, its examples, and answers that do not fit."""

from __future__ import annotations

import json

import pytest
from contract import ANSWERS, PARAMETERS, REQUESTS, UNFIT, a_request, an_answer
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.model.desired import OnDisable
from reconciler.model.errors import LockHeld, ReconcilerError, RuntimeFailed
from reconciler.model.plan import RunningStrategy
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.runtimes.contract import Told

ACTS = ("enable", "change", "disable")


def told(answer, asked=None):
    async def ask(action, body):
        if asked is not None:
            asked.append((action, body))
        return answer

    return Told("hooks", ask)


async def act(runtime, name):
    if name == "disable":
        await runtime.disable("btc", token=7, how=OnDisable.STOP)
    else:
        await getattr(runtime, name)("btc", PARAMETERS, connection="main", token=7)


@pytest.mark.parametrize(("schema", "decider"), [(REQUESTS, a_request), (ANSWERS, an_answer)])
def test_the_schemas_are_schemas_and_their_examples_fit(schema, decider):
    Draft202012Validator.check_schema(schema)
    assert all(decider.is_valid(example) for example in schema["examples"])


async def test_all_that_is_asked_is_in_the_contract():
    asked = []
    for name in ACTS:
        await act(told({"done": True}, asked), name)
    await told({"strategies": {}}, asked).read()
    bodies = [json.loads(body) for _, body in asked]
    assert [action for action, _ in asked] == [body["action"] for body in bodies] == [*ACTS, "observe"]
    assert all(a_request.is_valid(body) for body in bodies)
    assert bodies[0] == {
        "version": 1, "runtime": "hooks", "action": "enable", "strategy": "btc",
        "connection": "main", "parameters": PARAMETERS, "token": 7,
    }  # fmt: skip


async def test_how_is_said_only_where_it_is_not_to_stop():
    asked = []
    for how in (OnDisable.STOP, OnDisable.STOP_ENTRIES):
        await told({"done": True}, asked).disable("btc", token=7, how=how)
    stop, entries = (json.loads(body) for _, body in asked)
    assert stop == {"version": 1, "runtime": "hooks", "action": "disable", "strategy": "btc", "token": 7}
    assert entries == {**stop, "how": "stop_entries"}
    assert a_request.is_valid(stop)
    assert a_request.is_valid(entries)
    assert not a_request.is_valid({**stop, "how": "close_first_manual"})


async def test_what_is_open_and_who_manages_it_is_read_where_it_is_told():
    (answer,) = (example for example in ANSWERS["examples"] if "strategies" in example)
    held = await told(answer).read()
    left = held["winding-down"]
    assert (left.enabled, left.paused, left.bot.open_positions) == (False, True, ("BTC/USDT",))
    assert {(one.paused, one.bot) for name, one in held.items() if name != "winding-down"} == {(False, None)}
    both = await told({"strategies": {"btc": {"enabled": True, "paused": True}}}).read()
    assert both["btc"].paused is False  # what may open positions is not paused, whatever else is said


async def test_what_is_told_is_read_and_what_is_not_told_stays_unknown():
    (answer,) = (example for example in ANSWERS["examples"] if "strategies" in example)
    held = await told(answer).read()
    assert held["started-by-hand"] == RunningStrategy(id="started-by-hand", enabled=True, parameters=None)
    assert held["asleep"].enabled is None
    ours = held["btc-eth-recovery"]
    assert (ours.enabled, ours.connection) == (True, "mexc-spot-main")
    assert ours.parameters["risk_level"] == "conservative"


@pytest.mark.parametrize("answer", UNFIT, ids=repr)
async def test_what_does_not_fit_is_no_success(answer):
    with pytest.raises(RuntimeFailed) as caught:
        await told(answer).read()
    assert (caught.value.kind, caught.value.untouched) == (Kind.UNEXPECTED_ANSWER, True)
    for name in ACTS:
        with pytest.raises(RuntimeFailed) as caught:
            await act(told(answer), name)
        assert (caught.value.kind, caught.value.untouched) == (Kind.UNEXPECTED_ANSWER, False)
        assert "\x1b" not in f"{caught.value} {caught.value.hint}"


async def test_an_answer_to_another_question_is_none():
    with pytest.raises(RuntimeFailed):
        await told({"done": True}).read()
    for name in ACTS:
        with pytest.raises(RuntimeFailed):
            await act(told({"strategies": {}}), name)


@pytest.mark.parametrize("name", ACTS)
async def test_a_refusal_says_that_nothing_was_done(name):
    with pytest.raises(LockHeld, match="later apply"):
        await act(told({"refused": "token"}), name)
    for why, kind in (("unauthorised", Kind.UNAUTHORISED), ("other", Kind.REFUSED)):
        with pytest.raises(RuntimeFailed) as caught:
            await act(told({"refused": why}), name)
        assert (caught.value.kind, caught.value.untouched) == (kind, True)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["done", "token", "btc", "other"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["strategies", "done", "refused", "btc", "enabled", "connection", "parameters"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(answer=JSON)
async def test_any_answer_at_all_is_read_or_told_as_one_that_does_not_fit(answer):
    try:
        held = await told(answer).read()
    except ReconcilerError:
        return
    assert an_answer.is_valid(answer)
    assert {name: one.enabled for name, one in held.items()} == {
        name: one["enabled"] for name, one in answer["strategies"].items()
    }
