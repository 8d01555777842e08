"""Adding an entry to a file that a person wrote: nothing else of it changes, not a byte."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired.edit import add_entries, add_entry, entry_lines
from reconciler.desired.loader import load_document
from reconciler.model.errors import ConfigError

FIELDS = {"name": "MEXC Spot", "exchange": "mexc", "market": "spot", "credentials": "secrets/new.sops.yaml"}
BLOCK = """\
  new:
    name: MEXC Spot
    exchange: mexc
    market: spot
    credentials: secrets/new.sops.yaml
"""


def added(text: str | bytes, *, key="new", section="connections", fields=FIELDS) -> str:
    data = text.encode() if isinstance(text, str) else text
    return add_entry(data, file="connections.yaml", section=section, key=key, fields=fields).decode()


def code(text: str | bytes, **more) -> str:
    with pytest.raises(ConfigError) as caught:
        added(text, **more)
    return caught.value.problems[0].code


NESTED = {"limit": {"amount": "0.5", "currency": "USDT"}, "pairs": ["BTC/USDT:USDT", "A/B"], "settings": {}}


def test_mappings_and_lists_stand_on_one_line():
    lines = (
        '    limit: {amount: "0.5", currency: USDT}\n    pairs: ["BTC/USDT:USDT", A/B]\n    settings: {}\n'
    )
    assert added("version: 1\nconnections:\n  a: {}\n", fields=NESTED).endswith("  new:\n" + lines)


def test_what_is_shown_beforehand_is_what_is_written():
    shown = "".join(f"{line}\n" for line in entry_lines("new", FIELDS))
    assert added("connections:\n  a:\n    name: A\n").endswith(shown)


class TestWhere:
    def test_after_the_last_connection(self):
        before = "version: 1\nconnections:\n  a:\n    name: A\n"
        assert added(before) == before + BLOCK

    def test_before_the_next_section_with_its_comment(self):
        head = "version: 1\nconnections:\n  a:\n    name: A   # mine\n"
        tail = "\n# Where they run.\nruntimes:\n  paper: {type: ledger}\n"
        assert added(head + tail) == head + BLOCK + tail

    def test_after_what_is_commented_out_below_the_last_one(self):
        head = "connections:\n  a:\n    name: A\n    # account: {uid: x}\n\n  # b:\n  #   name: B\n"
        tail = "\nruntimes: {}\n"
        assert added(head + tail) == head + BLOCK + tail

    def test_apart_by_a_blank_line_where_the_others_are(self):
        head = "connections:\n  a:\n    name: A\n\n  # second\n  b:\n    name: B\n"
        assert added(head) == head + "\n" + BLOCK

    def test_several_are_apart_as_the_others_are(self):
        for gap in ("", "\n"):
            before = f"connections:\n  a:\n    name: A\n{gap}  b:\n    name: B\n"
            entries = {"new": FIELDS, "old": FIELDS}
            after = add_entries(before.encode(), file="x", section="connections", entries=entries).decode()
            assert after == before + gap + BLOCK + gap + BLOCK.replace("new:", "old:")

    def test_a_section_of_its_own_at_the_end(self):
        before = "version: 1\n# last words\n"
        assert added(before) == before + "\nconnections:\n" + BLOCK

    def test_no_line_end_at_the_end(self):
        assert added("version: 1") == "version: 1\n\nconnections:\n" + BLOCK[:-1]
        assert added("connections:\n  a: {name: A}") == "connections:\n  a: {name: A}\n" + BLOCK[:-1]

    def test_before_the_end_of_the_document(self):
        assert added("---\nversion: 1\n...\n") == "---\nversion: 1\n\nconnections:\n" + BLOCK + "...\n"

    @pytest.mark.parametrize(
        "empty", ["connections: {}", "connections: { }", "connections:", "connections: null"]
    )
    def test_an_empty_section_becomes_a_block(self, empty):
        before = f"version: 1\n{empty}   # none yet\nruntimes: {{}}\n"
        assert added(before) == "version: 1\nconnections:   # none yet\n" + BLOCK + "runtimes: {}\n"

    def test_as_deep_as_the_rest_of_the_file(self):
        before = "egress:\n    x:\n        addresses: [203.0.113.10]\n"
        assert added(before, fields={"name": "A"}) == before + "\nconnections:\n    new:\n        name: A\n"

    def test_no_blank_line_where_the_others_have_none_with_windows_line_ends(self):
        before = "version: 1\r\nconnections:\r\n  a:\r\n    name: A\r\n  b:\r\n    name: B\r\n"
        assert added(before) == before + BLOCK.replace("\n", "\r\n")

    def test_windows_line_ends_and_byte_order_mark_stay(self):
        before = "\ufeffversion: 1\r\nconnections:\r\n  a: {name: A}\r\n"
        assert added(before) == before + BLOCK.replace("\n", "\r\n")


class TestInBraces:
    def test_after_the_last_one(self):
        before = "connections: {\n  a: {name: A},  # mine\n  b: {name: B}   # last\n}\n"
        after = added(before, fields={"name": "M"})
        assert after == before.replace("B}   #", "B}, new: {name: M}   #")

    def test_a_comma_that_is_there_already_is_used(self):
        after = added("connections: {a: {name: A},}\n", fields={"name": "M"})
        assert after == "connections: {a: {name: A}, new: {name: M},}\n"

    def test_nothing_but_braces_over_two_lines(self):
        assert added("connections: {   # none\n}\n", fields={"name": "M"}) == (
            "connections: {new: {name: M}   # none\n}\n"
        )

    def test_a_file_in_json(self):
        after = added('{"version": 1, "connections": {"a": {"name": "A"}}}', fields={"name": "M"})
        assert after == '{"version": 1, "connections": {"a": {"name": "A"}, new: {name: M}}}'
        assert (
            added('{"version": 1}', fields={"name": "M"}) == '{"version": 1, connections: {new: {name: M}}}'
        )


class TestRefusals:
    def test_what_the_loader_refuses(self):
        assert code("a: 1\na: 2\n") == "duplicate-key"
        assert code("") == "empty-file"
        assert code(b"\xff\xfe") == "not-utf8"

    def test_what_is_no_mapping(self):
        assert code("- a\n") == "not-a-mapping"
        assert code("connections: [a]\n") == "not-a-mapping"
        assert code("connections: text\n") == "not-a-mapping"

    def test_an_id_that_is_taken(self):
        assert code("connections:\n  new: {name: A}\n") == "duplicate-id"

    def test_a_file_that_the_mac_of_sops_seals(self):
        assert code("version: 1\nsops:\n  mac: x\n") == "sealed"
        assert "new:" in added("version: 1\nsops:\n  mac: x\n  mac_only_encrypted: true\n")

    def test_text_whose_line_ends_count(self):
        """The blank lines belong to the text, so nothing can be put between it and them."""
        assert code("connections:\n  a:\n    name: |+\n      x\n\n\n\n") == "insertion-failed"
        assert code("connections:\n  a:\n    name: |\n      x") == "insertion-failed"

    def test_a_refusal_quotes_nothing(self):
        with pytest.raises(ConfigError) as caught:
            added("connections: hunter2-secret\n")
        assert "hunter2" not in "".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    "text", ["no", "on", "1e3", "007", "12:30", "null", "a: b", "a #b", "é", "'", '"', "-", "x]"]
)
def test_every_text_comes_back_as_it_was(text):
    after = added(
        "version: 1\n", key=text, fields={"name": text, "list": [text, "203.0.113.10"], "flag": True}
    )
    document = load_document(after.encode(), file="x", root="")
    assert document.problems == ()
    assert document.value["connections"][text] == {"name": text, "list": [text, "203.0.113.10"], "flag": True}


def test_usual_values_need_no_quotes():
    fields = {"name": "MEXC Spot (EU) 2", "addresses": ["203.0.113.10", "203.0.113.0/24"]}
    assert '"' not in added("version: 1\n", key="mexc-2", fields=fields)
    assert '"2001:db8::1"' in added("version: 1\n", fields={"addresses": ["2001:db8::1"]})


# Layouts as people write them: sections in any order, blocks or braces, comments anywhere.
comments = st.sampled_from(["", "", "  # note", "   # a: {b}"])
gaps = st.sampled_from(
    ["", "", "\n", "\n\n", "# alone\n", "\n# above the next\n", "  # indented\n", "\n    # deep\n\n"]
)
names = st.sampled_from(
    ["A", "'A b'', c'", '"x # y"', "é ü", ">-\n{i}  folded\n{i}  text", "[1, 2]", "|-\n{i}  # no comment"]
)


@st.composite
def blocks(draw, column: int, step: int):
    """Entries of a section in block style, at ``column``."""
    lines = []
    for number in range(draw(st.integers(1, 3))):
        pad = " " * column
        if draw(st.booleans()):
            lines.append(f"{pad}e{number}: {{name: 'x, y', note: {{}}}}{draw(comments)}\n")
        else:
            inner = " " * (column + step)
            value = draw(names)
            note = "" if value[0] in ">|" else draw(comments)
            lines.append(
                f"{pad}e{number}:{draw(comments)}\n{inner}name: {value.replace('{i}', inner)}{note}\n"
            )
        lines.append(draw(gaps))
    return "".join(lines)


@st.composite
def layouts(draw):
    """Whole files; in each, ``connections`` may be missing, empty, a block, or in braces."""
    step = draw(st.integers(1, 4))
    parts = ["version: 1\n", draw(gaps)]
    sections = draw(st.permutations(["egress", "connections", "strategies"]))
    for section in sections[: draw(st.integers(1, 3))]:
        kind = draw(st.sampled_from(["block", "block", "braces", "lines", "empty"]))
        if kind == "block":
            parts.append(f"{section}:{draw(comments)}\n{draw(blocks(step, draw(st.integers(1, 4))))}")
        elif kind == "braces":
            parts.append(f"{section}: {{e0: {{name: A}}, e1: {{name: 'b}}'}}}}{draw(comments)}\n")
        elif kind == "lines":
            parts.append(f"{section}: {{{draw(comments)}\n  e0: {{name: A}}{draw(comments)}\n  }}\n")
        else:
            parts.append(f"{section}: {{}}{draw(comments)}\n")
        parts.append(draw(gaps))
    text = "".join(parts)
    if draw(st.booleans()):
        text = text.rstrip("\n")
    if draw(st.booleans()):
        text = "---\n" + text
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return ("\ufeff" if draw(st.booleans()) else "") + text


def only_inserted(before: bytes, after: bytes) -> bool:
    """Whether ``after`` is ``before`` with one piece put in somewhere."""
    return any(
        after.startswith(before[:at]) and after.endswith(before[at:])
        for at in range(len(before), -1, -1)
        if len(after) >= len(before)
    )


@pytest.mark.parametrize("entries", [{"new": FIELDS}, {"new": FIELDS, "newer": NESTED, "a": {"name": "A"}}])
@given(text=layouts())
def test_any_layout_keeps_every_byte_and_says_these_things_more(entries, text):
    before = text.encode()
    told = yaml.safe_load(text)
    after = add_entries(before, file="x", section="connections", entries=entries).decode()
    assert yaml.safe_load(after) == {
        **told,
        "connections": {**(told.get("connections") or {}), **entries},
    }
    if told.get("connections") != {}:
        assert only_inserted(before, after.encode())
    else:  # its braces make room for a block
        cut = text.index("{}", text.index("connections:"))
        without = (text[:cut].rstrip(" ") + text[cut + 2 :]).encode()
        assert only_inserted(without, after.encode())
    ends = set(after.replace("\r\n", "")) & {"\r", "\n"} if "\r\n" in text else set()
    assert not ends, "line ends of one kind"


def test_one_of_several_that_is_taken():
    with pytest.raises(ConfigError) as caught:
        add_entries(
            b"connections: {a: {}}", file="x", section="connections", entries={"b": FIELDS, "a": FIELDS}
        )
    assert caught.value.problems[0].code == "duplicate-id"


@given(st.text(), st.sampled_from(["version: 1\n", "connections:\n  ", "connections: {", ""]))
def test_any_text_gives_the_same_and_one_more_or_a_refusal(noise, head):
    before = (head + noise).encode("utf-8", "replace")
    after = None
    with contextlib.suppress(ConfigError):
        after = added(before)
    if after is not None:
        was, now = (load_document(data, file="x", root="").value for data in (before, after.encode()))
        assert now["connections"].pop("new") == FIELDS
        assert (was.get("connections") or {}) == now["connections"]
