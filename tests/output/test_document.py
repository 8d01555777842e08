"""The layout: words wrap under their own beginning, and nothing untrusted reaches the margin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.output.clean import cells, clean
from reconciler.output.document import BODY, Line, Role, Span, joined, labelled, layout, text_line, wrap


def rows(line: Line, width: int) -> list[str]:
    return ["".join(span.text for span in row) for row in wrap(line, width)]


def test_a_label_stands_once_and_the_body_hangs_under_its_beginning():
    line = labelled("fix", "Add 203.0.113.10 to the whitelist of the key")
    assert rows(line, 40) == [
        "    fix        Add 203.0.113.10 to the",
        "               whitelist of the key",
    ]


def test_a_line_without_a_label_never_continues_at_the_margin():
    assert rows(text_line("aaa bbb ccc"), 8) == ["aaa bbb", "  ccc"]


def test_a_word_that_is_wider_than_the_screen_stays_whole():
    address = "https://exchange.example/api/management/" + "x" * 60
    assert rows(text_line("see", address, " now"), 40)[0] == f"see{address}"
    assert rows(text_line("see ", address, " now"), 40) == ["see", f"  {address}", "  now"]


def test_spans_without_white_space_between_them_are_one_word():
    assert rows(text_line(Span("a" * 6), Span(", "), Span("b" * 6)), 9) == ["aaaaaa,", "  bbbbbb"]


def test_a_whole_span_is_not_broken():
    command = Span("reconcile -f a.yaml", Role.COMMAND, whole=True)
    assert rows(text_line("type this: ", command, " # now"), 20) == [
        "type this:",
        "  reconcile -f a.yaml",
        "  # now",
    ]


def test_wide_characters_count_double():
    assert rows(text_line("主账户 主账户"), 12) == ["主账户", "  主账户"]


def test_neighbours_of_one_role_become_one_span():
    (row,) = wrap(text_line(Span("red apple", Role.BAD), " and ", Span("green", Role.GOOD)), 40)
    assert row == (Span("red apple", Role.BAD), Span(" and "), Span("green", Role.GOOD))


def test_an_empty_line_is_one_empty_row():
    assert wrap(Line(), 40) == [()]
    assert rows(labelled("fix"), 40) == ["    fix"]


def test_joined_items_have_separators_between_them_only():
    spans = joined([(Span("a"),), (Span("b"), Span("c"))], ", ")
    assert "".join(span.text for span in spans) == "a, bc"


def test_a_screen_is_never_laid_out_narrower_than_it_can_be_read():
    (row,) = layout([text_line("forty columns are the least of it all")], 5)
    assert "".join(span.text for span in row) == "forty columns are the least of it all"


@pytest.mark.parametrize("label", ["", "fix", "! blocks"])
@given(text=st.text(), width=st.integers(40, 120))
def test_every_row_fits_and_no_word_is_lost(label, text, width):
    shown = rows(labelled(label, text), width)
    assert " ".join(row[BODY:] for row in shown).split() == clean(text).split()
    assert all(cells(row) <= width or " " not in row[BODY:] for row in shown)
    assert all(row[:BODY].isspace() for row in shown[1:])
    assert all(row.isprintable() and row == row.rstrip() for row in shown)
