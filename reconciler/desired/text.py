"""Bytes of a file to text that every reader, and every reviewer, sees alike."""

from __future__ import annotations

import re
from typing import Final

from reconciler.model.errors import Mark, Problem

#: Beyond what YAML forbids (control characters): line breaks that only some readers honour, so that
#: a comment can hide a field, and marks, tags and fillers that reorder or hide text on the
#: screen of a reviewer.
FORBIDDEN: Final = re.compile(
    "[^\x09\x0a\x0d\x20-\x7e\xa0-\u034e\u0350-\u061b\u061d-\u115e\u1161-\u17b3\u17b6-\u200a\u200c\u200d"
    "\u2010-\u2027\u202f-\u205f\u2065\u206a-\u27ff\u2801-\u3163\u3165-\ud7ff\ue000-\ufefe\uff00-\uff9f"
    "\uffa1-\ufffd\U00010000-\U000dffff\U000e0080-\U0010ffff]"
)
_BREAK: Final = re.compile(rb"\r\n|\r|\n")
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def decode(data: bytes, *, file: str) -> str | Problem:
    """The text of a file in UTF-8, without its byte order mark; or why it is none."""
    data = data.removeprefix(_BOM)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(data, error.start, file)
    found = FORBIDDEN.search(text)
    if found is None:
        return text
    mark = _mark(file, text[: found.start()].encode())
    if found.group() == "\x00":
        return Problem(
            mark=mark,
            code="not-text",
            message="this is a binary file, not YAML",
            fix="name a YAML file in UTF-8",
        )
    return Problem(
        mark=mark,
        code="invisible-character",
        message=f"an invisible character (U+{ord(found.group()):04X}) that can hide or reorder text",
        fix="remove it",
    )


def _not_utf8(data: bytes, start: int, file: str) -> Problem:
    wide = data.startswith(_UTF16)
    return Problem(
        mark=_mark(file, b"" if wide else data[:start]),
        code="not-utf8",
        message="the file is in UTF-16, not UTF-8" if wide else "the file is not in UTF-8 from here on",
        fix="save it as UTF-8",
    )


def _mark(file: str, before: bytes) -> Mark:
    """The place after ``before``, the beginning of a file in UTF-8."""
    breaks = list(_BREAK.finditer(before))
    start = breaks[-1].end() if breaks else 0
    return Mark(file=file, line=len(breaks) + 1, column=len(before[start:].decode("utf-8", "replace")) + 1)
