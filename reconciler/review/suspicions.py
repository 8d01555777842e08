"""What speaks against a change of secrets: who can still read, what was edited or copied outside sops."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from reconciler.model.errors import ExitCode, Mark
from reconciler.model.report import Concern, Weight
from reconciler.model.review import SecretChange
from reconciler.model.sealed import Sealed
from reconciler.review.secrets import Pair

_ROTATE: Final = "run `sops rotate --in-place` on it, and replace the API key at the exchange"


def suspicions(pair: Pair, change: SecretChange, *, known: Collection[str], named: bool) -> Iterator[Concern]:
    """Everything about one secret file that fails or should be told.

    ``known`` are the recipients that the base's files or any ``.sops.yaml`` name; where ``named``,
    policy names them and has judged already.
    """
    if pair.head is None:
        return
    yield from _removed(change)
    if not named:
        yield from _strangers(pair.head, change.recipients if pair.base is None else change.added, known)
    yield from _forged(pair, pair.head)
    yield from _edited(pair, pair.head)


def _removed(change: SecretChange) -> Iterator[Concern]:
    for holder in change.removed:
        if holder in change.still_reads:
            yield _concern(
                "recipient-still-reads",
                f"{holder} was removed but can still open the file: its data key is the old one",
                _ROTATE,
                change.mark,
            )
        else:
            yield _concern(
                "recipient-removed",
                f"{holder} was removed; what the file held until now, this recipient could read",
                "replace the API key at the exchange, unless this change did so",
                change.mark,
                weight=Weight.ADVICE,
            )


def _strangers(head: Sealed, holders: Iterable[str], known: Collection[str]) -> Iterator[Concern]:
    """Recipients of whom nothing says that they belong to the team, where policy names none."""
    for holder in holders:
        if holder not in known:
            yield _concern(
                "recipient-unknown",
                f"{holder} can open the file, and no file of the base nor any .sops.yaml names it",
                "name it under `policy.recipients` or in .sops.yaml once somebody vouches for it, or remove "
                "it with `sops updatekeys` and `sops rotate`",
                head.mark,
                weight=Weight.FAILS if known else Weight.ADVICE,
            )


def _forged(pair: Pair, head: Sealed) -> Iterator[Concern]:
    """Entries of recipients that no sops wrote: it writes all of them anew, or none, and each name once.

    A name in an entry is a claim that nothing proves. An old entry put back opens the file for its
    owner, and one under a colleague's name lets a stranger in without any name being added.
    """
    before = Counter((one.share, one.identity) for one in pair.base.holders) if pair.base else Counter()
    doubled = Counter((one.share, one.identity) for one in head.holders) - before
    twice = any(count > 1 or before[who] for who, count in doubled.items())
    if twice or any(_mixed(other, head) for other in (*pair.own, *((pair.base,) if pair.base else ()))):
        yield _concern(
            "recipients-edited",
            "the entries of the recipients were edited outside sops: an entry may open the file for somebody "
            "other than its name says",
            "name each recipient once in .sops.yaml, then run `sops updatekeys` and `sops rotate`",
            head.mark,
        )


def _mixed(other: Sealed, head: Sealed) -> bool:
    """Whether some entries of ``head`` are those of another version, and some are not."""
    known = {(one.share, one.identity, one.wrap) for one in other.holders}
    wraps = {one.wrap for one in other.holders}
    kept = [one for one in head.holders if one.wrap and one.wrap in wraps]
    return bool(kept) and any((one.share, one.identity, one.wrap) not in known for one in head.holders)


def _edited(pair: Pair, head: Sealed) -> Iterator[Concern]:
    """One MAC over two contents: sops cannot have written both."""
    if not head.mac:
        return
    for other in pair.kin:
        if other.mac == head.mac and _covered(other) != _covered(head):
            yield _concern(
                "edited-outside-sops",
                "values differ and the MAC does not: the file was edited or merged outside sops, which will "
                "refuse to open it",
                "restore the file from git, then change it only with `sops edit` or `sops set`",
                head.mark,
            )
            return


def _covered(sealed: Sealed) -> tuple[tuple[str, str | None], ...]:
    """The values that a MAC covers, in order, by name: with ``mac_only_encrypted`` the encrypted alone."""
    clear = {} if sealed.mac_only_encrypted else sealed.clear
    every = {**clear, **sealed.values}
    return tuple((path, every[path]) for path in sealed.order if path in every)


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
    return _concern(
        "ciphertext-copied",
        f"the ciphertext of `{name.rpartition('.')[2]}` was written for another field or file: sops refuses "
        "it here, or two connections share one secret",
        "restore the file from git, then write the value with `sops edit`; one key for one connection",
        sealed.marks.get(name, sealed.mark),
    )


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


def _concern(
    code: str, message: str, fix: str, mark: Mark | None, *, weight: Weight = Weight.FAILS
) -> Concern:
    return Concern(code=code, message=message, fix=fix, mark=mark, weight=weight, exit_code=ExitCode.SECRETS)
