"""What others wrote can be read on a screen, and does nothing there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.output.clean import cells, clean, encodable, shortened


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("MEXC Spot Main", "MEXC Spot Main"),
        ("Счёт № 1 主账户 é", "Счёт № 1 主账户 é"),
        ("two\nlines\r\n\tand a tab", "two lines   and a tab"),
        ("no-break\u00a0space\u2028line", "no-break space line"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31mred", r"\x9b31mred"),
        ("bell\a back\b del\x7f", r"bell\x07 back\x08 del\x7f"),
        ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("filler\u3164\uffa0\u115f\u2800", r"filler\u3164\uffa0\u115f\u2800"),
        ("half\ud800", r"half\ud800"),
    ],
)
def test_characters_that_act_are_seen_instead(written, shown):
    assert clean(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("::error file=a.py::gone", ": :error file=a.py::gone"),
        ("::stop-commands::token", ": :stop-commands::token"),
        ("x ##[add-mask]y", "x # #[add-mask]y"),
        ("##vso[task.setvariable]y", "# #vso[task.setvariable]y"),
        ("::1", "::1"),
        ("fe80::1, ::ffff:203.0.113.10", "fe80::1, ::ffff:203.0.113.10"),
        ("## a heading", "## a heading"),
    ],
)
def test_orders_to_a_ci_runner_are_broken_and_addresses_are_not(written, shown):
    assert clean(written) == shown


@given(st.text())
def test_clean_text_is_printable_and_stays_as_it_is(text):
    once = clean(text)
    assert once.isprintable()
    assert clean(once) == once


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("abc", 3), ("主账户", 6), ("e\u0301", 1), ("→·…✓✗", 5)]
)
def test_cells_are_terminal_columns(text, width):
    assert cells(text) == width


def test_shortened_text_says_that_it_is():
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"


def test_a_stream_gets_what_it_can_carry():
    assert encodable("✓ 1 → 2 · …", "utf-8") == "✓ 1 → 2 · …"
    assert encodable("✓ 1 → 2 · ✗…", "ascii") == "= 1 -> 2 - x..."
    assert encodable("主 ✓", "cp1252") == r"\u4e3b ="


@given(st.text(), st.sampled_from(["ascii", "cp1252", "latin-1", "utf-8", "shift_jis"]))
def test_encodable_text_always_encodes(text, encoding):
    encodable(text, encoding).encode(encoding)
