"""New entries and their secret files: judged before anything is written, written whole, undone whole.

The order is what keeps a killed or interrupted run harmless: everything is encrypted and judged in
memory, then the secret files are written, and last the configuration that refers to them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.desired.disk import Disk
from reconciler.engine.files import read_sound
from reconciler.engine.place import Place
from reconciler.engine.put import Put, alone, content, put
from reconciler.engine.runtimes import runtime_owners
from reconciler.engine.signals import held_back
from reconciler.engine.validate import needed_fields
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, UsageError
from reconciler.model.secret import Secret
from reconciler.secrets.credentials import owners_of
from reconciler.secrets.owned import inspect_owners
from reconciler.secrets.sops import Document, Sops


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A secret file to be: whose it is, what it says of that in clear, and what lies there already.

    ``owner`` is the section and the id of the entry that refers to it.
    """

    path: Path
    owner: tuple[str, str]
    binding: Mapping[str, str]
    replaces: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What is to be written: ``config`` is the whole new content of ``place.target``."""

    place: Place
    config: bytes
    secrets: tuple[SecretFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An addition that was written."""

    puts: tuple[Put, ...]

    def undo(self) -> None:
        """Put every file back as it was, the configuration first. Raise ``UsageError`` for a changed one."""
        with held_back(), alone(self.puts[-1].path):
            _undo(self.puts)


def _undo(puts: Sequence[Put]) -> None:
    for done in reversed(puts):
        done.undo()


def in_use(desired: Desired, path: Path) -> bool:
    """Whether an entry of the files refers to this secret file."""
    refs = [item.credentials for item in desired.connections.values()]
    refs += [item.credentials for item in desired.runtimes.values() if item.credentials]
    return os.path.realpath(path) in {os.path.realpath(ref.file) for ref in refs if not ref.inline}


def judged(addition: Addition) -> Desired:
    """What the files want with the addition. Raise ``ConfigError`` when they would not hold then.

    Its secret files count as being there.
    """
    place = addition.place
    instead = {os.path.realpath(one.path): b"" for one in addition.secrets}
    loaded = read_sound(place.files, Disk(instead | {os.path.realpath(place.target): addition.config}))
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded.desired


def encrypt(
    addition: Addition, one: SecretFile, secrets: Mapping[str, Secret], *, sops: Sops, age: Sequence[str]
) -> bytes:
    """A secret file, encrypted in memory. Raise a ``SecretsError`` when it cannot be."""
    document: Document = {**one.binding, **secrets}
    return sops.encrypt(document, filename=one.path, age=age, policy=addition.place.desired.policy)


def write(addition: Addition, sealed: Mapping[Path, bytes]) -> Written:
    """Write the secret files, then the configuration; all or none.

    ``sealed`` holds each secret file, encrypted, by its path. Ctrl-C waits until it is done. Raise
    ``UsageError`` when a file was changed since it was read, cannot be written, or is being written by
    another run, ``SecretsError`` when a secret file would be refused by every later run.
    """
    place, puts = addition.place, list[Put]()
    with held_back(), alone(place.target):
        try:
            for one in addition.secrets:
                _require_unchanged(one.path, one.replaces)
                puts.append(put(one.path, sealed[one.path]))
            _judge(addition)
            _require_unchanged(place.target, place.before)
            puts.append(put(place.target, addition.config))
        except BaseException:
            _undo(puts)
            raise
    return Written(puts=tuple(puts))


def _judge(addition: Addition) -> None:
    """What ``reconcile validate`` will say of the new secrets, before the entries are written."""
    desired = judged(addition)
    new = {one.owner for one in addition.secrets}
    connections = [item for item in desired.connections.values() if ("connections", item.id) in new]
    owners = owners_of(connections, needed_fields)
    owners += [owner for owner in runtime_owners(desired) if ("runtimes", owner.id) in new]
    for owner in owners:
        for error in inspect_owners([owner], policy=desired.policy)[owner.id]:
            raise error


def _require_unchanged(path: Path, before: bytes | None) -> None:
    if content(path) != before:
        raise UsageError(
            f"{path} was changed by somebody else just now, so nothing was written",
            hint="run the command again",
        )
