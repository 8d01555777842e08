"""Webhooks for programs: the event as JSON, signed as the Standard Webhooks specification has it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from reconciler.model.message import Message
from reconciler.model.secret import Secret
from reconciler.notify.http import fault, post
from reconciler.notify.interface import Sink, SinkSpec
from reconciler.signing import FORM, MAKE_ONE, signed_headers, sound


class Webhook:
    """A signed POST for each message. ``clock`` gives seconds since 1970, for the signature."""

    def __init__(self, url: Secret, secret: Secret, *, clock: Callable[[], float] = time.time) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock

    async def send(self, message: Message) -> None:
        """Return once it was taken. Raise ``NotTaken``."""
        body = body_of(message)
        await post(self._url, body, signed_headers(self._secret, message.id, self._clock(), body))


def body_of(message: Message) -> bytes:
    """``{"type", "timestamp", "data"}`` as the specification has it, in UTF-8."""
    whole = {"type": message.type, "timestamp": message.data["at"], "data": dict(message.data)}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class WebhookKind:
    """The type ``webhook``."""

    def wrong(self, spec: SinkSpec) -> Sequence[tuple[str, str, str]]:
        """Each fault of an entry."""
        found = []
        if wrong := fault(spec.url.reveal()):
            found.append(("url", *wrong))
        if spec.secret is None:
            found.append(("secret", "is missing: nobody could tell our messages from forged ones", MAKE_ONE))
        elif not sound(spec.secret):
            found.append(("secret", f"is not {FORM}", MAKE_ONE))
        return found

    def open(self, spec: SinkSpec) -> Sink:
        """The sink of an entry without faults."""
        assert spec.secret is not None  # noqa: S101 - ``wrong`` has seen to it
        return Webhook(spec.url, spec.secret)
