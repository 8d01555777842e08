"""What an unquoted YAML scalar means, and which ones are refused because readers disagree.

YAML 1.1 (PyYAML), YAML 1.2 (editors) and Go's reader (sops) give different values for texts such
as ``NO``, ``017``, ``1e3`` or ``12:30``. A file that is reviewed as one thing and applied as
another is a security hole, so such texts must be quoted. The table is in the tests.
"""

from __future__ import annotations

import re
from typing import Final

_CANONICAL: Final[dict[str, bool | None]] = {"": None, "null": None, "true": True, "false": False}

#: Texts that start otherwise are text for every reader.
_SUSPECT: Final = frozenset(("", *"0123456789+-.~=<yYnNtTfFoO"))

_INT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_TIME: Final = "a point in time"
#: What a text could be mistaken for -> the texts that could be.
_AMBIGUOUS: Final = (
    ("true or false", re.compile(r"y|n|yes|no|on|off|true|false", re.IGNORECASE)),
    ("nothing at all", re.compile(r"~|null", re.IGNORECASE)),
    ("a special key", re.compile(r"=|<<")),
    ("a number", re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE)),
    ("a number", re.compile(r"[-+]?0(?:x[0-9a-f_]*|o[0-7_]*|b[01_]*)", re.IGNORECASE)),
    (
        "a number",
        re.compile(r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:e[-+]?[0-9_]*)?", re.IGNORECASE),
    ),
    ("a number of seconds", re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")),
    (_TIME, re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")),
)


_FIX: Final = (
    'put it in quotes if it is text or an amount ("0.5"); otherwise write true, false, null or a whole '
    "number such as 15"
)
_TIME_FIX: Final = (
    'write the day alone and in quotes ("2026-12-31"); sops rewrites days without quotes when it encrypts'
)


class Ambiguous(ValueError):
    """An unquoted text that YAML readers read differently: what some take it for, and the fix."""

    def __init__(self, taken_for: str) -> None:
        super().__init__(taken_for)
        self.taken_for = taken_for
        self.fix = _TIME_FIX if taken_for == _TIME else _FIX


def read_plain(text: str) -> str | int | bool | None:
    """The one value that every YAML reader gives to an unquoted scalar.

    Dates stay text. Raise :class:`Ambiguous` where readers differ, and for decimal fractions and
    whole numbers of more than 15 digits, which readers round.
    """
    if text[:1] not in _SUSPECT:
        return text
    if text in _CANONICAL:
        return _CANONICAL[text]
    if _INT.fullmatch(text) and text != "-0":
        return int(text)
    if _DATE.fullmatch(text):
        return text
    for taken_for, pattern in _AMBIGUOUS:
        if pattern.fullmatch(text):
            raise Ambiguous(taken_for)
    return text
