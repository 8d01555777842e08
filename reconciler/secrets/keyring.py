"""Credentials of connections in a process that runs for months: decrypted once, as ``Ring`` keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Event
from typing import TypeAlias

from reconciler.model.desired import Connection, Policy
from reconciler.model.errors import SecretsError
from reconciler.model.secret import Credentials, Secret
from reconciler.secrets.credentials import Fields, keys_of, owners_of
from reconciler.secrets.ring import Ring
from reconciler.secrets.sops import Sops

Opened: TypeAlias = Mapping[str, Credentials | SecretsError]
"""Credentials by connection id, or why they could not be had."""


class Keyring:
    """A :class:`Ring` that is asked for connections. ``fields_of`` gives an exchange's credential fields."""

    def __init__(
        self, fields_of: Fields, learn: Callable[[Iterable[Secret]], None] = lambda _secrets: None
    ) -> None:
        self._fields_of = fields_of
        self._ring = Ring(learn)
        self.keep_only = self._ring.keep_only

    def __repr__(self) -> str:
        return f"Keyring({self._ring!r})"

    def recall(self, connections: Sequence[Connection], *, policy: Policy) -> dict[str, Credentials]:
        """As :meth:`Ring.recall`."""
        return _credentials(self._ring.recall(owners_of(connections, self._fields_of), policy=policy))

    def remembered(self, connections: Sequence[Connection]) -> dict[str, Credentials]:
        """As :meth:`Ring.remembered`."""
        return _credentials(self._ring.remembered(owners_of(connections, self._fields_of)))

    def open(
        self, connections: Sequence[Connection], *, sops: Sops, policy: Policy, cancel: Event | None = None
    ) -> dict[str, Credentials | SecretsError]:
        """As :meth:`Ring.open`."""
        owners = owners_of(connections, self._fields_of)
        return keys_of(self._ring.open(owners, sops=sops, policy=policy, cancel=cancel))


def _credentials(fields: Mapping[str, Mapping[str, Secret]]) -> dict[str, Credentials]:
    return {name: Credentials(**held) for name, held in fields.items()}
