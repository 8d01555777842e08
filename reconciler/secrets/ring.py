"""What secret files held, kept by a process that runs for months while the files stay as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event

from reconciler.model.desired import CredentialRef, Policy
from reconciler.model.errors import SecretsError
from reconciler.model.secret import Secret
from reconciler.secrets.owned import Opened, open_owners, read_ciphertext
from reconciler.secrets.owner import Owner
from reconciler.secrets.sops import Sops


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """The fields of an owner, of which bytes, and by which policy these were judged."""

    owner: Owner
    digest: bytes
    policy: Policy
    fields: Mapping[str, Secret]


class Ring:
    """Plaintext by owner, as long as its file is byte for byte what was decrypted and judged alike.

    What could not be opened is never remembered: the next attempt may find another machine.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def __repr__(self) -> str:
        return f"Ring({len(self._kept)})"

    def recall(self, owners: Sequence[Owner], *, policy: Policy) -> dict[str, Mapping[str, Secret]]:
        """The fields of those of whom nothing changed, by id; all others are forgotten. Starts nothing."""
        found: dict[str, _Kept] = {}
        for owner in owners:
            kept = self._kept.get(owner.id)
            if kept is not None and (kept.owner, kept.policy) == (owner, policy):
                with suppress(SecretsError):
                    if _digest(read_ciphertext(owner.ref)) == kept.digest:
                        found[owner.id] = kept
        self._kept = found
        return {name: kept.fields for name, kept in found.items()}

    def open(
        self, owners: Sequence[Owner], *, sops: Sops, policy: Policy, cancel: Event | None = None
    ) -> dict[str, Opened]:
        """As :func:`open_owners`, and remembers what could be opened. Blocks: call it in a thread."""
        digests: dict[str, bytes] = {}

        def read(ref: CredentialRef) -> bytes:
            blob = read_ciphertext(ref)
            digests[ref.file] = _digest(blob)
            return blob

        opened = open_owners(owners, sops=sops, policy=policy, cancel=cancel, read=read)
        for owner in owners:
            fields = opened[owner.id]
            if not isinstance(fields, SecretsError):
                self._kept[owner.id] = _Kept(
                    owner=owner, digest=digests[owner.ref.file], policy=policy, fields=fields
                )
        return opened


def _digest(blob: bytes) -> bytes:
    return hashlib.sha256(blob).digest()
