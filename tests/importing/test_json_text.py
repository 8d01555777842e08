"""JSON with comments and trailing commas, as freqtrade takes it, and whatever else a file can hold."""

from __future__ import annotations

import json
import os
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.importing.json_text import read_json
from reconciler.importing.node import MOST, Node, Unreadable
from reconciler.importing.reading import LIMIT


def plain(node: Node):
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    return [plain(child) for child in node.value] if isinstance(node.value, list) else node.value


@pytest.fixture
def read(tmp_path):
    path = tmp_path / "config.json"

    def reading(text: str | bytes) -> Node:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_json(path)

    return reading


def refused(read, text: str | bytes):
    with pytest.raises(Unreadable) as caught:
        read(text)
    return caught.value.problem


LEAVES = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=20)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(document=st.dictionaries(st.text(max_size=8), VALUES, max_size=4), ascii_only=st.booleans())
@settings(max_examples=25, deadline=None)
def test_every_json_object_is_read_as_json_reads_it(tmp_path_factory, document, ascii_only):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(document, ensure_ascii=ascii_only, indent=2), "utf-8", "surrogatepass")
    assert plain(read_json(path)) == document


def test_comments_and_trailing_commas_where_rapidjson_takes_them(read):
    node = read(
        '// one\n{ /* two */ "a" /*:*/ : [1, 2,], "b//": "/* t */", // three\n "c": {"d": -1.50e1,},\n}\n//'
    )
    assert plain(node) == {"a": [1, 2], "b//": "/* t */", "c": {"d": Decimal(-15)}}


def test_the_last_of_two_equal_keys_counts_and_places_are_told(read):
    node = read('{"a": 1,\n   "a": {"b": 2}}')
    assert plain(node) == {"a": {"b": 2}}
    mark = node.get("a", "b").mark
    assert (mark.line, mark.column) == (2, 15)


def test_what_is_no_number_to_compute_with_is_no_number(read):
    node = read('{"a": NaN, "b": -Infinity, "c": 0.1, "d": true, "e": null}')
    assert [node.number(name) for name in "abcde"] == [None, None, Decimal("0.1"), None, None]
    assert node.get("e") is None


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "expected a value"),
        ("[1]", 1, "no JSON object"),
        ('{"a": 1}\n{"b": 2}', 2, "nothing more"),
        ('{"a": 1\n "canarySecret": 2}', 2, "expected a comma"),
        ("{\n'a': 1}", 2, "double quotes"),
        ('{"a" 1}', 1, "colon"),
        ('{"a": canarySecret}', 1, "expected a value"),
        ('{"canarySecret": "x', 1, "not closed"),
        ('{"a": "\\canarySecret"}', 1, "not closed, or holds a bad escape"),
        ('{"a": "x\ny"}', 1, "not closed, or holds a bad escape"),
        ("{" + '"a":{' * 40, 1, "more than 32 deep"),
        ("[" * 100_000, 1, "more than 32 deep"),
        ('{"a": /* never', 1, "expected a value"),
        ('{"a": 1' + "0" * 5000 + "}", 1, "expected a value"),
        ('{"a": 1e99999999}', 1, "expected a value"),
        (b"\xff\xfe{\x00}\x00", 1, "no text in UTF-8"),
        (b"\x7fELF\x00\x01", 1, "no text in UTF-8"),
        (b" " * (LIMIT + 1), 1, "more than 4,194,304 bytes"),
        ('{"a": [' + "1," * MOST + "]}", 1, "more than 50,000 values"),
    ],
)
def test_rubbish_is_told_by_its_place_and_never_quoted(read, text, line, says):
    problem = refused(read, text)
    assert problem.mark.line == line
    assert says in problem.message
    assert "canarySecret" not in f"{problem} {problem!r}"


def test_what_is_no_file_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, says in (("pipe", "no regular file"), ("", "is a directory"), ("none", "no such file")):
        with pytest.raises(Unreadable, match=says):
            read_json(tmp_path / name)


def test_a_node_never_shows_what_it_holds(read):
    node = read('{"exchange": {"key": "canarySecret"}}')
    assert "canarySecret" not in repr(node)
