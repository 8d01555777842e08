"""One revision as configuration, secret files and rules, whether it is a commit or the working tree."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reconciler.desired import Loaded
from reconciler.desired.files import SECRET_SUFFIXES
from reconciler.engine.files import read_sound
from reconciler.engine.revision_files import RevisionFiles
from reconciler.model.desired import CredentialRef
from reconciler.model.errors import NotASecretFile, SecretsError
from reconciler.model.sealed import CreationRule, Sealed
from reconciler.review.trees import Kind, Tree
from reconciler.secrets.creation_rules import FILE_NAME, read_destinations, read_rules
from reconciler.secrets.envelope import read_envelope
from reconciler.secrets.sealed import sealed


@dataclass(frozen=True, kw_only=True)
class Side:
    """One revision: its tree, what its configuration says, and what its secret files say without a key."""

    tree: Tree
    loaded: Loaded

    @cached_property
    def _opened(self) -> Mapping[str, Sealed | SecretsError]:
        return {path: self._open(path) for path in sorted(self._secret_paths())}

    @cached_property
    def sealed(self) -> Mapping[str, Sealed]:
        """Every secret file that can be read, by path: what the files name, and any ``*.sops.yaml``."""
        return {path: one for path, one in self._opened.items() if isinstance(one, Sealed)}

    @cached_property
    def broken(self) -> Mapping[str, SecretsError]:
        """Why the others cannot."""
        return {path: one for path, one in self._opened.items() if isinstance(one, SecretsError)}

    @cached_property
    def rules(self) -> Mapping[str, Sequence[CreationRule]]:
        """The rules of every ``.sops.yaml``; none where it holds no list of rules."""
        return {path: rules or () for path, rules in self._rules.items()}

    @property
    def unread_rules(self) -> tuple[str, ...]:
        """The paths of those that hold no list of rules."""
        return tuple(path for path, rules in self._rules.items() if rules is None)

    @cached_property
    def _rules(self) -> Mapping[str, Sequence[CreationRule] | None]:
        return {path: read_rules(self.text(path), file=path) for path in self.rule_files()}

    @cached_property
    def destinations(self) -> Mapping[str, Sequence[str]]:
        """Where every ``.sops.yaml`` lets secrets be published to."""
        return {path: read_destinations(self.text(path)) for path in self.rule_files()}

    def rule_files(self) -> Iterator[str]:
        """The paths of every ``.sops.yaml``."""
        for path, kind in self.tree.entries.items():
            if kind is Kind.FILE and posixpath.basename(path) == FILE_NAME:
                yield path

    def text(self, path: str) -> str:
        """A file as text, what is no UTF-8 replaced."""
        return (self.tree.read(path) or b"").decode("utf-8", "replace")

    def ciphertext(self, ref: CredentialRef) -> bytes:
        """The bytes of a secret file. Raise ``NotASecretFile`` where they cannot be had."""
        data = self.tree.read(ref.file)
        if data is None:
            raise NotASecretFile(
                f"{ref.file} cannot be read from this revision",
                hint="a secret file is a regular file of a few KiB, committed to this repository",
                mark=ref.mark,
            )
        return data

    @cached_property
    def users(self) -> Mapping[str, tuple[str, ...]]:
        """What refers to each secret file: a connection by its id, a runtime as ``runtime ft-eu``."""
        found: dict[str, tuple[str, ...]] = {}
        for name, ref in self._references():
            found[ref.file] = (*found.get(ref.file, ()), name)
        return found

    def _references(self) -> Iterator[tuple[str, CredentialRef]]:
        for connection in self.loaded.desired.connections.values():
            yield connection.id, connection.credentials
        for runtime in self.loaded.desired.runtimes.values():
            if runtime.credentials is not None:
                yield f"runtime {runtime.id}", runtime.credentials

    def files_of(self, names: Collection[str]) -> frozenset[str]:
        """The secret files to which these refer, named as in :attr:`users`."""
        return frozenset(ref.file for name, ref in self._references() if name in names)

    @property
    def names(self) -> frozenset[str]:
        """What secret files may say that they belong to: the ids of connections and runtimes, also of those
        that are wrong in themselves, and the urls of runtimes.
        """
        desired = self.loaded.desired
        unread = (key for section, key in self.loaded.unread if section in ("connections", "runtimes"))
        urls = (runtime.url for runtime in desired.runtimes.values() if runtime.url)
        return frozenset((*desired.connections, *desired.runtimes, *urls, *unread))

    def seals(self) -> Mapping[str, frozenset[str]]:
        """The ciphertexts of each connection's own secret file."""
        return {
            connection.id: frozenset(self.sealed[ref.file].values.values())
            for connection in self.loaded.desired.connections.values()
            if not (ref := connection.credentials).inline and ref.file in self.sealed
        }

    def _secret_paths(self) -> set[str]:
        named = {path for path in self.users if path in self.tree.entries}
        return named | {
            path for path, kind in self.tree.entries.items() if kind is Kind.FILE and is_secret_path(path)
        }

    def _open(self, path: str) -> Sealed | SecretsError:
        try:
            return open_sealed(self.tree.read(path), path)
        except SecretsError as error:
            return error


def is_secret_path(path: str) -> bool:
    """Whether a file of this name is a secret file, though nothing refers to it."""
    return path.endswith(SECRET_SUFFIXES) and posixpath.basename(path) != FILE_NAME


def open_sealed(data: bytes | None, path: str) -> Sealed:
    """What a secret file says. Raise ``NotASecretFile`` where it is none, or too large to be one."""
    if data is None:
        raise NotASecretFile(f"{path} cannot be read", hint="a secret file is a regular file of a few KiB")
    return sealed(read_envelope(data, file=path))


def side(tree: Tree, files: Sequence[str], *, absent: bool = False) -> Side:
    """One revision, read. ``absent`` lets it have none of ``files``."""
    return Side(tree=tree, loaded=read_sound(files, RevisionFiles(tree, absent=absent)))
