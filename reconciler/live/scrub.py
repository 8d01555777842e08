"""A last look for a connection's own secrets in what its exchange said."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.exchanges.errors import redact
from reconciler.model.live import Failure, KeyReport
from reconciler.model.secret import MASK, Credentials

#: Shorter values occur in ordinary words, and no exchange issues them.
_SHORTEST: Final = 4
_MAX_WORD: Final = 80


def scrub(text: str | None, credentials: Credentials) -> str | None:
    """``text`` with every value of ``credentials`` masked: an exchange may echo what it was sent."""
    for secret in credentials.all():
        value = secret.reveal()
        if text is not None and len(value) >= _SHORTEST:
            text = _without_beginning(text.replace(value, MASK), value)
    return text


def _without_beginning(text: str, value: str) -> str:
    """``text`` without the beginning of ``value`` where a long message was cut in the middle of it."""
    for length in range(len(value) - 1, _SHORTEST - 1, -1):
        text = text.replace(f"{value[:length]}…", f"{MASK}…")
    return text


def scrub_failure(failure: Failure, credentials: Credentials) -> Failure:
    """``failure`` without its connection's secrets."""
    message = scrub(failure.message, credentials) or ""
    return replace(failure, message=message, code=scrub(failure.code, credentials))


def scrub_report(report: KeyReport, credentials: Credentials) -> KeyReport:
    """``report`` without its connection's secrets: a label is free text, a strange word could be anything."""
    label = scrub(report.label, credentials)
    words = (scrub(word, credentials) or "" for word in report.unknown_words)
    return replace(
        report,
        label=None if label is None else "".join(c if c.isprintable() else " " for c in label),
        unknown_words=tuple(redact(word, limit=_MAX_WORD) for word in words),
    )
