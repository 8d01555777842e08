"""The JSON of ``diff``, under ``diff.schema.json``."""

from __future__ import annotations

from collections import Counter

from reconciler.model.review import (
    Change,
    ChangeKind,
    Consequence,
    Leaf,
    Review,
    Revision,
    Risk,
    SecretChange,
)
from reconciler.output.json import Object, head, place, tail
from reconciler.output.problems import concern_object
from reconciler.output.review_words import failing, secrets_changed
from reconciler.output.words import iso


def review_document(review: Review) -> Object:
    """What a range of revisions means, for programs."""
    return {
        **head(review.version),
        "mode": "diff",
        "started_at": iso(review.started_at),
        "base": _revision(review.base),
        "head": _revision(review.head),
        "files": list(review.files),
        "changes": [_change(change) for change in review.changes],
        "secrets": [_secret(secret) for secret in review.secrets],
        "on_merge": [_consequence(one) for one in review.on_merge],
        "concerns": [concern_object(one) for one in review.concerns],
        "digest": review.digest,
        "summary": _summary(review),
        **tail(review.exit_code),
    }


def _summary(review: Review) -> Object:
    kinds = Counter(change.kind for change in review.changes)
    return {
        "differs": review.differs,
        **{kind.value: kinds[kind] for kind in ChangeKind},
        "secrets_changed": secrets_changed(review),
        "risk_up": review.risk_count(Risk.UP),
        "risk_down": review.risk_count(Risk.DOWN),
        "failing": failing(review),
    }


def _revision(revision: Revision) -> Object:
    return {"name": revision.name, "commit": revision.commit}


def _change(change: Change) -> Object:
    return {
        "section": change.section,
        "id": change.id,
        "was": change.was,
        "name": change.name,
        "kind": change.kind.value,
        "risk": change.risk.value,
        "why": change.why,
        "leaves": [_leaf(leaf) for leaf in change.leaves],
        **place(change.mark),
    }


def _leaf(leaf: Leaf) -> Object:
    return {"path": leaf.path, "old": leaf.old, "new": leaf.new, "risk": leaf.risk.value, "why": leaf.why}


def _secret(secret: SecretChange) -> Object:
    return {
        "path": secret.file,
        "was": secret.was,
        "state": secret.state.value,
        "connections": list(secret.connections),
        "fields": [{"path": field.path, "state": field.state.value} for field in secret.fields],
        "recipients": list(secret.recipients),
        "added": list(secret.added),
        "removed": list(secret.removed),
        "still_reads": list(secret.still_reads),
        "leaves": [_leaf(leaf) for leaf in secret.leaves],
        "risk": secret.risk.value,
        "why": secret.why,
        **place(secret.mark),
    }


def _consequence(one: Consequence) -> Object:
    return {
        "kind": one.kind.value,
        "strategy": one.strategy,
        "name": one.name,
        "connection": one.connection,
        "runtime": one.runtime,
        "reason": one.reason,
    }
