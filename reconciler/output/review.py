"""The screen of ``diff``: what a range of revisions means, what raises risk before all else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from reconciler.model.plan import ActionKind
from reconciler.model.report import Concern, Weight
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
from reconciler.output.clean import shortened
from reconciler.output.document import BLANK, Line, Role, Span, heading, labelled, text_line
from reconciler.output.findings import LONGEST
from reconciler.output.review_words import (
    KINDS,
    STATES,
    Raise,
    counts,
    foretold,
    leaf_words,
    raises,
    readers,
    summary,
    title,
    values_words,
)

_ROLES: Final = {
    ChangeKind.ADDED: Role.GOOD,
    ChangeKind.CHANGED: Role.WARN,
    ChangeKind.RENAMED: Role.WARN,
    ChangeKind.REMOVED: Role.BAD,
    ChangeKind.UNREADABLE: Role.UNKNOWN,
    SecretState.NEW: Role.GOOD,
    SecretState.CHANGED: Role.WARN,
    SecretState.REENCRYPTED: Role.UNKNOWN,
    SecretState.REMOVED: Role.BAD,
    SecretState.UNREADABLE: Role.UNKNOWN,
    SecretState.UNCHANGED: Role.MUTED,
    ActionKind.ENABLE: Role.GOOD,
    ActionKind.CHANGE: Role.WARN,
    ActionKind.DISABLE: Role.BAD,
}

_RISKS: Final = {
    Risk.UP: ("! risk up", Role.BAD),
    Risk.DOWN: ("risk down", Role.GOOD),
    Risk.NONE: ("set", Role.MUTED),
}


def review_lines(review: Review) -> Iterator[Line]:
    """Every line of the screen for ``review``; sections that hold nothing are left out."""
    yield from _header(review)
    yield BLANK
    if not review.differs:
        yield from (labelled("✓ nothing", "changed between these two", indent=0), BLANK)
    yield from _section("RISK UP", (line for one in raises(review) for line in _raise(one)))
    yield from _section("CHANGES", _changes(review.changes))
    yield from _section("SECRETS", (line for one in review.secrets for line in _secret(one)))
    yield from _section("ON MERGE", (line for one in review.on_merge for line in _consequence(one)))
    yield from _section("CONCERNS", (line for one in _failing_first(review) for line in _concern(one)))
    yield from _closing(review)


def _header(review: Review) -> Iterator[Line]:
    read = " · diff: read from git and ciphertext, nothing was decrypted"
    yield text_line(Span(f"reconciler {review.version}", Role.TITLE), read)
    files = ", ".join(review.files) or "no files"
    yield text_line(Span(f"from {review.base} to {review.head} · {files}", Role.MUTED))
    yield text_line(Span(f"{counts(review)}", Role.TITLE)) if review.differs else BLANK


def _section(name: str, lines: Iterable[Line]) -> Iterator[Line]:
    held = tuple(lines)
    if held:
        yield from (*heading(name), *held)
        if held[-1] is not BLANK:
            yield BLANK


def _raise(one: Raise) -> Iterator[Line]:
    yield labelled(
        "! risk up", Span(one.subject, Role.TITLE), f" · {_brief(one.told)}", indent=0, role=Role.BAD
    )
    if one.why:
        yield labelled("why", _brief(one.why))


def _changes(changes: Iterable[Change]) -> Iterator[Line]:
    for section, group in groupby(changes, key=lambda one: one.section):
        yield text_line(Span(section, Role.MUTED))
        for change in group:
            yield from _change(change)
            yield BLANK


def _change(change: Change) -> Iterator[Line]:
    was = f" · was {change.was}" if change.was else ""
    id_ = f" · {change.id}" if change.name else ""
    at = f" · {change.mark}" if change.mark else ""
    told = (Span(title(change), Role.TITLE), Span(f"{id_}{was}{at}", Role.MUTED))
    yield labelled(KINDS[change.kind], *told, indent=0, role=_ROLES[change.kind])
    yield from _risk(change.risk, change.why)
    if change.kind is ChangeKind.UNREADABLE:
        yield labelled("", "what stands there is wrong in itself: see CONCERNS")
    yield from _leaves(change.leaves)


def _risk(risk: Risk, why: str) -> Iterator[Line]:
    """The risk of an item as a whole."""
    if risk is not Risk.NONE:
        label, role = _RISKS[risk]
        yield labelled(label, _brief(why), role=role)


def _leaves(leaves: Iterable[Leaf]) -> Iterator[Line]:
    for leaf in leaves:
        label, role = _RISKS[leaf.risk]
        why = f" · {leaf.why}" if leaf.risk is Risk.DOWN and leaf.why else ""
        yield labelled(label, _brief(leaf_words(leaf)), Span(_brief(why), Role.MUTED), role=role)


def _secret(secret: SecretChange) -> Iterator[Line]:
    of = f" · of {', '.join(secret.connections)}" if secret.connections else " · of no connection"
    was = f" · was {secret.was}" if secret.was else ""
    told = (Span(secret.file, Role.TITLE), Span(f"{of}{was}", Role.MUTED))
    yield labelled(STATES[secret.state], *told, indent=0, role=_ROLES[secret.state])
    values = values_words(secret)
    if values:
        yield labelled("values", values)
    yield from _risk(secret.risk, secret.why)
    yield from _leaves(secret.leaves)
    yield from (labelled("read by", one) for one in readers(secret))
    yield from (labelled("read by", f"+ {one}", role=Role.WARN) for one in secret.added)
    yield from (labelled("read by", f"- {one}") for one in secret.removed)
    for one in secret.still_reads:
        why = " can still read it: the data key was not rotated"
        yield labelled("! reads", Span(one, Role.TITLE), why, role=Role.BAD)
    yield BLANK


def _consequence(one: Consequence) -> Iterator[Line]:
    where = f" · {one.strategy} · on {one.connection} · in {one.runtime}"
    told = (Span(one.name or one.strategy, Role.TITLE), Span(where, Role.MUTED))
    yield labelled(foretold(one), *told, indent=0, role=_ROLES.get(one.kind, Role.MUTED))
    if one.reason:
        yield labelled("why", _brief(one.reason))


def _failing_first(review: Review) -> list[Concern]:
    return sorted(review.concerns, key=lambda one: one.weight is not Weight.FAILS)


def _concern(one: Concern) -> Iterator[Line]:
    fails = one.weight is Weight.FAILS
    label, role = ("✗ fails", Role.BAD) if fails else ("i advice", Role.WARN)
    yield labelled(label, _brief(one.message), Span(f" [{one.code}]", Role.MUTED), indent=0, role=role)
    if one.fix:
        yield labelled("fix", _brief(one.fix))
    places = [str(one.mark)] if one.mark else []
    places += [f"in commit {one.commit[:12]}"] if one.commit else []
    if places:
        yield labelled("at", Span(", ".join(places), Role.MUTED))


def _closing(review: Review) -> Iterator[Line]:
    if review.digest:
        yield labelled("digest", Span(review.digest, Role.MUTED), indent=0)
    role = Role.PLAIN if review.exit_code == 0 else Role.WARN
    yield labelled("exit", Span(f"{int(review.exit_code)}: {review.exit_code.meaning}", role), indent=0)
    yield BLANK
    yield text_line(Span(summary(review), Role.TITLE, whole=True))


def _brief(text: str) -> str:
    return shortened(text, LONGEST)
