"""The one layout behind every screen: lines of text with roles, wrapped once, painted plain or in colour.

Painters receive finished rows, so that the piped and the coloured screen cannot differ in a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from reconciler.output.clean import cells, clean

#: Columns of a screen when nobody says otherwise, and the least that the layout can use.
WIDTH: Final = 100
MIN_WIDTH: Final = 40

#: The column in which everything after a label starts.
BODY: Final = 15

#: Where the second row of a line without a label starts: never at the margin, where only we write.
_HANG: Final = 2

_PIECES: Final = re.compile(r"\s+|\S+")


class Role(StrEnum):
    """What a piece of text is, for a painter to style. Meaning never rests on it alone."""

    PLAIN = "plain"
    TITLE = "title"
    MUTED = "muted"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    UNKNOWN = "unknown"
    COMMAND = "command"


class Span(NamedTuple):
    """A piece of text with one role. It may hold anything: the layout cleans it.

    A ``whole`` one is a single word however many spaces it has: a command to copy, a short fact.
    """

    text: str
    role: Role = Role.PLAIN
    whole: bool = False


Row: TypeAlias = tuple[Span, ...]
"""One finished row of a screen, clean and no wider than asked unless one word is."""


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: ``lead`` stays as it is, ``body`` wraps and hangs under its own beginning.

    Only words of ours, already padded, go into ``lead``. Words of ``body`` are what white space
    separates; two spans without white space between them make one word.
    """

    body: tuple[Span, ...] = ()
    lead: tuple[Span, ...] = ()


BLANK: Final = Line()


def text_line(*body: Span | str) -> Line:
    """A line without a label."""
    return Line(body=tuple(_spans(body)))


def labelled(label: str, *body: Span | str, indent: int = 4, role: Role = Role.MUTED) -> Line:
    """A line with a short label at ``indent`` and its body at column :data:`BODY`."""
    lead = f"{'':{indent}}{label}"
    return Line(body=tuple(_spans(body)), lead=(Span(f"{lead:<{BODY - 1}} ", role),))


def heading(title: str) -> tuple[Line, ...]:
    """The title of a section and the blank line under it."""
    return (text_line(Span(title, Role.TITLE)), BLANK)


def joined(items: Iterable[tuple[Span, ...]], separator: str) -> Iterator[Span]:
    """The spans of every item with ``separator`` between two items."""
    for index, item in enumerate(items):
        if index:
            yield Span(separator, Role.MUTED)
        yield from item


def wrap(line: Line, width: int) -> list[Row]:
    """The rows of ``line``, each at most ``width`` columns wide unless a single word is wider."""
    start = sum(cells(span.text) for span in line.lead)
    hang = Span(" " * max(start, _HANG))
    rows: list[list[Span]] = [list(line.lead)]
    column, fresh = start, True
    for word in _words(line.body):
        size = sum(cells(span.text) for span in word)
        if not fresh and column + 1 + size > width:
            rows.append([hang])
            column, fresh = len(hang.text), True
        if not fresh:
            _append(rows[-1], Span(" ", word[0].role if rows[-1][-1].role is word[0].role else Role.PLAIN))
        for span in word:
            _append(rows[-1], span)
        column, fresh = column + size + (not fresh), False
    return [_trimmed(row) for row in rows]


def layout(lines: Iterable[Line], width: int) -> Iterator[Row]:
    """Every row of a screen of ``width`` columns (never less than :data:`MIN_WIDTH`)."""
    for line in lines:
        yield from wrap(line, max(width, MIN_WIDTH))


def plain(lines: Iterable[Line], width: int = WIDTH) -> str:
    """``lines`` as plain text, each row ended by a newline."""
    return "".join("".join(span.text for span in row) + "\n" for row in layout(lines, width))


def _spans(parts: Iterable[Span | str]) -> Iterator[Span]:
    return (Span(part) if isinstance(part, str) else part for part in parts)


def _words(body: Iterable[Span]) -> Iterator[list[Span]]:
    word: list[Span] = []
    for span in body:
        text = clean(span.text)
        for piece in [text] if span.whole else _PIECES.findall(text):
            if not piece.isspace():
                word.append(Span(piece, span.role))
            elif word:
                yield word
                word = []
    if word:
        yield word


def _append(row: list[Span], span: Span) -> None:
    """Put ``span`` at the end of ``row``, as one with a neighbour of its role."""
    if row and row[-1].role is span.role:
        row[-1] = Span(row[-1].text + span.text, span.role)
    else:
        row.append(span)


def _trimmed(row: list[Span]) -> Row:
    """The row without spaces at its end."""
    if row:
        row[-1] = Span(row[-1].text.rstrip(), row[-1].role)
    return tuple(span for span in row if span.text)
