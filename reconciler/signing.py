"""Signed messages as the Standard Webhooks specification has them, for notifications and for runtimes.

The headers are ``webhook-id``, ``webhook-timestamp`` (seconds) and ``webhook-signature``: ``v1,`` and the
base64 of HMAC-SHA256 over ``id.timestamp.body``. Receivers have ready libraries for it in most languages:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

from reconciler.model.secret import Secret

PREFIX: Final = "whsec_"
#: Bytes of a secret, as the specification wants it.
_LEAST, _MOST = 24, 64

FORM: Final = f"{PREFIX} and {_LEAST} to {_MOST} bytes in base64"
"""What a secret looks like, in words."""

MAKE_ONE: Final = 'make one with: echo "whsec_$(openssl rand -base64 32)"'
"""How a person gets a secret."""


def sound(secret: Secret) -> bool:
    """Whether a secret is one that messages can be signed with."""
    return _key(secret) is not None


def signed_headers(secret: Secret, id_: str, now: float, body: bytes) -> dict[str, str]:
    """The three headers of one message. ``now`` is in seconds since 1970; ``secret`` must be sound."""
    stamp = str(int(now))
    return {
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": signature(secret, id_, stamp, body),
    }


def signature(secret: Secret, id_: str, stamp: str, body: bytes) -> str:
    """``v1,`` and the signature of one message in base64. ``secret`` must be sound."""
    key = _key(secret)
    assert key is not None  # noqa: S101 - judged where it was read
    made = hmac.new(key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode('ascii')}"


def _key(secret: Secret) -> bytes | None:
    """The key that a secret spells; ``None`` for what is none."""
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if text.startswith(PREFIX) and _LEAST <= len(key) <= _MOST else None
