"""Every type of sink by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reconciler.notify.apprise_ import AppriseKind
from reconciler.notify.interface import Sink, SinkKind, SinkSpec
from reconciler.notify.slack import SlackKind
from reconciler.notify.webhook import WebhookKind

KINDS: Final[Mapping[str, SinkKind]] = {
    "webhook": WebhookKind(),
    "slack": SlackKind(),
    "apprise": AppriseKind(),
}


def faults(spec: SinkSpec) -> tuple[tuple[str, str, str], ...]:
    """Everything that is wrong with an entry: field, what, and what to do. No value is quoted."""
    return tuple(KINDS[spec.type].wrong(spec))


def open_sink(spec: SinkSpec) -> Sink:
    """The sink of an entry without faults."""
    return KINDS[spec.type].open(spec)
