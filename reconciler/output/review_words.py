"""What a review says in words, the same in every format: counts, states and what became of each item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.model.errors import Mark
from reconciler.model.plan import ActionKind
from reconciler.model.report import Weight
from reconciler.model.review import (
    Change,
    ChangeKind,
    Consequence,
    Leaf,
    Review,
    Risk,
    SecretChange,
    SecretState,
)
from reconciler.output.words import counted, moved, short_digest

#: The symbol and the word of every kind of change; meaning never rests on the symbol alone.
KINDS: Final = {
    ChangeKind.ADDED: "+ added",
    ChangeKind.CHANGED: "~ changed",
    ChangeKind.RENAMED: "» renamed",
    ChangeKind.REMOVED: "- removed",
    ChangeKind.UNREADABLE: "? unreadable",
}

#: The same for secret files.
STATES: Final = {
    SecretState.NEW: "+ new",
    SecretState.CHANGED: "~ changed",
    SecretState.REENCRYPTED: "~ re-encrypted",
    SecretState.REMOVED: "- removed",
    SecretState.UNREADABLE: "? unreadable",
    SecretState.UNCHANGED: "= unchanged",
}

_COUNTED: Final = (ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.RENAMED, ChangeKind.REMOVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """One change that moves risk up: what it is about, what changes there, and why that is a risk."""

    subject: str
    told: str
    why: str
    path: str = ""
    mark: Mark | None = None


def raises(review: Review) -> Iterator[Raise]:
    """Every item, file and value that moves risk up, in the order of the review."""
    for change in review.changes:
        yield from _raises(subject_of(change), KINDS[change.kind][2:], change)
    for secret in review.secrets:
        yield from _raises(f"secret {secret.file}", STATES[secret.state][2:], secret)


def _raises(subject: str, word: str, item: Change | SecretChange) -> Iterator[Raise]:
    if item.risk is Risk.UP:
        yield Raise(subject=subject, told=word, why=item.why, mark=item.mark)
    for leaf in item.leaves:
        if leaf.risk is Risk.UP:
            yield Raise(subject=subject, told=leaf_words(leaf), why=leaf.why, path=leaf.path, mark=item.mark)


def subject_of(change: Change) -> str:
    """``strategies grid``; the policy, of which there is one, is ``policy``."""
    return change.id if change.id == change.section else f"{change.section} {change.id}"


def leaf_words(leaf: Leaf) -> str:
    """``margin_limit.amount: 500 → 5000``, ``pairs: +ETH/USDT -BTC/USDT``."""
    return f"{leaf.path}: {moved(leaf.old, leaf.new)}"


#: So many readers of a file are named.
_READERS: Final = 6


def values_words(secret: SecretChange) -> str:
    """What can be said of the encrypted values of a file without a key."""
    if secret.state is SecretState.REENCRYPTED:
        return (
            "re-encrypted as a whole: nothing can be said of single values; "
            "ask the author for `sops set` or `sops edit`"
        )
    if secret.state is SecretState.UNREADABLE:
        return "cannot be read as a SOPS file"
    differ = [field.path for field in secret.fields if field.state is not SecretState.UNCHANGED]
    if secret.state is not SecretState.CHANGED or not secret.fields:
        return f"{counted(len(secret.fields), 'value')}: unchanged" if _untouched(secret) else ""
    named = f": {', '.join(differ)}" if differ else ""
    return f"{len(differ)} of {counted(len(secret.fields), 'value')} changed{named}"


def _untouched(secret: SecretChange) -> bool:
    return secret.state is SecretState.UNCHANGED and bool(secret.fields)


def counts(review: Review) -> str:
    """``2 added, 1 changed, 0 renamed, 1 removed; 3 risk up, 1 risk down; 1 secret changed; 1 failing``."""
    kinds = Counter(change.kind for change in review.changes)
    changed = ", ".join(f"{kinds[kind]} {kind.value}" for kind in _COUNTED)
    risk = f"{review.risk_count(Risk.UP)} risk up, {review.risk_count(Risk.DOWN)} risk down"
    secrets = counted(secrets_changed(review), "secret")
    return f"{changed}; {risk}; {secrets} changed; {failing(review)} failing"


def secrets_changed(review: Review) -> int:
    """How many secret files are not as they were."""
    return sum(secret.state is not SecretState.UNCHANGED for secret in review.secrets)


def failing(review: Review) -> int:
    """How many concerns fail."""
    return sum(one.weight is Weight.FAILS for one in review.concerns)


def summary(review: Review) -> str:
    """One line of fixed shape, for people and for grep: ``diff: 2 added, …; 1 failing (digest ab12cd34)``."""
    digest = f" (digest {short_digest(review.digest)})" if review.digest else ""
    return f"diff: {counts(review)}{digest}"


def foretold(one: Consequence) -> str:
    """``+ enable``; ``= unchanged`` where the strategy stays as it is, for whatever reason is told."""
    word = "unchanged" if one.kind is ActionKind.NONE else one.kind.value
    return f"{one.kind.symbol} {word}"


def title(item: Change) -> str:
    """The name of an item, or its id where it has none."""
    return item.name or item.id


def readers(secret: SecretChange) -> tuple[str, ...]:
    """Who could open the file before and still can, or can open a new one; a few, then how many more."""
    if secret.state is SecretState.REMOVED:
        return ()
    held = [one for one in secret.recipients if one not in secret.added]
    more = (f"and {len(held) - _READERS} more",) if len(held) > _READERS else ()
    return (*held[:_READERS], *more)
