"""Webhooks for programs: the event as JSON, signed as the Standard Webhooks specification has it.

The headers are ``webhook-id``, ``webhook-timestamp`` (seconds) and ``webhook-signature``: ``v1,`` and the
base64 of HMAC-SHA256 over ``id.timestamp.body``. Receivers have ready libraries for it in most languages:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import Final

from reconciler.model.message import Message
from reconciler.model.secret import Secret
from reconciler.notify.http import fault, post
from reconciler.notify.interface import Sink, SinkSpec

PREFIX: Final = "whsec_"
#: Bytes of a secret, as the specification wants it.
_LEAST, _MOST = 24, 64
_MAKE_ONE: Final = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


class Webhook:
    """A signed POST for each message. ``clock`` gives seconds since 1970, for the signature."""

    def __init__(self, url: Secret, secret: Secret, *, clock: Callable[[], float] = time.time) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock

    async def send(self, message: Message) -> None:
        """Return once it was taken. Raise ``NotTaken``."""
        body = body_of(message)
        stamp = str(int(self._clock()))
        await post(
            self._url,
            body,
            {
                "webhook-id": message.id,
                "webhook-timestamp": stamp,
                "webhook-signature": signature(self._secret, message.id, stamp, body),
            },
        )


def body_of(message: Message) -> bytes:
    """``{"type", "timestamp", "data"}`` as the specification has it, in UTF-8."""
    whole = {"type": message.type, "timestamp": message.data["at"], "data": dict(message.data)}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def signature(secret: Secret, id_: str, stamp: str, body: bytes) -> str:
    """``v1,`` and the signature of one message in base64."""
    key = _key(secret)
    assert key is not None  # noqa: S101 - judged when the file was read
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


class WebhookKind:
    """The type ``webhook``."""

    def wrong(self, spec: SinkSpec) -> Sequence[tuple[str, str, str]]:
        """Each fault of an entry."""
        found = []
        if wrong := fault(spec.url.reveal()):
            found.append(("url", *wrong))
        if spec.secret is None:
            found.append(("secret", "is missing: nobody could tell our messages from forged ones", _MAKE_ONE))
        elif _key(spec.secret) is None:
            found.append(("secret", f"is not {PREFIX} and {_LEAST} to {_MOST} bytes in base64", _MAKE_ONE))
        return found

    def open(self, spec: SinkSpec) -> Sink:
        """The sink of an entry without faults."""
        assert spec.secret is not None  # noqa: S101 - ``wrong`` has seen to it
        return Webhook(spec.url, spec.secret)
