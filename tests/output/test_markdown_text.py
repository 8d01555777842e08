"""Text that others wrote stays text in Markdown, as a real parser reads it."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reconciler.output.clean import clean
from reconciler.output.markdown import code, inline, prose

#: GitHub's dialect as far as the parser has it: raw HTML, tables, links made of bare text.
PARSER = MarkdownIt("gfm-like", {"html": True, "linkify": True})

#: What a forge looks for in the text of a page once Markdown is parsed, code left aside.
FORGE = re.compile(
    r"@\w|#\d|(?i:gh-\d)|https?:|www\.|:[a-z+-]+:|\b[0-9a-f]{7,40}\b|\$|(?<!\w)[!~%&^]\w|\w@\w|mailto:"
)

pieces = st.sampled_from(
    [
        *("@alice", "#12", "org/repo#3", "http://x.io", "www.x.io", "x.io", "a@b.co", "GH-1", "JIRA-7", "!1"),
        *("~bug", "deadbeef", ":tada:", "$x$", "$`", "mailto:a", "<https://x.io>", "//localhost", "/close"),
        *("`", "``", "`a b`", " `", "` ", "|", "\\", "\\|", "|---|", ":-:", "**", "*a*", "_a_", "~~~", "```"),
        *("<b>", "</details>", "<!--", "-->", "![x](y)", "[x](y)", "[^1]", "[ ]", "{+a+}", "&amp;", "&#64;"),
        *("#", "- ", "1. ", "+ ", "> ", "===", "---", " ", "\n", "\t", "a", ".", "(", ")", '"'),
        *("\u202e", "\x1b[2J", "\u00a0", "é", "主"),
    ]
)
some = st.lists(pieces, max_size=8)
hostile = st.one_of(st.text(), some.map("".join), some.map(" ".join))


def parsed(markdown: str) -> tuple[str, str]:
    """The text that a reader sees, and the part of it that is not code. Fail for anything but text."""
    tokens = PARSER.parse(markdown)
    (inline_,) = (token for token in tokens if token.type == "inline" and token.content)
    kinds = {token.type for token in inline_.children}
    assert kinds <= {"text", "code_inline"}, kinds
    return (
        "".join(token.content for token in inline_.children),
        "\n".join(token.content for token in inline_.children if token.type == "text"),
    )


def seen(text: str) -> str:
    return " ".join(clean(text).split())


@given(hostile)
@example("\\")
@example("`|`")
@example("a@b|c@d")
def test_a_paragraph_shows_the_text_and_nothing_else(text):
    told, bare = parsed(f"x {inline(text)} y")
    assert " ".join(told.split()) == f"x {seen(text)} y".replace("  ", " ")
    assert not FORGE.search(bare), bare


@given(hostile)
@example("(`a b`).")
@example("(`a`).@bob")
@example("a@b( `x`")
def test_a_sentence_shows_the_text_but_for_backticks_around_code(text):
    told, bare = parsed(f"x {prose(text)} y")
    assert " ".join(told.replace("`", "").split()) == " ".join(f"x {seen(text)} y".replace("`", "").split())
    assert not FORGE.search(bare), bare


@given(hostile)
def test_a_line_of_its_own_opens_no_block(text):
    if not seen(text):
        return
    tokens = PARSER.parse(inline(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert parsed(inline(text))[0] == seen(text)


@given(hostile, hostile)
def test_a_cell_of_a_table_holds_it(first, second):
    table = f"| a | b |\n|---|---|\n| x {inline(first)} | x {code(second)} |"
    tokens = PARSER.parse(table)
    cells = [token for token in tokens if token.type == "inline"][2:]
    assert len(cells) == 2
    for cell, text in zip(cells, (first, second), strict=True):
        assert {token.type for token in cell.children} <= {"text", "code_inline"}
        told = "".join(token.content for token in cell.children)
        assert " ".join(told.split()) == f"x {seen(text)}".strip()


@given(hostile)
def test_a_code_span_is_one(text):
    told, bare = parsed(f"x {code(text)} y")
    assert " ".join(told.split()) == f"x {seen(text)} y".replace("  ", " ")
    assert set(bare) <= set("x y|\n"), "nothing but ours and bars stands outside of code"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("the key may withdraw, in 39 days (90%)", "the key may withdraw, in 39 days (90%)"),
        ("edit connections.yaml:12, then look", "edit `connections.yaml:12`, then look"),
        ("from 203.0.113.10 (or @alice).", "from `203.0.113.10` (or `@alice`)."),
        ("a|b", "a&#124;b"),
        ("- one", "`-` one"),
        ("one - two + 3 = 4", "one - two + 3 = 4"),
        ("use `sops edit` now", "use `` `sops `` `` edit` `` now"),
        ("", ""),
    ],
)
def test_plain_words_stay_plain(text, markdown):
    assert inline(text) == markdown


def test_backticks_in_a_sentence_of_ours_make_code():
    assert prose("Run `sops set`, then (`sops edit`).") == "Run `sops set`, then (`sops edit`)."
    assert prose("half a `pair") == "half a `` `pair ``"
