"""One number over everything that a reviewer of a revision range agrees to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from reconciler.model.review import Change, SecretChange, SecretState

#: Raised whenever the same change would give another digest.
VERSION: Final = 2


def digest(changes: Iterable[Change], secrets: Iterable[SecretChange]) -> str:
    """SHA-256 in hex over the changes of meaning, and over who can open which secret and what it is bound to.

    Unchanged by the order of items, by moving lines and by encrypting anew.
    """
    document = {
        "version": VERSION,
        "changes": [_change(change) for change in changes],
        "secrets": [told for secret in secrets if any((told := _secret(secret))[1:])],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _change(change: Change) -> list[Any]:
    leaves = [[leaf.path, leaf.old, leaf.new] for leaf in change.leaves]
    return [change.section, change.id, change.kind, change.was, leaves]


def _secret(secret: SecretChange) -> list[Any]:
    leaves = [[leaf.path, leaf.old, leaf.new] for leaf in secret.leaves]
    added = secret.recipients if secret.state is SecretState.NEW else secret.added
    return [secret.file, secret.was, list(added), list(secret.removed), leaves]
