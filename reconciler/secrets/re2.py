"""What Go's regular expressions (RE2) take, as far as that can be told from Python.

sops compiles its rules with Go's ``regexp``; Python's ``re`` knows constructs that Go refuses
(https://github.com/google/re2/wiki/Syntax).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Final

_REFUSED_GROUPS: Final = {
    "(?=": "look-ahead",
    "(?!": "negative look-ahead",
    "(?<=": "look-behind",
    "(?<!": "negative look-behind",
    "(?>": "an atomic group",
    "(?(": "a conditional group",
    "(?#": "a comment",
    "(?P=": "a back-reference",
    "(?P>": "a subroutine call",
}
_GO_ESCAPES: Final = frozenset("aAbBCdDEfnpPQrsStvwWxz01234567")
_GO_ONLY: Final = re.compile(r"\\[zQECpP]|\(\?<[A-Za-z]|\(\?[a-zA-Z]*U|.\(\?[ims]+\)|\[\[:\^?[a-z]+:\]")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_BACK_REFERENCE: Final = re.compile(r"\\[1-9](?![0-7])")
_NESTED_REPEAT: Final = re.compile(r"(?:[*+?]|\{\d+(?:,\d*)?\})(?:\+|\*|\?[*+?]|\{\d)")
_REPEATED_GROUP: Final = re.compile(r"\)[*+{]")
_COUNT: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_FLAGS: Final = re.compile(r"\(\?([a-zA-Z-]+)[:)]")
_GO_FLAGS: Final = frozenset("imsU-")
_MAX_REPEAT: Final = 1000
_MAX_PATTERN: Final = 2000
_MAX_WORK: Final = 10_000_000


def refusal(pattern: str) -> str | None:
    """Why Go cannot compile ``pattern``, in a few words, or ``None`` where nothing speaks against it."""
    return next((why for why in _refusals(pattern)), None)


def _refusals(pattern: str) -> Iterator[str]:
    if len(pattern) > _MAX_PATTERN:
        yield f"more than {_MAX_PATTERN:,} characters"
        return
    if _BACK_REFERENCE.search(pattern.replace("\\\\", "")):
        yield "a back-reference"
    escapes = {found[1] for found in _ESCAPE.finditer(pattern) if found[1].isalnum()}
    yield from (f"the escape \\{letter}" for letter in sorted(escapes - _GO_ESCAPES))
    bare = _CLASS.sub("_", _ESCAPE.sub("_", pattern))
    yield from (name for opening, name in _REFUSED_GROUPS.items() if opening in bare)
    flags = {letter for found in _FLAGS.finditer(bare) for letter in found[1]}
    yield from (f"the flag {letter}" for letter in sorted(flags - _GO_FLAGS))
    if _NESTED_REPEAT.search(bare):
        yield "a repetition of a repetition"
    if any(int(n) > _MAX_REPEAT for found in _COUNT.finditer(bare) for n in found.groups() if n):
        yield f"a repetition of more than {_MAX_REPEAT}"
    if _compiled(pattern) is None and not _GO_ONLY.search(pattern):
        yield "a syntax error"


def matches(pattern: str, name: str) -> bool | None:
    """Whether ``pattern`` is found in ``name``, or ``None`` where Python cannot read it as Go does.

    ``None`` also where Python's engine, which tries one way after the other, could take for ever.
    """
    if len(pattern) > _MAX_PATTERN:
        return None
    bare = _CLASS.sub("_", _ESCAPE.sub("_", pattern))
    if _REPEATED_GROUP.search(bare) or _ways(bare, len(name)) > _MAX_WORK:
        return None
    compiled = _compiled(pattern)
    return None if compiled is None else compiled.search(name) is not None


def _ways(bare: str, length: int) -> int:
    """At most so many ways to fit a pattern into a text: each repetition and each choice multiplies them."""
    places = length + 1
    ways, choices = places, [1]
    for character in bare:
        if character == "(":
            choices.append(1)
        elif character == ")" and len(choices) > 1:
            ways *= choices.pop()
        elif character == "|":
            choices[-1] += 1
        elif character in "*+{":
            ways *= places
        elif character == "?":
            ways *= 2
    return ways * choices[0]


def _compiled(pattern: str) -> re.Pattern[str] | None:
    with warnings.catch_warnings():
        # [[:alpha:]] is a character class to Go and a suspicious set to Python.
        warnings.simplefilter("error")
        try:
            return re.compile(pattern, re.ASCII)
        except (re.error, FutureWarning, DeprecationWarning, OverflowError, RecursionError):
            return None
