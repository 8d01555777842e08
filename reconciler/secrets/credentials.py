"""From connections to their credentials: judged on ciphertext first, then decrypted, then judged again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from reconciler.model.desired import Connection, Policy
from reconciler.model.errors import SecretsError
from reconciler.model.secret import Credentials
from reconciler.secrets.owned import Opened, Read, inspect_owners, read_ciphertext
from reconciler.secrets.owner import Owner, of_connection

Fields: TypeAlias = Callable[[str], Sequence[str]]
"""The credential fields of an exchange."""


def inspect(connection: Connection, *, fields: Sequence[str], policy: Policy) -> tuple[SecretsError, ...]:
    """Everything that is wrong with a connection's credentials as far as ciphertext tells.

    ``fields`` are those that its exchange needs. Needs no key, starts nothing, connects to nothing.
    """
    return inspect_all([connection], fields_of=lambda _: fields, policy=policy)[connection.id]


def inspect_all(
    connections: Sequence[Connection], *, fields_of: Fields, policy: Policy, read: Read = read_ciphertext
) -> dict[str, tuple[SecretsError, ...]]:
    """:func:`inspect` for many connections by id, reading each file once."""
    return inspect_owners(owners_of(connections, fields_of), policy=policy, read=read)


def keys_of(opened: Mapping[str, Opened]) -> dict[str, Credentials | SecretsError]:
    """The fields of connections as credentials."""
    return {
        name: fields if isinstance(fields, SecretsError) else Credentials(**fields)
        for name, fields in opened.items()
    }


def owners_of(connections: Sequence[Connection], fields_of: Fields) -> list[Owner]:
    """Connections as what their secret files must belong to."""
    return [of_connection(one, fields_of(one.exchange)) for one in connections]
