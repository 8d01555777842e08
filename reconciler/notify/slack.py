"""Incoming webhooks of Slack, and of what speaks like it: Mattermost, Rocket.Chat, Discord's ``/slack``.

Plain text alone: what exchanges and files say may hold anything, so no part of it is markup, a link with
another face, or a call to everybody. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from reconciler.model.message import Message
from reconciler.model.secret import Secret
from reconciler.notify.http import fault, post
from reconciler.notify.interface import Sink, SinkSpec

#: Characters: Slack cuts at 40,000 and shows fewer at once; Mattermost takes 16,383, Discord 2,000.
LIMIT: Final = 1_900
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: Mattermost and Discord have calls to everybody without angle brackets.
_CALL: Final = re.compile(r"(?<!\w)@(?=\w)")
#: ``[text](url)`` of Markdown hides where a link leads.
_LINK: Final = re.compile(r"\](?=\()")


class Slack:
    """One text for each message."""

    def __init__(self, url: Secret) -> None:
        self._url = url

    async def send(self, message: Message) -> None:
        """Return once it was taken. Raise ``NotTaken``."""
        await post(self._url, body_of(message))


def body_of(message: Message) -> bytes:
    """The JSON of a message, with nothing in it that Slack would take for markup."""
    text = escaped(f"{message.title}\n{message.text}")
    whole = {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
    return json.dumps(whole).encode("ascii")


def escaped(text: str, limit: int = LIMIT) -> str:
    """``text`` for Slack, in at most ``limit`` characters; never cut within an escape."""
    harmless = _LINK.sub("]\u200b", _CALL.sub("@\u200b", text))
    whole = harmless.translate(_ESCAPES)
    if len(whole) <= limit:
        return whole
    kept, length = [], 1
    for character in harmless:
        one = character.translate(_ESCAPES)
        length += len(one)
        if length > limit:
            break
        kept.append(one)
    return "".join(kept) + "…"


class SlackKind:
    """The type ``slack``."""

    def wrong(self, spec: SinkSpec) -> Sequence[tuple[str, str, str]]:
        """Each fault of an entry."""
        found = []
        if wrong := fault(spec.url.reveal()):
            found.append(("url", *wrong))
        if spec.secret is not None:
            found.append(("secret", "does not go with this type", "remove it: the URL alone is the secret"))
        return found

    def open(self, spec: SinkSpec) -> Sink:
        """The sink of an entry without faults."""
        return Slack(spec.url)
