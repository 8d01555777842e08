"""Credentials of a process that runs for months: decrypted once, and kept while their ciphertext stays."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import TypeAlias

from reconciler.model.desired import Connection, CredentialRef, Policy
from reconciler.model.errors import SecretsError
from reconciler.model.secret import Credentials, Secret
from reconciler.secrets.credentials import Fields, inspect_all, open_all
from reconciler.secrets.owned import read_ciphertext
from reconciler.secrets.sops import Sops


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What was decrypted, of which ciphertext, and for what it was judged."""

    digest: bytes
    credentials: Credentials
    connection: tuple[object, ...]
    policy: Policy


class Keyring:
    """Plaintext by connection, only as long as :meth:`keep_only` names it and its file stays as it was.

    What could not be opened is never remembered: the next attempt may find another machine. ``learn``
    hears every secret, in any thread, before anybody else can have it.
    """

    def __init__(
        self, fields_of: Fields, learn: Callable[[Iterable[Secret]], None] = lambda _secrets: None
    ) -> None:
        self._fields_of = fields_of
        self._learn = learn
        self._kept: dict[str, _Kept] = {}

    def __repr__(self) -> str:
        return f"Keyring({len(self._kept)})"

    def recall(self, connections: Sequence[Connection], *, policy: Policy) -> dict[str, Credentials]:
        """The credentials of those whose file is byte for byte what was decrypted; starts nothing.

        A policy that is another than before judges the ciphertext anew.
        """
        blobs = _Blobs()
        found = {one.id: kept for one in connections if (kept := self._matching(one, blobs))}
        doubtful = [one for one in connections if one.id in found and found[one.id].policy != policy]
        refused = inspect_all(doubtful, fields_of=self._fields_of, policy=policy, read=blobs)
        for one in doubtful:
            if refused[one.id]:
                del found[one.id]
            else:
                self._kept[one.id] = replace(found[one.id], policy=policy)
        return {name: kept.credentials for name, kept in found.items()}

    def remembered(self, connections: Sequence[Connection]) -> dict[str, Credentials]:
        """The credentials of those that were ever opened here, whatever became of their files since.

        For a configuration that stands in for a broken one.
        """
        kept = {one.id: self._kept.get(one.id) for one in connections}
        return {
            one.id: found.credentials
            for one in connections
            if (found := kept[one.id]) and found.connection == _identity(one)
        }

    def open(
        self, connections: Sequence[Connection], *, sops: Sops, policy: Policy, cancel: Event | None = None
    ) -> dict[str, Credentials | SecretsError]:
        """As :func:`open_all`, and remembers what could be opened. Blocks: call it in a thread.

        Each file can be recalled as soon as it was opened, while others still hang.
        """
        blobs, by_id = _Blobs(), {one.id: one for one in connections}

        def keep(opened: Mapping[str, Credentials | SecretsError]) -> None:
            for name, credentials in opened.items():
                if isinstance(credentials, Credentials):
                    self._learn(credentials.all())
                    self._kept[name] = _Kept(
                        digest=blobs.digest(by_id[name].credentials),
                        credentials=credentials,
                        connection=_identity(by_id[name]),
                        policy=policy,
                    )

        return open_all(
            connections,
            fields_of=self._fields_of,
            sops=sops,
            policy=policy,
            cancel=cancel,
            read=blobs,
            each=keep,
        )

    def keep_only(self, connections: Collection[str]) -> None:
        """Forget every connection but these."""
        self._kept = {name: kept for name, kept in self._kept.items() if name in connections}

    def _matching(self, connection: Connection, blobs: _Blobs) -> _Kept | None:
        kept = self._kept.get(connection.id)
        if kept is None or kept.connection != _identity(connection):
            return None
        try:
            blobs(connection.credentials)
        except SecretsError:
            return None
        return kept if blobs.digest(connection.credentials) == kept.digest else None


class _Blobs:
    """Reads each file once, and knows what it read."""

    def __init__(self) -> None:
        self._read: dict[str, bytes] = {}

    def __call__(self, ref: CredentialRef) -> bytes:
        if ref.file not in self._read:
            self._read[ref.file] = read_ciphertext(ref)
        return self._read[ref.file]

    def digest(self, ref: CredentialRef) -> bytes:
        return hashlib.sha256(self._read[ref.file]).digest()


def _identity(connection: Connection) -> tuple[object, ...]:
    """All of a connection by which its ciphertext is judged and taken apart."""
    ref = connection.credentials
    return (connection.exchange, ref.file, ref.root, ref.inline, ref.fields, connection.account is None)


Opened: TypeAlias = Mapping[str, Credentials | SecretsError]
"""Credentials by connection id, or why they could not be had."""
