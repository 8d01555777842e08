"""Keys and messages between ``-----BEGIN …-----`` and ``-----END …-----``, and ciphertext of sops."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from reconciler.secrets.drawn import varied

# https://www.rfc-editor.org/rfc/rfc7468, https://www.rfc-editor.org/rfc/rfc9580 section 6.2
_LINE: Final = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]{3,40}+)-----")
_BODY: Final = re.compile(rb"[A-Za-z0-9+/]{40}")
_HEAD: Final = 600
_LONGEST: Final = 16 << 10
# github.com/getsops/sops, aes/cipher.go
_CIPHERTEXT: Final = re.compile(
    rb"ENC\[AES256_GCM,data:[A-Za-z0-9+/=]++,iv:[A-Za-z0-9+/=]++,tag:[A-Za-z0-9+/=]++,type:[a-z]{3,10}\]"
)


class Block(NamedTuple):
    """Where armor stands; ``what`` is what private key it holds, ``None`` for anything public."""

    start: int
    end: int
    what: str | None


def blocks(text: bytes) -> Iterator[Block]:
    """Every block with a beginning, in order: private ones even without an end, as far as another begins.

    A private key of which only the first line stands there, as in a page that explains it, is none.
    """
    begun: re.Match[bytes] | None = None
    for line in (*_LINE.finditer(text), None):
        closes = line is not None and line[1] == b"END"
        if begun and (block := _block(text, begun, line.start() if line else len(text), closes=closes)):
            yield block
        begun = None if closes else line


def _block(text: bytes, begun: re.Match[bytes], end: int, *, closes: bool) -> Block | None:
    what = _private(begun[2])
    if what is None:
        return Block(begun.start(), end, None) if closes else None
    end = min(end, begun.start() + _LONGEST)
    body = _BODY.search(text, begun.end(), min(end, begun.end() + _HEAD))
    return Block(begun.start(), end, what) if body and varied(body[0]) else None


def _private(label: bytes) -> str | None:
    if not label.endswith((b"PRIVATE KEY", b"PRIVATE KEY BLOCK")):
        return None
    kinds = {b"OPENSSH": "an OpenSSH private key", b"PGP": "a PGP private key"}
    return kinds.get(label.split()[0], "a private key in PEM")


def ciphertexts(text: bytes) -> Iterator[tuple[int, int]]:
    """The place of every value that sops encrypted."""
    return (found.span() for found in _CIPHERTEXT.finditer(text))


class Places:
    """Stretches of a file, none within another; tells whether a place is in one of them."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self._spans = sorted(spans)
        self._starts = [start for start, _ in self._spans]

    def __contains__(self, place: int) -> bool:
        at = bisect_right(self._starts, place) - 1
        return at >= 0 and place < self._spans[at][1]
