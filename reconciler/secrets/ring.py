"""What secret files held, kept by a process that runs for months while the files stay as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event

from reconciler.model.desired import CredentialRef, Policy
from reconciler.model.errors import SecretsError
from reconciler.model.secret import Secret
from reconciler.secrets.owned import Opened, inspect_owners, open_owners, read_ciphertext
from reconciler.secrets.owner import Owner
from reconciler.secrets.sops import Sops


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The fields of an owner, of which bytes, and for what these were judged."""

    digest: bytes
    fields: Mapping[str, Secret]
    identity: tuple[object, ...]
    policy: Policy


class Ring:
    """Plaintext by owner, only as long as :meth:`keep_only` names it and its file stays as it was.

    What could not be opened is never remembered: the next attempt may find another machine. ``learn``
    hears every secret, in any thread, before anybody else can have it.
    """

    def __init__(self, learn: Callable[[Iterable[Secret]], None] = lambda _secrets: None) -> None:
        self._learn = learn
        self._kept: dict[str, _Kept] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._kept)})"

    def recall(self, owners: Sequence[Owner], *, policy: Policy) -> dict[str, Mapping[str, Secret]]:
        """The fields of those whose file is byte for byte what was decrypted; starts nothing.

        A policy that is another than before judges the ciphertext anew.
        """
        blobs = _Blobs()
        found = {one.id: kept for one in owners if (kept := self._matching(one, blobs))}
        doubtful = [one for one in owners if one.id in found and found[one.id].policy != policy]
        refused = inspect_owners(doubtful, policy=policy, read=blobs)
        for one in doubtful:
            if refused[one.id]:
                del found[one.id]
            else:
                self._kept[one.id] = replace(found[one.id], policy=policy)
        return {name: kept.fields for name, kept in found.items()}

    def remembered(self, owners: Sequence[Owner]) -> dict[str, Mapping[str, Secret]]:
        """The fields of those that were ever opened here, whatever became of their files since.

        For a configuration that stands in for a broken one.
        """
        kept = {one.id: self._kept.get(one.id) for one in owners}
        return {
            one.id: found.fields
            for one in owners
            if (found := kept[one.id]) and found.identity == _identity(one)
        }

    def open(
        self, owners: Sequence[Owner], *, sops: Sops, policy: Policy, cancel: Event | None = None
    ) -> dict[str, Opened]:
        """As :func:`open_owners`, and remembers what could be opened. Blocks: call it in a thread.

        Each file can be recalled as soon as it was opened, while others still hang.
        """
        blobs, by_id = _Blobs(), {one.id: one for one in owners}

        def keep(opened: Mapping[str, Opened]) -> None:
            for name, fields in opened.items():
                if not isinstance(fields, SecretsError):
                    self._learn(fields.values())
                    self._kept[name] = _Kept(
                        digest=blobs.digest(by_id[name].ref),
                        fields=fields,
                        identity=_identity(by_id[name]),
                        policy=policy,
                    )

        return open_owners(owners, sops=sops, policy=policy, cancel=cancel, read=blobs, each=keep)

    def keep_only(self, owners: Collection[str]) -> None:
        """Forget every owner but these."""
        self._kept = {name: kept for name, kept in self._kept.items() if name in owners}

    def _matching(self, owner: Owner, blobs: _Blobs) -> _Kept | None:
        kept = self._kept.get(owner.id)
        if kept is None or kept.identity != _identity(owner):
            return None
        try:
            blobs(owner.ref)
        except SecretsError:
            return None
        return kept if blobs.digest(owner.ref) == kept.digest else None


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


def _identity(owner: Owner) -> tuple[object, ...]:
    """All of an owner by which its ciphertext is judged and taken apart; not where the files name it."""
    ref = owner.ref
    place = (ref.top, ref.file, ref.root, ref.inline, ref.fields)
    return (owner.kind, owner.needs, owner.fields, owner.binding, owner.pinned, *place)
