"""The frame of a comment on a pull request: title, sections of whole rows, and a size that a forge takes.

GitHub refuses a comment of more than 65,536 characters, so what does not fit is left out by whole rows,
the last sections first, and the comment says so before anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

#: UTF-16 code units, by which a character beyond the basic plane counts twice; room is left for what a
#: pipeline puts around it.
LIMIT: Final = 60_000

#: More rows than this are folded in a section that may be.
_MANY: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a comment. Every row is Markdown that is whole in itself: a list item or a row of a table.

    ``head`` is what a table begins with. ``folded`` ones open on a click. ``title`` is ours alone, as
    it stands within HTML.
    """

    title: str
    rows: tuple[str, ...]
    head: str = ""
    folded: bool = False
    total: int = 0

    def text(self) -> str:
        """The section; its title counts the rows, and tells how many of them are shown if not all."""
        total = self.total or len(self.rows)
        count = f"{len(self.rows)} of {total}" if len(self.rows) < total else str(total)
        rows = "\n".join(filter(None, (self.head, *self.rows))) if self.rows else ""
        if self.folded:
            summary = f"<details><summary>{self.title} ({count})</summary>"
            return "\n\n".join(filter(None, (summary, rows, "</details>")))
        return "\n\n".join(filter(None, (f"#### {self.title} ({count})", rows)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A hidden marker by which a pipeline finds the comment again, then what everybody sees."""

    marker: str
    title: str
    sections: Sequence[Section] = ()
    foot: str = ""

    def text(self, limit: int = LIMIT) -> str:
        """The whole comment where it fits ``limit``, else as many whole rows as do."""
        held = [section for section in self.sections if section.rows]
        whole = self._joined(held)
        return whole if size(whole) <= limit else self._joined(*_fitted(self, held, limit))

    def _joined(self, sections: Sequence[Section], notice: str = "") -> str:
        parts = (f"{self.marker}\n{self.title}", notice, *(one.text() for one in sections), self.foot)
        return "\n\n".join(filter(None, parts)) + "\n"


def folded_if_many(section: Section) -> Section:
    """The section, folded where it is long."""
    return replace(section, folded=len(section.rows) > _MANY)


def table(*columns: str) -> str:
    """The head of a table."""
    return f"{row(*columns)}\n|{'---|' * len(columns)}"


def row(*cells: str) -> str:
    """One row of a table; the cells are Markdown already."""
    return f"| {' | '.join(cells)} |"


def size(text: str) -> int:
    """The length of ``text`` in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def _fitted(comment: Comment, sections: Sequence[Section], limit: int) -> tuple[list[Section], str]:
    """The first rows of every section as far as they fit, and the line that says what is missing."""
    total = sum(len(section.rows) for section in sections)
    empty = [replace(section, rows=(), total=len(section.rows)) for section in sections]
    room = limit - size(comment._joined(empty, _notice(total)))  # noqa: SLF001 - a part of it, kept apart to be read
    fitted = []
    for section, bare in zip(sections, empty, strict=True):
        room -= size(section.head) + 2 * len("\n\n")
        rows = []
        for one in section.rows:
            room -= size(one) + 1
            if room < 0:
                break
            rows.append(one)
        fitted.append(replace(bare, rows=tuple(rows)))
    return fitted, _notice(total - sum(len(section.rows) for section in fitted))


def _notice(left_out: int) -> str:
    cut = f"> **This comment is cut to the size that a forge takes: {left_out} rows are left out.**"
    return f"{cut} The text and the JSON of the run hold everything."
