"""The loader alone: places, refusals, and input that means harm."""

from __future__ import annotations

import gc
import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.desired import loader, tree
from reconciler.desired.document import Document
from reconciler.desired.loader import load_document
from reconciler.desired.tree import MAX_DEPTH, MAX_PROBLEMS


def read(text: str | bytes) -> Document:
    data = text.encode() if isinstance(text, str) else text
    return load_document(data, file="f.yaml", root=".")


def refused(text: str | bytes) -> list[tuple[int, int, str]]:
    return [(p.mark.line, p.mark.column, p.code) for p in read(text).problems]


def test_values_are_plain_and_know_their_places():
    document = read('a:\n  - {b: "x"}\n  - 3\nc: |\n  two\n  lines\n')
    assert document.value == {"a": [{"b": "x"}, 3], "c": "two\nlines\n"}
    assert str(document.key_mark(("a",))) == "f.yaml:1:1"
    assert str(document.key_mark(("a", 0, "b"))) == "f.yaml:2:6"
    assert str(document.value_mark(("a", 0, "b"))) == "f.yaml:2:9"
    assert str(document.value_mark(("a", 1))) == "f.yaml:3:5"
    assert str(document.key_mark(("c",))) == "f.yaml:4:1"
    assert str(document.value_mark(("c",))) == "f.yaml:4:4"
    assert {key: str(mark) for key, mark in document.field_marks(()).items()} == {
        "a": "f.yaml:1:1",
        "c": "f.yaml:4:1",
    }


def test_what_was_not_written_has_the_place_of_what_holds_it():
    document = read("a:\n  b: 1\n")
    assert str(document.key_mark(("a", "missing", "deeper"))) == "f.yaml:1:1"
    assert str(document.value_mark(("a", "missing"))) == "f.yaml:2:3"
    assert document.field_marks(("a", "b")) == {}


def test_columns_count_characters_not_bytes():
    assert str(read("ä€😀: {b: x}\n").value_mark(("ä€😀", "b"))) == "f.yaml:1:10"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_once(newline):
    text = newline.join(["a: 1", "b: 2", "c: NO", ""])
    assert refused(text) == [(3, 4, "ambiguous-value")]


def test_a_byte_order_mark_is_no_part_of_the_text():
    document = read(b"\xef\xbb\xbfa: 1\n")
    assert document.value == {"a": 1}
    assert str(document.key_mark(("a",))) == "f.yaml:1:1"


REFUSED = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", [(3, 1, "duplicate-key")]),
    "duplicate key deep": (
        "x:\n  - {a: 1, a: {b: 1, b: 2}}\n",
        [(2, 12, "duplicate-key"), (2, 22, "duplicate-key")],
    ),
    "duplicate in quotes": ("a: 1\n'a': 3\n", [(2, 1, "duplicate-key")]),
    "second document": ("a: 1\n---\nb: 2\n", [(2, 1, "several-documents")]),
    "anchor": ("a: &x 1\n", [(1, 4, "anchor")]),
    "anchor on a mapping": ("a: &x\n  b: 1\n", [(1, 4, "anchor")]),
    "anchor on a key": ("&x a: 1\n", [(1, 1, "anchor")]),
    "alias": ("a: &x 1\nb: *x\n", [(1, 4, "anchor"), (2, 4, "alias")]),
    "alias of nothing": ("b: *x\n", [(1, 4, "alias")]),
    "alias as key": ("? *x\n: 1\n", [(1, 3, "complex-key")]),
    "merge key": ("a:\n  <<: {b: 1}\n", [(2, 3, "merge-key")]),
    "python tag": ("a: !!python/object/apply:os.system [ls]\n", [(1, 4, "tag")]),
    "text tag": ("a: !!str 17\n", [(1, 4, "tag")]),
    "lone tag": ("a: ! x\n", [(1, 4, "tag")]),
    "tag on the root": ("!x\na: 1\n", [(1, 1, "tag")]),
    "list as key": ("[a]: 1\n", [(1, 1, "complex-key")]),
    "mapping as key": ("? {a: 1}\n: 1\n", [(1, 3, "complex-key")]),
    "number as key": ("a:\n  1: x\n", [(2, 3, "ambiguous-key")]),
    "nothing as key": ("? \n: x\n", [(1, 2, "ambiguous-key")]),
    "directive": ("%YAML 1.1\n---\na: 1\n", [(1, 1, "directive")]),
    "escape": ('a: "\\e[31m"\n', [(1, 4, "invisible-character")]),
    "null escape": ('a: "\\0"\n', [(1, 4, "invisible-character")]),
    "escaped key": ('"a\\u202e": 1\n', [(1, 1, "invisible-character")]),
    "bidi override": ("a: x\nb: y\u202e\n", [(2, 5, "invisible-character")]),
    "filler": ("a: x\nb: \u3164\n", [(2, 4, "invisible-character")]),
    "tag character": ("a: x\nb: y\U000e0041\n", [(2, 5, "invisible-character")]),
    "escaped filler": ('a: "\\u3164"\n', [(1, 4, "invisible-character")]),
    "hidden line": ("a: x # \u2028b: y\n", [(1, 8, "invisible-character")]),
    "escape character": ("a: \x1b[31m\n", [(1, 4, "invisible-character")]),
    "empty": ("", [(1, 1, "empty-file")]),
    "comment": ("# nothing\n", [(1, 1, "empty-file")]),
    "binary": (b"\x7fELF\x02\x01\x01\x00\x00".replace(b"\x7f", b""), [(1, 4, "invisible-character")]),
    "null bytes": (b"a: 1\nb: \x00\n", [(2, 4, "not-text")]),
    "latin-1": ("a: 1\nb: größe\n".encode("latin-1"), [(2, 6, "not-utf8")]),
    "utf-16": ("a: 1\n".encode("utf-16"), [(1, 1, "not-utf8")]),
    "utf-16 without mark": ("a: 1\n".encode("utf-16-le"), [(1, 2, "not-text")]),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_refusals_stand_at_their_place(text, expected):
    assert refused(text) == expected


SYNTAX = {
    "tab": ("a:\n\tb: c\n", 2, 1, "tab"),
    "nested colon": ("a: b: c\n", 1, 5, "`:`"),
    "field without colon": ("a: 1\nb\nc: 1\n", 3, 1, "no `:`"),
    "open bracket": ("a: [b, c\n", 2, 1, "bracket"),
    "open brace": ("a: {b: c\nd: e\n", 2, 2, "bracket"),
    "open quote": ('a: "b\nc: d\n', 3, 1, "quote"),
    "bad escape": ('a: "\\q"\n', 1, 5, "single quotes"),
    "surrogate escape": ('a: "\\ud800"\n', 1, 7, "single quotes"),
    "bad indentation": ("a:\n  - b\n c: 1\n", 3, 2, "same number of spaces"),
    "reserved character": ("a: @b\n", 1, 4, "quotes"),
    "closing bracket": ("a: }\n", 1, 4, "quotes"),
    "block header": ("a: |x\n  b\n", 1, 5, "`|`"),
    "after the end": ("a: 1\n...\nb: 2\n", 3, 1, "remove"),
    "merge conflict": ("a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", 2, 1, "conflict"),
    "unknown directive": ("%FOO\n---\na: 1\n", 1, 5, "quote"),
}


@pytest.mark.parametrize(("text", "line", "column", "words"), SYNTAX.values(), ids=SYNTAX)
def test_what_is_no_yaml_is_explained_in_our_words(text, line, column, words):
    (problem,) = read(text).problems
    assert (problem.mark.line, problem.mark.column, problem.code) == (line, column, "yaml-syntax")
    assert words in f"{problem.message} {problem.fix}"


@pytest.mark.parametrize("text", [text for text, *_ in SYNTAX.values()])
def test_the_parsers_own_message_is_never_shown(text):
    canary = "hunter2"
    (problem,) = read(f"secret: {canary}\n{text}# {canary}\n").problems
    assert canary not in str(problem)


def test_reading_goes_on_after_a_refusal():
    found = refused("a: NO\nb: *x\nc: 017\na: !t x\n")
    assert [(line, code) for line, _, code in found] == [
        (1, "ambiguous-value"),
        (2, "alias"),
        (3, "ambiguous-value"),
        (4, "duplicate-key"),
        (4, "tag"),
    ]


def test_the_first_of_two_keys_is_kept_and_named():
    document = read("a: 1\n\na:\n  - 2\n")
    assert document.value == {"a": 1}
    assert "line 1" in document.problems[0].message
    assert str(document.key_mark(("a",))) == "f.yaml:1:1"


def test_a_document_that_was_not_read_to_its_end_says_so():
    assert read("a: NO\n").complete
    assert not read("a: [\n").complete
    assert not read("a: 1\n---\nb: 1\n").complete
    assert not read(b"\xff").complete


def test_a_value_that_was_refused_is_marked_as_broken():
    assert read("a:\n  - x\n  - NO\nb: {c: *x}\n").broken == {("a", 1), ("b", "c")}


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_is_bounded(opening, depth):
    text = opening * depth
    codes = [code for *_, code in refused(text)]
    assert ("too-deep" in codes) == (depth > MAX_DEPTH)


def test_an_alias_bomb_expands_nothing():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 5000)]
    began = time.process_time()
    found = refused("\n".join(lines))
    assert time.process_time() - began < 1
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1][2] == "too-many-problems"


def test_the_number_of_values_is_bounded(monkeypatch):
    monkeypatch.setattr(tree, "MAX_VALUES", 1000)
    assert refused("[" + "1," * 999 + "]") == []
    assert refused("[" + "1," * 1000 + "]") == [(1, 2000, "too-large")]
    assert [code for *_, code in refused("a: {}\n" * 1001)][-1] == "too-many-problems"


def test_garbage_collection_is_as_it_was_before():
    gc.disable()
    try:
        read("a: 1\n")
        assert not gc.isenabled()
    finally:
        gc.enable()
    read("a: [\n")
    assert gc.isenabled()


@pytest.mark.parametrize("text", [text for text, _ in REFUSED.values()])
def test_the_parser_in_pure_python_refuses_the_same(monkeypatch, text):
    expected = refused(text)
    monkeypatch.setattr(loader, "_Loader", yaml.SafeLoader)
    assert [code for *_, code in refused(text)] == [code for *_, code in expected]


def test_the_parser_in_pure_python_survives_impossible_escapes(monkeypatch):
    monkeypatch.setattr(loader, "_Loader", yaml.SafeLoader)
    assert [code for *_, code in refused('a: "\\UFFFFFFFF"\n')] == ["yaml-syntax"]
    assert [code for *_, code in refused('a: "\\ud800"\n')] == ["invisible-character"]


@given(st.binary(max_size=300))
def test_any_bytes_give_a_document(data):
    document = read(data)
    assert document.complete or document.problems


YAML_LIKE = st.text(alphabet="ab1 \n\t:-[]{},#&*!|>'\"%@`?~.\\<=\x00\x85\u2028é", max_size=60)


@given(YAML_LIKE)
def test_any_text_gives_a_document_and_marks_within_it(text):
    document = read(text)
    lines = len(text.splitlines()) + 1
    for problem in document.problems:
        assert 1 <= problem.mark.line <= lines + 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15) + 1, 10**15 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcdxyz", min_size=1, max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_json_is_read_as_json_is(value):
    document = read(json.dumps(value, ensure_ascii=True))
    if not document.problems:
        assert document.value == value
