"""What an import found, as an addition to the files: nothing that is there already is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.desired.edit import add_entries
from reconciler.desired.loader import load_document
from reconciler.engine.additions import Addition, SecretFile, encrypt, in_use, judged
from reconciler.engine.place import Place, secret_file
from reconciler.engine.put import content
from reconciler.importing.found import Found, Item, Keys
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, Mark, Problem
from reconciler.secrets.sops import Sops

#: What people change once it is theirs, so that it makes no other entry of it; a difference is told.
_CHANGED = ("egress", "pairs", "margin_limit", "settings", "mode")
_ONE = {"connections": "connection", "runtimes": "runtime", "strategies": "strategy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An item that the files have already, where, and the fields in which they say something else."""

    item: Item
    mark: Mark
    other: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What would be written: ``entries`` are the new items with all of their fields."""

    addition: Addition
    entries: tuple[Item, ...]
    known: tuple[Known, ...]
    keys: tuple[tuple[SecretFile, Keys], ...]

    @property
    def replaces(self) -> tuple[Path, ...]:
        """Secret files that lie there already, though nothing refers to them."""
        return tuple(one.path for one, _ in self.keys if one.replaces is not None)


def one_of(section: str) -> str:
    """``connections`` as what each of them is: ``connection``."""
    return _ONE[section]


def draft(place: Place, found: Found) -> Draft:
    """The files with what was found. Raise ``ConfigError`` with everything that stands against it."""
    known = tuple(_known(place.desired, found.items))
    new = [item for item in found.items if item not in [one.item for one in known] and not item.given]
    problems = [*_conflicts(place.desired, found.items), *_doubts(found, new, known)]
    if problems:
        raise ConfigError(problems)
    names = {(item.section, item.id) for item in new}
    keys = tuple((_secret_file(place, one), one) for one in found.keys if (one.section, one.id) in names)
    files = {(one.section, one.id): file.path for file, one in keys}
    entries = tuple(_entry(item, files.get((item.section, item.id)), place) for item in new)
    config = place.text()
    for section in dict.fromkeys(item.section for item in entries):
        added = {item.id: item.fields for item in entries if item.section == section}
        config = add_entries(config, file=str(place.target), section=section, entries=added)
    secrets = tuple(file for file, _ in keys)
    made = Draft(
        addition=Addition(place=place, config=config, secrets=secrets),
        entries=entries,
        known=known,
        keys=keys,
    )
    if entries:
        _require_sound(made)
    return made


def _section(desired: Desired, section: str) -> Mapping[str, Any]:
    held: Mapping[str, Any] = getattr(desired, section)
    return held


def _same(item: Item, there: object) -> bool:
    """Whether an entry of the same id is the same thing: for people, its identity is what counts."""
    return all(str(getattr(there, name)) == item.fields[name] for name in item.identity)


def _known(desired: Desired, items: Sequence[Item]) -> Iterator[Known]:
    for item in items:
        there = _section(desired, item.section).get(item.id)
        if there is not None and _same(item, there):
            yield Known(item=item, mark=there.mark, other=tuple(_other(item, there)))


def _other(item: Item, there: Any) -> Iterator[str]:  # noqa: ANN401 - an entry of any section
    usual = {"mode": getattr(there, "mode", None) or "live", "egress": getattr(there, "egress", None)}
    held = {**usual, **getattr(there, "parameters", {})}
    for name in _CHANGED:
        ours, theirs = held.get(name), item.fields.get(name)
        same = set(ours) == set(theirs) if name == "pairs" and ours and theirs else ours == theirs
        if name in item.fields and not same:
            yield name


def _conflicts(desired: Desired, items: Sequence[Item]) -> Iterator[Problem]:
    """Items whose id is another thing's, and entries that were named and are not there."""
    for item in items:
        there, what = _section(desired, item.section).get(item.id), one_of(item.section)
        if there is None and item.given:
            ids = ", ".join(_section(desired, item.section))
            yield Problem(
                mark=item.mark,
                code="unknown-id",
                message=f"the files have no {what} {item.id}",
                fix=f"name one of: {ids}" if ids else f"they have no {what} at all: leave the option out",
            )
        elif there is not None and not _same(item, there):
            unlike = next(n for n in item.identity if str(getattr(there, n)) != item.fields[n])
            yield Problem(
                mark=item.mark,
                code="id-taken",
                message=f"the {what} {item.id} is there already in {there.mark}, with another {unlike}; "
                f"here it would be {item.fields[unlike]}",
                fix="name another one" if item.given else "choose other ids with --id",
            )


def _doubts(found: Found, new: Sequence[Item], known: Sequence[Known]) -> Iterator[Problem]:
    """A new strategy would trade on a connection that is there, with a key that nobody compared."""
    used = {item.fields.get("connection") for item in new if item.section == "strategies"}
    keyed = {one.id for one in found.keys if one.section == "connections"}
    for one in known:
        item = one.item
        if item.section == "connections" and item.id in used & keyed and not item.given:
            yield Problem(
                mark=item.mark,
                code="same-key",
                message=f"{item.id} is there already in {one.mark}; nobody can tell whether it has this key",
                fix="say so with --connection, or choose other ids with --id",
            )


def _secret_file(place: Place, keys: Keys) -> SecretFile:
    path = secret_file(place, keys.id)
    if in_use(place.desired, path):
        path = path.with_name(f"{keys.id}-{one_of(keys.section)}.sops.yaml")
    return SecretFile(path=path, owner=(keys.section, keys.id), binding=keys.binding, replaces=content(path))


def _entry(item: Item, secret: Path | None, place: Place) -> Item:
    if secret is None:
        return item
    credentials = os.path.relpath(secret, place.target.parent)
    return replace(item, fields={**item.fields, "credentials": credentials})


def _require_sound(made: Draft) -> None:
    """Raise ``ConfigError`` where the files would not hold, each problem at the place that it came from."""
    for one in made.addition.secrets:
        if in_use(made.addition.place.desired, one.path):
            mark = Mark(file=str(one.path), line=1)
            message, fix = "another entry of the files uses this secret file", "choose other ids with --id"
            raise ConfigError([Problem(mark=mark, code="secret-in-use", message=message, fix=fix)])
    try:
        judged(made.addition)
    except ConfigError as error:
        raise ConfigError([_at_home(problem, made) for problem in error.problems]) from None


def _at_home(problem: Problem, made: Draft) -> Problem:
    """``problem`` at the place in the other project's file that it came from, as no file of ours has it."""
    target = str(made.addition.place.target)
    document = load_document(made.addition.config, file=target, root="")
    places = [(document.key_mark((item.section, item.id)), item) for item in made.entries]
    before = [(mark, item) for mark, item in places if mark <= problem.mark]
    if problem.mark.file != target or not before:
        return problem
    item = max(before, key=lambda one: one[0])[1]
    return replace(problem, mark=item.mark, message=f"{one_of(item.section)} {item.id}: {problem.message}")


def seal(made: Draft, *, sops: Sops, age: Sequence[str]) -> dict[Path, bytes]:
    """Every secret file, encrypted in memory. Raise a ``SecretsError`` when one cannot be."""
    return {
        file.path: encrypt(made.addition, file, keys.secrets, sops=sops, age=age) for file, keys in made.keys
    }
