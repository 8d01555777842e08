"""Words that look like keys without a field around them that says so: in notes, lists, code, URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from reconciler.secrets.armor import Places
from reconciler.secrets.drawn import drawn, varied
from reconciler.secrets.key_shapes import ALONE, BESIDE_NAME, HTX, UNMISTAKABLE


class Loose(NamedTuple):
    """Where a word stands, what it looks like, and whether it can be nothing else."""

    start: int
    end: int
    what: str
    sure: bool


# Possessive, and begun only where a word begins: each byte is taken once.
_WORD: Final = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{18,88}+={0,2}+(?![A-Za-z0-9+/_=-])")
_LENGTHS_BESIDE: Final = frozenset({18, 24, 32, 36, 64})
_TAIL: Final = 32
_BEFORE: Final = 200
_ABOUT_KEYS: Final = re.compile(rb"key|secret|api|passphrase")
_NAMES: Final = {
    shape.needle: re.compile(rb"(?<![a-z])" + shape.needle + rb"(?![a-z])") for shape in BESIDE_NAME
}
#: What stands before values that are public though they look drawn: a field, a kind of key, a key service.
_PUBLIC: Final = re.compile(
    rb"(?:enc|mac|hash|integrity|checksum|digest|sig|signature|fingerprint|sha[0-9]{1,3}|etag|pub(?:lic)?[_-]?key"
    rb"|cert(?:ificate)?|nonce|salt|commit|revision|version|cursor|(?<!key)(?<!key[_-])id)"
    rb"\\?[\"']?[ \t]*[:=][ \t]*\\?[\"']?\Z|ssh-[a-z0-9-]{2,20} \Z|vault:v[0-9]+:\Z"
)
_JSON: Final = b"eyJ"
"""``{"`` in base64: a cursor or a part of a token, and no key."""

_ENCODED_LINE: Final = re.compile(rb"[ \t\"'#*+]*[A-Za-z0-9+/=_-]{48,}[ \t\"'#*+\\,nr]*\r?\Z")
_LINE_LIMIT: Final = 120


def loose_keys(text: bytes, skip: Places) -> Iterator[Loose]:
    """Every word of ``text`` outside of ``skip`` that looks like a key of an exchange."""
    for shape in UNMISTAKABLE:
        if shape.needle in text:
            for found in shape.pattern.finditer(text):
                if varied(found[0][-_TAIL:]) and found.start() not in skip:
                    yield Loose(*found.span(), shape.what, sure=True)
    for found in _WORD.finditer(text):
        start, end = found.span()
        alone = ALONE.get(end - start)
        if alone and alone.pattern.fullmatch(found[0]) and drawn(found[0]):
            public = _JSON in found[0] or _is_public(text, start) or _is_wrapped(text, start, end)
            what = None if public else alone.what
        else:
            what = _by_name(text, found[0], start)
        if what and start not in skip:
            yield Loose(start, end, what, sure=False)


def _by_name(text: bytes, word: bytes, start: int) -> str | None:
    """What ``word`` is by itself (HTX) or by the name of an exchange and a word of keys shortly before it."""
    if HTX.pattern.fullmatch(word):
        return HTX.what if varied(word) else None
    if len(word) not in _LENGTHS_BESIDE:
        return None
    fitting = [shape for shape in BESIDE_NAME if shape.pattern.fullmatch(word)]
    if not fitting or not varied(word):
        return None
    before = text[max(0, start - _BEFORE) : start].lower()
    if not _ABOUT_KEYS.search(before) or _is_public(text, start):
        return None
    return next((shape.what for shape in fitting if _NAMES[shape.needle].search(before)), None)


def _is_public(text: bytes, start: int) -> bool:
    return bool(_PUBLIC.search(text[max(0, start - 60) : start].lower()))


def _is_wrapped(text: bytes, start: int, end: int) -> bool:
    """Whether the word is one line of three or more that are base64 of something longer."""
    # Within a bounded distance: in a line of megabytes there may be a word every few bytes.
    first = text.rfind(b"\n", max(0, start - _LINE_LIMIT), start) + 1
    last = text.find(b"\n", end, end + _LINE_LIMIT)
    if first == 0 and start > _LINE_LIMIT:
        return False
    if not _ENCODED_LINE.fullmatch(text[first : last if last >= 0 else end]):
        return False
    above, below = text[max(0, first - 2 * _LINE_LIMIT) : first].split(b"\n")[-3:-1], []
    if last >= 0:
        below = text[last + 1 : last + 1 + 2 * _LINE_LIMIT].split(b"\n")[:2]
    return _encoded(reversed(above)) + _encoded(iter(below)) > 1


def _encoded(lines: Iterator[bytes]) -> int:
    """How many of ``lines`` follow each other that are nothing but base64."""
    count = 0
    for line in lines:
        if not _ENCODED_LINE.fullmatch(line):
            break
        count += 1
    return count
