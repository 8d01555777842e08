"""Values in fields whose name says that they hold a secret, in whatever syntax the file has."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from reconciler.secrets.drawn import mixed, spelt, varied


class Named(NamedTuple):
    """Where a value stands, and the ``name`` of the sort of field that it stands in, never its own name."""

    start: int
    end: int
    name: str


# Searched in the file in lower case. Every part is bounded or possessive, so each field costs no more than
# a fixed number of steps: the work grows with the length of the file and not faster.
_FIELD: Final = re.compile(
    rb"(?:(?P<api_key>(?:api|access)[ _-]?key(?:[_-]?id)?)"
    rb"|(?P<private_key>(?:private|priv|signing)[ _-]?key|mnemonic|seed[ _-]?phrase)"
    rb"|(?P<secret>secret(?:[ _-]?(?:access[ _-]?)?key)?)"
    rb"|(?P<passphrase>pass[_-]?phrase)|(?P<password>passw(?:or)?d)"
    rb"|(?P<token>(?:(?:access|api|auth|bearer|bot|jwt|refresh|ws)[_-]?|(?<![a-z0-9_-]))token)"
    rb"|(?P<key>(?<![a-z0-9_.$-])key))"
    # Behind the name: a quote, perhaps escaped, or a bracket; a type; the sign.
    rb"(?=[\"'`\\ \t\]:=])\\{0,2}[\"'`]?\]?[ \t]{0,40}+"
    rb"(?::[ \t]{0,8}+[a-z][a-z0-9_.|\[\] ]{0,40}(?==))?(?:={1,3}|:=|=>|:)>?[ \t]{0,40}+"
    # YAML: a tag or an anchor; a block on the next line.
    rb"(?:[!&][a-z0-9!_-]{0,40}+[ \t]{1,8}+)?(?:[|>][+-]?[ \t]{0,8}+(?:#[^\n]{0,80}+)?\r?\n[ \t]{1,40}+)?"
)
_QUOTED: Final = re.compile(
    rb"[bBrRuUfF]{0,2}\\{0,2}(?:\"([^\"\n]{7,4096})\"|'([^'\n]{7,4096})'|`([^`\n]{7,4096})`)"
)
_BARE: Final = re.compile(
    rb"[^\s\"'`,;&(){}\[\]<>|:=#\\][^\s\"'`,;&(){}\[\]<>|:=\\]{6,4095}+={0,2}+(?![(\[{:=]|[ \t]{1,8}=)"
)

_TEMPLATE: Final = re.compile(
    rb"\$\{|\$\(|\{\{|%\(|\{[A-Za-z_.]{0,40}\}|%s|<[^>]{1,80}>|\A\$[A-Za-z_]+\Z|\.\.\.|\xe2\x80\xa6|\*{3}"
)
_MADE_UP: Final = re.compile(
    rb"(?i)your|change[_-]?me|replace|example|placeholder|dummy|fake|redacted|sample|x{5}|not[_-]?real"
)
_NAME_ITSELF: Final = re.compile(rb"(?i)pass(?:word|phrase|wd)|secret|token")
_ADDRESS: Final = re.compile(rb"0x[0-9a-fA-F]{40}|[1-9A-HJ-NP-Za-km-z]{32,44}")
_KEY: Final = re.compile(rb"[A-Za-z0-9+/=_.~:-]{16,4096}")
_ATTRIBUTE: Final = re.compile(rb"[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)+")
_STRONG: Final = re.compile(rb"[!@#$%^&*?+~]")

_SIGN_WITHIN: Final = re.compile(rb"[A-Za-z0-9][!@#$^~][A-Za-z0-9]")

_LONGEST_KEY: Final = 256
_LONGEST_PASSPHRASE: Final = 64
_BESIDE: Final = 300


def named_values(text: bytes) -> Iterator[Named]:
    """Every value in ``text`` whose field and looks say that it is a secret in clear, in no order.

    A field that is just called ``key`` counts where one called ``secret`` is near.
    """
    keys: list[Named] = []
    secrets: list[int] = []
    for field in _FIELD.finditer(text.lower()):
        name = field.lastgroup or ""
        if name == "secret":
            secrets.append(field.start())
        found = _value(text, field.end(), name)
        if found and name == "key":
            keys.append(found)
        elif found:
            yield found
    yield from (found for found in keys if _near(secrets, found.start))


def _near(places: list[int], place: int) -> bool:
    at = bisect_left(places, place - _BESIDE)
    return at < len(places) and places[at] <= place + _BESIDE


def _value(text: bytes, place: int, name: str) -> Named | None:
    quoted = _QUOTED.match(text, place)
    found = quoted or _BARE.match(text, place)
    if not found:
        return None
    start, end = found.span(found.lastindex or 0)
    # The backslash of an escaped quote, or the end of a sentence.
    end -= text[end - 1 : end] in ((b"\\",) if quoted else (b".", b"!", b"?"))
    value = text[start:end]
    if value.startswith((b"ENC[", b"-----BEGIN")) or _TEMPLATE.search(value) or _MADE_UP.search(value):
        return None
    if name in {"passphrase", "password"}:
        wanted = _is_passphrase(value) if quoted else _is_bare_passphrase(value)
    else:
        wanted = _is_key(value, name) and (bool(quoted) or not _ATTRIBUTE.fullmatch(value))
    return Named(start, end, name) if wanted else None


def _is_key(value: bytes, name: str) -> bool:
    if not _KEY.fullmatch(value) or (len(value) > _LONGEST_KEY and name != "private_key"):
        return False
    if name == "token" and _ADDRESS.fullmatch(value):
        return False  # in the files of a trading bot a token is often a coin, and this its address
    return mixed(value) and varied(value) and not spelt(value)


def _is_passphrase(value: bytes) -> bool:
    """Whether ``value`` is what people choose: 7 or 8 to 32 characters with a digit, a capital or a sign.

    KuCoin, Bitget and OKX let people choose, so words count, other than in what an exchange issues.
    """
    if len(value) > _LONGEST_PASSPHRASE or _NAME_ITSELF.search(value) or any(c in b" /" for c in value):
        return False
    digit, strong = any(c in b"0123456789" for c in value), bool(_STRONG.search(value))
    return value.upper() != value.lower() and (digit or strong or _has_inner_capital(value))


def _is_bare_passphrase(value: bytes) -> bool:
    """Without quotes it may be code as well: a variable, an attribute, a type."""
    digit, sign = any(c in b"0123456789" for c in value), bool(_SIGN_WITHIN.search(value))
    word = _has_inner_capital(value) and value[:1].islower()
    return _is_passphrase(value) and not any(c in b"._" for c in value) and (digit or sign or word)


def _has_inner_capital(value: bytes) -> bool:
    return value[1:].lower() != value[1:] and value[1:].upper() != value[1:]
