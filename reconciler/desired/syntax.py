"""What the YAML parser found wrong, in our own words.

The parser's own message quotes the line that it could not read, and that line may hold a secret.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from reconciler.model.errors import Mark, Problem

_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
_BREAK: Final = re.compile(r"\r\n|\r|\n")

#: A part of the parser's message -> what is wrong, and the fix. The first that fits is used.
_WORDS: Final = (
    (
        "mapping values are not allowed",
        "a `:` stands where no field can begin",
        "quote the value that holds the `:`, or mend the indentation of this line",
    ),
    (
        "while scanning a quoted scalar",
        "a quoted text is not closed",
        "close the quote",
    ),
    (
        "while parsing a quoted scalar",
        "a quoted text holds an escape that YAML does not know",
        "use single quotes, in which no character needs an escape",
    ),
    (
        "did not find expected node content",
        "a value cannot begin with this character",
        "put the value in quotes",
    ),
    (
        "while scanning a simple key",
        "a field has no `:` after its name",
        "write `name: value`, with a space after the `:`",
    ),
    (
        "while parsing a flow",
        "a list in [ ] or a mapping in { } is not closed, or misses a comma",
        "close the bracket, and put a comma between its items",
    ),
    (
        "while parsing a block",
        "the indentation does not line up with the lines above, or text follows a closed quote",
        "indent fields of one mapping, and items of one list, by the same number of spaces",
    ),
    (
        "cannot start any token",
        "a value cannot begin with this character",
        "put the value in quotes",
    ),
    (
        "block scalar",
        "a text block begins in a way that YAML does not know",
        "write `|` or `>` at the end of the line, and the text indented below it",
    ),
    (
        "expected <document start>",
        "the file goes on after its document has ended",
        "mend the indentation of this line, or remove what follows",
    ),
)
_OTHER: Final = (
    "this is not valid YAML",
    "indent with spaces, and quote values that hold special characters",
)


def explain(error: yaml.YAMLError, *, file: str, text: str) -> Problem:
    """The problem for an error of the parser, placed where the parser stopped."""
    where = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (where.line, where.column) if where else (0, 0)
    mark = Mark(file=file, line=line + 1, column=column + 1)
    written = _line(text, line)
    conflict = _CONFLICT.search(text)
    if conflict:
        mark = Mark(file=file, line=len(_BREAK.findall(text, 0, conflict.start())) + 1)
        return _problem(
            mark, "a merge conflict was left in the file", "resolve the conflict and commit again"
        )
    indentation = written[: len(written) - len(written.lstrip())]
    if "\t" in (*indentation, written[column : column + 1]):
        return _problem(
            mark, "a tab is used for indentation", "indent with spaces; YAML allows no tabs there"
        )
    said = f"{getattr(error, 'context', None)} {getattr(error, 'problem', None)}"
    for part, message, fix in _WORDS:
        if part in said:
            return _problem(mark, message, fix)
    return _problem(mark, *_OTHER)


def bad_escape(file: str) -> Problem:
    """The problem for an escape that names no character, which the parser cannot place."""
    return _problem(
        Mark(file=file, line=1), "an escape in a quoted text names no character", "mend the escape"
    )


def _problem(mark: Mark, message: str, fix: str) -> Problem:
    return Problem(mark=mark, code="yaml-syntax", message=message, fix=fix)


def _line(text: str, number: int) -> str:
    """The line with this number, which counts from 0; empty past the end."""
    lines = _BREAK.split(text, maxsplit=number + 1)
    return lines[number] if number < len(lines) else ""
