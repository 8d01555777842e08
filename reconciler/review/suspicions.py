"""What speaks against a change of secrets: who can still read, what was edited or copied outside sops."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from reconciler.model import doubts
from reconciler.model.report import Concern, Weight
from reconciler.model.review import SecretChange
from reconciler.model.sealed import Sealed
from reconciler.review.leaves import shown
from reconciler.review.secrets import Pair


def suspicions(
    pair: Pair, change: SecretChange, *, known: Collection[str], judged: bool
) -> Iterator[Concern]:
    """Everything about one secret file that fails or should be told.

    ``known`` are the recipients that the base, the file's own ``.sops.yaml`` or policy name; where
    ``judged``, policy names them and somebody has asked it about this file already.
    """
    if pair.head is None:
        return
    yield from _removed(change)
    if not judged:
        yield from _strangers(pair.head, change.recipients if pair.base is None else change.added, known)
    yield from _forged(pair, pair.head)
    yield from _edited(pair, pair.head)


def _removed(change: SecretChange) -> Iterator[Concern]:
    for holder in change.removed:
        if holder in change.still_reads:
            message = f"{holder} was removed but can still open the file: its data key is the old one"
            yield doubts.STILL_READS.concern(message, change.mark)
        else:
            message = f"{holder} was removed; what the file held until now, this recipient could read"
            yield doubts.REMOVED.concern(message, change.mark)


def _strangers(head: Sealed, holders: Iterable[str], known: Collection[str]) -> Iterator[Concern]:
    """Recipients of whom nothing says that they belong to the team, where policy names none."""
    for holder in holders:
        if holder not in known:
            message = f"{holder} can open the file, and neither the base nor its .sops.yaml names it"
            weight = Weight.FAILS if known else Weight.ADVICE
            yield doubts.UNKNOWN.concern(message, head.mark, weight=weight)


def _forged(pair: Pair, head: Sealed) -> Iterator[Concern]:
    """Entries of recipients that no sops wrote: it writes all of them anew, or none, and each name once.

    A name in an entry is a claim that nothing proves. An old entry put back opens the file for its
    owner, and one under a colleague's name lets a stranger in without any name being added.
    """
    before = Counter((one.share, one.identity) for one in pair.base.holders) if pair.base else Counter()
    doubled = Counter((one.share, one.identity) for one in head.holders) - before
    twice = any(count > 1 or before[who] for who, count in doubled.items())
    if twice or any(_mixed(other, head) for other in (*pair.own, *((pair.base,) if pair.base else ()))):
        message = (
            "the recipients were edited outside sops: one may open the file who is not who its name says"
        )
        yield doubts.RECIPIENTS_EDITED.concern(message, head.mark)


def _mixed(other: Sealed, head: Sealed) -> bool:
    """Whether some entries of ``head`` are those of another version, and some are not."""
    known = {(one.share, one.identity, one.wrap) for one in other.holders}
    wraps = {one.wrap for one in other.holders}
    kept = [one for one in head.holders if one.wrap and one.wrap in wraps]
    return bool(kept) and any((one.share, one.identity, one.wrap) not in known for one in head.holders)


def _edited(pair: Pair, head: Sealed) -> Iterator[Concern]:
    """One MAC over two contents: sops cannot have written both."""
    if any(content != head.covered() for content in pair.under_mac):
        message = "values differ and the MAC does not: the file was edited or merged outside sops"
        yield doubts.EDITED.concern(message, head.mark)


def copied(base: Mapping[str, Sealed], head: Mapping[str, Sealed]) -> Iterator[Concern]:
    """Ciphertexts that stand where sops did not write them: under another name, or in another file too.

    sops binds a ciphertext to its name and to its file's data key.
    """
    homes: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path, sealed in base.items():
        for name, text in sealed.values.items():
            homes[text].add((path if path in head else "", _name(name)))
    seen: dict[str, tuple[str, str]] = {}
    for path, sealed in sorted(head.items()):
        for name, text in sealed.values.items():
            stood_here = path in base and base[path].values.get(name) == text
            twice = seen.setdefault(text, (path, name)) != (path, name)
            moved = text in homes and not _at_home(path, _name(name), homes[text])
            if not stood_here and (twice or moved):
                yield _copied(name, sealed)


def _copied(name: str, sealed: Sealed) -> Concern:
    message = f"the ciphertext of `{shown(name).rpartition('.')[2]}` was written for another field or file"
    return doubts.COPIED.concern(message, sealed.marks.get(name, sealed.mark))


def _at_home(path: str, name: str, homes: Iterable[tuple[str, str]]) -> bool:
    """The same name in the same file, or in a file that is gone: then the file moved."""
    return any(name == home and file in {"", path} for file, home in homes)


def _name(path: str) -> str:
    """A dotted path without the indexes of lists, to which sops binds nothing.

    Of the configuration nothing is left out: an id under ``connections`` may be a figure too.
    """
    if path.startswith("connections."):
        return path
    return ".".join(part for part in path.split(".") if not part.isdecimal())
