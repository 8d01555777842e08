"""The forms in which a secret can turn up in text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

MIN_LENGTH: Final = 4
"""Shorter secrets are not searched for: they would mask ordinary words."""

_MIN_LINE: Final = 16
_MIN_BASE64: Final = 8


def spellings(secret: str) -> frozenset[str]:
    """Every form of ``secret`` that is searched for, each at least ``MIN_LENGTH`` characters."""
    return frozenset(form for form in _forms(secret) if len(form) >= MIN_LENGTH)


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < MIN_LENGTH:
        return
    yield secret
    yield secret.strip()
    yield from _quoted(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield from _in_base64(secret.encode("utf-8", "surrogatepass"))
    # A key in PEM is often shown line by line.
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _MIN_LINE and not line.startswith("-----"))


def _quoted(secret: str) -> Iterator[str]:
    for form in (quote(secret, safe="", errors="replace"), quote(secret, errors="replace")):
        yield form
        yield _lower_escapes(form)
    form = quote_plus(secret, errors="replace")
    yield form
    yield _lower_escapes(form)


def _lower_escapes(form: str) -> str:
    """``%2F`` as ``%2f``: some libraries write it so."""
    head, *escaped = form.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in escaped)])


def _in_base64(secret: bytes) -> Iterator[str]:
    """The secret inside base64 of something longer, such as ``user:secret``: at each of three offsets.

    Characters that also depend on neighbouring bytes are left off.
    """
    yield base64.b64encode(secret).decode()
    yield base64.urlsafe_b64encode(secret).decode()
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + secret).decode()
        start = (offset * 8 + 5) // 6
        end = (offset + len(secret)) * 8 // 6
        form = whole[start:end]
        if len(form) >= _MIN_BASE64:
            yield form
            yield form.replace("+", "-").replace("/", "_")
