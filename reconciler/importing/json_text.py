"""JSON as freqtrade reads it, with the place of every value: comments and trailing commas are allowed.

freqtrade parses with rapidjson's ``PM_COMMENTS | PM_TRAILING_COMMAS``
(``freqtrade/configuration/load_config.py``, 2024.10): ``//`` to the end of the line and ``/* … */`` wherever
white space may stand, and one comma after the last entry. Of a key that stands twice the last one counts.
"""

from __future__ import annotations

import re
from decimal import Decimal
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, Final

from reconciler.importing.node import DEPTH, MOST, Node, Unreadable, unreadable
from reconciler.importing.reading import Lines, read_text

_SPACE: Final = re.compile(r"(?:[ \t\n\r]++|//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?+([eE][-+]?[0-9]++)?+")
#: rapidjson takes the last four, too; none of them is a number that we could compute with.
_WORDS: Final = {"true": True, "false": False, "null": None}
_NO_NUMBERS: Final = ("NaN", "Infinity", "-Infinity", "Inf", "-Inf")
_STRINGS: Final = JSONDecoder()
#: More digits than any amount has. Python itself refuses to turn thousands of them into a number.
_DIGITS: Final = 400
_DATA: Final = "name the bot's configuration, not its data"


def read_json(path: Path) -> Node:
    """The object in a file. Raise :class:`Unreadable` for what freqtrade could not read either."""
    node = _Reader(str(path), read_text(path)).document()
    if not isinstance(node.value, dict):
        raise unreadable(node.mark, "not-an-object", "the file holds no JSON object", "name a configuration")
    return node


class _Reader:
    """One text. Its errors name a place and never quote."""

    def __init__(self, file: str, text: str) -> None:
        self._text = text
        self._lines = Lines(file, text)
        self._values = 0

    def document(self) -> Node:
        node, at = self._value(self._skip(0), 0)
        at = self._skip(at)
        if at < len(self._text):
            raise self._wrong(at, "nothing more is expected here")
        return node

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _wrong(self, at: int, message: str) -> Unreadable:
        fix = "mend the file as freqtrade itself asks: `freqtrade show-config` reads it the same way"
        return unreadable(self._lines.mark(min(at, len(self._text))), "bad-json", message, fix)

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        mark, first = self._lines.mark(at), self._text[at : at + 1]
        if depth > DEPTH:
            raise self._wrong(at, f"values are nested more than {DEPTH} deep")
        self._values += 1
        if self._values > MOST:
            raise unreadable(mark, "too-large", f"the file has more than {MOST:,} values", _DATA)
        if first == "{":
            found, end = self._object(at + 1, depth)
            return Node(found, mark), end
        if first == "[":
            items, end = self._array(at + 1, depth)
            return Node(items, mark), end
        if first == '"':
            text, end = self._string(at)
            return Node(text, mark), end
        plain, end = self._plain(at)
        return Node(plain, mark), end

    def _object(self, at: int, depth: int) -> tuple[dict[str, Node], int]:
        found: dict[str, Node] = {}
        at = self._skip(at)
        while self._text[at : at + 1] != "}":
            if self._text[at : at + 1] != '"':
                raise self._wrong(at, "expected a key in double quotes, or }")
            key, at = self._string(at)
            at = self._skip(at)
            if self._text[at : at + 1] != ":":
                raise self._wrong(at, "expected a colon after the key")
            found[key], at = self._value(self._skip(at + 1), depth + 1)
            at = self._separator(at, "}")
        return found, at + 1

    def _array(self, at: int, depth: int) -> tuple[list[Node], int]:
        found: list[Node] = []
        at = self._skip(at)
        while self._text[at : at + 1] != "]":
            node, at = self._value(at, depth + 1)
            found.append(node)
            at = self._separator(at, "]")
        return found, at + 1

    def _separator(self, at: int, closing: str) -> int:
        """After a comma, or at the ``closing`` bracket."""
        at = self._skip(at)
        if self._text[at : at + 1] == ",":
            return self._skip(at + 1)
        if self._text[at : at + 1] != closing:
            raise self._wrong(at, f"expected a comma or {closing}")
        return at

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = _STRINGS.raw_decode(self._text, at)
        except JSONDecodeError as error:
            # Its message holds a part of no value; its `doc` holds the whole file.
            raise self._wrong(error.pos, "this text in quotes is not closed, or holds a bad escape") from None
        return str(text), end

    def _plain(self, at: int) -> tuple[Any, int]:
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        for word in _NO_NUMBERS:
            if self._text.startswith(word, at):
                return "", at + len(word)
        found = _NUMBER.match(self._text, at)
        if found is None or len(found[0]) > _DIGITS or len(found[2] or "") > len("e+999"):
            raise self._wrong(at, "expected a value")
        whole = found[1] is None and found[2] is None
        return int(found[0]) if whole else Decimal(found[0]), found.end()
