"""Fields of answers: what is not of its kind is refused, and never shown."""

from __future__ import annotations

import math

import pytest

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind
from reconciler.runtimes.fields import LONGEST, Fields

CANARY = "canary-7fK2-do-not-show"


@pytest.mark.parametrize("answer", [None, [], CANARY, 7])
def test_an_answer_that_is_no_object(answer):
    with pytest.raises(RuntimeFailed) as caught:
        Fields.of("GET /x", answer)
    assert str(caught.value) == "the answer to GET /x is no object"


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *((lambda f: f.text("x"), one) for one in (None, 7, ["a"], "a\nb", "\x1b[0m", "x" * (LONGEST + 1))),
        *((lambda f: f.flag("x"), one) for one in (None, 0, 1, "true")),
        *((lambda f: f.number("x"), one) for one in ("1", True, [1], math.inf, math.nan)),
        *((lambda f: f.texts("x"), one) for one in (None, "abc", [1], ["a\x00"], {"a": 1})),
    ],
)
def test_a_field_of_another_kind(read, value):
    with pytest.raises(RuntimeFailed) as caught:
        read(Fields.of("GET /x", {"x": value, "y": CANARY}, untouched=False))
    assert (caught.value.kind, caught.value.untouched) == (RuntimeFailureKind.UNEXPECTED_ANSWER, False)
    assert CANARY not in str(caught.value)


def test_what_may_be_missing():
    fields = Fields.of("GET /x", {})
    assert (fields.text("x", ""), fields.flag("x", default=False), fields.number("x")) == ("", False, None)


def test_what_is_there():
    fields = Fields.of("GET /x", {"text": "", "flag": True, "number": 2.5, "texts": ["BTC/USDT"]})
    assert (fields.text("text"), fields.flag("flag")) == ("", True)
    assert (fields.number("number"), fields.texts("texts")) == (2.5, ("BTC/USDT",))
