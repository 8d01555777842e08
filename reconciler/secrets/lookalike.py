"""Values that look like a key or a secret, in any text file; found without ever giving them out."""

from __future__ import annotations

import codecs
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from reconciler.model.secret import MIN_FINGERPRINT_KEY
from reconciler.secrets.armor import Places, blocks, ciphertexts
from reconciler.secrets.drawn import varied
from reconciler.secrets.key_shapes import AGE
from reconciler.secrets.loose_keys import loose_keys
from reconciler.secrets.named_values import named_values

MARKER: Final = b"not-a-secret"
"""A value on a line that holds this word is not told, nor one right below such a comment."""

SIZE_LIMIT: Final = 16 << 20
"""So many bytes of a file are looked at, from its beginning."""

_MARKED: Final = re.compile(rb"^[^\n]*" + re.escape(MARKER) + rb"[^\n]*", re.MULTILINE)
#: Such a line speaks of the next one: nothing but a comment, or the head of a block in YAML.
_ABOVE: Final = re.compile(rb"\s*+(?:#|//|;|--|<!--|/\*|[^\n:]{1,80}:[ \t]*[|>][+-]?[ \t]*#)")
_BINARY_WITHIN: Final = 8 << 10
_TAIL: Final = 32
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """One value that looks like a secret: its place, counted from 1 in characters, and what it looks like.

    ``token`` is a keyed digest of the value: equal within one run for equal values, useless after it.
    """

    line: int
    column: int
    what: str
    token: bytes = field(repr=False)


def lookalikes(blob: bytes, *, key: bytes) -> tuple[Lookalike, ...]:
    """Every value in a file that looks like a secret in clear, in the order of the file.

    ``key`` is at least 16 random bytes that live as long as the run. Nothing that is given back holds a
    value or a part of one. In a binary file (a NUL in its first 8 KiB, and not UTF-16) only private keys
    are looked for. The work grows with the length of the file and not faster.
    """
    if len(key) < MIN_FINGERPRINT_KEY:
        raise ValueError("a fingerprint key has at least 16 bytes")
    text = blob[:SIZE_LIMIT]
    if text.startswith(_UTF16):
        text = text.decode("utf-16", "replace").encode("utf-8")
    return tuple(_told(text, _surest(_candidates(text)), key))


class _Candidate(NamedTuple):
    """``rank`` is lower for the surer."""

    start: int
    rank: int
    end: int
    what: str


def _candidates(text: bytes) -> Iterator[_Candidate]:
    armored = list(blocks(text))
    for block in armored:
        if block.what:
            yield _Candidate(block.start, 0, block.end, block.what)
    if AGE.needle in text:
        for found in AGE.pattern.finditer(text):
            if varied(found[0][-_TAIL:]):
                yield _Candidate(found.start(), 0, found.end(), AGE.what)
    if b"\0" in text[:_BINARY_WITHIN]:
        return
    skip = Places([*((block.start, block.end) for block in armored), *ciphertexts(text)])
    for loose in loose_keys(text, skip):
        yield _Candidate(loose.start, 1 if loose.sure else 2, loose.end, loose.what)
    for named in named_values(text):
        if named.start not in skip:
            yield _Candidate(named.start, 3, named.end, f"a value in a field named `{named.name}`")


def _surest(candidates: Iterable[_Candidate]) -> list[_Candidate]:
    """In the order of the file, one for each value: of those that overlap, the surest."""
    kept: list[_Candidate] = []
    for candidate in sorted(candidates):
        if not kept or candidate.start >= kept[-1].end:
            kept.append(candidate)
        elif candidate.rank < kept[-1].rank:
            kept[-1] = candidate
    return kept


def _told(text: bytes, candidates: Iterable[_Candidate], key: bytes) -> Iterator[Lookalike]:
    marked = _marked_lines(text)
    cursor = _Cursor(text)
    for start, _, end, what in candidates:
        line, column = cursor.at(start)
        if line not in marked:
            value = b"".join(text[start:end].split())
            yield Lookalike(line=line, column=column, what=what, token=hmac.digest(key, value, "sha256"))


def _marked_lines(text: bytes) -> frozenset[int]:
    lines, cursor = set[int](), _Cursor(text)
    for found in _MARKED.finditer(text) if MARKER in text else ():
        line, _ = cursor.at(found.start())
        lines |= {line, line + 1} if _ABOVE.match(found[0]) else {line}
    return frozenset(lines)


class _Cursor:
    """Line and column of rising places; only goes forward, so all places together cost one pass."""

    def __init__(self, text: bytes) -> None:
        self._text, self._place, self._line, self._column = text, 0, 1, 1

    def at(self, place: int) -> tuple[int, int]:
        """Line and column of ``place``, both from 1, the column in characters."""
        passed = self._text[self._place : place]
        if lines := passed.count(b"\n"):
            self._line += lines
            self._column = 1
            passed = passed[passed.rfind(b"\n") + 1 :]
        self._column += len(passed.decode("utf-8", "replace"))
        self._place = place
        return self._line, self._column
