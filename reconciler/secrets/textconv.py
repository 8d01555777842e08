"""SOPS files made short for ``git diff``, without any key: ciphertext as its type, length and a tag.

Git runs a ``textconv`` program on both sides of a change and shows the difference of what they print
(https://git-scm.com/docs/gitattributes, "Performing text diffs of binary files"). The usual program is
``sops decrypt``, which puts secrets on the screen, into logs and, with ``cachetextconv``, into
``refs/notes``. What this one prints says nothing that the file does not say to everybody.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

# github.com/getsops/sops, aes/cipher.go. Possessive, so that a broken value costs no second look.
_CIPHERTEXT: Final = re.compile(
    rb"ENC\[AES256_GCM,data:([A-Za-z0-9+/=]++),iv:[A-Za-z0-9+/=]++,tag:[A-Za-z0-9+/=]++,"
    rb"type:(str|int|float|bool|time|bytes|comment)\]"
)
#: Where the block of sops begins in YAML, and with what each of its lines begins.
_BLOCK: Final = re.compile(rb"sops:[ \t]*+(?:#.*)?\r?\n?\Z")
_WITHIN: Final = (b" ", b"\t", b"\r", b"\n", b"#")
#: A wrap on one line (KMS, Vault, Azure), and the first and last line of one in armor (age, PGP).
_WRAP: Final = re.compile(
    rb"([ \t]+(?:- )?enc:[ \t]++)([\"']?+[A-Za-z0-9+/=_:.-]{16,}+[\"']?+)([ \t]*+\r?\n?)\Z"
)
_BEGIN: Final = re.compile(rb"[ \t]++-----BEGIN (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----[ \t]*+\r?\n?\Z")
_ARMOR: Final = re.compile(rb"[A-Za-z0-9+/=]*+[ \t]*+\r?\n?\Z")
_END: Final = re.compile(rb"-----END (?:AGE ENCRYPTED FILE|PGP MESSAGE)-----([ \t]*+\r?\n?)\Z")


def shortened(lines: Iterable[bytes]) -> Iterator[bytes]:
    r"""``lines`` with every ciphertext of sops made short; all else, and what is no SOPS file, untouched.

    Line by line, for a file that need not be in memory; each keeps its end.
    ``ENC[…,type:str]`` becomes ``<encrypted str 20B #0123456789abcdef>``: 20 bytes are encrypted. The
    tag is a hash of the ciphertext, never of what it hides, and long enough that nobody can make
    another ciphertext with the same one, to keep a change out of a review. A wrapped data key in the
    ``sops`` block becomes ``<wrapped data key #…>``.
    """
    inside, armor = False, list[bytes]()
    for line in lines:
        if not line.startswith(_WITHIN):
            inside = bool(_BLOCK.match(line))
        if armor and _continues(armor, line):
            armor.append(line)
            if _end(armor):
                yield _wrapped(armor)
                armor = []
            continue
        yield from armor
        armor = [line] if inside and _BEGIN.match(line) else []
        if not armor:
            yield _CIPHERTEXT.sub(_value, _WRAP.sub(_wrap, line) if inside else line)
    yield from armor


def _continues(armor: list[bytes], line: bytes) -> bool:
    """Whether ``line`` belongs to the armor. Anything else is shown, lest a change hide in there."""
    return not line.strip() or (
        line.startswith(indent := _indent(armor))
        and bool(_ARMOR.match(line, len(indent)) or _END.match(line, len(indent)))
    )


def _indent(armor: list[bytes]) -> bytes:
    return armor[0][: -len(armor[0].lstrip())]


def _end(armor: list[bytes]) -> re.Match[bytes] | None:
    return _END.match(armor[-1], len(_indent(armor)))


def _value(found: re.Match[bytes]) -> bytes:
    try:
        size = len(binascii.a2b_base64(found[1], strict_mode=True))
    except binascii.Error:
        return found[0]
    return b"<encrypted %s %dB #%s>" % (found[2], size, _tag(found[0]))


def _wrap(found: re.Match[bytes]) -> bytes:
    return b"%s<wrapped data key #%s>%s" % (found[1], _tag(found[2]), found[3])


def _wrapped(armor: list[bytes]) -> bytes:
    """One line in place of an armored wrap, which need not change with its indentation or line ends."""
    last = _end(armor)
    assert last  # noqa: S101 - the caller looked
    return b"%s<wrapped data key #%s>%s" % (
        _indent(armor),
        _tag(b"".join(b"".join(armor).split())),
        last[1],
    )


def _tag(ciphertext: bytes) -> bytes:
    return sha256(ciphertext).hexdigest()[:16].encode()
