"""One section of a page of ``docs/`` as plain text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.output.document import WIDTH

_ITEM: Final = re.compile(r"(\s*)(\d+\.|-)\s+(.*)")
_HEADING: Final = re.compile(r"#{1,6} ")
#: Marks of Markdown that our pages use, and what a terminal shows of them; links first, as they hold others.
_MARKS: Final = (
    (re.compile(r"\[([^\]]+)\]\((\w+://[^)\s]+)\)"), r"\1 (\2)"),
    (re.compile(r"\[([^\]]+)\]\([^)\s]+\)"), r"\1"),
    (re.compile(r"<(https?://[^>\s]+)>"), r"\1"),
    (re.compile(r"\*\*(\S(?:.*?\S)?)\*\*"), r"\1"),
    (re.compile(r"(?<![\w*])\*(\S(?:[^*]*?\S)?)\*(?![\w*])"), r"\1"),
    (re.compile(r"`([^`]+)`"), r"\1"),
)


def paragraphs(page: str, title: str) -> tuple[str, ...]:
    """The paragraphs and list items of the section ``title`` of a Markdown page, each on one line.

    They keep their indentation and marks; code blocks are left out. Empty when there is no such section.
    """
    found: list[str] = []
    fresh = True
    for line in _section(page, title):
        if fresh or _ITEM.match(line) or not line.strip():
            found.append(line.rstrip())
        else:
            found[-1] += f" {line.strip()}"
        fresh = not line.strip()
    return tuple(line for line in found if line)


def _section(page: str, title: str) -> Iterator[str]:
    inside = code = False
    for line in page.splitlines():
        if _HEADING.match(line) and not code:
            inside = line == f"## {title}"
        elif line.lstrip().startswith("```"):
            code = not code
        elif inside and not code:
            yield line


def plain(paragraph: str) -> str:
    """One paragraph without Markdown's marks."""
    for pattern, shown in _MARKS:
        paragraph = pattern.sub(shown, paragraph)
    return paragraph


def renumbered(items: Iterable[str]) -> Iterator[str]:
    """``items`` with those of the outermost numbered list counted anew, after some were left out."""
    number = 0
    for item in items:
        match = _ITEM.fullmatch(item)
        if match and not match[1] and match[2] != "-":
            number += 1
            yield f"{number}. {match[3]}"
        else:
            yield item


def wrapped(paragraphs: Iterable[str], *, width: int = WIDTH) -> str:
    """Paragraphs as plain text of at most ``width`` columns; list items hang under their text."""
    return "".join(f"{_wrap(plain(paragraph), width)}\n" for paragraph in paragraphs)


def _wrap(text: str, width: int) -> str:
    item = _ITEM.fullmatch(text)
    lead = f"{item[1]}{item[2]} " if item else " " * (len(text) - len(text.lstrip()))
    return textwrap.fill(
        item[3] if item else text.lstrip(),
        width=width,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
