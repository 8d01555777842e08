"""How problems name things: paths, suggestions, and what must not be named at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from reconciler.desired.document import Path, Plain

_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
#: A name that a person gives to a field: API keys and secrets hold digits and capitals.
_FIELD: Final = re.compile(r"[a-z][a-z_-]{0,30}")
#: How the names of secrets end, without separators; at the end of others ``token`` is a currency.
_SECRET_NAME: Final = re.compile(
    r"token|.*(?:apikey|secret|(?:secret|private)key|passphrase|password|passwd|mnemonic|seedphrase"
    r"|(?:access|api|auth|bearer|bot|jwt|refresh|ws)token)",
    re.DOTALL,
)

_CREDENTIALS: Final = ("api_key", "secret", "passphrase")


def where(path: Path) -> str:
    """A path as people write it, ``connections.mexc-spot-main.market``.

    Odd keys are left out, and so is a key beneath ``credentials`` that is no field of it: it may
    be a secret that lost its field name.
    """
    text, secret = "", False
    for depth, part in enumerate(path):
        if isinstance(part, int):
            text += f"[{part}]"
        elif secret and part not in _CREDENTIALS:
            text += ".…"
        else:
            text += f".{part if depth == 1 and _ID.fullmatch(part) else shown(part)}"
        secret = secret or part == "credentials"
    return text.removeprefix(".") or "the file"


def shown(field: str) -> str:
    """The name of a field, or an ellipsis where it is none that a person would choose."""
    return field if _FIELD.fullmatch(field) else "…"


def suggestion(word: Plain, known: Iterable[str]) -> str:
    """``; did you mean `mexc`?`` when ``word`` resembles a known one, else nothing."""
    close = get_close_matches(word, list(known), n=1) if isinstance(word, str) else []
    return f"; did you mean `{close[0]}`?" if close else ""


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    return bool(_SECRET_NAME.fullmatch(name.lower().replace("-", "").replace("_", "")))


def is_ciphertext(value: Plain) -> bool:
    """Whether a value is what sops writes in the place of a secret."""
    return isinstance(value, str) and value.startswith("ENC[")
