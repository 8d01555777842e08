"""One reading for every reader: what an unquoted scalar may be, by the public loader."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.loader import load_document

SAME_TO_ALL = {
    "text": "text",
    "MEXC Spot Main": "MEXC Spot Main",
    "203.0.113.10": "203.0.113.10",
    "203.0.113.0/24": "203.0.113.0/24",
    "BTC/USDT:USDT": "BTC/USDT:USDT",
    "180d": "180d",
    "2%": "2%",
    "socks5://127.0.0.1:1080": "socks5://127.0.0.1:1080",
    "2026-12-31": "2026-12-31",
    "3.11.0": "3.11.0",
    "nobody": "nobody",
    "one": "one",
    "Norway": "Norway",
    "off-site": "off-site",
    "1:99": "1:99",
    "1.2.3.4": "1.2.3.4",
    "--": "--",
    "+x": "+x",
    ".": ".",
    ".hidden": ".hidden",
    "true": True,
    "false": False,
    "null": None,
    "": None,
    "0": 0,
    "3": 3,
    "-17": -17,
    "999999999999999": 999999999999999,
}

AMBIGUOUS = [
    *("y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"),
    *("True", "TRUE", "False", "FALSE", "tRUE", "Null", "NULL", "~"),
    *(
        "017",
        "00",
        "08",
        "-017",
        "+1",
        "-0",
        "0o17",
        "0O17",
        "0x1F",
        "0X1f",
        "0b1",
        "0B1",
        "0x1_F",
        "1_000",
        "1_",
    ),
    *("0.5", "1.", ".5", "-1.5", "+.5", "1e3", "1E3", "1e+3", "1.5e-3", "1e", "12_3.5", "6.02e23"),
    *(".inf", "-.inf", "+.INF", ".Inf", ".nan", ".NaN", ".NAN"),
    *("12:30", "12:30:45", "-1:30", "190:20:30.15", "1_2:30"),
    *("2026-1-5", "2026-12-31T00:00:00Z", "2026-12-31 10:00:00", "2026-12-31t00:00:00+01:00"),
    *("=", "1234567890123456", "-1234567890123456", "9" * 5000),
]


def reading(text: str) -> object:
    document = load_document(f"a: {text}\n".encode(), file="f.yaml", root=".")
    assert not document.problems
    return document.value["a"]


@pytest.mark.parametrize(("text", "value"), SAME_TO_ALL.items())
def test_a_text_that_all_readers_agree_on_is_read(text, value):
    found = reading(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_an_ambiguous_scalar_is_refused_where_it_stands(text):
    document = load_document(f"a:\n  b: {text}\n".encode(), file="f.yaml", root=".")
    assert [(p.mark.line, p.mark.column, p.code) for p in document.problems] == [(2, 6, "ambiguous-value")]
    assert "quotes" in document.problems[0].fix


def test_a_day_that_sops_has_rewritten_is_explained():
    document = load_document(b"until: 2026-12-31T00:00:00Z\n", file="f.yaml", root=".")
    assert "sops rewrites days without quotes" in document.problems[0].fix


@pytest.mark.parametrize("text", AMBIGUOUS)
@pytest.mark.parametrize("quote", ["'", '"'])
def test_in_quotes_every_scalar_is_text(text, quote):
    assert reading(f"{quote}{text}{quote}") == text


@pytest.mark.parametrize("text", [text for text in AMBIGUOUS if len(text) < 100])
def test_an_ambiguous_key_is_refused(text):
    document = load_document(f"{text}: 1\n".encode(), file="f.yaml", root=".")
    expected = [] if text == "on" else ["ambiguous-key"]
    assert [p.code for p in document.problems] == expected


def test_the_formats_own_key_on_needs_no_quotes():
    assert load_document(b"on: 2026-10-01\n", file="f", root=".").value == {"on": "2026-10-01"}


PLAIN = st.text(alphabet="0123456789abefinostxyNOE_+-.:~ T/%", min_size=1, max_size=14).filter(
    lambda text: text == text.strip() and not text.endswith(":") and not text.startswith(("- ", "%", ": "))
)


@given(PLAIN)
def test_what_is_read_as_text_is_text_to_yaml_1_1_too(text):
    document = load_document(f"a: {text}\n".encode(), file="f.yaml", root=".")
    if document.problems or not isinstance(document.value["a"], str):
        return
    try:
        other = yaml.safe_load(f"a: {text}\n")["a"]
    except ValueError:  # PyYAML takes it for a date that does not exist
        other = text
    if not hasattr(other, "isoformat"):  # a date, which this format defines as text
        assert other == document.value["a"]


@given(st.integers(min_value=-(10**15) + 1, max_value=10**15 - 1))
def test_whole_numbers_of_up_to_15_digits_are_numbers(number):
    assert reading(str(number)) == number
