"""Makes text that others wrote safe to show: names, labels, notes and the exchanges' own messages.

A label on an exchange or a name in a pull request may hold escape sequences that repaint a
terminal, bidirectional marks that reorder what a reviewer reads, or a line that a CI runner takes
for a command (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: ``::name key=value::`` and ``##[name]`` are orders to GitHub Actions, ``##vso[`` to Azure Pipelines.
_RUNNER_COMMAND: Final = re.compile(r"::(?=[A-Za-z][A-Za-z-]*(?:\s[^:]*)?::)|##(?=\[|vso\[)")

#: Letters and marks by their category that no font draws: fillers, joiners and a blank of Braille. A
#: name of these alone would be no name (https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point).
_UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")

#: What our own screens use beyond ASCII, and what stands for it where a stream cannot carry it.
_FALLBACKS: Final = str.maketrans(
    {"→": "->", "·": "-", "…": "...", "✓": "=", "✗": "x", "»": ">"}
    | {"▇": "c", "▅": "d", "▃": "r", "▁": "u", "░": "n"}  # readings: connected, degraded, rejected, …
)


def clean(text: str) -> str:
    r"""``text`` on one line with nothing in it that acts: white space is a space, the rest is escaped.

    What is not printable (control and format characters, bidirectional marks, lone surrogates,
    unassigned code points) or drawn by no font becomes its code point, ``\x1b`` or ``\u202e``, so that
    it is seen.
    """
    seen = text if text.isprintable() and _UNSEEN.isdisjoint(text) else "".join(map(_shown, text))
    return _RUNNER_COMMAND.sub(lambda match: " ".join(match.group()), seen)


def _shown(character: str) -> str:
    if character.isprintable() and character not in _UNSEEN:
        return character
    return " " if character.isspace() else escaped(character)


def escaped(character: str) -> str:
    r"""The code point of one character: ``\x1b``, ``\u202e`` or ``\U000e0001``."""
    return character.encode("ascii", "backslashreplace").decode() if character > "\x7f" else _low(character)


def _low(character: str) -> str:
    return f"\\x{ord(character):02x}"


def shortened(text: str, limit: int) -> str:
    """``text`` with at most ``limit`` characters, ending in ``…`` where some were left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def cells(text: str) -> int:
    """How many terminal columns ``text`` takes: two for wide characters, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def _cell(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def encodable(text: str, encoding: str) -> str:
    """``text`` as a stream of ``encoding`` can carry it; only what does not fit is replaced."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_FALLBACKS).encode(encoding, "backslashreplace").decode(encoding)
    return text
