"""``diff`` as a comment: what stops a merge, what raises risk, then everything that changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.model.review import Change, Consequence, Leaf, Review, Risk, SecretChange
from reconciler.output.comment import Comment, Section, folded_if_many, row, table
from reconciler.output.markdown import code, inline
from reconciler.output.markdown_parts import (
    brief,
    foot,
    kind,
    named,
    notes_section,
    place,
    pressing,
    status,
    values,
)
from reconciler.output.note import Level, Note
from reconciler.output.notes import concern_note
from reconciler.output.options import Options
from reconciler.output.review_words import (
    KINDS,
    STATES,
    Raise,
    counts,
    foretold,
    raises,
    readers,
    subject_of,
    title,
    values_words,
)
from reconciler.output.words import iso

#: An item that is new may have any number of values; so many are shown.
_LEAVES: Final = 30


def review_comment(review: Review, marker: str, options: Options) -> Comment:
    """Counts, what fails, what raises risk, the changes; one line where nothing changed."""
    found = [concern_note(one) for one in review.concerns]
    fails = pressing(found, Level.ERROR)
    symbol = status(fails=bool(fails), warns=bool(review.risk_count(Risk.UP)))
    if not review.differs and not found:
        between = f"between {inline(str(review.base))} and {inline(str(review.head))}"
        return Comment(marker=marker, title=f"{symbol} **reconcile diff**: no changes {between}")
    return Comment(
        marker=marker,
        title=f"### {symbol} reconcile diff: {_verdict(review, fails)}\n\n{counts(review)}",
        sections=_sections(review, found, options),
        foot=_foot(review),
    )


def _verdict(review: Review, fails: list[Note]) -> str:
    if fails:
        return "not to be merged as it is"
    return "risk goes up" if review.risk_count(Risk.UP) else "no risk goes up"


def _sections(review: Review, found: list[Note], options: Options) -> tuple[Section, ...]:
    return (
        notes_section("Fails", pressing(found, Level.ERROR), options),
        Section(
            title="Risk goes up",
            head=table("what", "change", "why"),
            rows=tuple(map(_raise, raises(review))),
        ),
        folded_if_many(
            Section(title="Changes", rows=tuple(_change(change, options) for change in review.changes))
        ),
        folded_if_many(Section(title="Secrets", rows=tuple(map(_secret, review.secrets)))),
        Section(
            title="On merge",
            head=table("", "strategy", "where", "why"),
            rows=tuple(map(_consequence, review.on_merge)),
        ),
        notes_section("Advice", pressing(found, Level.WARNING), options, folded=True),
    )


def _raise(one: Raise) -> str:
    return row(inline(one.subject), brief(one.told), brief(one.why))


def _change(change: Change, options: Options) -> str:
    was = f" · was {code(change.was)}" if change.was else ""
    at = f" · {place(change.mark, options)}" if change.mark else ""
    id_ = f" · {code(change.id)}" if change.name else ""
    name = inline(title(change)) if change.name else inline(subject_of(change))
    first = f"- {kind(KINDS[change.kind])} {name}{id_}{was}{at}"
    return "\n".join((first, *_risk(change.risk, change.why), *_leaves(change.leaves)))


def _risk(risk: Risk, why: str) -> Iterator[str]:
    if risk is not Risk.NONE:
        yield f"  - **risk {risk.value}**: {brief(why)}"


def _leaves(leaves: tuple[Leaf, ...]) -> Iterator[str]:
    for leaf in leaves[:_LEAVES]:
        risk = f" · **risk {leaf.risk.value}**: {brief(leaf.why)}" if leaf.risk is not Risk.NONE else ""
        yield f"  - {code(leaf.path)}: {values(leaf.old, leaf.new)}{risk}"
    if len(leaves) > _LEAVES:
        yield f"  - and {len(leaves) - _LEAVES} more values"


def _secret(secret: SecretChange) -> str:
    was = f" · was {code(secret.was)}" if secret.was else ""
    of = f" · of {named(secret.connections)}" if secret.connections else " · of no connection"
    rows = [f"- {kind(STATES[secret.state])} {code(secret.file)}{of}{was}"]
    told = values_words(secret)
    rows += [f"  - {brief(told)}"] if told else []
    rows += [
        f"  - {code(one)} **can still read it**: the data key was not rotated" for one in secret.still_reads
    ]
    rows += [f"  - read by {named(readers(secret))}"] if readers(secret) else []
    rows += [f"  - may read it now: {code(one)}" for one in secret.added]
    rows += [f"  - was removed: {code(one)}" for one in secret.removed]
    return "\n".join((*rows, *_risk(secret.risk, secret.why), *_leaves(secret.leaves)))


def _consequence(one: Consequence) -> str:
    did = kind(foretold(one))
    name = f"{inline(one.name)} {code(one.strategy)}".strip()
    return row(did, name, f"{code(one.connection)} in {code(one.runtime)}", brief(one.reason))


def _foot(review: Review) -> str:
    return foot(
        review.exit_code,
        f"from {inline(str(review.base))} to {inline(str(review.head))}",
        named(review.files),
        "read from git and ciphertext, nothing was decrypted",
        iso(review.started_at),
        f"reconciler {inline(review.version)}",
        digest=review.digest,
    )
