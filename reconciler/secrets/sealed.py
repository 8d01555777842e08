"""From an envelope to what a review compares of it."""

from __future__ import annotations

import json
import re
from typing import Final

from reconciler.model.sealed import Holder, Sealed
from reconciler.secrets.creation_rules import ANY_SECRET_FIELD, SECRET_FIELDS, left_in_clear
from reconciler.secrets.envelope import Envelope, Path

_BARE: Final = re.compile(r"[^\s.\"\\]+")

#: What changes with every write, and what is compared on its own.
_OF_EVERY_WRITE: Final = frozenset({"mac", "lastmodified", "version"})


def sealed(envelope: Envelope) -> Sealed:
    """Everything of ``envelope`` that two revisions compare. Ciphertext that is none counts as clear."""
    values = [(_dotted(value.path), value) for value in envelope.values()]
    return Sealed(
        file=envelope.file,
        mark=envelope.mark,
        values={path: value.text for path, value in values if value.encrypted},
        clear={path: value.text for path, value in values if not value.encrypted},
        order=tuple(path for path, _ in values),
        holders=tuple(
            Holder(identity=one.identity, wrap=one.wrap, share=one.share) for one in envelope.recipients
        ),
        settings={
            name: text for name, text in sorted(envelope.settings.items()) if name not in _OF_EVERY_WRITE
        },
        left_in_clear=left_in_clear(envelope.settings, _secret_fields(envelope)),
        mac=envelope.settings.get("mac", ""),
        mac_only_encrypted=envelope.mac_only_encrypted,
        marks={path: value.mark for path, value in values},
    )


def _secret_fields(envelope: Envelope) -> tuple[str, ...]:
    """Those that must be encrypted in the file: of a runtime's, as many as it has, as types differ."""
    if envelope.value("runtime") is None:
        return SECRET_FIELDS
    return tuple(name for name in ANY_SECRET_FIELD if envelope.value(name) is not None)


def _dotted(path: Path) -> str:
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part) for part in path)
